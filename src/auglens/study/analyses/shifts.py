"""Noise floors, and whether augmentations move maps beyond them, as tables."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from auglens.study.analyses.map_similarity import GroupMaps, MapSimilarity
from auglens.study.analyses.pairing import augmented_conditions, paired_runs, rng_for
from auglens.study.conditions import Condition, Group, seeds_of
from auglens.study.load import Run
from auglens.study.palette import FLOOR
from auglens.study.statistics.correction import holm
from auglens.study.statistics.shift import seed_shift, shift_coverage

__all__ = ["ALL", "DUPLICATE", "INIT", "ORDER", "floor_rows", "shift_rows"]

NUM_RESAMPLES = 2000
DUPLICATE = "order and make-up of batches: untouched copies against the baseline of their seed"
ORDER = "order: baselines of the same images and first weights"
INIT = "first weights and order: baselines of the same images"
ALL = "images, first weights and order: baselines of different seeds"

Row = dict[str, object]


def floor_rows(group: Group, own: GroupMaps, similarity: MapSimilarity) -> Iterator[Row]:
    """How alike the maps of two baselines are, by what differs between the two.

    Yields:
        ``floor``, mean, standard deviation and range over pairs of runs (of each the mean over
        images), ``n_runs`` and ``n_pairs``. Pairs that share a run are not independent.
    """
    if group.baseline is None:
        return
    baseline = own.of(group.baseline)
    # Of the floor runs' seeds one is a run of the condition; it belongs to both.
    of_floors = {run.name for run in group.floor_runs}
    floors = [run for run in own.runs if run.name in of_floors]
    pairs: dict[str, list[tuple[Run, Run]]] = {DUPLICATE: [], ORDER: [], INIT: [], ALL: []}
    for condition in group.conditions:
        if condition.augment == FLOOR:
            pairs[DUPLICATE] += paired_runs(own.of(condition), baseline)
    for first, second in combinations([*floors, *baseline.runs], 2):
        name = _what_differs(first, second)
        if name and (name != ALL or of_floors.isdisjoint((first.name, second.name))):
            pairs[name].append((first, second))
    for name, found in pairs.items():
        if found:
            yield {"floor": name, **_summary(found, own, similarity.mean)}


def shift_rows(group: Group, own: GroupMaps, similarity: MapSimilarity, measure: str) -> list[Row]:
    """The shift of every condition against the baseline, tested by exchange within seeds.

    Holm's correction is over the augmentations at their usual strength; other strengths and
    untouched copies stand beside them, uncorrected.

    Returns:
        The fields of :class:`~auglens.study.statistics.shift.Shift`, ``same_seed`` (mean
        similarity of the two runs of a seed), ``p_holm``, ``tested`` and the measured ``coverage``
        of the interval.
    """
    tested = [one.label for one in augmented_conditions(group)]
    rows = [
        _shift(condition, own, similarity.paired[condition.label], measure)
        for condition in group.conditions
        if condition.label in similarity.paired
    ]
    family = [row for row in rows if row["label"] in tested]
    corrected = holm([float(str(row["p"])) for row in family])
    by_label = dict(zip((row["label"] for row in family), corrected.tolist(), strict=True))
    return [
        {**row, "p_holm": by_label.get(row["label"], np.nan), "tested": row["label"] in by_label}
        for row in rows
    ]


def _what_differs(first: Run, second: Run) -> str:
    """The floor that two baselines belong to; nothing where the order alone is the same."""
    data, init, order = (
        one != other for one, other in zip(seeds_of(first)[:3], seeds_of(second)[:3], strict=True)
    )
    if not order:
        return ""
    if data:
        return ALL if init else ""
    return INIT if init else ORDER


def _summary(
    pairs: list[tuple[Run, Run]], own: GroupMaps, mean: NDArray[np.float64]
) -> dict[str, float]:
    places = np.array([own.places(pair) for pair in pairs])
    values = mean[places[:, 0], places[:, 1]]
    values = values[np.isfinite(values)]
    n = len(values)
    return {
        "mean": float(values.mean()) if n else np.nan,
        "sd": float(values.std(ddof=1)) if n > 1 else np.nan,
        "low": float(values.min()) if n else np.nan,
        "high": float(values.max()) if n else np.nan,
        "n_runs": len(np.unique(places)),
        "n_pairs": n,
    }


def _shift(condition: Condition, own: GroupMaps, paired: NDArray[np.float64], measure: str) -> Row:
    rng = rng_for("shift", own.method, measure, condition.label)
    shift = seed_shift(paired, rng=rng, num_resamples=NUM_RESAMPLES)
    n = paired.shape[1] // 2
    same = paired[:, np.arange(n), n + np.arange(n)]
    return {
        "label": condition.label,
        "augment": condition.augment,
        "strength": np.nan if condition.strength is None else condition.strength,
        **asdict(shift),
        "same_seed": float(np.nanmean(same)) if np.isfinite(same).any() else np.nan,
        "coverage": shift_coverage(shift.n),
    }
