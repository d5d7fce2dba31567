"""A plane on which runs lie about as far apart as their maps. Draws nothing."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Scaling", "classical_scaling"]

# Coordinates closer than this share of the largest count as equally large.
TIE = 1e-9


@dataclass(frozen=True)
class Scaling:
    """Runs as points.

    Attributes:
        coordinates: Shape ``(M, 2)``, centred, in the unit of the distances. An axis without
            any distance left is 0.
        share: Part of the squared distances that the plane shows, in [0, 1]: its eigenvalues over
            the sum of all absolute ones, which non-Euclidean distances make smaller. NaN where
            all distances are 0.
    """

    coordinates: NDArray[np.float64]
    share: float


def classical_scaling(distances: NDArray[np.float64]) -> Scaling:
    """Classical (Torgerson's) multidimensional scaling onto two axes.

    The sign of an axis is free; it is fixed so that its coordinate farthest from 0, of equal ones
    the first, is positive.

    The squares of the distances are what is shown: of correlated maps the distance is
    sqrt(1 - CC), see :mod:`auglens.study.statistics.permanova`.

    Args:
        distances: Symmetric, shape ``(M, M)``.

    Raises:
        ValueError: If the matrix is not square or a distance is not finite.

    Reference:
        Torgerson, "Multidimensional scaling: I. Theory and method", Psychometrika 1952; for the
        share, Mardia, "Some properties of classical multi-dimensional scaling", 1978.
    """
    given = np.asarray(distances, np.float64)
    if given.ndim != 2 or given.shape[0] != given.shape[1]:
        raise ValueError(f"Distances have shape (M, M), got {given.shape}.")
    if not np.isfinite(given).all():
        raise ValueError("Distances must be finite to be drawn; leave out the undefined runs.")
    centre = np.eye(len(given)) - 1 / len(given)
    values, vectors = np.linalg.eigh(centre @ (-(given**2) / 2) @ centre)
    largest = values[::-1][:2].clip(min=0)
    coordinates = np.zeros((len(given), 2))
    coordinates[:, : len(largest)] = vectors[:, ::-1][:, :2] * np.sqrt(largest)
    total = float(np.abs(values).sum())
    share = float(largest.sum()) / total if total else math.nan
    return Scaling(_signed(coordinates), share)


def _signed(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    sizes = np.abs(coordinates)
    farthest = (sizes >= sizes.max(axis=0) * (1 - TIE)).argmax(axis=0)
    signs = np.where(np.take_along_axis(coordinates, farthest[None], axis=0) < 0, -1.0, 1.0)
    return coordinates * signs
