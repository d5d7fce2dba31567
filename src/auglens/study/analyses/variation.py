"""How much of the maps' variation is the augmentation's, and how near they are to a consensus."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auglens.metrics.similarity import cc
from auglens.study.analyses.map_similarity import GroupMaps, MapSimilarity
from auglens.study.analyses.pairing import by_seed, rng_for
from auglens.study.conditions import Condition, Group, seeds_of
from auglens.study.load import Run
from auglens.study.palette import BASELINE, FLOOR
from auglens.study.progress import Track, untracked
from auglens.study.statistics.classifier import classifier_two_sample
from auglens.study.statistics.permanova import permanova_within
from auglens.study.statistics.scaling import classical_scaling

__all__ = [
    "classifier_row",
    "consensus_rows",
    "permanova_row",
    "scaling_rows",
    "without_maps",
]

NUM_PERMUTATIONS = 9999
NUM_COMPONENTS = 50
FEWEST_CLASSIFIER_SEEDS = 4

Row = dict[str, object]


def permanova_row(group: Group, own: GroupMaps, similarity: MapSimilarity) -> Row | None:
    """Share of the variation between runs that is the augmentation's, after the seed's.

    Distances are sqrt(1 - mean CC over the query images), whose squares 1 - mean CC are what is
    partitioned; the augmentation is permuted within seeds. Runs without a defined map are left
    out, and so is a condition that has no other.

    Returns:
        The fields of :class:`~auglens.study.statistics.permanova.Permanova`, and how many runs
        and seeds it is over; None with fewer than two conditions or shared seeds, or where two
        runs have no image in common on which both maps are defined.
    """
    design = _design(group, own, similarity)
    if design is None:
        return None
    distances = _distances(similarity, own.places(design.runs))
    if not np.isfinite(distances).all():
        return None
    found = permanova_within(
        distances,
        design.labels,
        design.seeds,
        rng=rng_for("permanova", own.method),
        num_permutations=NUM_PERMUTATIONS,
    )
    return {**asdict(found), "n_runs": len(design.runs), "n_seeds": design.num_seeds}


def classifier_row(group: Group, own: GroupMaps, similarity: MapSimilarity) -> Row | None:
    """Whether a linear classifier tells from its maps how a network was trained.

    The runs are those of :func:`permanova_row`.

    Returns:
        The fields of :class:`~auglens.study.statistics.classifier.ClassifierTest` but the
        confusions; None with fewer than two conditions or four shared seeds.
    """
    design = _design(group, own, similarity)
    if design is None or design.num_seeds < FEWEST_CLASSIFIER_SEEDS:
        return None
    at = own.places(design.runs)
    found = asdict(
        classifier_two_sample(
            own.maps[at].reshape(len(at), own.maps.shape[1], -1),
            design.labels,
            design.seeds,
            num_components=NUM_COMPONENTS,
            rng=rng_for("classifier", own.method),
            num_permutations=NUM_PERMUTATIONS,
        )
    )
    found.pop("confusion")
    return found


def scaling_rows(group: Group, own: GroupMaps, similarity: MapSimilarity) -> Iterator[Row]:
    """Every run of usual strength as a point in the plane, near others with like maps.

    Distances are those of :func:`permanova_row`; runs without a defined map are left out.

    Yields:
        ``label``, ``run``, ``x``, ``y`` and the share of the squared distances that the plane
        shows; nothing where a distance is undefined or there are fewer than three runs.
    """
    labelled = [(one.label, run) for one in group.usual for run in _defined(one, own, similarity)]
    at = own.places([run for _, run in labelled])
    distances = _distances(similarity, at)
    if len(at) < 3 or not np.isfinite(distances).all():
        return
    found = classical_scaling(distances)
    for (label, run), (x, y) in zip(labelled, found.coordinates.tolist(), strict=True):
        yield {"label": label, "run": run.name, "x": x, "y": y, "shown": found.share}


def without_maps(group: Group, own: GroupMaps, similarity: MapSimilarity) -> list[str]:
    """Labels of the usual conditions that no run has a defined map of: they are in no analysis."""
    return [one.label for one in group.usual if not _defined(one, own, similarity)]


def consensus_rows(group: Group, own: GroupMaps, track: Track = untracked) -> Iterator[Row]:
    """How like each run's maps are to the mean maps of all other augmentations.

    Every augmentation weighs the same in the mean, of P = map / sum; untouched copies, which are
    the baseline once more, are not in it. Other strengths of a run's own augmentation are left
    out as its own are. So are runs of a run's own seed, which have its first weights and images,
    where there are at least two seeds: all that is compared is of different seeds.

    Args:
        group: The group of the runs.
        own: Its maps.
        track: Shows how many images are compared.

    Yields:
        ``label``, ``run``, ``consensus`` (mean CC over the query images) and ``n_maps``; no run to
        which no other augmentation has maps of another seed.

    Reference:
        Li et al., "Cross-model consensus of explanations", Machine Learning 2023,
        arXiv:2109.00707.
    """
    conditions = [own.of(one) for one in group.conditions]
    labelled = [(one, run) for one in conditions for run in one.runs]
    seeds = sorted({seeds_of(run) for _, run in labelled})
    # One image at a time: the means are as many as seeds times augmentations.
    images = track(range(own.maps.shape[1]), f"Comparing with the consensus ({own.method})")
    by_image = [_consensus_of_image(own, labelled, seeds, image) for image in images]
    if not by_image:
        return
    compared = by_image[0][0]
    values = torch.stack([value for _, value in by_image], dim=1)
    for (condition, run), is_compared, own_values in zip(labelled, compared, values, strict=True):
        if is_compared:
            yield {"label": condition.label, "run": run.name, **_mean_of_defined(own_values)}


def _consensus_of_image(
    own: GroupMaps,
    labelled: Sequence[tuple[Condition, Run]],
    seeds: Sequence[tuple[int, ...]],
    image: int,
) -> tuple[NDArray[np.bool_], Tensor]:
    """Which runs have other augmentations of other seeds, and the CC of each with their mean."""
    maps = own.maps[own.places([run for _, run in labelled]), image]
    seed_numbers = {seed: number for number, seed in enumerate(seeds)}
    of_seed = [seed_numbers[seeds_of(run)] for _, run in labelled]
    kinds = [_kind(condition) for condition, _ in labelled]
    means = _means_without_seed(maps, [one for one, _ in labelled], of_seed, len(seeds))
    references = np.zeros(maps.shape)
    compared = np.zeros(len(labelled), np.bool_)
    found: dict[tuple[int, str], NDArray[np.float64] | None] = {}
    for place, key in enumerate(zip(of_seed, kinds, strict=True)):
        if key not in found:
            found[key] = _mean_of_others(means, *key)
        reference = found[key]
        if reference is not None:
            references[place], compared[place] = reference, True
    return compared, cc(torch.from_numpy(maps), torch.from_numpy(references))


def _means_without_seed(
    maps: NDArray[np.float32],
    conditions: Sequence[Condition],
    of_seed: Sequence[int],
    num_seeds: int,
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """By augmentation the mean normalised map ``(S, H, W)`` of all seeds but each one.

    And of how many runs it is; of a single seed it is the mean of that seed. Untouched copies,
    which are the baseline once more, are in none.
    """
    normalised = _normalised(maps)
    means = {}
    shown = [place for place, one in enumerate(conditions) if one.augment != FLOOR]
    for augment, alike in groupby(shown, key=lambda place: conditions[place].augment):
        total = np.zeros((num_seeds, *maps.shape[1:]))
        counts = np.zeros(num_seeds, np.int64)
        for place in alike:
            seed = of_seed[place]
            others = (slice(seed), slice(seed + 1, None)) if num_seeds > 1 else (slice(1),)
            for own in others:
                total[own] += normalised[place]
                counts[own] += 1
        means[augment] = total / np.maximum(counts, 1)[:, None, None], counts
    return means


def _mean_of_others(
    means: Mapping[str, tuple[NDArray[np.float64], NDArray[np.int64]]], seed: int, kind: str
) -> NDArray[np.float64] | None:
    """The mean over the augmentations but one; None where no other has a run of another seed."""
    others = [
        mean[seed] for augment, (mean, counts) in means.items() if augment != kind and counts[seed]
    ]
    return np.mean(others, axis=0) if others else None


def _mean_of_defined(values: Tensor) -> Row:
    defined = values[values.isfinite()]
    mean = float(defined.mean()) if len(defined) else np.nan
    return {"consensus": mean, "n_maps": len(defined)}


def _kind(condition: Condition) -> str:
    return BASELINE if condition.augment == FLOOR else condition.augment


def _normalised(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each map ``(R, H, W)`` divided by its sum of magnitudes; an undefined one adds nothing."""
    values = np.nan_to_num(maps.astype(np.float64), posinf=0, neginf=0)
    sums = np.abs(values).sum(axis=(1, 2), keepdims=True)
    normalised: NDArray[np.float64] = np.zeros_like(values)
    np.divide(values, sums, out=normalised, where=sums > 0)
    return normalised


