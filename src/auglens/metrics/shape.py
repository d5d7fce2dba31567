"""How local and connected a map is, whatever the image shows. Pure functions.

Legend: N maps, H and W pixels. Values are ``float64 (N,)``, NaN where a map is degenerate.
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from auglens.metrics.distribution import distribution, is_degenerate
from auglens.metrics.order import TOP_FRACTION, top_mask

__all__ = ["Components", "centroid_px", "components", "moran", "own_components", "spread_px"]


@dataclass(frozen=True)
class Components:
    """Connected parts of the hottest pixels.

    Attributes:
        number: How many, ``(N,)``.
        largest_share: Share of the hottest pixels in the largest, ``(N,)``, in (0, 1].
    """

    number: Tensor
    largest_share: Tensor


def components(maps: Tensor, *, fraction: float = TOP_FRACTION) -> Components:
    """8-connected components of the hottest fraction of pixels.

    Of tied pixels the first in pixel order count as hotter: a map with fewer non-zero pixels than
    the fraction holds is filled up with zeros from the top left corner.

    Args:
        maps: Shape ``(N, H, W)``.
        fraction: Share of the pixels called hottest, rounded to at least one pixel.
    """
    top = top_mask(maps, fraction=fraction).numpy()
    # The structure reaches within an image only, so that all are labelled at once.
    within = np.zeros((3, 3, 3), dtype=bool)
    within[1] = True
    labels, total = ndimage.label(top, structure=within)
    sizes = np.bincount(labels.ravel(), minlength=total + 1)[1:]
    owners = np.zeros(total + 1, dtype=np.int64)
    owners[labels[top]] = np.nonzero(top)[0]
    number = np.bincount(owners[1:], minlength=len(maps)).astype(np.float64)
    largest = np.zeros(len(maps))
    np.maximum.at(largest, owners[1:], sizes)
    undefined = is_degenerate(maps.detach().cpu())
    share = torch.from_numpy(largest) / torch.from_numpy(top).flatten(1).sum(dim=1)
    return Components(
        number=torch.where(undefined, torch.nan, torch.from_numpy(number)),
        largest_share=torch.where(undefined, torch.nan, share),
    )


def own_components(images: Tensor) -> Tensor:
    """8-connected components of the brightest tenth of an image's own pixels, as a map's are.

    What the number of a map's components is compared with: a map equal to the image has as many.

    Args:
        images: Not negative, shape ``(N, C, H, W)``.

    Returns:
        ``float64 (N,)``; NaN for a black image, and for images of several channels, where
        brightness marks no object.
    """
    if images.shape[1] > 1:
        return torch.full((len(images),), torch.nan, dtype=torch.float64)
    return components(images[:, 0]).number


def centroid_px(maps: Tensor) -> Tensor:
    """Mean row and column of a map as a distribution over pixels, counted from 0.

    Args:
        maps: Non-negative, shape ``(N, H, W)``.

    Returns:
        ``float64 (N, 2)``; NaN where a map is degenerate.

    Raises:
        ValueError: If a map has negative values.
    """
    return distribution(maps) @ _places(maps)


def spread_px(maps: Tensor) -> Tensor:
    """Standard distance from the centroid: the root of the trace of the covariance, in pixels.

    0 for a single pixel; a uniform map of H x W pixels has ``sqrt((H^2 + W^2 - 2) / 12)``.

    Args:
        maps: Non-negative, shape ``(N, H, W)``.

    Raises:
        ValueError: If a map has negative values.

    Reference:
        Bachi, "Standard distance measures and related methods for spatial analysis", Papers of
        the Regional Science Association 1963.
    """
    shares, places = distribution(maps), _places(maps)
    away = places - (shares @ places)[:, None]
    return (shares * away.square().sum(dim=2)).sum(dim=1).sqrt()


def moran(maps: Tensor) -> Tensor:
    """Moran's I with the four nearest neighbours of a pixel, each of weight 1.

    About ``-1 / (H * W - 1)`` for independent pixels, towards 1 for smooth maps, -1 for a
    checkerboard. NaN for a constant map.

    Args:
        maps: Shape ``(N, H, W)``, signed or not.

    Returns:
        In about [-1, 1]; the exact bound of a grid can pass 1 by less than a tenth.

    Reference:
        Moran, "Notes on continuous stochastic phenomena", Biometrika 1950.
    """
    values = maps.detach().cpu().double()
    scaled = values / values.abs().amax(dim=(1, 2), keepdim=True)
    centred = scaled - scaled.mean(dim=(1, 2), keepdim=True)
    down = centred[:, 1:] * centred[:, :-1]
    right = centred[:, :, 1:] * centred[:, :, :-1]
    neighbours = (down.sum(dim=(1, 2)) + right.sum(dim=(1, 2))) / (
        down[0].numel() + right[0].numel()
    )
    index = neighbours / centred.square().mean(dim=(1, 2))
    constant = values.amax(dim=(1, 2)) == values.amin(dim=(1, 2))
    return torch.where(constant | is_degenerate(values), torch.nan, index)


def _places(maps: Tensor) -> Tensor:
    rows, columns = (torch.arange(side, dtype=torch.float64) for side in maps.shape[1:])
    return torch.cartesian_prod(rows, columns)
