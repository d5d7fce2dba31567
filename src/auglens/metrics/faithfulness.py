"""Whether a network needs the pixels that its map calls important. Knows no network.

Legend: N images, C channels, H and W pixels, n = H * W, T steps. A network is a callable that
scores images ``(N, C, H, W)``, in their order, as ``(N,)``: the probability of each one's class.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from auglens.metrics.distribution import is_degenerate

__all__ = [
    "Curves",
    "Score",
    "Substrate",
    "auc",
    "deletion",
    "insertion",
    "perturbation_curves",
    "srg",
    "substrate",
]

Score = Callable[[Tensor], Tensor]
Substrate = Literal["black", "blur", "mean"]


@dataclass(frozen=True)
class Curves:
    """Scores as more and more pixels are replaced, from none to all.

    Attributes:
        most_important_first: Replaced in falling order of the map, ``float64 (N, T + 1)``.
        least_important_first: Replaced in the same order from its end, same shape.
    """

    most_important_first: Tensor
    least_important_first: Tensor


def substrate(images: Tensor, kind: Substrate, *, blur_sigma_px: float) -> Tensor:
    """What pixels are replaced by.

    Black is the ground of a digit: it deletes ink and does nothing to the background, which blur
    and mean do not share.

    Args:
        images: Shape ``(N, C, H, W)``.
        kind: ``black``: 0; ``blur``: the blurred image, reflected at its borders; ``mean``: each
            image's mean of a channel.
        blur_sigma_px: Standard deviation of the blur.

    Returns:
        Same shape, on the same device.

    Raises:
        ValueError: If ``kind`` is none of the three.
    """
    if kind == "black":
        return torch.zeros_like(images)
    if kind == "mean":
        return images.mean(dim=(2, 3), keepdim=True).expand_as(images).clone()
    if kind == "blur":
        sigmas = (0, 0, blur_sigma_px, blur_sigma_px)
        blurred = gaussian_filter(images.detach().cpu().numpy(), sigmas)
        return torch.from_numpy(blurred).to(images)
    raise ValueError(f"substrate is black, blur or mean, got {kind!r}.")


def perturbation_curves(
    score: Score,
    images: Tensor,
    substrates: Tensor,
    maps: Tensor,
    *,
    num_steps: int,
    generator: torch.Generator,
) -> Curves:
    """Score images with the hottest, and with the coldest, pixels replaced, step by step.

    Step t replaces ``round(t * n / num_steps)`` pixels. Tied pixels are ordered by chance: a map
    with many equal pixels would otherwise give away their places. Only the order of a map's
    pixels counts, signed or not.

    Args:
        score: Called ``2 * num_steps`` times on all images; the caller turns gradients off.
        images: Shape ``(N, C, H, W)``, on the network's device.
        substrates: What pixels are replaced by, same shape and device.
        maps: Shape ``(N, H, W)``, on any device.
        num_steps: T, at least 1.
        generator: Breaks ties, on the CPU.

    Returns:
        Curves on the CPU; NaN where a map is degenerate.

    Raises:
        ValueError: If shapes do not fit or there is no step.

    Reference:
        Samek et al., IEEE TNNLS 2017, arXiv:1509.06321; Petsiuk et al., "RISE", BMVC 2018,
        arXiv:1806.07421.
    """
    if images.shape != substrates.shape or maps.shape != images[:, 0].shape:
        raise ValueError(
            f"Images {tuple(images.shape)}, substrates {tuple(substrates.shape)} and maps "
            f"{tuple(maps.shape)} need the shapes (N, C, H, W), the same, and (N, H, W)."
        )
    if num_steps < 1:
        raise ValueError(f"num_steps is at least 1, got {num_steps}.")
    places = _places(maps, generator).to(images.device)
    num_pixels = places[0].numel()
    counts = [round(step * num_pixels / num_steps) for step in range(1, num_steps)]
    hot = [_scored(score, images, substrates, places < count) for count in counts]
    cold = [_scored(score, images, substrates, places >= num_pixels - count) for count in counts]
    start, end = _values(score(images)), _values(score(substrates))
    curves = [torch.stack([start, *between, end], dim=1) for between in (hot, cold)]
    undefined = is_degenerate(maps.detach().cpu())[:, None]
    return Curves(*(torch.where(undefined, torch.nan, curve) for curve in curves))


def auc(curve: Tensor) -> Tensor:
    """Area under each curve over the share of pixels, by trapezia: ``(sum - f_0/2 - f_T/2) / T``.

    Args:
        curve: Shape ``(N, T + 1)``.

    Returns:
        ``(N,)``, in the curve's range.

    Raises:
        ValueError: If there is no step.
    """
    if curve.ndim != 2 or curve.shape[1] < 2:
        raise ValueError(f"Curves have shape (N, T + 1) with T >= 1, got {tuple(curve.shape)}.")
    ends = (curve[:, 0] + curve[:, -1]) / 2
    return (curve.sum(dim=1) - ends) / (curve.shape[1] - 1)


def deletion(curves: Curves) -> Tensor:
    """Area as the most important pixels are replaced first, ``(N,)``; in [0, 1], low is better.

    Reference:
        Petsiuk et al., "RISE", BMVC 2018, arXiv:1806.07421.
    """
    return auc(curves.most_important_first)


def insertion(curves: Curves) -> Tensor:
    """Area as the most important pixels are put into the substrate first, ``(N,)``; high is better.

    It is the area as the least important are replaced first: putting pixels in, the most important
    first, passes through the same images from the other end.

    Reference:
        Petsiuk et al., "RISE", BMVC 2018, arXiv:1806.07421.
    """
    return auc(curves.least_important_first)


def srg(curves: Curves) -> Tensor:
    """Insertion minus deletion, ``(N,)``, in [-1, 1]; high is better, a random map has 0.

    Both areas are of one network, so that how fast a network breaks at all cancels out and
    networks can be compared.

    Reference:
        Blücher et al., "Decoupling pixel flipping and occlusion strategy for consistent XAI
        benchmarks", 2024, arXiv:2401.06654.
    """
    return insertion(curves) - deletion(curves)


def _places(maps: Tensor, generator: torch.Generator) -> Tensor:
    """Place of every pixel in the falling order of its map, from 0, ``int64 (N, H, W)``."""
    flat = maps.detach().cpu().double().flatten(1).nan_to_num()
    shuffled = torch.rand(flat.shape, generator=generator, dtype=torch.float64).argsort(dim=1)
    falling = flat.gather(1, shuffled).argsort(dim=1, descending=True, stable=True)
    return shuffled.gather(1, falling).argsort(dim=1).view(maps.shape)


def _scored(score: Score, images: Tensor, substrates: Tensor, replaced: Tensor) -> Tensor:
    return _values(score(torch.where(replaced[:, None], substrates, images)))


def _values(scores: Tensor) -> Tensor:
    return scores.detach().cpu().double()
