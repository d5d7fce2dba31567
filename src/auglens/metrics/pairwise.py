"""How alike the maps of many networks are, pair by pair and image by image. Averages nothing else.

Legend: R and S runs, N images, H x W pixels. Values are those of
:mod:`auglens.metrics.similarity`; the work on one map is done once, not once a pair.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auglens.metrics.distribution import is_degenerate
from auglens.metrics.similarity import centred_ranks

__all__ = ["mean_over_images", "pairwise_cc", "pairwise_spearman"]

Maps = Tensor | NDArray[np.float32]


def pairwise_cc(first: Maps, second: Maps) -> NDArray[np.float64]:
    """Pearson correlation over pixels of every run of one group with every run of another.

    Exactly 1 for a map and itself, and the same number wherever in the groups a pair stands.

    Args:
        first: Maps of shape ``(R, N, H, W)``, signed or not.
        second: Maps of the same images, shape ``(S, N, H, W)``; may be the same object.

    Returns:
        Shape ``(N, R, S)``, in [-1, 1]; NaN where a map is constant, all zero or not finite.

    Raises:
        ValueError: If the shapes do not match.
    """
    return _image_by_image(first, second, _centred_pixels)


def pairwise_spearman(first: Maps, second: Maps) -> NDArray[np.float64]:
    """Rank correlation over pixels of every run of one group with every run of another.

    Tied pixels share their average rank. Otherwise as :func:`pairwise_cc`.

    Args:
        first: Maps of shape ``(R, N, H, W)``, signed or not.
        second: Maps of the same images, shape ``(S, N, H, W)``; may be the same object.

    Returns:
        Shape ``(N, R, S)``, in [-1, 1]; NaN where a map is constant, all zero or not finite.

    Raises:
        ValueError: If the shapes do not match.
    """
    return _image_by_image(first, second, centred_ranks)


def mean_over_images(similarities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each pair over the images where it is defined.

    Args:
        similarities: Shape ``(N, R, S)``, NaN where undefined.

    Returns:
        Shape ``(R, S)``; NaN for a pair that no image defines.
    """
    defined = ~np.isnan(similarities)
    counts = defined.sum(axis=0)
    sums = np.where(defined, similarities, 0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _image_by_image(
    first: Maps, second: Maps, prepare: Callable[[Tensor], Tensor]
) -> NDArray[np.float64]:
    rows, columns = _tensor(first), _tensor(second)
    _check_shapes(rows, columns)
    similarities = np.empty((rows.shape[1], len(rows), len(columns)))
    for image in range(rows.shape[1]):
        own = prepare(rows[:, image]).numpy()
        other = own if second is first else prepare(columns[:, image]).numpy()
        similarities[image] = _correlations(own, other)
    return similarities


def _correlations(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    # One dot product a pair: a matrix product rounds a pair by its place in the matrix, so that
    # equal maps would not have equal similarities.
    products = np.vecdot(first[:, None], second[None])
    squares = np.vecdot(first, first)[:, None] * np.vecdot(second, second)
    cosines: NDArray[np.float64] = products / np.sqrt(squares)
    return cosines.clip(-1, 1)


def _centred_pixels(maps: Tensor) -> Tensor:
    flat = maps.double().flatten(1)
    varies = ~is_degenerate(maps) & (flat.amin(dim=1) < flat.amax(dim=1))
    # Dividing by the largest value first keeps tiny and huge maps from leaving float64's range.
    scaled = flat / flat.abs().amax(dim=1, keepdim=True)
    defined = torch.where(varies[:, None], scaled, torch.nan)
    return defined - defined.mean(dim=1, keepdim=True)


def _tensor(maps: Maps) -> Tensor:
    return torch.as_tensor(maps).detach().cpu()


def _check_shapes(first: Tensor, second: Tensor) -> None:
    if first.ndim != 4 or second.ndim != 4 or first.shape[1:] != second.shape[1:]:
        raise ValueError(
            "Maps of two groups need shapes (R, N, H, W) and (S, N, H, W), got "
            f"{tuple(first.shape)} and {tuple(second.shape)}."
        )
