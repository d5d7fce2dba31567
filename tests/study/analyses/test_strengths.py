from collections.abc import Iterable
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from auglens.study.analyses.strengths import (
    OVERALL,
    association_rows,
    incremental_row,
    left_out_augments,
    repeated_rows,
    strength_design,
    trend_rows,
)
from auglens.study.conditions import Group
from tests.study.analyses.test_pairing import group_of, make_run

STRENGTHS = (0.5, 1.0, 2.0)
METHOD = "gradient"


def group_at(strengths: dict[str, Iterable[float]], *, seeds: Iterable[int] = (0, 1)) -> Group:
    """Runs of some augmentations at some strengths each, and a baseline."""
    kinds = [(augment, one) for augment, own in strengths.items() for one in own]
    pairs = product([*kinds, ("none", 1.0)], seeds)
    return group_of([make_run(kind, seed=seed, strength=one) for (kind, one), seed in pairs])


def random_values(group: Group) -> pd.Series:
    random = np.random.default_rng(6)
    return pd.Series({run.name: random.random() for run in group.runs})


def seeds_without(group: Group, values: pd.Series, augment: str, seeds: Iterable[int]) -> pd.Series:
    """The same values with those of one augmentation's seeds undefined."""
    lost = [
        run.name
        for run in group.runs
        if run.record.augment == augment and run.record.config["seed"] in seeds
    ]
    return values.where(~values.index.isin(lost))


def rho(group: Group, values: pd.Series, augment: str, seed: int) -> float:
    own = {
        run.record.strength: 1 - values[run.name]
        for run in group.runs
        if (run.record.augment, run.record.config["seed"]) == (augment, seed)
    }
    return float(stats.spearmanr(STRENGTHS, [own[one] for one in STRENGTHS]).statistic)


def test_an_augmentation_at_other_strengths_is_left_out_alone() -> None:
    group = group_at({"crop": STRENGTHS, "blur": (0.25, 0.75, 1.5), "scale": STRENGTHS})
    design = strength_design(group)
    assert design is not None
    assert set(design.augments) == {"crop", "scale"}
    assert design.strengths == STRENGTHS
    assert left_out_augments(group, design) == ["blur: run at 0.25, 0.75, 1.5"]


def test_the_design_is_the_largest_table_of_augmentations_and_strengths() -> None:
    more = (0.5, 1.0, 1.5, 2.0)
    group = group_at({"crop": STRENGTHS, "blur": more, "scale": more})
    design = strength_design(group)
    assert design is not None
    # Three at three strengths are more than two at four.
    assert (len(design.augments), design.strengths) == (3, STRENGTHS)
    six = (*more, 0.25, 1.75)
    wider = strength_design(group_at({"crop": STRENGTHS, "blur": six, "scale": six}))
    assert wider is not None
    assert (set(wider.augments), len(wider.strengths)) == ({"blur", "scale"}, 6)


def test_strengths_that_no_augmentation_has_alone_may_be_shared_by_most() -> None:
    group = group_at({"crop": (*STRENGTHS, 0.2), "blur": (*STRENGTHS, 1.8), "scale": (1.0,)})
    design = strength_design(group)
    assert design is not None
    assert (set(design.augments), design.strengths) == ({"crop", "blur"}, STRENGTHS)
    assert left_out_augments(group, design) == ["scale: run at 1"]


def test_of_equal_tables_that_of_more_augmentations_is_taken() -> None:
    six = (0.25, 0.5, 1.0, 1.5, 1.75, 2.0)
    design = strength_design(group_at({"crop": six, "blur": STRENGTHS}))
    assert design is not None
    assert (set(design.augments), design.strengths) == ({"crop", "blur"}, STRENGTHS)


def test_two_strengths_are_no_design() -> None:
    assert strength_design(group_at({"crop": (0.5, 1.0), "blur": (0.5, 1.0)})) is None
    assert strength_design(group_at({})) is None


