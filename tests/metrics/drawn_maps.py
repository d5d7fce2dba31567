"""Maps of every kind that a measure has to stand."""

import torch
from hypothesis import strategies as st
from torch import Tensor

KINDS = ("random", "tied", "single pixel", "constant", "huge", "tiny")
KIND = st.sampled_from(KINDS)


def half_normal(count: int, height: int, width: int, *, seed: int) -> Tensor:
    """Independent half-normal pixels, ``float64 (count, height, width)``."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, height, width, generator=generator, dtype=torch.float64).abs()


def drawn(kind: str, count: int, height: int, width: int, *, seed: int) -> Tensor:
    """Maps of one kind, ``float64 (count, height, width)``."""
    maps = half_normal(count, height, width, seed=seed)
    if kind == "tied":
        return (2 * maps).round() + (maps == maps.amax(dim=(1, 2), keepdim=True))
    if kind == "single pixel":
        return (maps == maps.amax(dim=(1, 2), keepdim=True)).double()
    if kind == "constant":
        return torch.full_like(maps, 0.1)
    return maps * {"huge": 1e300, "tiny": 1e-300}.get(kind, 1.0)
