"""Measures of single networks against a fixed level, and the diagonal of equivariance."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from auglens.metrics.catalogue import MEASURES
from auglens.study.analyses.pairing import augmented_conditions, rng_for, seed_grid
from auglens.study.conditions import Group
from auglens.study.palette import FLOOR
from auglens.study.statistics.intervals import mean_interval, sample_sd
from auglens.study.statistics.paired import paired_difference

__all__ = ["diagonal_row", "level_rows"]

# Above these the heat is on the foreground, and hangs together.
LEVELS = ("foreground_auc", "foreground_auc_inner", "largest_component_share")

Row = dict[str, object]


def level_rows(
    group: Group, maps: pd.DataFrame, method: str, nulls: Mapping[str, float]
) -> Iterator[Row]:
    """Whether a measure of the maps lies above its null, for every network of usual strength.

    Args:
        group: The comparison group.
        maps: Rows of :attr:`Comparison.frame`.
        method: Saliency method.
        nulls: What unrelated maps score, by measure.

    Yields:
        ``measure``, ``label``, n seeds, mean of the runs' means, 95 % t-interval, ``null`` and
        the one-sided p of a t-test against it.
    """
    for measure in LEVELS:
        declared = MEASURES[measure].null
        null = nulls.get(measure, np.nan) if isinstance(declared, str) else float(declared or 0)
        for condition in group.usual:
            names = [run.name for run in condition.runs]
            own = maps[(maps["method"] == method) & maps["run"].isin(names)]
            means = own.groupby("run")[measure].mean().dropna()
            found = mean_interval(means)
            if condition.augment == FLOOR or found.n == 0:
                continue
            yield {
                "measure": measure,
                "label": condition.label,
                "n": found.n,
                "mean": found.mean,
                "low": found.low,
                "high": found.high,
                "null": null,
                "p_greater": _above(means, null),
            }


def _above(values: pd.Series, level: float) -> float:
    """One-sided p of a t-test that the mean lies above a level; NaN below two values."""
    n, sd = len(values), sample_sd(values.to_numpy(np.float64))
    if n < 2:
        return np.nan
    distance = float(values.mean()) - level
    if sd == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stats.t.sf(distance / (sd / np.sqrt(n)), n - 1))


def diagonal_row(group: Group, equivariance: pd.DataFrame, method: str) -> Row | None:
    """Whether networks are more equivariant to the augmentation they were trained with.

    Every row and column of the matrix weighs the same on the diagonal and beside it, so that an
    augmentation that is easy for all networks, or a network that is stable under all, adds
    nothing.

    Args:
        group: The comparison group.
        equivariance: The table of that name.
        method: Saliency method.

    Returns:
        Means on and beside the diagonal and their difference, paired by seed; None where the
        matrix has holes or fewer than two augmentations, or where two conditions of one
        augmentation are equally usual (as strengths 0.5 and 1.5 without 1), since neither is its
        diagonal alone.
    """
    family = augmented_conditions(group)
    own = equivariance[equivariance["method"] == method]
    names = [one.augment for one in family]
    tested = [name for name in names if name in set(own["augment"])]
    if len(family) < 2 or tested != names or len(set(names)) < len(names):
        return None
    columns = [
        seed_grid(family, own[own["augment"] == name].set_index("run")["map"]) for name in names
    ]
    matrices = np.stack(columns, axis=2)
    on = np.eye(len(names), dtype=bool)
    inside, outside = matrices[:, on].mean(axis=1), matrices[:, ~on].mean(axis=1)
    if not np.isfinite(matrices).all() or not len(inside):
        return None
    found = paired_difference(inside, outside, rng=rng_for("diagonal", method))
    return {
        "inside": float(inside.mean()),
        "outside": float(outside.mean()),
        **{name: getattr(found, name) for name in ("n", "mean", "low", "high", "p", "p_sign_flip")},
    }
