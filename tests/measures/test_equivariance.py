from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auglens.augment.transforms import Blur, Crop, Distort, Erase, Scale, StrengthTransform
from auglens.measures.equivariance import Equivariance
from auglens.measures.measure import NotMeasurable
from auglens.saliency.attribution import Attribution
from auglens.saliency.gradients import InputXGradient
from auglens.saliency.null_maps import EdgeMap, RandomMap
from tests.measures.subjects import labelled, make_run, make_subject, make_task

NODES: dict[str, dict[str, Any]] = {
    "scale": {"_target_": "auglens.augment.transforms.Scale", "max_change": 0.4},
    "crop": {
        "_target_": "auglens.augment.transforms.Crop",
        "min_area_fraction": 0.5,
        "max_aspect": 1.3,
    },
    "erase": {
        "_target_": "auglens.augment.transforms.Erase",
        "min_area_fraction": 0.02,
        "max_area_fraction": 0.25,
        "aspect": [0.3, 3.3],
    },
    "distort": {"_target_": "auglens.augment.transforms.Distort", "amplitude": 34, "sigma_px": 4},
    "blur": {"_target_": "auglens.augment.transforms.Blur", "min_sigma_px": 0.5, "max_sigma_px": 2},
}


class Ink(nn.Module):
    """Every class counts all ink: image times gradient is the image itself."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def forward(self, images: Tensor) -> Tensor:
        ink: Tensor = images.flatten(1).sum(dim=1, keepdim=True) * self.weight
        return ink


METHODS: dict[str, Attribution] = {
    "image": InputXGradient(reduce="sum", batch_size=7),
    "random": RandomMap(reduce="max_abs", batch_size=7),
    "edge": EdgeMap(reduce="max_abs", batch_size=7),
}


@pytest.fixture
def images() -> Tensor:
    noise = torch.rand(21, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    return F.avg_pool2d(noise, 5, stride=1, padding=2)


def take(
    tmp_path: Path, images: Tensor, method: str, *, strength: float
) -> dict[str, dict[str, list[float]]]:
    subject = make_subject(make_run(tmp_path), Ink(), METHODS, images, labelled(7))
    nodes = {name: {**node, "strength": strength} for name, node in NODES.items()}
    measure = Equivariance(num_images=21, strength=strength)
    found: dict[str, dict[str, list[float]]] = measure(
        make_task(subject, method, {"transforms": nodes})
    ).values["augments"]
    return found


def test_a_map_that_is_the_image_moves_with_it(tmp_path: Path, images: Tensor) -> None:
    found = take(tmp_path, images, "image", strength=1.0)
    for name in ("scale", "crop", "erase", "distort"):
        assert found[name]["map"] == pytest.approx([1.0] * 21, abs=1e-4), name
    # Under blurring the map is expected to stay, and the image does not quite.
    assert all(0 < value < 0.999 for value in found["blur"]["map"])


def test_without_strength_everything_stays_what_it_is(tmp_path: Path, images: Tensor) -> None:
    found = take(tmp_path, images, "edge", strength=0.0)
    for values in found.values():
        assert values["map"] == pytest.approx([1.0] * 21, abs=1e-6)
        assert values["model"] == pytest.approx([1.0] * 21, abs=1e-6)


def test_noise_does_not_follow_the_image(tmp_path: Path, images: Tensor) -> None:
    found = take(tmp_path, images, "random", strength=1.0)
    # 4 standard errors of the mean of 21 correlations over at least 200 independent pixels.
    for name in NODES:
        assert abs(sum(found[name]["map"]) / 21) < 4 / (21 * 200) ** 0.5, name


def test_the_networks_own_invariance_is_the_cosine_of_its_logits(
    tmp_path: Path, images: Tensor
) -> None:
    # All logits of Ink are equal, so two images always point the same way.
    found = take(tmp_path, images, "edge", strength=1.0)
    assert all(values["model"] == pytest.approx([1.0] * 21) for values in found.values())


@pytest.mark.parametrize("make", [Scale, Crop, Erase, Distort, Blur])
def test_what_moves_pixels_says_so(make: type[StrengthTransform]) -> None:
    assert make.moves_pixels == (make is not Blur)


def test_augmentations_of_the_sweep_are_tested_at_one_strength(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path / f"{name}{strength}", name, strength=strength)
        for name in ("crop", "blur")
        for strength in (0.5, 2.0)
    ]
    runs += [make_run(tmp_path / "none"), make_run(tmp_path / "duplicate", "duplicate")]
    strangers = [
        make_run(tmp_path / "permuted", "erase", data={"permute_train_labels": True}),
        make_run(tmp_path / "longer", "scale", trainer={"max_epochs": 99}),
    ]
    measure = Equivariance(num_images=5, strength=1.0)
    transforms = measure.inputs(runs[0], [*runs, *strangers])["transforms"]
    assert list(transforms) == ["blur", "crop"]
    assert all(node["strength"] == 1.0 for node in transforms.values())
    assert measure.inputs(runs[0], [*reversed(runs)])["transforms"] == transforms
    with pytest.raises(NotMeasurable, match="no augmentation"):
        measure.inputs(runs[-2], runs[-2:])
    other = {"_target_": "auglens.augment.transforms.Crop", "strength": 1.0, "max_aspect": 9}
    runs.append(make_run(tmp_path / "wide", "crop", augment={"transform": other}))
    with pytest.raises(NotMeasurable, match="crop stands for more than one"):
        measure.inputs(runs[0], runs)


def test_a_transform_that_cannot_repeat_a_draw_is_named(tmp_path: Path, images: Tensor) -> None:
    subject = make_subject(make_run(tmp_path), Ink(), METHODS, images, labelled(7))
    node = {"_target_": "auglens.augment.transforms.Identity"}
    task = make_task(subject, "edge", {"transforms": {"still": node}})
    with pytest.raises(NotMeasurable, match="still is no StrengthTransform"):
        Equivariance(num_images=21, strength=1.0)(task)
