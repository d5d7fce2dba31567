"""Reads every run's maps of one method once: means over seeds, and single runs. Draws nothing.

Legend: C conditions, R runs, T runs shown singly, N images, S images of single runs, H and W pixels.
Maps are multiples of the uniform value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auglens.records.run import RecordError
from auglens.saliency.overlay import relative, shared_limit
from auglens.study.load import Run

__all__ = ["MapStack", "mean_over_runs", "read_stack", "round_robin", "scale_limit"]


@dataclass(frozen=True)
class MapStack:
    """Maps of one method.

    Attributes:
        means: Mean over the runs of each condition that have a defined map, ``(C, N, H, W)``;
            NaN where none has.
        num_defined: Number of maps in each mean, ``(C, N)``.
        singles: Of the runs that are shown singly, ``(T, S, H, W)``; NaN where undefined.
        present: Whether such a run has a map of an image at all, defined or not, ``(T, S)``.
    """

    means: NDArray[np.float32]
    num_defined: NDArray[np.int64]
    singles: NDArray[np.float32]
    present: NDArray[np.bool_]


def round_robin(labels: NDArray[np.int64], probe_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """An order of images that takes one of each class in turn, within a class by id.

    >>> round_robin(np.array([1, 1, 0, 0]), np.array([4, 2, 9, 5])).tolist()
    [3, 1, 2, 0]
    """
    turn = np.empty(len(labels), np.int64)
    by_id = np.argsort(probe_ids, kind="stable")
    for label in np.unique(labels):
        own = by_id[labels[by_id] == label]
        turn[own] = np.arange(len(own))
    return np.lexsort((labels, turn))


def read_stack(
    runs: Sequence[Run],
    condition_of: NDArray[np.int64],
    method: str,
    *,
    probe_ids: NDArray[np.int64],
    size_px: tuple[int, int],
    single_runs: NDArray[np.int64],
    num_single: int,
) -> MapStack:
    """Read the maps of one method of all runs, each file once.

    Args:
        runs: R runs; one without readable maps has none present.
        condition_of: Number of each run's condition, ``(R,)``; every condition has a run.
        method: Name of the saliency method.
        probe_ids: The N images, in the order of the result.
        size_px: ``(H, W)``; maps of another size are not read.
        single_runs: Numbers of the runs that are shown singly, ``(T,)``.
        num_single: S, at most N.
    """
    num_conditions, num_images = int(condition_of.max()) + 1, len(probe_ids)
    sums = np.zeros((num_conditions, num_images, *size_px))
    num_defined = np.zeros((num_conditions, num_images), np.int64)
    singles = np.full((len(single_runs), num_single, *size_px), np.nan, np.float32)
    present = np.zeros((len(single_runs), num_single), np.bool_)
    rows = {run: row for row, run in enumerate(single_runs.tolist())}
    for number, (run, condition) in enumerate(zip(runs, condition_of, strict=True)):
        maps, places = _read(run, method, probe_ids, size_px)
        if number in rows:
            kept = places < num_single
            singles[rows[number], places[kept]] = maps[kept]
            present[rows[number], places[kept]] = True
        defined = ~np.isnan(maps[:, 0, 0])
        # A condition at a time: fancy indices would copy what they add to.
        sums[condition][places[defined]] += maps[defined]
        num_defined[condition][places[defined]] += 1
    means = np.full(sums.shape, np.nan, np.float32)
    shown = num_defined > 0
    means[shown] = sums[shown] / num_defined[shown][:, None, None]
    return MapStack(means, num_defined, singles, present)


def mean_over_runs(
    values: NDArray[np.float32], condition_of: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Mean of each condition's finite values.

    Args:
        values: One a run, image and measure, ``(R, N, M)``.
        condition_of: Number of each run's condition, ``(R,)``.

    Returns:
        ``(C, N, M)``; NaN where no run has a finite value.
    """
    num_conditions = int(condition_of.max()) + 1
    means = np.full((num_conditions, *values.shape[1:]), np.nan, np.float32)
    for condition in range(num_conditions):
        own = values[condition_of == condition].astype(np.float64)
        finite = np.isfinite(own)
        total, number = np.where(finite, own, 0).sum(axis=0), finite.sum(axis=0)
        np.divide(total, number, out=means[condition], where=number > 0, casting="same_kind")
    return means


def scale_limit(*stacks: NDArray[np.floating]) -> float:
    """Upper end of one scale for all of these: see ``shared_limit``; their largest if that is 0."""
    values = np.abs(np.concatenate([stack.ravel() for stack in stacks]))
    limit = shared_limit(values)
    if limit > 0:
        return limit
    largest = float(np.max(values, initial=0.0, where=np.isfinite(values)))
    return largest or 1.0


def _read(
    run: Run, method: str, probe_ids: NDArray[np.int64], size_px: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Maps of those of the images that the run has, and their places among the images."""
    nothing = np.empty((0, *size_px)), np.empty(0, np.int64)
    try:
        found = run.maps(method)
    except RecordError:
        return nothing
    if found.maps.shape[1:] != size_px:
        return nothing
    places = pd.Index(probe_ids).get_indexer(pd.Index(found.probe_ids))
    known = places >= 0
    return relative(found.maps[known]), places[known]
