import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from auglens.measures.faithfulness import Faithfulness
from tests.measures.subjects import labelled, make_run, make_subject, make_task, store_maps


def measure(num_steps: int = 16, batch_size: int = 4) -> Faithfulness:
    return Faithfulness(
        substrates=["black", "blur", "mean"],
        num_steps=num_steps,
        blur_sigma_px=1.0,
        batch_size=batch_size,
    )


class InkOfClass(nn.Module):
    """The logit of class k is the ink in the k-th column block: what matters is known."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(4.0))

    def forward(self, images: Tensor) -> Tensor:
        blocks = images[:, 0, :, :6].unflatten(2, (3, 2))  # type: ignore[no-untyped-call]
        logits: Tensor = self.scale * blocks.mean(dim=(1, 3))
        return logits


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.rand(9, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def truth(images: Tensor, labels: Tensor) -> Tensor:
    """What each pixel adds to the logit of the image's class, minus what it adds to the others."""
    maps = torch.full((len(images), 8, 8), -0.5)
    for index, label in enumerate(labels):
        maps[index, :, 6:] = 0.0
        maps[index, :, 2 * label : 2 * label + 2] = 1.0
    return maps * images[:, 0]


def test_a_true_map_beats_chance_and_its_opposite_loses(tmp_path: Path, images: Tensor) -> None:
    labels = labelled(3)
    subject = make_subject(make_run(tmp_path), InkOfClass(), {}, images, labels)
    scores = {}
    for name, maps in (("true", truth(images, labels)), ("false", -truth(images, labels))):
        store_maps(subject, name, maps)
        scores[name] = measure()(make_task(subject, name)).columns
    for kind in ("black", "mean"):
        for true, false in zip(
            scores["true"][f"srg_{kind}"], scores["false"][f"srg_{kind}"], strict=True
        ):
            assert true is not None
            assert false is not None
            assert true > 0 > false
            assert true == pytest.approx(-false, abs=1e-6)
    assert set(scores["true"]) == {
        f"{name}_{kind}"
        for name in ("deletion", "insertion", "srg")
        for kind in ("black", "blur", "mean")
    }


def test_curves_begin_at_the_images_probability_and_do_not_depend_on_the_batch(
    tmp_path: Path, images: Tensor
) -> None:
    labels = labelled(3)
    net = InkOfClass()
    subject = make_subject(make_run(tmp_path), net, {}, images, labels)
    store_maps(subject, "true", truth(images, labels))
    first, second = (measure(batch_size=size)(make_task(subject, "true")) for size in (2, 9))
    assert first.probe_ids == list(range(100, 109))
    expected = net(images).softmax(1)[range(9), labels].mean().item()
    for curves in first.values["curves"].values():
        for curve in curves.values():
            assert len(curve) == 17
            assert curve[0] == pytest.approx(expected, abs=1e-6)
    # Ties are broken by chance; the true map has some, where no class looks.
    for name, column in first.columns.items():
        assert column == pytest.approx(second.columns[name], abs=0.02)


def test_a_map_of_zeros_is_undefined_and_spoils_nothing_else(
    tmp_path: Path, images: Tensor
) -> None:
    labels = labelled(3)
    subject = make_subject(make_run(tmp_path), InkOfClass(), {}, images, labels)
    maps = truth(images, labels)
    maps[4] = 0
    store_maps(subject, "true", maps)
    outcome = measure()(make_task(subject, "true"))
    for column in outcome.columns.values():
        assert [value is None for value in column] == [place == 4 for place in range(9)]
    means = outcome.values["curves"]["black"]["most_important_first"]
    assert all(math.isfinite(value) for value in means)
