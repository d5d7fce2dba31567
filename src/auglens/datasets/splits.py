"""Divides images into pool, validation, test, training subset and probe. Reads no files."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray
from torch import Tensor

from auglens.datasets.spec import Split

__all__ = ["balanced_probe", "balanced_subset", "split_rng", "stratified_parts"]


def split_rng(split_seed: int) -> Generator:
    """The generator of a data set's fixed splits, independent of every run's seeds."""
    return default_rng(SeedSequence(entropy=split_seed))


def stratified_parts(split: Split, sizes: Sequence[int], *, rng: Generator) -> list[Split]:
    """Disjoint parts with the class shares of the whole, and what remains as the last part.

    Args:
        split: The images to divide.
        sizes: Images of each part, each at least 1.
        rng: Decides which images go where.

    Raises:
        ValueError: If the parts need more images than there are, or leave none.
    """
    if min(sizes, default=1) < 1 or sum(sizes) >= len(split):
        raise ValueError(
            f"Splits of {list(sizes)} images cannot be taken from {len(split)} images; each needs "
            f"at least 1, together at most {len(split) - 1} (dataset.num_val, dataset.num_test)."
        )
    remaining = rng.permutation(len(split))
    parts = []
    for size in sizes:
        labels = split.labels.numpy()[remaining]
        taken = np.zeros(len(remaining), dtype=bool)
        for label, count in enumerate(_proportional(np.bincount(labels), size)):
            taken[np.flatnonzero(labels == label)[:count]] = True
        parts.append(split[torch.from_numpy(np.sort(remaining[taken]))])
        remaining = remaining[~taken]
    return [*parts, split[torch.from_numpy(np.sort(remaining))]]


def balanced_subset(
    labels: Tensor, size: int, *, num_classes: int, generator: torch.Generator
) -> Tensor:
    """Positions of a random subset with equally many images of each class.

    Args:
        labels: Labels of the pool, ``int64 (N,)``.
        size: Images in the subset; a multiple of ``num_classes``.
        num_classes: Number of classes K.
        generator: Source of the draw.

    Returns:
        ``int64 (size,)``, sorted.

    Raises:
        ValueError: If ``size`` is not a positive multiple of the classes, or a class is too small.
    """
    per_class = _per_class("data.train_size", size, labels, num_classes, "the pool")
    shuffled = torch.randperm(len(labels), generator=generator)
    return _first_of_each_class(labels, shuffled, per_class, num_classes).sort().values


def balanced_probe(labels: Tensor, size: int, *, num_classes: int, split_seed: int) -> Tensor:
    """Positions of the probe: the same held-out images for every run, classes in turn.

    Args:
        labels: Labels of the test split, ``int64 (N,)``.
        size: Images in the probe; a multiple of ``num_classes``.
        num_classes: Number of classes K.
        split_seed: The data set's constant; no run's seed matters.

    Returns:
        ``int64 (size,)``, grouped by class.

    Raises:
        ValueError: As for :func:`balanced_subset`.
    """
    per_class = _per_class("probe.size", size, labels, num_classes, "the test split")
    rng = default_rng(SeedSequence(entropy=split_seed, spawn_key=(1,)))
    shuffled = torch.from_numpy(rng.permutation(len(labels)))
    return _first_of_each_class(labels, shuffled, per_class, num_classes)


def _per_class(key: str, size: int, labels: Tensor, num_classes: int, source: str) -> int:
    smallest = int(torch.bincount(labels, minlength=num_classes).min())
    if size < 1 or size % num_classes or size // num_classes > smallest:
        raise ValueError(
            f"{key}={size} is not possible: it must be a multiple of the {num_classes} classes, "
            f"from {num_classes} to {smallest * num_classes} (the smallest class of {source} has "
            f"{smallest} images)."
        )
    return size // num_classes


def _first_of_each_class(labels: Tensor, order: Tensor, per_class: int, num_classes: int) -> Tensor:
    ordered = labels[order]
    return torch.cat([order[ordered == label][:per_class] for label in range(num_classes)])


def _proportional(counts: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """Shares of ``total`` proportional to ``counts (K,)``, whole numbers by largest remainder."""
    exact = counts * (total / counts.sum())
    shares: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    largest = np.argsort(shares - exact, kind="stable")[: total - shares.sum()]
    shares[largest] += 1
    return shares
