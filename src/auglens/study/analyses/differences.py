"""Differences to the baseline, paired by seed, with intervals and corrected tests."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from auglens.study.analyses.pairing import augmented_conditions, paired_runs, rng_for, seed_grid
from auglens.study.conditions import Condition, Group
from auglens.study.palette import FLOOR
from auglens.study.statistics.correction import holm
from auglens.study.statistics.equivalence import equivalence
from auglens.study.statistics.intervals import (
    bca_coverage,
    bca_interval,
    interquartile_mean,
    mean_interval,
)
from auglens.study.statistics.paired import paired_difference
from auglens.study.statistics.ranks import friedman

__all__ = [
    "AUGMENTED",
    "DIFFERENCES",
    "ENTROPY_BOUND_NATS",
    "contrast_rows",
    "difference_tables",
    "friedman_table",
    "interval_table",
    "run_values",
]

NUM_RESAMPLES = 9999
# Of each map measure the mean over a run's query images is compared.
MAP_MEASURES = ("entropy", "entropy_histogram")
SIMILARITIES = ("cc", "kl")
# Differences of mean entropy that are called none: 5 % of the effective area.
ENTROPY_BOUND_NATS = 0.05
AUGMENTED = "mean of the augmentations"
PLACE = ("group", "label", "augment", "measure", "method", "against")
DIFFERENCES = (
    *PLACE,
    *("n", "mean", "sd", "low", "high", "t", "p", "p_holm", "p_sign_flip", "p_sign_flip_holm"),
    *("d_z", "improvement", "smallest", "equivalence_p", "tested"),
)

Values = Mapping[tuple[str, str], pd.Series]
"""One value a run, by the name of the run; by measure and method (nothing if it needs no maps)."""


def run_values(
    group: Group, maps: pd.DataFrame, convergence: pd.DataFrame
) -> dict[tuple[str, str], pd.Series]:
    """What is compared between runs, one value a run.

    Args:
        group: The comparison group.
        maps: Rows of :attr:`Comparison.frame`.
        convergence: Rows of :func:`~auglens.study.curves.convergence`.
    """
    records = {run.name: run.record for run in group.runs}
    values: dict[tuple[str, str], pd.Series] = {
        (name, ""): pd.Series({run: getattr(one, name) for run, one in records.items()}, name=name)
        for name in ("test_accuracy", "val_accuracy", "test_accuracy_last_epoch")
    }
    own = convergence[convergence["run"].isin(list(records))].set_index("run")
    values |= {(name, ""): own[name].astype(float) for name in ("epochs", "mean_val_accuracy")}
    if maps.empty:
        return values
    mine = maps[maps["run"].isin(list(records))]
    for method, rows in mine.groupby("method", sort=False):
        means = rows.groupby("run")[[*MAP_MEASURES, *SIMILARITIES]].mean()
        values |= {(str(name), str(method)): means[name] for name in means}
    return values


def difference_tables(group: Group, values: Values) -> pd.DataFrame:
    """Every condition at its usual strength against the baseline, and CC against the order floor.

    Holm's correction is over the augmentations; untouched copies stand beside them, uncorrected.
    Similarity to the baseline is compared with that of ``duplicate``: both are of one seed.

    Returns:
        Columns :data:`DIFFERENCES`; ``equivalence_p`` is that of two one-sided tests against
        :data:`ENTROPY_BOUND_NATS`, for entropy alone.
    """
    floor = _copies(group)
    tables = [pd.DataFrame(columns=list(DIFFERENCES))]
    for (measure, method), by_run in values.items():
        against = floor if measure in SIMILARITIES else group.baseline
        if against is not None:
            rows = _differences(group, against, by_run, measure=measure, method=method)
            tables.append(pd.DataFrame(rows, columns=list(DIFFERENCES)))
    return pd.concat([one for one in tables if len(one)] or tables, ignore_index=True)


def contrast_rows(group: Group, values: Values) -> list[dict[str, object]]:
    """The comparisons that claims about one augmentation, or about all together, are made of.

    Cropping against every other training set in test accuracy; distortion against every other
    augmented set in epochs to 95 % of the best validation accuracy; and the mean of all
    augmentations of a seed in these epochs, and each of them in test accuracy, against the
    untouched copies, which show what the make-up of batches does alone.

    Returns:
        The fields of a paired difference with ``p_greater``, one-sided; nothing where an
        augmentation has two usual strengths.
    """
    family = augmented_conditions(group)
    if not family or len({one.augment for one in family}) < len(family):
        return []
    named = {one.augment: one for one in family}
    baselines = [one for one in (group.baseline, _copies(group)) if one is not None]
    accuracy, epochs = values["test_accuracy", ""], values["epochs", ""]
    pairs = [
        *(("crop", other, accuracy) for other in (*family, *baselines)),
        *(("distort", other, epochs) for other in family),
        *((augment, other, accuracy) for augment in named for other in baselines[1:]),
    ]
    rows = {
        (augment, other.label, str(by_run.name)): _contrast(named[augment], other, by_run)
        for augment, other, by_run in pairs
        if augment in named and named[augment] is not other
    }
    return [*rows.values(), *(_augmented_against(family, one, epochs) for one in baselines)]


def interval_table(group: Group) -> pd.DataFrame:
    """Test accuracy of every condition: t-interval, interquartile mean and BCa bootstrap interval.

    ``bca_coverage`` is the share of simulated samples of that size whose BCa interval holds the
    true mean: it is 95 % in name only.
    """
    rows = []
    for condition in group.conditions:
        accuracies = [run.record.test_accuracy for run in condition.runs]
        t = mean_interval(accuracies)
        bca = bca_interval(
            accuracies, rng=rng_for("bca", condition.label), num_resamples=NUM_RESAMPLES
        )
        rows.append(
            {
                "group": group.name,
                "label": condition.label,
                **asdict(t),
                "interquartile_mean": interquartile_mean(accuracies),
                "bca_low": bca.low,
                "bca_high": bca.high,
                "bca_coverage": bca_coverage(t.n) if t.n > 1 else np.nan,
            }
        )
    return pd.DataFrame(rows)


def friedman_table(group: Group, accuracies: pd.Series) -> pd.DataFrame:
    """Friedman's test of test accuracy over all conditions of usual strength, seeds as blocks.

    Returns:
        One row a condition with its mean rank (1: the highest accuracy) and the test; empty with
        fewer than three conditions or two shared seeds.
    """
    conditions = [one for one in group.usual if one.augment != FLOOR]
    blocks = seed_grid(conditions, accuracies)
    if blocks.shape[0] < 2 or blocks.shape[1] < 3:
        return pd.DataFrame()
    test = asdict(friedman(blocks))
    ranks = test.pop("mean_ranks")
    return pd.DataFrame(
        [
            {"group": group.name, "label": one.label, "mean_rank": rank, **test}
            for one, rank in zip(conditions, ranks, strict=True)
        ]
    )


def _differences(
    group: Group, against: Condition, values: pd.Series, *, measure: str, method: str
) -> list[dict[str, object]]:
    family = augmented_conditions(group)
    controls = [one for one in group.usual if one.augment == FLOOR and one is not against]
    tested = [_difference(one, against, values) for one in family]
    corrected = _corrected(tested)
    place = {"group": group.name, "measure": measure, "method": method, "against": against.label}
    rows: list[dict[str, object]] = []
    for one, found, holm_p in zip(family, tested, corrected, strict=True):
        named = {"label": one.label, "augment": one.augment}
        rows.append({**place, **named, **found, **holm_p, "tested": True})
    for one in controls:
        named = {"label": one.label, "augment": one.augment}
        rows.append({**place, **named, **_difference(one, against, values), "tested": False})
    return rows


def _copies(group: Group) -> Condition | None:
    return next((one for one in group.conditions if one.augment == FLOOR), None)


def _contrast(condition: Condition, against: Condition, values: pd.Series) -> dict[str, object]:
    place = {"label": condition.augment, "against": against.label, "measure": str(values.name)}
    return {**place, **_one_sided(_difference(condition, against, values))}


def _augmented_against(
    family: Sequence[Condition], against: Condition, epochs: pd.Series
) -> dict[str, object]:
    blocks = seed_grid([*family, against], epochs)
    found = paired_difference(blocks[:, :-1].mean(axis=1), blocks[:, -1], rng=rng_for("augmented"))
    place = {"label": AUGMENTED, "against": against.label, "measure": "epochs"}
    return {**place, **_one_sided(asdict(found))}


def _one_sided(found: Mapping[str, float]) -> dict[str, float]:
    half = found["p"] / 2
    return {**found, "p_greater": half if found["mean"] > 0 else 1 - half}


def _difference(condition: Condition, against: Condition, values: pd.Series) -> dict[str, float]:
    pairs = paired_runs(condition, against)
    first, second = (
        [float(values.get(pair[side].name, np.nan)) for pair in pairs] for side in (0, 1)
    )
    found = asdict(paired_difference(first, second, rng=rng_for("difference", condition.label)))
    if values.name == "entropy":
        same = equivalence(np.subtract(first, second), bound=ENTROPY_BOUND_NATS)
        found["equivalence_p"] = same.p
    return found


def _corrected(found: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    t, flips = (holm([one[name] for one in found]) for name in ("p", "p_sign_flip"))
    return [
        {"p_holm": float(by_t), "p_sign_flip_holm": float(by_flip)}
        for by_t, by_flip in zip(t, flips, strict=True)
    ]
