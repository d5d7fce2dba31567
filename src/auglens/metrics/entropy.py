"""How spread out a saliency map is. Pure functions."""

import math

import torch
from torch import Tensor

from auglens.metrics.distribution import distribution, finite_log, is_degenerate
from auglens.metrics.order import ascending
from auglens.metrics.parts import parts

__all__ = ["effective_area", "entropy", "gini", "histogram_entropy"]

HISTOGRAM_BINS = 256


def entropy(maps: Tensor) -> Tensor:
    """Spatial Shannon entropy ``-sum(P log P)`` in nats, from 0 to ``log(H * W)``.

    Low means focused. A constant non-zero map is uniform and has the largest entropy.

    Args:
        maps: Non-negative, shape ``(N, H, W)``.

    Returns:
        ``float64 (N,)``; NaN where a map is degenerate.

    Raises:
        ValueError: If a map has negative values.

    Reference:
        Bhatt et al., "Evaluating and aggregating feature-based model explanations", IJCAI 2020.
    """
    return torch.cat([_entropy(distribution(part)) for (part,) in parts(maps)])


def effective_area(maps: Tensor) -> Tensor:
    """Share of the image in use, ``exp(entropy) / (H * W)``, in (0, 1].

    Args:
        maps: Non-negative, shape ``(N, H, W)``.

    Returns:
        ``float64 (N,)``; NaN where a map is degenerate.
    """
    return entropy(maps).exp() / maps[0].numel()


def histogram_entropy(maps: Tensor) -> Tensor:
    """Shannon entropy of the intensity histogram in bits, from 0 to 8.

    Intensities are stretched to [0, 1] and put into 256 equal bins. Blind to where pixels are;
    a constant map has one intensity and entropy 0.

    Args:
        maps: Shape ``(N, H, W)``.

    Returns:
        ``float64 (N,)``; NaN where a map is degenerate.
    """
    flat = maps.detach().cpu().double().flatten(1)
    low, high = flat.amin(dim=1, keepdim=True), flat.amax(dim=1, keepdim=True)
    stretched = torch.where(high > low, (flat - low) / (high - low), 0.0)
    bins = (stretched * HISTOGRAM_BINS).nan_to_num(0).long().clamp(0, HISTOGRAM_BINS - 1)
    counts = torch.zeros(len(flat), HISTOGRAM_BINS, dtype=torch.float64)
    counts.scatter_add_(1, bins, torch.ones_like(flat))
    shares = counts / flat.shape[1]
    bits = torch.special.entr(shares).sum(dim=1) / math.log(2)
    return torch.where(is_degenerate(maps.detach().cpu()), torch.nan, bits)


def gini(maps: Tensor) -> Tensor:
    """Gini index of the pixel values, in [0, 1); high means sparse.

    ``sum_i((2 i - n - 1) a_i) / (n sum(a))`` with the n values sorted ascending: 0 for a constant
    map, ``1 - 1 / n`` for a single pixel.

    Args:
        maps: Non-negative, shape ``(N, H, W)``.

    Returns:
        ``float64 (N,)``; NaN where a map is degenerate.

    Raises:
        ValueError: If a map has negative values.

    Reference:
        Chalasani et al., "Concise explanations of neural networks using adversarial training",
        ICML 2020, arXiv:1810.06583.
    """
    shares = ascending(distribution(maps))
    num_pixels = shares.shape[1]
    weights = 2 * torch.arange(1, num_pixels + 1, dtype=torch.float64) - num_pixels - 1
    index: Tensor = (shares * weights).sum(dim=1) / num_pixels
    return index.clamp(min=0)


def _entropy(shares: Tensor) -> Tensor:
    return finite_log(shares).neg_().mul_(shares).sum(dim=1)
