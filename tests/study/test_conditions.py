from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from auglens.study.conditions import Group, find_groups
from auglens.study.load import Run, load_sweeps
from tests.study.generated_sweep import make_config, make_record


def groups_of(configs: Sequence[dict[str, Any]]) -> tuple[Group, ...]:
    return find_groups(
        Run(str(number), Path(str(number)), make_record(config))
        for number, config in enumerate(configs)
    )


def labels(group: Group) -> list[str]:
    return [condition.label for condition in (*group.conditions, *group.other_batches)]


def test_one_group_in_the_order_of_the_report(sweep: Path) -> None:
    (group,) = find_groups(load_sweeps([sweep]).results)
    assert labels(group) == [
        *("scale", "crop", "distort", "blur", "erase", "duplicate", "none"),
        "none (batches of 10)",
    ]


def test_seeds_are_runs_of_one_condition_and_strengths_are_not() -> None:
    configs = [make_config("crop", seed=seed, strength=s) for s in (2.0, 0.5) for seed in (0, 1)]
    (group,) = groups_of([*configs, make_config("zoom"), make_config("none")])
    assert labels(group) == ["crop s0.5", "crop s2", "zoom", "none"]
    assert [len(condition.runs) for condition in group.conditions] == [2, 2, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"dataset": {"name": "other"}}, id="dataset"),
        pytest.param({"optimizer": {"lr": 0.1}}, id="optimizer"),
        pytest.param({"trainer": {"max_epochs": 7}}, id="trainer"),
        pytest.param({"data": {"train_size": 40}}, id="data"),
    ],
)
def test_whatever_differs_besides_the_augmentation_splits_groups(change: dict[str, Any]) -> None:
    assert len(groups_of([make_config("crop"), make_config("crop", **change)])) == 2


def test_settings_that_a_label_does_not_tell_are_put_in_brackets() -> None:
    (group,) = groups_of([make_config("crop"), make_config("crop", augment={"copies": 3})])
    assert labels(group) == ["crop (copies=10)", "crop (copies=3)"]


def test_baselines_alone_with_another_batch_size_join_the_group() -> None:
    small = make_config("none", data={"batch_size": 10})
    (group,) = groups_of([small, make_config("none"), make_config("crop")])
    assert labels(group) == ["crop", "none", "none (batches of 10)"]


def test_an_augmentation_with_another_batch_size_is_a_group_of_its_own() -> None:
    small = make_config("crop", data={"batch_size": 10})
    first, second = groups_of([make_config("crop"), make_config("none"), small])
    assert labels(first) == ["crop", "none"]
    assert labels(second) == ["crop"]


def test_a_lone_group_of_baselines_keeps_its_part() -> None:
    (group,) = groups_of([make_config("none", data={"batch_size": 10})])
    assert labels(group) == ["none"]
