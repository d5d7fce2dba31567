"""How much of the maps' variation is the augmentation's, and how near they are to a consensus."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray

from auglens.metrics.similarity import cc
from auglens.study.analyses.map_similarity import GroupMaps, MapSimilarity
from auglens.study.analyses.pairing import by_seed, rng_for
from auglens.study.conditions import Condition, Group, seeds_of
from auglens.study.load import Run
from auglens.study.palette import FLOOR
from auglens.study.statistics.classifier import classifier_two_sample
from auglens.study.statistics.permanova import permanova_within
from auglens.study.statistics.scaling import classical_scaling

__all__ = ["classifier_row", "consensus_rows", "permanova_row", "scaling_rows"]

NUM_PERMUTATIONS = 9999
NUM_COMPONENTS = 50

Row = dict[str, object]


def permanova_row(group: Group, own: GroupMaps, similarity: MapSimilarity) -> Row | None:
    """Share of the variation between runs that is the augmentation's, after the seed's.

    Distances are 1 - mean CC over the query images; the augmentation is permuted within seeds.

    Returns:
        The fields of :class:`~auglens.study.statistics.permanova.Permanova`, and how many runs
        and seeds it is over; None with fewer than two conditions or shared seeds.
    """
    design = _design(group, own)
    if design is None:
        return None
    runs, labels, seeds = design
    at = own.places(runs)
    found = permanova_within(
        1 - similarity.mean[np.ix_(at, at)],
        labels,
        seeds,
        rng=rng_for("permanova", own.method),
        num_permutations=NUM_PERMUTATIONS,
    )
    return {**asdict(found), "n_runs": len(runs), "n_seeds": len(set(seeds.tolist()))}


def classifier_row(group: Group, own: GroupMaps) -> Row | None:
    """Whether a linear classifier tells from its maps how a network was trained.

    Returns:
        The fields of :class:`~auglens.study.statistics.classifier.ClassifierTest` but the
        confusions; None with fewer than two conditions or four shared seeds.
    """
    design = _design(group, own)
    if design is None or len(set(design[2].tolist())) < 4:
        return None
    runs, labels, seeds = design
    at = own.places(runs)
    found = asdict(
        classifier_two_sample(
            own.maps[at].reshape(len(at), own.maps.shape[1], -1),
            labels,
            seeds,
            num_components=NUM_COMPONENTS,
            rng=rng_for("classifier", own.method),
            num_permutations=NUM_PERMUTATIONS,
        )
    )
    found.pop("confusion")
    return found


def scaling_rows(group: Group, own: GroupMaps, similarity: MapSimilarity) -> Iterator[Row]:
    """Every run of usual strength as a point in the plane, near others with like maps.

    Yields:
        ``label``, ``run``, ``x``, ``y`` and the share of the squared distances that the plane
        shows; nothing where a distance is undefined or there are fewer than three runs.
    """
    labelled = [(one.label, run) for one in group.usual for run in own.of(one).runs]
    at = own.places([run for _, run in labelled])
    distances = 1 - similarity.mean[np.ix_(at, at)]
    if len(at) < 3 or not np.isfinite(distances).all():
        return
    found = classical_scaling(distances)
    for (label, run), (x, y) in zip(labelled, found.coordinates.tolist(), strict=True):
        yield {"label": label, "run": run.name, "x": x, "y": y, "shown": found.share}


def consensus_rows(group: Group, own: GroupMaps) -> Iterator[Row]:
    """How like each run's maps are to the mean maps of all other augmentations.

    Every augmentation weighs the same in the mean, of P = map / sum; untouched copies, which are
    the baseline once more, are not in it. Other strengths of a run's own augmentation are left
    out as its own are.

    Yields:
        ``label``, ``run``, ``consensus`` (mean CC over the query images) and ``n_maps``.

    Reference:
        Li et al., "Cross-model consensus of explanations", Machine Learning 2023,
        arXiv:2109.00707.
    """
    means = _augment_means(group, own)
    for condition in group.conditions:
        others = [mean for augment, mean in means.items() if augment != _kind(condition)]
        if not others:
            continue
        reference = torch.from_numpy(np.mean(others, axis=0))
        for run in own.of(condition).runs:
            values = cc(torch.from_numpy(own.maps[own.places([run])[0]]), reference)
            defined = values[values.isfinite()]
            mean = float(defined.mean()) if len(defined) else np.nan
            place: Row = {"label": condition.label, "run": run.name}
            yield {**place, "consensus": mean, "n_maps": len(defined)}


def _kind(condition: Condition) -> str:
    return "none" if condition.augment == FLOOR else condition.augment


def _augment_means(group: Group, own: GroupMaps) -> dict[str, NDArray[np.float64]]:
    """Mean of the normalised maps of every augmentation over its runs, ``(N, H, W)`` each."""
    means = {}
    shown = [one for one in group.conditions if one.augment != FLOOR]
    for augment, conditions in groupby(shown, key=lambda one: one.augment):
        runs = [run for one in conditions for run in own.of(one).runs]
        if runs:
            total = np.zeros(own.maps.shape[1:])
            for place in own.places(runs):
                total += _normalised(own.maps[place])
            means[augment] = total / len(runs)
    return means


def _normalised(maps: NDArray[np.float32]) -> NDArray[np.float64]:
    """Each map divided by its sum of magnitudes; an undefined one adds nothing."""
    values = np.nan_to_num(maps.astype(np.float64), posinf=0, neginf=0)
    sums = np.abs(values).sum(axis=(1, 2), keepdims=True)
    normalised: NDArray[np.float64] = np.zeros_like(values)
    np.divide(values, sums, out=normalised, where=sums > 0)
    return normalised


def _design(
    group: Group, own: GroupMaps
) -> tuple[list[Run], NDArray[np.str_], NDArray[np.int64]] | None:
    """Runs of usual strength, but untouched copies, of the seeds that all conditions have."""
    conditions = [own.of(one) for one in group.usual if one.augment != FLOOR]
    if len(conditions) < 2:
        return None
    shared = sorted(set.intersection(*(set(by_seed(one.runs)) for one in conditions)))
    if len(shared) < 2:
        return None
    kept = [(run, one.label) for one in conditions for run in one.runs if seeds_of(run) in shared]
    runs = [run for run, _ in kept]
    seeds = np.array([shared.index(seeds_of(run)) for run in runs])
    return runs, np.array([label for _, label in kept]), seeds
