"""Affinity and diversity of networks, images and losses whose numbers are known."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from auglens.datasets.spec import ImageDataset, ImageSpec, Split
from auglens.measures.affinity import AffinityDiversity
from auglens.measures.measure import NotMeasurable, Subject, Task
from tests.measures.subjects import make_run, make_subject, make_task

NUM_VAL = 20


class Brightness(nn.Module):
    """Says class 1 of a bright image and class 0 of a dark one, with a fixed certainty."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(logit))

    def forward(self, images: Tensor) -> Tensor:
        bright = (images.flatten(1).mean(dim=1) > 0.5).float() * 2 - 1
        return torch.stack([-bright, bright], dim=1) * self.logit


class DarkenEveryFifth:
    """An augmentation that changes every fifth image, the same number in every draw."""

    def __init__(self) -> None:
        self.draws: list[int] = []

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        self.draws.append(int(torch.randint(100, (), generator=generator)))
        changed = images.clone()
        changed[::5] = 0.0
        return changed


def dataset() -> ImageDataset:
    """Bright validation images, of which 16 of 20 are called so: accuracy 0.8."""
    spec = ImageSpec("x", 1, 4, 4, ("dark", "bright"), (0.5,), (0.5,))
    val = Split(
        torch.full((NUM_VAL, 1, 4, 4), 255, dtype=torch.uint8),
        torch.tensor([1] * 16 + [0] * 4),
        torch.arange(NUM_VAL),
    )
    pool = Split(
        torch.full((40, 1, 4, 4), 255, dtype=torch.uint8),
        torch.arange(40) % 2,
        torch.arange(40),
    )
    return ImageDataset(spec, pool=pool, val=val, test=pool)


def subject(folder: Path, augment: str, *, loss: float, logit: float) -> Subject:
    folder.mkdir()
    (folder / "history.csv").write_text(f"epoch,train_loss\n1,9.0\n2,{loss}\n")
    images, labels = torch.rand(4, 1, 4, 4), torch.arange(4) % 2
    return make_subject(make_run(folder, augment), Brightness(logit), {}, images, labels)


@pytest.fixture
def values(tmp_path: Path) -> dict[str, Any]:
    own = subject(tmp_path / "crop", "crop", loss=0.35, logit=0.0)
    clean = subject(tmp_path / "none", "none", loss=0.05, logit=1.0)
    darken = DarkenEveryFifth()

    def build(node: dict[str, Any]) -> Any:  # noqa: ANN401
        return darken if "augment" in str(node.get("_target_")) else lambda **_: dataset()

    task = make_task(own, "", {"reference": clean.run.record.identity}, other=lambda _: clean)
    outcome = AffinityDiversity(num_draws=3)(Task(**{**vars(task), "build": build}))
    assert len(set(darken.draws)) > 1
    return dict(outcome.values)


def test_affinity_is_accuracy_on_augmented_over_clean_images(values: dict[str, Any]) -> None:
    # Of the 16 that are right, those at 0, 5, 10 and 15 turn dark; the 4 others stay wrong.
    assert values["clean_accuracy"] == 0.8
    assert values["augmented_accuracy"] == pytest.approx(0.6)
    assert values["affinity"] == pytest.approx(0.75)
    assert values["affinity_gap"] == pytest.approx(-0.2)
    assert values["num_draws"] == 3


def test_diversity_is_the_loss_beyond_the_baselines(values: dict[str, Any]) -> None:
    assert (values["train_loss"], values["reference_train_loss"]) == (0.35, 0.05)
    assert values["diversity"] == pytest.approx(0.3)
    assert values["diversity_ratio"] == pytest.approx(7.0)


def test_prediction_entropy_is_that_of_each_network_on_its_own_set(
    values: dict[str, Any],
) -> None:
    assert values["prediction_entropy"] == pytest.approx(math.log(2))
    # Logits of +1 and -1 whatever the image.
    share = math.exp(2) / (1 + math.exp(2))
    expected = -share * math.log(share) - (1 - share) * math.log(1 - share)
    assert values["reference_prediction_entropy"] == pytest.approx(expected, abs=1e-6)


def test_the_reference_is_the_baseline_of_the_same_seeds(tmp_path: Path) -> None:
    measure = AffinityDiversity(num_draws=1)
    run, none = make_run(tmp_path / "a", "crop", seed=1), make_run(tmp_path / "b", seed=1)
    strangers = [
        make_run(tmp_path / "c"),
        make_run(tmp_path / "d", seed=1, trainer={"max_epochs": 99}),
        make_run(tmp_path / "e", "duplicate", seed=1),
    ]
    assert measure.inputs(run, [*strangers, run, none]) == {"reference": none.record.identity}
    with pytest.raises(NotMeasurable, match="no baseline"):
        measure.inputs(run, [*strangers, run])


def test_without_a_history_it_cannot_be_taken(tmp_path: Path) -> None:
    own = subject(tmp_path / "crop", "crop", loss=0.35, logit=0.0)
    (own.run.folder / "history.csv").unlink()
    task = make_task(own, "", {"reference": "r"}, other=lambda _: own)
    building = Task(**{**vars(task), "build": lambda _: lambda **_: dataset()})
    with pytest.raises(NotMeasurable, match=r"history\.csv"):
        AffinityDiversity(num_draws=1)(building)
