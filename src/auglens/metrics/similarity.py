"""How alike two saliency maps of one image are. All functions are pure and batched.

Conventions follow Bylinskii et al., "What do different evaluation metrics tell us about saliency
models?", TPAMI 2018, arXiv:1604.03605; deviations are stated where they are made. Every function
takes maps ``(N, H, W)`` and returns ``float64 (N,)``, NaN where either map is degenerate.
"""

import torch
from torch import Tensor

from auglens.metrics.distribution import distribution, is_degenerate

__all__ = ["FLOAT64_EPS", "cc", "js", "kl", "sim"]

FLOAT64_EPS = 2.220446049250313e-16


def cc(maps: Tensor, reference: Tensor) -> Tensor:
    """Pearson correlation over pixels, in [-1, 1]; higher is closer, symmetric.

    NaN where either map is constant.

    Args:
        maps: Shape ``(N, H, W)``, signed or not.
        reference: Same shape.

    Raises:
        ValueError: If the shapes differ.
    """
    _check_shapes(maps, reference)
    first, second = _centred(maps), _centred(reference)
    correlation: Tensor = (_unit(first) * _unit(second)).sum(dim=1)
    return correlation.clamp(-1, 1)


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
    evaluated, expected = distribution(maps), distribution(reference)
    return (expected * torch.log(eps + expected / (eps + evaluated))).sum(dim=1)


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
    return torch.minimum(distribution(maps), distribution(reference)).sum(dim=1)


def js(maps: Tensor, reference: Tensor) -> Tensor:
    """Jensen-Shannon divergence in nats, in [0, ln 2]; lower is closer, symmetric.

    Args:
        maps: Non-negative, shape ``(N, H, W)``.
        reference: Same shape.

    Raises:
        ValueError: If the shapes differ or a map is negative somewhere.
    """
    _check_shapes(maps, reference)
    first, second = distribution(maps), distribution(reference)
    middle = (first + second) / 2
    return (_relative_entropy(first, middle) + _relative_entropy(second, middle)) / 2


def _relative_entropy(first: Tensor, second: Tensor) -> Tensor:
    """KL(first || second) where second is positive wherever first is; 0 log 0 counts as 0."""
    return (torch.xlogy(first, first) - torch.xlogy(first, second)).sum(dim=1)


def _centred(maps: Tensor) -> Tensor:
    flat = maps.detach().cpu().double().flatten(1)
    undefined = is_degenerate(maps.detach().cpu()) | (flat.amin(dim=1) == flat.amax(dim=1))
    scaled = flat / flat.abs().amax(dim=1, keepdim=True)
    centred = scaled - scaled.mean(dim=1, keepdim=True)
    return torch.where(undefined[:, None], torch.nan, centred)


def _unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.square().sum(dim=1, keepdim=True).sqrt()


def _check_shapes(maps: Tensor, reference: Tensor) -> None:
    if maps.ndim != 3 or maps.shape != reference.shape:
        raise ValueError(
            f"Maps and reference need the same shape (N, H, W), got {tuple(maps.shape)} and "
            f"{tuple(reference.shape)}."
        )
