"""How alike the maps of all runs of a group are, pair by pair. Reads maps; tests nothing.

Legend: R runs, N images, S seeds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from auglens.metrics.pairwise import pairwise_cc, pairwise_spearman
from auglens.records.identity import digest
from auglens.records.maps import SaliencyMaps
from auglens.records.run import RecordError
from auglens.study.analyses.pairing import paired_runs
from auglens.study.analyses.sampling import sample_runs, say_sampled
from auglens.study.conditions import Condition, Group
from auglens.study.load import Run
from auglens.study.progress import Track, untracked

__all__ = [
    "PAIRWISE",
    "GroupMaps",
    "MapSimilarity",
    "map_similarity",
    "read_group_maps",
    "sample_maps",
]

Array = NDArray[np.float64]
PAIRWISE: Mapping[str, Callable[..., Array]] = {"cc": pairwise_cc, "spearman": pairwise_spearman}


@dataclass(frozen=True)
class GroupMaps:
    """Maps of one method that were made in one way, of the same images.

    Attributes:
        method: Name of the saliency method.
        runs: In the order of the group; floor runs last.
        maps: ``(R, N, H, W)``.
        left_out: Names of the runs whose maps were made in another way.
        sampled: How many of the runs with such maps these are; nothing where they are all.
    """

    method: str
    runs: tuple[Run, ...]
    maps: NDArray[np.float32]
    left_out: tuple[str, ...]
    sampled: str = ""

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {run.name: place for place, run in enumerate(self.runs)}

    def of(self, condition: Condition) -> Condition:
        """The same condition without the runs whose maps are not here."""
        kept = tuple(run for run in condition.runs if run.name in self._places)
        return Condition(condition.augment, condition.strength, condition.label, kept)

    def places(self, runs: Sequence[Run]) -> list[int]:
        """Where the maps of some runs lie."""
        return [self._places[run.name] for run in runs]


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

    Kept are maps of the images and settings that most runs have; of equally frequent ways that of
    more runs of the baseline, else the first. A run without such maps is left out, and the report
    says elsewhere what could not be read.
    """
    every = (*group.runs, *group.floor_runs)
    stacks: dict[str, _Stack] = {}
    for place, run in enumerate(every):
        try:
            found = run.maps(method)
        except RecordError:
            continue
        way = _way(run, found)
        if way not in stacks:
            # Rows that are never written take no memory.
            stacks[way] = _Stack(np.empty((len(every) - place, *found.maps.shape), np.float32))
        stacks[way].add(run, found.maps)
    if not stacks:
        return GroupMaps(method, (), np.empty((0, 0, 0, 0), np.float32), ())
    baseline = {run.name for run in group.baseline.runs} if group.baseline else set()
    kept = max(stacks.values(), key=lambda one: (len(one.runs), len(baseline & one.names)))
    others = [one.names for one in stacks.values() if one is not kept]
    left_out = tuple(run.name for run in every if any(run.name in names for names in others))
    return GroupMaps(method, tuple(kept.runs), kept.maps[: len(kept.runs)], left_out)


def sample_maps(group: Group, own: GroupMaps) -> GroupMaps:
    """Those of some runs where there are too many to compare all pairs: see :func:`sample_runs`."""
    kept = sample_runs(group, own.runs)
    if len(kept) == len(own.runs):
        return own
    maps = own.maps[own.places(kept)]
    said = say_sampled(len(kept), len(own.runs))
    return GroupMaps(own.method, kept, maps, own.left_out, said)


@dataclass(frozen=True)
class _Stack:
    """Maps that were made in one way, as far as they have been read."""

    maps: NDArray[np.float32]
    runs: list[Run] = field(default_factory=list)

    def add(self, run: Run, maps: NDArray[np.float32]) -> None:
        self.maps[len(self.runs)] = maps
        self.runs.append(run)

    @property
    def names(self) -> set[str]:
        return {run.name for run in self.runs}


def _way(run: Run, found: SaliencyMaps) -> str:
    images = [run.record.probe_hash, found.probe_ids.tolist(), list(found.maps.shape)]
    return digest([found.settings, *images])


def map_similarity(
    group: Group, own: GroupMaps, measure: str, track: Track = untracked
) -> MapSimilarity:
    """Similarity of every pair of runs, one image at a time, so that memory stays small.

    Args:
        group: The group of the runs.
        own: Its maps.
        measure: A name of :data:`PAIRWISE`.
        track: Shows how many images are compared.
    """
    places = _paired_places(group, own)
    num_runs, num_images = own.maps.shape[:2]
    paired = {label: np.empty((num_images, len(at), len(at))) for label, at in places.items()}
    total, defined = np.zeros((num_runs, num_runs)), np.zeros((num_runs, num_runs))
    for image in track(range(num_images), f"Comparing pairs of runs ({own.method}, {measure})"):
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
