import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix

from auglens.metrics.accuracy import accuracy, balanced_accuracy


def test_accuracies_are_scikit_learns() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (200,), generator=generator) ** 2 // 3
    preds = torch.where(torch.rand(200, generator=generator) < 0.7, labels, 1)
    confusion = torch.from_numpy(confusion_matrix(labels, preds, labels=range(5)))
    assert accuracy(confusion) == pytest.approx(accuracy_score(labels, preds))
    assert balanced_accuracy(confusion) == pytest.approx(balanced_accuracy_score(labels, preds))
