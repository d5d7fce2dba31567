"""How alike the maps of all runs of a group are, pair by pair. Reads maps; tests nothing.

Legend: R runs, N images, S seeds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auglens.metrics.pairwise import pairwise_cc, pairwise_spearman
from auglens.records.identity import digest
from auglens.records.run import RecordError, read_map
from auglens.study.analyses.pairing import paired_runs
from auglens.study.conditions import Condition, Group
from auglens.study.load import Run

__all__ = ["PAIRWISE", "GroupMaps", "MapSimilarity", "map_similarity", "read_group_maps"]

Array = NDArray[np.float64]
PAIRWISE: Mapping[str, Callable[..., Array]] = {"cc": pairwise_cc, "spearman": pairwise_spearman}


@dataclass(frozen=True)
class GroupMaps:
    """Maps of one method that were made in one way, of the same images.

    Attributes:
        method: Name of the saliency method.
        runs: In the order of the group; floor runs last.
        maps: ``(R, N, H, W)``.
    """

    method: str
    runs: tuple[Run, ...]
    maps: NDArray[np.float32]

    def of(self, condition: Condition) -> Condition:
        """The same condition without the runs whose maps are not here."""
        kept = tuple(run for run in condition.runs if run in self.runs)
        return Condition(condition.augment, condition.strength, condition.label, kept)

    def places(self, runs: Sequence[Run]) -> list[int]:
        """Where the maps of some runs lie."""
        places = {run.name: place for place, run in enumerate(self.runs)}
        return [places[run.name] for run in runs]


@dataclass(frozen=True)
class MapSimilarity:
    """One similarity of all pairs of runs.

    Attributes:
        mean: Over images, ``(R, R)``, in the order of :attr:`GroupMaps.runs`.
        paired: By label of every condition but the baseline: ``(N, 2S, 2S)`` over its runs and
            the baseline's of the same seeds, in that order.
    """

    mean: Array
    paired: Mapping[str, Array]


def read_group_maps(group: Group, method: str) -> GroupMaps:
    """Read the maps of all runs of a group and of its floor runs.

    A run without such maps, or with maps of other images or settings than the group's first, is
    left out; the report says elsewhere what could not be read or compared.
    """
    runs, stacked, first = [], [], None
    for run in (*group.runs, *group.floor_runs):
        try:
            found = read_map(run.folder, method)
        except RecordError:
            continue
        way = (run.record.probe_hash, digest(found.settings), found.probe_ids.tolist())
        first = first or way
        if way == first:
            runs.append(run)
            stacked.append(found.maps)
    maps = np.stack(stacked) if stacked else np.empty((0, 0, 0, 0), np.float32)
    return GroupMaps(method, tuple(runs), maps)


def map_similarity(group: Group, own: GroupMaps, measure: str) -> MapSimilarity:
    """Similarity of every pair of runs, one image at a time, so that memory stays small.

    Args:
        group: The group of the runs.
        own: Its maps.
        measure: A name of :data:`PAIRWISE`.
    """
    places = _paired_places(group, own)
    num_runs, num_images = own.maps.shape[:2]
    paired = {label: np.empty((num_images, len(at), len(at))) for label, at in places.items()}
    total, defined = np.zeros((num_runs, num_runs)), np.zeros((num_runs, num_runs))
    for image in range(num_images):
        one = own.maps[:, image : image + 1]
        similarity = PAIRWISE[measure](one, one)[0]
        total += np.nan_to_num(similarity)
        defined += ~np.isnan(similarity)
        for label, at in places.items():
            paired[label][image] = similarity[np.ix_(at, at)]
    mean = np.where(defined > 0, total / np.maximum(defined, 1), np.nan)
    return MapSimilarity(mean, paired)


def _paired_places(group: Group, own: GroupMaps) -> dict[str, list[int]]:
    if group.baseline is None:
        return {}
    baseline = own.of(group.baseline)
    places = {}
    for condition in group.conditions:
        pairs = paired_runs(own.of(condition), baseline)
        if condition is not group.baseline and len(pairs) > 1:
            firsts, seconds = ([pair[side] for pair in pairs] for side in (0, 1))
            places[condition.label] = own.places([*firsts, *seconds])
    return places
