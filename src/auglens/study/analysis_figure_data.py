"""Picks what the figures of the statistics show out of tables, records and maps. Draws nothing.

Legend: N images, H and W pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from auglens.metrics.pairwise import pairwise_cc
from auglens.metrics.threads import one_thread
from auglens.saliency.overlay import relative
from auglens.study.analyses.map_similarity import read_group_maps
from auglens.study.conditions import Condition, Group
from auglens.study.figure_data import first_of_each_class
from auglens.study.mosaics import SaliencyPanels
from auglens.study.palette import FLOOR
from auglens.study.statistics.intervals import MeanInterval, mean_interval

__all__ = [
    "PERCENT",
    "SeedMeans",
    "accuracy_differences",
    "class_differences",
    "dose_lines",
    "seed_means",
    "usual_shifts",
]

PERCENT = 100
FEWEST_STRENGTHS = 3
POINTS = ("mean", "low", "high", "smallest")


@dataclass(frozen=True)
class SeedMeans:
    """Maps averaged over seeds.

    Attributes:
        panels: Of the first query image of each class.
        similarities: By label: mean CC over the query images between the average and the
            baseline's; NaN without a baseline.
        num_runs: By label: how many runs the average is over.
        num_images: By label: query images on which that CC is defined.
    """

    panels: SaliencyPanels
    similarities: Mapping[str, float]
    num_runs: Mapping[str, int]
    num_images: Mapping[str, int]


def accuracy_differences(differences: pd.DataFrame) -> pd.DataFrame:
    """Differences to the baseline in test accuracy in percentage points, the control last.

    Args:
        differences: The table of that name; may be without columns.
    """
    if differences.empty:
        return differences
    own = differences[differences["measure"] == "test_accuracy"]
    own = own[own["n"] > 0].sort_values("tested", ascending=False, kind="stable")
    return own.assign(**{name: own[name] * PERCENT for name in POINTS}).reset_index(drop=True)


def usual_shifts(
    shifts: pd.DataFrame, group: Group, method: str, *, measure: str = "cc"
) -> pd.DataFrame:
    """Shifts of the usual conditions, the control last.

    Args:
        shifts: The table of that name; may be without columns.
        group: The group.
        method: Name of the saliency method.
        measure: ``cc`` or ``spearman``.
    """
    if shifts.empty:
        return shifts
    labels = [one.label for one in group.usual]
    own = shifts[(shifts["method"] == method) & (shifts["measure"] == measure)]
    own = own[own["label"].isin(labels) & own["delta"].notna()]
    return own.assign(control=own["augment"] == FLOOR).sort_values("control", kind="stable")


def class_differences(class_accuracy: pd.DataFrame, group: Group) -> pd.DataFrame:
    """Mean test accuracy of each class minus the baseline's, in percentage points.

    Args:
        class_accuracy: The table of that name; may be without columns.
        group: The group.

    Returns:
        A row a usual condition but the baseline, the control last, a column a class; empty
        without a baseline.
    """
    if class_accuracy.empty or group.baseline is None:
        return pd.DataFrame()
    means = class_accuracy.pivot_table(
        values="accuracy_mean", index="label", columns="class", sort=False, dropna=False
    )
    others = [one for one in group.usual if one is not group.baseline]
    ordered = sorted(others, key=lambda one: one.augment == FLOOR)
    rows = means.reindex([one.label for one in ordered])
    return (rows - means.loc[group.baseline.label]) * PERCENT


def dose_lines(group: Group, maps: pd.DataFrame, shifts: pd.DataFrame, method: str) -> pd.DataFrame:
    """Test accuracy, same-seed CC and shift by strength, of augmentations with at least three.

    Args:
        group: The group.
        maps: Rows of the group in :attr:`Comparison.frame`.
        shifts: Rows of the group in the table of that name; may be without columns.
        method: Name of the saliency method.

    Returns:
        Columns ``label, augment, strength, quantity`` (``accuracy``, ``cc`` or ``delta``), ``mean,
        low, high, n``: t-intervals over seeds, of ``delta`` its bootstrap interval. Rows without
        a value are left out.
    """
    own = maps[maps["method"] == method] if len(maps) else maps
    by_run = own.groupby("run")["cc"].mean() if len(own) else pd.Series(dtype=float)
    accuracies = pd.Series({run.name: run.record.test_accuracy for run in group.runs}, dtype=float)
    rows = []
    for one in _dosed(group):
        names = [run.name for run in one.runs]
        for quantity, values in (("accuracy", accuracies), ("cc", by_run)):
            rows.append(_dose(one, quantity, mean_interval(values.reindex(names))))
        rows.append(_dose(one, "delta", _shift_of(one, shifts, method)))
    return pd.DataFrame([row for row in rows if np.isfinite(float(str(row["mean"])))])


def _dosed(group: Group) -> list[Condition]:
    """The first condition of each strength of the augmentations with enough of them, ascending."""
    found: dict[str, dict[float, Condition]] = {}
    for one in group.conditions:
        if one.strength is not None:
            found.setdefault(one.augment, {}).setdefault(one.strength, one)
    rich = [own for own in found.values() if len(own) >= FEWEST_STRENGTHS]
    return [own[strength] for own in rich for strength in sorted(own)]


def _dose(condition: Condition, quantity: str, found: MeanInterval) -> dict[str, object]:
    place = {"augment": condition.augment, "strength": condition.strength, "quantity": quantity}
    ends = {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}
    return {"label": condition.label, **place, **ends}


def _shift_of(condition: Condition, shifts: pd.DataFrame, method: str) -> MeanInterval:
    found = []
    if len(shifts):
        own = shifts[(shifts["method"] == method) & (shifts["measure"] == "cc")]
        found = own[own["label"] == condition.label].to_dict("records")
    if not found:
        return MeanInterval(np.nan, np.nan, np.nan, 0)
    return MeanInterval(found[0]["delta"], found[0]["low"], found[0]["high"], found[0]["n"])


def seed_means(group: Group, method: str) -> SeedMeans | None:
    """Averages over seeds of every usual condition that has several runs with maps.

    Averaged is P = map / sum, in multiples of the uniform value; signs are dropped. A map that is
    zero or not finite is in no average.

    Args:
        group: The group.
        method: Name of the saliency method.

    Raises:
        RecordError: If the query images cannot be read.

    Reference:
        Woerl et al., "Initialization noise in image gradients and saliency maps", CVPR 2023.
    """
    own = read_group_maps(replace(group, conditions=group.usual, floor_runs=()), method)
    kept = [one for one in map(own.of, group.usual) if len(one.runs) > 1]
    if not kept:
        return None
    means = {one.label: _mean_map([own.maps[at] for at in own.places(one.runs)]) for one in kept}
    base = means.get(group.baseline.label) if group.baseline else None
    found = _defined_cc(means, base)
    probe = own.runs[0].probe()
    places, titles = first_of_each_class(probe, group.config["dataset"]["class_names"])
    shown: dict[str, NDArray[np.floating]] = {label: mean[places] for label, mean in means.items()}
    return SeedMeans(
        SaliencyPanels(probe.images[places], titles, shown),
        {label: float(values.mean()) if len(values) else np.nan for label, values in found.items()},
        {one.label: len(one.runs) for one in kept},
        {label: len(values) for label, values in found.items()},
    )


def _mean_map(maps: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Mean of the defined ones of several runs' maps ``(N, H, W)``; NaN where there is none."""
    total, defined = np.zeros(maps[0].shape), np.zeros((len(maps[0]), 1, 1))
    for one in map(relative, maps):
        valid = np.isfinite(one).all(axis=(1, 2), keepdims=True)
        total += np.where(valid, one, 0)
        defined += valid
    return np.divide(total, defined, out=np.full_like(total, np.nan), where=defined > 0)


def _defined_cc(
    means: Mapping[str, NDArray[np.float64]], base: NDArray[np.float64] | None
) -> dict[str, NDArray[np.float64]]:
    """By label the CC with the baseline's average, of the images where it is defined."""
    if base is None:
        return {label: np.empty(0) for label in means}
    stacked = torch.from_numpy(np.stack(list(means.values())))
    with one_thread():
        values = pairwise_cc(stacked, torch.from_numpy(base[np.newaxis]))[:, :, 0]
    return {label: own[np.isfinite(own)] for label, own in zip(means, values.T, strict=True)}
