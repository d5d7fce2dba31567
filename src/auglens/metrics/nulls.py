"""What maps that know nothing score on the images at hand."""

import numpy as np
import torch
from torch import Tensor

from auglens.metrics.catalogue import MEASURES
from auglens.metrics.table import map_columns, similarity_columns

__all__ = ["NUM_PAIRS", "unrelated_values"]

NUM_PAIRS = 200


def unrelated_values(
    images: Tensor,
    *,
    foreground_threshold: float,
    kl_eps: float,
    generator: torch.Generator,
) -> dict[str, float]:
    """Mean of each measure whose null is ``unrelated`` over maps of independent pixels.

    Pixels are half-normal, as those of an absolute gradient of a random network about are. Two
    maps are drawn for each image; images are gone through again until there are 200 pairs.

    Args:
        images: In [0, 1], shape ``(N, C, H, W)``, at least one.
        foreground_threshold: Brightness that the foreground exceeds.
        kl_eps: Keeps KL finite.
        generator: Draws the maps, on the CPU.

    Returns:
        By name, in the catalogue's order; NaN for a measure that these images leave undefined.
    """
    repeated = images[torch.arange(max(NUM_PAIRS, len(images))) % len(images)]
    shape = (2, len(repeated), *images.shape[2:])
    maps, others = torch.randn(shape, generator=generator).abs()
    columns = {
        **similarity_columns(maps, others, kl_eps=kl_eps),
        **map_columns(maps, repeated, foreground_threshold=foreground_threshold),
    }
    return {
        name: _mean(columns[name])
        for name, measure in MEASURES.items()
        if measure.null == "unrelated"
    }


def _mean(values: np.typing.NDArray[np.float64]) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else float("nan")
