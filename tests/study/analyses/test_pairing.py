from pathlib import Path

import numpy as np
import pandas as pd

from auglens.study.analyses.pairing import (
    augmented_conditions,
    paired_runs,
    rng_for,
    seed_grid,
    seeds_left_out,
)
from auglens.study.conditions import Group, find_groups
from auglens.study.load import Run
from tests.study.generated_sweep import make_config, make_record


def make_run(augment: str, *, seed: int = 0, strength: float = 1.0, **seeds: int) -> Run:
    """A run without files."""
    config = make_config(augment, seed=seed, strength=strength)
    config["seeds"] |= seeds
    record = make_record(config)
    return Run(f"{augment}-{strength}-{seed}-{seeds}", Path("absent"), record)


def group_of(runs: list[Run]) -> Group:
    (group,) = find_groups(runs)
    return group


def test_runs_are_paired_by_all_four_seeds() -> None:
    runs = [make_run("crop", seed=seed) for seed in (2, 0, 1)]
    runs += [make_run("none", seed=seed) for seed in (0, 2, 3)]
    crop, none = group_of(runs).conditions
    pairs = paired_runs(crop, none)
    assert [(one.record.config["seed"], other.record.config["seed"]) for one, other in pairs] == [
        (0, 0),
        (2, 2),
    ]


def test_baselines_with_seeds_of_their_own_are_floor_runs() -> None:
    runs = [make_run(augment, seed=seed) for augment in ("crop", "none") for seed in (0, 1)]
    floors = [make_run("none", order=5), make_run("none", order=6, init=6)]
    group = group_of([*runs, *floors])
    assert group.floor_runs == tuple(floors)
    assert [len(one.runs) for one in group.conditions] == [2, 2]
    assert group.baseline is group.conditions[-1]


def test_seeds_that_all_conditions_share_make_no_floor_run() -> None:
    # seeds.data=7 for every run: the augmented ones pair with these baselines.
    runs = [make_run(augment, seed=seed, data=7) for augment in ("crop", "none") for seed in (0, 1)]
    assert group_of(runs).floor_runs == ()


def test_baselines_alone_are_a_condition_though_their_seeds_differ() -> None:
    group = group_of([make_run("none", order=order) for order in (3, 4)])
    assert group.floor_runs == ()
    assert len(group.conditions[0].runs) == 2


def test_usual_conditions_are_those_nearest_to_strength_1() -> None:
    runs = [make_run("crop", strength=strength) for strength in (0.5, 1.0, 2.0)]
    runs += [make_run("blur", strength=strength) for strength in (0.25, 0.75)]
    runs += [make_run("duplicate"), make_run("none")]
    group = group_of(runs)
    assert [one.label for one in group.usual] == ["crop", "blur s0.75", "duplicate", "none"]
    assert [one.label for one in augmented_conditions(group)] == ["crop", "blur s0.75"]


def test_grid_holds_the_seeds_that_all_conditions_have() -> None:
    runs = [make_run("crop", seed=seed) for seed in (0, 1, 2)]
    runs += [make_run("none", seed=seed) for seed in (1, 2, 3)]
    group = group_of(runs)
    values = pd.Series({run.name: float(place) for place, run in enumerate(runs)})
    np.testing.assert_array_equal(seed_grid(group.conditions, values), [[1, 3], [2, 4]])


def test_generators_depend_on_their_names_alone() -> None:
    first, again, other = (
        rng_for("shift", "crop"),
        rng_for("shift", "crop"),
        rng_for("shift", "blur"),
    )
    drawn = first.random(4)
    np.testing.assert_array_equal(drawn, again.random(4))
    assert not np.array_equal(drawn, other.random(4))


def test_seeds_that_a_usual_condition_lacks_are_named_with_who_lacks_them() -> None:
    runs = [make_run("crop", seed=seed) for seed in (0, 1, 8, 9)]
    runs += [make_run("blur", seed=seed) for seed in (0, 1, 8)]
    runs += [make_run("none", seed=seed) for seed in (0, 1)]
    # Copies are in no such test, and neither are other strengths.
    runs += [make_run("duplicate", seed=5), make_run("crop", seed=7, strength=2.0)]
    runs += [make_run("none", order=5)]
    assert sorted(seeds_left_out(group_of(runs))) == [
        "blur: seeds 8 not in none",
        "crop: seeds 8 not in none",
        "crop: seeds 9 not in blur, none",
    ]
    roles = [make_run("crop", seed=3, data=7), make_run("none", seed=1)]
    assert "crop: seeds (7, 3, 3, 3) not in none" in seeds_left_out(group_of(roles))
    assert seeds_left_out(group_of(runs[:1])) == []
