from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from auglens.study.analyses.differences import AUGMENTED, contrast_rows, difference_tables
from auglens.study.analyses.levels import diagonal_row
from auglens.study.conditions import Group, find_groups
from auglens.study.load import Run
from tests.study.generated_sweep import make_config, make_record

AUGMENTS = ("scale", "crop", "erase", "distort", "blur", "duplicate", "none")
SEEDS = range(7)


@pytest.fixture(scope="module")
def group() -> Group:
    runs = [
        Run(f"{augment}-{seed}", Path("absent"), make_record(make_config(augment, seed=seed)))
        for augment in AUGMENTS
        for seed in SEEDS
    ]
    (found,) = find_groups(runs)
    return found


@pytest.fixture(scope="module")
def values(group: Group) -> pd.Series:
    random = np.random.default_rng(5)
    return pd.Series({run.name: random.normal() for run in group.runs})


def of(values: pd.Series, augment: str) -> list[float]:
    return [float(values[f"{augment}-{seed}"]) for seed in SEEDS]


def test_differences_are_those_of_scipy_with_holm_over_five(
    group: Group, values: pd.Series
) -> None:
    table = difference_tables(group, {("test_accuracy", ""): values}).set_index("label")
    assert list(table.index[table["tested"]]) == ["scale", "crop", "distort", "blur", "erase"]
    plain = {name: stats.ttest_rel(of(values, name), of(values, "none")) for name in AUGMENTS[:6]}
    for name, test in plain.items():
        assert table.loc[name, "p"] == pytest.approx(test.pvalue)
    smallest = min(AUGMENTS[:5], key=lambda name: plain[name].pvalue)
    assert table.loc[smallest, "p_holm"] == pytest.approx(min(1, 5 * plain[smallest].pvalue))
    assert np.isnan(table["p_holm"]["duplicate"])


def test_similarity_is_read_against_untouched_copies(group: Group, values: pd.Series) -> None:
    table = difference_tables(group, {("cc", "gradient"): values}).set_index("label")
    assert set(table["against"]) == {"duplicate"}
    assert "duplicate" not in table.index
    difference = np.mean(of(values, "crop")) - np.mean(of(values, "duplicate"))
    assert table.loc["crop", "mean"] == pytest.approx(difference)


def test_contrasts_have_copies_beside_and_average_augmentations(
    group: Group, values: pd.Series
) -> None:
    rows = contrast_rows(group, {("test_accuracy", ""): values, ("epochs", ""): values})
    crop = {str(row["against"]): row for row in rows if row["label"] == "crop"}
    assert set(crop) == {"scale", "distort", "blur", "erase", "none", "duplicate"}
    one_sided = stats.ttest_rel(of(values, "crop"), of(values, "blur"), alternative="greater")
    assert crop["blur"]["p_greater"] == pytest.approx(one_sided.pvalue)
    of_distort = {row["against"] for row in rows if row["label"] == "distort"}
    assert of_distort == {"scale", "crop", "blur", "erase", "duplicate"}
    augmented = next(row for row in rows if row["label"] == AUGMENTED)
    means = np.mean([of(values, name) for name in AUGMENTS[:5]], axis=0)
    assert augmented["mean"] == pytest.approx(np.mean(means - of(values, "none")))


def test_diagonal_cancels_easy_augmentations_and_stable_networks(group: Group) -> None:
    ease = {"scale": 0.1, "crop": 0.2, "distort": 0.3, "blur": 0.5, "erase": 0.0}
    rows = [
        {
            "run": f"{own}-{seed}",
            "label": own,
            "augment": tested,
            "method": "gradient",
            "map": ease[tested] + 0.1 * ease[own] + 0.01 * seed + (0.05 if own == tested else 0),
        }
        for own in ease
        for tested in ease
        for seed in SEEDS
    ]
    found = diagonal_row(group, pd.DataFrame(rows), "gradient")
    assert found is not None
    assert found["mean"] == pytest.approx(0.05)
    assert found["n"] == len(SEEDS)
    assert diagonal_row(group, pd.DataFrame(rows[:-1]), "gradient") is None
    beside = [row for row in rows if (row["run"], row["augment"]) != ("crop-2", "blur")]
    assert diagonal_row(group, pd.DataFrame(beside), "gradient") is None


def test_an_augmentation_with_two_usual_strengths_has_no_diagonal() -> None:
    runs = [
        Run(
            f"{augment}-{strength}-{seed}",
            Path("absent"),
            make_record(make_config(augment, seed=seed, strength=strength)),
        )
        for augment, strength in (("crop", 0.5), ("crop", 1.5), ("blur", 1.0), ("none", 1.0))
        for seed in SEEDS
    ]
    (group,) = find_groups(runs)
    rows = [
        {"run": run.name, "augment": tested, "method": "gradient", "map": 0.5}
        for run in runs
        for tested in ("crop", "blur")
    ]
    assert diagonal_row(group, pd.DataFrame(rows), "gradient") is None
