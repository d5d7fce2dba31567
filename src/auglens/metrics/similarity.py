"""How alike two saliency maps of one image are. All functions are pure and batched.

Conventions follow Bylinskii et al., "What do different evaluation metrics tell us about saliency
models?", TPAMI 2018, arXiv:1604.03605; deviations are stated where they are made. Every function
takes maps ``(N, H, W)`` and returns ``float64 (N,)``, NaN where either map is degenerate.
"""

import torch
from torch import Tensor

from auglens.metrics.distribution import (
    distribution,
    finite_log,
    is_degenerate,
    refuse_signed,
    unsigned,
)
from auglens.metrics.order import TOP_FRACTION, average_ranks, top_count, top_mask
from auglens.metrics.parts import parts

__all__ = [
    "FLOAT64_EPS",
    "cc",
    "centred_ranks",
    "correlation",
    "js",
    "kl",
    "sim",
    "similarities",
    "spearman",
    "top_overlap",
]

FLOAT64_EPS = 2.220446049250313e-16


def similarities(maps: Tensor, reference: Tensor, *, kl_eps: float) -> dict[str, Tensor]:
    """Every measure of this module by its name in the catalogue, the shared work done once.

    Args:
        maps: Shape ``(N, H, W)``.
        reference: Same shape.
        kl_eps: As in :func:`kl`, for ``kl`` and ``kl_reverse``.

    Returns:
        ``float64 (N,)`` each. Only ``cc`` and ``spearman`` are defined where a map has negative
        values; the others are NaN there.

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes(maps, reference)
    measured = [_similarities(own, other, kl_eps) for own, other in parts(maps, reference)]
    return {name: torch.cat([part[name] for part in measured]) for name in measured[0]}


def cc(maps: Tensor, reference: Tensor) -> Tensor:
    """Pearson correlation over pixels, in [-1, 1]; higher is closer, symmetric.

    Exactly 1 for a map and itself. NaN where either map is constant.

    Args:
        maps: Shape ``(N, H, W)``, signed or not.
        reference: Same shape.

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes(maps, reference)
    return torch.cat([_cc(*part) for part in parts(maps, reference)])


def spearman(maps: Tensor, reference: Tensor) -> Tensor:
    """Rank correlation over pixels, in [-1, 1]; higher is closer, symmetric.

    Less dominated by a few hot pixels than :func:`cc`. Tied pixels share their average rank.
    Exactly 1 for a map and itself. NaN where either map is constant.

    Args:
        maps: Shape ``(N, H, W)``, signed or not.
        reference: Same shape.

    Raises:
        ValueError: If the shapes differ.

    Reference:
        Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, arXiv:1810.03292.
    """
    _check_shapes(maps, reference)
    return torch.cat([_spearman(*part) for part in parts(maps, reference)])


def centred_ranks(maps: Tensor) -> Tensor:
    """Average ranks of each map's pixels minus their mean, for :func:`correlation`.

    Where one map is compared with several, it is ranked once.

    Args:
        maps: Shape ``(N, H, W)``, signed or not.

    Returns:
        ``float64 (N, H * W)``; NaN where a map has no order: degenerate or constant.
    """
    flat = maps.detach().cpu().flatten(1)
    ranks = average_ranks(maps)
    # A constant map is all ties.
    varies = flat.amin(dim=1) < flat.amax(dim=1)
    return ranks - torch.where(varies, ranks.mean(dim=1), torch.nan)[:, None]


def correlation(first: Tensor, second: Tensor) -> Tensor:
    """Cosine of centred values, in [-1, 1]: their Pearson correlation, exactly 1 of equal ones.

    Args:
        first: Of mean 0 in each row, shape ``(N, n)``.
        second: Same.
    """
    # One root of the product, not a product of roots: sqrt(x * x) is x in floating point.
    squares = (first * first).sum(dim=1) * (second * second).sum(dim=1)
    cosine: Tensor = (first * second).sum(dim=1) / squares.sqrt()
    return cosine.clamp(-1, 1)


def kl(maps: Tensor, reference: Tensor, *, eps: float = FLOAT64_EPS) -> Tensor:
    """Kullback-Leibler divergence KL(reference || map) in nats; lower is closer, asymmetric.

    ``sum(Q * log(eps + Q / (eps + P)))`` with Q the reference, so identical maps give about
    -7e-16 and the largest value is ``log(1 / eps)``.

    Args:
        maps: The evaluated maps P, non-negative, shape ``(N, H, W)``.
        reference: The reference maps Q, same shape.
        eps: Keeps the logarithm finite; the value depends on it wherever a map is 0.

    Raises:
        ValueError: If the shapes differ or a map is negative somewhere.
    """
    _check_shapes(maps, reference)
    return torch.cat(
        [_kl(distribution(other), distribution(own), eps) for own, other in parts(maps, reference)]
    )