def test_trends_of_all_are_of_the_seeds_that_all_have() -> None:
    group = group_at({"crop": STRENGTHS, "blur": STRENGTHS}, seeds=range(6))
    values = random_values(group)
    values = seeds_without(group, values, "crop", [3])
    values = seeds_without(group, values, "blur", [5])
    design = strength_design(group)
    assert design is not None
    rows = {str(row["augment"]): row for row in trend_rows(design, values)}
    by_seed = np.array(
        [[rho(group, values, name, seed) for seed in (0, 1, 2, 4)] for name in ("crop", "blur")]
    )
    assert {row["n"] for row in rows.values()} == {4}
    assert rows[OVERALL]["rho"] == pytest.approx(by_seed.mean())
    half = stats.t.ppf(0.975, 3) * stats.sem(by_seed.mean(axis=0))
    assert rows[OVERALL]["high"] == pytest.approx(by_seed.mean() + half)
    assert rows["crop"]["rho"] == pytest.approx(by_seed[0].mean())


def test_an_augmentation_with_few_seeds_has_no_trend_but_the_others_do() -> None:
    group = group_at(dict.fromkeys(("crop", "blur", "scale"), STRENGTHS), seeds=range(5))
    values = seeds_without(group, random_values(group), "blur", range(1, 5))
    design = strength_design(group)
    assert design is not None
    rows = trend_rows(design, values)
    assert {row["augment"] for row in rows} == {"crop", "scale", OVERALL}
    assert {row["n"] for row in rows} == {5}
    apart = seeds_without(group, random_values(group), "blur", range(3))
    apart = seeds_without(group, seeds_without(group, apart, "crop", [4]), "scale", [3])
    shared = {str(row["augment"]) for row in trend_rows(design, apart)}
    assert shared == {"crop", "scale", OVERALL}
    nothing = seeds_without(group, values, "crop", range(5))
    nothing = seeds_without(group, nothing, "scale", range(5))
    assert trend_rows(design, nothing) == []


def test_the_smallest_number_of_seeds_stands_beside_what_rests_on_it() -> None:
    augments = ("crop", "blur", "scale", "erase")
    runs = [
        make_run(augment, seed=seed, strength=strength)
        for augment, strength, seed in product(augments, STRENGTHS, range(4))
        if (augment, strength, seed) != ("erase", 2.0, 3)
    ]
    group = group_of([*runs, make_run("none")])
    design = strength_design(group)
    assert design is not None
    values = {(name, ""): random_values(group) for name in ("test_accuracy", "val_accuracy")}
    values["cc", METHOD] = values["test_accuracy", ""] ** 2
    (first, _) = association_rows(design, {"cc": values["cc", METHOD]}, values)
    assert first["n_seeds"] == 3
    random = np.random.default_rng(7)
    affinity = pd.DataFrame(random.random((len(runs), 2)), columns=["affinity", "diversity"])
    row = incremental_row(design, values, METHOD, affinity.assign(run=[run.name for run in runs]))
    assert row is not None
    assert row["n_seeds"] == 3


def test_repeated_measures_take_condition_and_seed_out() -> None:
    runs = [make_run(kind, seed=seed) for kind in ("crop", "blur", "none") for seed in range(5)]
    group = group_of(runs)
    random = np.random.default_rng(8)
    similarity, accuracy = random.random((2, 2, 5)) + 3 * random.random((2, 1, 5))
    names = [run.name for run in runs[:10]]
    values = {
        ("cc", METHOD): pd.Series(similarity.ravel(), names),
        ("kl", METHOD): pd.Series(np.nan, names),
        ("test_accuracy", ""): pd.Series(accuracy.ravel(), names),
    }
    (row,) = repeated_rows(group, values, METHOD)
    # Of two conditions, what is left of a seed is half the difference of the two, centred.
    x, y = similarity[0] - similarity[1], accuracy[0] - accuracy[1]
    assert row["r"] == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert (row["similarity"], row["n"], row["df"]) == ("cc", 10, 3)