@dataclass(frozen=True)
class _Design:
    """Runs of usual strength, but untouched copies, of the seeds that all conditions have.

    Attributes:
        runs: Every condition has one of each seed.
        labels: Their conditions.
        seeds: Number of the seed of each.
    """

    runs: list[Run]
    labels: NDArray[np.str_]
    seeds: NDArray[np.int64]

    @property
    def num_seeds(self) -> int:
        return len(set(self.seeds.tolist()))


def _design(group: Group, own: GroupMaps, similarity: MapSimilarity) -> _Design | None:
    """None with fewer than two conditions or shared seeds."""
    usual = [one for one in group.usual if one.augment != FLOOR]
    by_label = {one.label: by_seed(_defined(one, own, similarity)) for one in usual}
    kept = {label: runs for label, runs in by_label.items() if runs}
    if len(kept) < 2:
        return None
    shared = sorted(set.intersection(*map(set, kept.values())))
    if len(shared) < 2:
        return None
    return _Design(
        runs=[runs[seed] for runs in kept.values() for seed in shared],
        labels=np.repeat(list(kept), len(shared)),
        seeds=np.tile(np.arange(len(shared)), len(kept)),
    )


def _defined(condition: Condition, own: GroupMaps, similarity: MapSimilarity) -> list[Run]:
    """Runs with maps of which at least one is neither constant, all zero nor infinite."""
    alone = np.isfinite(np.diagonal(similarity.mean))
    runs = own.of(condition).runs
    return [run for run, place in zip(runs, own.places(runs), strict=True) if alone[place]]


def _distances(similarity: MapSimilarity, at: list[int]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = (1 - similarity.mean[np.ix_(at, at)]).clip(min=0)
    return np.sqrt(squares)