def sim(maps: Tensor, reference: Tensor) -> Tensor:
    """Histogram intersection ``sum(min(P, Q))``, in [0, 1]; higher is closer, symmetric.

    Equals 1 minus the total variation distance: maps are divided by their sum only, where the
    MIT benchmark's code first stretches them to [0, 1].

    Args:
        maps: Non-negative, shape ``(N, H, W)``.
        reference: Same shape.

    Raises:
        ValueError: If the shapes differ or a map is negative somewhere.
    """
    _check_shapes(maps, reference)
    return torch.cat(
        [_sim(distribution(own), distribution(other)) for own, other in parts(maps, reference)]
    )


def js(maps: Tensor, reference: Tensor) -> Tensor:
    """Jensen-Shannon divergence in nats, in [0, ln 2]; lower is closer, symmetric.

    Args:
        maps: Non-negative, shape ``(N, H, W)``.
        reference: Same shape.

    Raises:
        ValueError: If the shapes differ or a map is negative somewhere.
    """
    _check_shapes(maps, reference)
    return torch.cat(
        [_js(distribution(own), distribution(other)) for own, other in parts(maps, reference)]
    )


def top_overlap(maps: Tensor, reference: Tensor, *, fraction: float = TOP_FRACTION) -> Tensor:
    """Share of the hottest pixels that two maps have in common, in [0, 1]; symmetric.

    Unrelated maps share about ``fraction``. Of tied pixels the first in pixel order count as
    hotter, so two maps with few non-zero pixels also share some that are zero in both.

    Args:
        maps: Non-negative, shape ``(N, H, W)``.
        reference: Same shape.
        fraction: Share of the pixels called hottest, rounded to at least one pixel.

    Raises:
        ValueError: If the shapes differ or a map is negative somewhere.

    Reference:
        Ghorbani et al., "Interpretation of neural networks is fragile", AAAI 2019,
        arXiv:1710.10547.
    """
    _check_shapes(maps, reference)
    refuse_signed(maps)
    refuse_signed(reference)
    return torch.cat([_top_overlap(own, other, fraction) for own, other in parts(maps, reference)])


def _similarities(maps: Tensor, reference: Tensor, kl_eps: float) -> dict[str, Tensor]:
    own, other = unsigned(maps), unsigned(reference)
    first, second = distribution(own), distribution(other)
    return {
        "cc": _cc(maps, reference),
        "spearman": _spearman(maps, reference),
        "kl": _kl(second, first, kl_eps),
        "kl_reverse": _kl(first, second, kl_eps),
        "sim": _sim(first, second),
        "js": _js(first, second),
        "top_overlap": _top_overlap(own, other, TOP_FRACTION),
    }


def _cc(maps: Tensor, reference: Tensor) -> Tensor:
    return correlation(_centred(_pixels(maps)), _centred(_pixels(reference)))


def _spearman(maps: Tensor, reference: Tensor) -> Tensor:
    return correlation(centred_ranks(maps), centred_ranks(reference))


def _top_overlap(maps: Tensor, reference: Tensor, fraction: float) -> Tensor:
    first, second = top_mask(maps, fraction=fraction), top_mask(reference, fraction=fraction)
    num_pixels = top_count(maps, fraction=fraction)
    overlap = (first & second).flatten(1).sum(dim=1).double() / num_pixels
    undefined = is_degenerate(maps.detach().cpu()) | is_degenerate(reference.detach().cpu())
    return torch.where(undefined, torch.nan, overlap)


def _sim(first: Tensor, second: Tensor) -> Tensor:
    return torch.minimum(first, second).sum(dim=1)


def _kl(expected: Tensor, evaluated: Tensor, eps: float) -> Tensor:
    ratios = expected / (evaluated + eps)
    return ratios.add_(eps).log_().mul_(expected).sum(dim=1)


def _js(first: Tensor, second: Tensor) -> Tensor:
    middle = finite_log((first + second) / 2)
    return (_relative_entropy(first, middle) + _relative_entropy(second, middle)) / 2


def _relative_entropy(first: Tensor, log_second: Tensor) -> Tensor:
    """KL(first || second) where second is positive wherever first is; 0 log 0 counts as 0."""
    return (first * finite_log(first) - first * log_second).sum(dim=1)


def _pixels(maps: Tensor) -> Tensor:
    flat = maps.detach().cpu().double().flatten(1)
    lowest, highest = flat.amin(dim=1), flat.amax(dim=1)
    varies = lowest.isfinite() & highest.isfinite() & (lowest < highest)
    largest = torch.where(varies, torch.maximum(-lowest, highest), torch.nan)
    return flat / largest[:, None]


def _centred(values: Tensor) -> Tensor:
    return values - values.mean(dim=1, keepdim=True)


def _check_shapes(maps: Tensor, reference: Tensor) -> None:
    if maps.ndim != 3 or maps.shape != reference.shape:
        raise ValueError(
            f"Maps and reference need the same shape (N, H, W), got {tuple(maps.shape)} and "
            f"{tuple(reference.shape)}."
        )
