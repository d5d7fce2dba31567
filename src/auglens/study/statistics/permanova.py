"""How much of the distances between runs their groups explain. Knows no runs or files.

Legend: M runs; a distance matrix is symmetric with a zero diagonal, and need not be Euclidean.

The squares of the distances are what is partitioned. Of correlated maps the distance is
sqrt(1 - CC): its square, 1 - CC, is half the squared Euclidean distance of the centred maps of
length 1, so that sums of squares are those of the maps. 1 - CC itself need not be a Euclidean distance.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Permanova", "permanova", "permanova_within"]

CHUNK = 250
# Sums in another order differ by rounding; what differs by less than this share is a tie.
TIE = 1e-10

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Permanova:
    """Permutational analysis of variance of distances.

    Attributes:
        f: Mean square of the groups over that of what is left; infinite where nothing is left,
            NaN without degrees of freedom on either side, and where distances that are not
            Euclidean leave no positive residual.
        r2: Share of the squared distances that the groups explain, of what the blocks leave;
            NaN where they leave nothing, or no positive residual as above. Among exchangeable runs
            it is not 0 but about ``(a - 1) / (M - b)`` for ``a`` groups in ``b`` blocks.
        r2_blocks: Share that the blocks explain, of all; NaN where all distances are 0.
        r2_total: Share that the groups explain beyond the blocks, of all; NaN where ``r2`` is.
        p: Share of the permutations whose F is at least as large, the given one counted with
            them; NaN where F is, or without permutations.
        num_permutations: Permutations drawn.
    """

    f: float
    r2: float
    r2_blocks: float
    r2_total: float
    p: float
    num_permutations: int


def permanova(distances: Array, groups: ArrayLike) -> Permanova:
    """One-way F and R^2, without a test.

    Where the runs of all groups share seeds, :func:`permanova_within` is the one to read.

    >>> table = permanova(1 - np.eye(4), [0, 0, 1, 1])
    >>> round(table.f, 3), round(table.r2, 3)
    (1.0, 0.333)

    Args:
        distances: Shape ``(M, M)``.
        groups: One label a run, shape ``(M,)``.

    Raises:
        ValueError: If the shapes do not match or a distance is not finite.

    Reference:
        Anderson, "A new method for non-parametric multivariate analysis of variance", Austral
        Ecology 2001.
    """
    design = _Design.of(distances, groups, np.zeros(len(distances)))
    return _table(design, math.nan, 0)


def permanova_within(
    distances: Array,
    groups: ArrayLike,
    blocks: ArrayLike,
    *,
    rng: np.random.Generator,
    num_permutations: int,
) -> Permanova:
    """Two-way partition, the blocks first, then the groups; tested by permuting within blocks.

    Blocks and groups may be unbalanced: the groups are credited with what projecting on blocks
    and groups explains beyond projecting on blocks alone.

    Args:
        distances: Shape ``(M, M)``.
        groups: One label a run, as its augmentation, shape ``(M,)``.
        blocks: Same, as its seed. Labels are permuted among the runs of one block only.
        rng: Draws the permutations.
        num_permutations: Their number.

    Raises:
        ValueError: If the shapes do not match or a distance is not finite.

    Reference:
        McArdle & Anderson, "Fitting multivariate models to community data", Ecology 2001.
    """
    design = _Design.of(distances, groups, blocks)
    left = design.sum_left
    count = 0
    for start in range(0, num_permutations, CHUNK):
        drawn = design.permuted(rng, min(CHUNK, num_permutations - start))
        # F rises with what is explained up to all that is left, beyond which it is negative.
        at_least = drawn >= design.explained - TIE * left
        count += int((at_least & (drawn <= left * (1 + TIE))).sum())
    return _table(design, (count + 1) / (num_permutations + 1), num_permutations)


@dataclass(frozen=True)
class _Design:
    """What permutations within blocks leave as it is, and the sum of squares that they change.

    Attributes:
        total: Sum of squares of all runs, before the blocks.
        left: Gower-centred inner products after the blocks are projected out, ``(M, M)``.
        indicators: One column a group, ``(M, a)``.
        blocks: ``(M,)``.
        precision: Pseudo-inverse of the indicators' cross products after the blocks, ``(a, a)``:
            no permutation within blocks changes how often a group meets a block.
        dof: Degrees of freedom of the groups.
        dof_left: And of the residual.
    """

    total: float
    left: Array
    indicators: Array
    blocks: NDArray[np.intp]
    precision: Array
    dof: int
    dof_left: int

    @classmethod
    def of(cls, distances: Array, groups: ArrayLike, blocks: ArrayLike) -> "_Design":
        squares = _checked(distances, groups, blocks) ** 2
        indicators, block_columns = _indicators(groups), _indicators(blocks)
        # The blocks' columns span the constant, so this centres too.
        remove = np.eye(len(squares)) - block_columns @ np.linalg.pinv(block_columns)
        cross = indicators.T @ remove @ indicators
        # Counts, so that what is left of a zero is far below any true eigenvalue.
        inverse = np.linalg.pinv(cross, rcond=TIE, hermitian=True)
        dof = round(float(np.trace(inverse @ cross)))
        return cls(
            total=float(squares.sum()) / (2 * len(squares)),
            left=remove @ (-squares / 2) @ remove,
            indicators=indicators,
            blocks=block_columns.argmax(axis=1),
            precision=np.asarray(inverse, np.float64),
            dof=dof,
            dof_left=len(squares) - block_columns.shape[1] - dof,
        )

    @property
    def sum_left(self) -> float:
        return float(np.trace(self.left))

    @property
    def explained(self) -> float:
        return float(self._explained(self.indicators[None])[0])

    def permuted(self, rng: np.random.Generator, num_permutations: int) -> Array:
        """Sums of squares of the groups under permutations of their labels within blocks."""
        keys = rng.random((num_permutations, len(self.blocks)))
        order = np.argsort(self.blocks, kind="stable")
        shuffled = np.lexsort((keys, np.broadcast_to(self.blocks, keys.shape)))
        places = np.empty_like(shuffled)
        places[:, order] = shuffled
        return self._explained(self.indicators[places])

    def _explained(self, indicators: Array) -> Array:
        sums = indicators.swapaxes(1, 2) @ (self.left @ indicators)
        explained: Array = (sums * self.precision).sum(axis=(1, 2))
        return explained


def _table(design: _Design, p: float, num_permutations: int) -> Permanova:
    nan, left, explained = math.nan, design.sum_left, design.explained
    blocks = 1 - left / design.total if design.total else nan
    residual = left - explained
    if left <= TIE * design.total or (residual <= TIE * left and not _is_euclidean(design.left)):
        return Permanova(nan, nan, blocks, nan, nan, num_permutations)
    shares = (explained / left, blocks, explained / design.total)
    if not (design.dof and design.dof_left > 0):
        return Permanova(nan, *shares, nan, num_permutations)
    all_explained = residual <= TIE * left
    f = math.inf if all_explained else explained / design.dof / (residual / design.dof_left)
    return Permanova(f, *shares, p, num_permutations)


def _is_euclidean(products: Array) -> bool:
    values = np.linalg.eigvalsh(products)
    return bool(values[0] >= -TIE * values[-1])


def _indicators(labels: ArrayLike) -> Array:
    _, codes = np.unique(np.asarray(labels), return_inverse=True)
    return np.eye(int(codes.max()) + 1)[codes]


def _checked(distances: Array, groups: ArrayLike, blocks: ArrayLike) -> Array:
    given = np.asarray(distances, np.float64)
    num_runs = len(given)
    shapes = (np.shape(groups), np.shape(blocks))
    if given.shape != (num_runs, num_runs) or shapes != ((num_runs,), (num_runs,)):
        raise ValueError(
            "Distances (M, M) need one group and one block a run, (M,), got "
            f"{given.shape}, {shapes[0]} and {shapes[1]}."
        )
    if not np.isfinite(given).all():
        raise ValueError(
            "Distances must be finite; leave out runs that share no defined map with another."
        )
    return given
