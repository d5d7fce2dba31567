"""Whether a classifier can tell from its maps how a network was trained. Knows no runs or files.

Legend: M models, N images, P pixels, a groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["ClassifierTest", "classifier_two_sample"]

Codes = NDArray[np.intp]


@dataclass(frozen=True)
class ClassifierTest:
    """How well the groups of held-out models are told from their maps.

    Attributes:
        accuracy: Share of the held-out models whose group is predicted, in [0, 1].
        n: Number of held-out models.
        chance: Accuracy of a guess, ``1 / a``.
        p: One-sided, of an accuracy above chance.
        confusion: Counts of held-out models, shape ``(a, a)``: rows are the true groups, columns
            the predicted ones, both in ascending order of their labels.
    """

    accuracy: float
    n: int
    chance: float
    p: float
    confusion: NDArray[np.int64]


def classifier_two_sample(
    maps: NDArray[np.float32],
    groups: ArrayLike,
    seeds: ArrayLike,
    *,
    num_components: int,
    rng: np.random.Generator,
    num_permutations: int,
) -> ClassifierTest:
    """Multinomial logistic regression on single maps, trained on some seeds, asked about others.

    The first half of the seeds, in ascending order and rounded down, trains: principal components
    of its maps, scaled to unit variance, then the regression. A held-out model gets one
    prediction, the majority over its maps; of tied groups the one of larger summed
    log-probability. The test permutes the labels of the held-out models within their seed, the
    given ones counted with the draws.

    Args:
        maps: Shape ``(M, N, P)``; each is divided by the sum of its absolute values. Maps that
            are all zero or not finite are left out, and so is a model without another.
        groups: One label a model, shape ``(M,)``.
        seeds: Same.
        num_components: Of the maps; fewer if there are fewer training maps or pixels.
        rng: Seeds the components' approximation and draws the permutations.
        num_permutations: Of the test.

    Raises:
        ValueError: If the shapes do not match, either half has fewer than two seeds, or a group
            has no model that trains (or there is one group only).

    Reference:
        Lopez-Paz & Oquab, "Revisiting classifier two-sample tests", ICLR 2017, arXiv:1610.06545.
    """
    _check_shapes(maps, groups, seeds)
    shares, defined = _shares(maps)
    kept = defined.any(axis=1)
    shares, defined, blocks = shares[kept], defined[kept], np.asarray(seeds)[kept]
    labels, codes = np.unique(np.asarray(groups)[kept], return_inverse=True)
    trains = _training_models(blocks)
    _check_trained(codes[trains], labels)
    model = _model(int(defined[trains].sum()), maps.shape[2], num_components, rng)
    each = np.broadcast_to(codes[:, None], defined.shape)
    model.fit(shares[trains][defined[trains]], each[trains][defined[trains]])
    predicted = _majority(model, shares[~trains], defined[~trains])
    actual = codes[~trains]
    p = _permutation_p(predicted, actual, blocks[~trains], rng, num_permutations)
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (actual, predicted), 1)
    accuracy = float((predicted == actual).mean())
    return ClassifierTest(accuracy, len(actual), 1 / len(labels), p, confusion)


def _model(
    num_maps: int, num_pixels: int, num_components: int, rng: np.random.Generator
) -> Pipeline:
    # Imported here: it takes long, and studies of few seeds have no use for it.
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    components = PCA(
        min(num_components, num_maps, num_pixels),
        whiten=True,
        svd_solver="randomized",
        random_state=int(rng.integers(2**31)),
    )
    return make_pipeline(components, LogisticRegression(tol=1e-3, max_iter=1000))


def _shares(maps: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    finite = np.isfinite(maps).all(axis=2, keepdims=True)
    given = np.where(finite, maps, 0).astype(np.float32, copy=False)
    # Dividing by the largest value first keeps huge maps from overflowing in the sum.
    largest = np.abs(given).max(axis=2, keepdims=True)
    scaled = given / np.where(largest > 0, largest, 1)
    sums = np.abs(scaled).sum(axis=2, keepdims=True)
    shares = scaled / np.where(sums > 0, sums, 1)
    return shares.astype(np.float32, copy=False), np.asarray(sums[..., 0] > 0)


def _training_models(seeds: NDArray[Any]) -> NDArray[np.bool_]:
    different = np.unique(seeds)
    num_train = len(different) // 2
    if num_train < 2:
        raise ValueError(
            f"The classifier trains on one half of the seeds and is asked about the other: at "
            f"least 4 are needed, got {len(different)}."
        )
    return np.isin(seeds, different[:num_train])


def _majority(model: Pipeline, shares: NDArray[np.float32], defined: NDArray[np.bool_]) -> Codes:
    log_probabilities = np.asarray(
        model.predict_log_proba(shares.reshape(-1, shares.shape[2])), np.float64
    ).reshape(*defined.shape, -1)
    winners = log_probabilities.argmax(axis=2)
    num_groups = log_probabilities.shape[2]
    votes = (np.eye(num_groups)[winners] * defined[..., None]).sum(axis=1)
    sums = (log_probabilities * defined[..., None]).sum(axis=1)
    leading = votes == votes.max(axis=1, keepdims=True)
    return np.asarray(np.where(leading, sums, -np.inf).argmax(axis=1))


def _permutation_p(
    predicted: Codes,
    actual: Codes,
    blocks: NDArray[Any],
    rng: np.random.Generator,
    num_permutations: int,
) -> float:
    order = np.argsort(blocks, kind="stable")
    keys = rng.random((num_permutations, len(blocks)))
    shuffled = np.lexsort((keys, np.broadcast_to(blocks, keys.shape)))
    hits = (actual[shuffled] == predicted[order]).sum(axis=1)
    count = int((hits >= (actual == predicted).sum()).sum())
    return (count + 1) / (num_permutations + 1)


def _check_shapes(maps: NDArray[np.float32], groups: ArrayLike, seeds: ArrayLike) -> None:
    shapes = (np.shape(groups), np.shape(seeds))
    if maps.ndim != 3 or shapes != ((len(maps),), (len(maps),)):
        raise ValueError(
            "Maps (M, N, P) need one group and one seed a model, (M,), got "
            f"{maps.shape}, {shapes[0]} and {shapes[1]}."
        )


def _check_trained(codes: Codes, labels: NDArray[Any]) -> None:
    missing = sorted(set(range(len(labels))) - set(codes.tolist()))
    if missing or len(labels) < 2:
        raise ValueError(
            f"At least two groups, each with a model among the training seeds, are needed; "
            f"{len(labels)} given, without one: {labels[missing].tolist()}."
        )
