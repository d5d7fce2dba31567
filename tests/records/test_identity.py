import copy
from typing import Any

import pytest

from auglens.records.identity import digest, group_inputs, identity_inputs, reference_inputs

CONFIG: dict[str, Any] = {
    "seed": 0,
    "seeds": {"data": 0, "init": 0, "order": 0, "augment": 0, "explain": 0},
    "num_threads": 2,
    "dataset": {"name": "mnist_5k", "split_seed": 0},
    "data": {"train_size": 100, "batch_size": 110},
    "augment": {
        "name": "crop",
        "strength": 1,
        "copies": 10,
        "transform": {"_target_": "x.Crop", "strength": 1},
    },
    "model": {"name": "cnn2", "net": {"_target_": "x.Cnn2"}, "cam_layer": "conv2"},
    "optimizer": {"lr": 1e-3},
    "trainer": {"max_epochs": 30, "precision": "32-true", "enable_progress_bar": False},
    "saliency": {"methods": {"gradient": {}}},
    "paths": {"data_dir": "data"},
    "logger": {"mode": None},
}


def identity(changes: dict[str, Any] | None = None, **hardware: Any) -> str:  # noqa: ANN401
    config = copy.deepcopy(CONFIG)
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        node = config
        for parent in parents:
            node = node[parent]
        node[last] = value
    return digest(identity_inputs(config, **{"accelerator": "cpu", "world_size": 1, **hardware}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset.split_seed", 1),
        ("data.batch_size", 10),
        ("augment.name", "blur"),
        ("augment.copies", 3),
        ("augment.strength", 0.5),
        ("model.net", {"_target_": "x.Other"}),
        ("optimizer.lr", 1e-2),
        ("seeds.data", 1),
        ("seeds.init", 1),
        ("seeds.order", 1),
        ("seeds.augment", 1),
        ("num_threads", 1),
        ("trainer.max_epochs", 29),
        ("trainer.precision", "bf16-mixed"),
        ("trainer.limit_train_batches", 2),
    ],
)
def test_what_changes_a_result_changes_the_identity(key: str, value: object) -> None:
    assert identity({key: value}) != identity()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 5),
        ("seeds.explain", 1),
        ("model.cam_layer", "conv1"),
        ("trainer.enable_progress_bar", True),
        ("saliency.methods", {}),
        ("paths.data_dir", "elsewhere"),
        ("logger.mode", "online"),
        ("augment.strength", 1.0),
        ("optimizer.lr", 0.001),
    ],
)
def test_what_does_not_leaves_it(key: str, value: object) -> None:
    assert identity({key: value}) == identity()


def test_the_accelerator_is_part_of_it() -> None:
    assert identity(accelerator="cuda") != identity()
    assert identity(world_size=2) != identity()


def test_a_transform_without_strength_has_none() -> None:
    without = {"augment.transform": {"_target_": "x.Identity"}, "augment.name": "none"}
    assert identity({**without, "augment.strength": 0.5}) == identity(without)


def test_group_and_reference_leave_the_right_things_out() -> None:
    inputs = identity_inputs(CONFIG, accelerator="cpu", world_size=1)
    assert "augment" not in reference_inputs(inputs)
    assert set(reference_inputs(inputs)) == set(inputs) - {"augment"}
    assert {"augment", "seeds"}.isdisjoint(group_inputs(inputs))
