"""Draws saliency maps, alone and over their images. Explains nothing and reads no files.

All panels of one figure share one scale, in multiples of the uniform value: 1 is what every pixel
would have if the map were spread evenly.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = ["MAP_COLOURS", "draw_map_grid", "overlay", "relative", "shared_limit", "to_display"]

MAP_COLOURS = "inferno"
SCALE_PERCENTILE = 99.5
UNIT = "saliency, multiples of the uniform value"


def relative(maps: NDArray[np.floating]) -> NDArray[np.float64]:
    """Maps as multiples of the uniform value: ``map / mean(map)``.

    Args:
        maps: Shape ``(N, H, W)``; signs are dropped.

    Returns:
        Same shape; a map that is zero or not finite becomes NaN.
    """
    absolute = np.abs(maps.astype(np.float64))
    mean = absolute.mean(axis=(1, 2), keepdims=True)
    valid = np.isfinite(mean) & (mean > 0)
    return np.divide(absolute, mean, out=np.full_like(absolute, np.nan), where=valid)


def shared_limit(relative_maps: NDArray[np.floating]) -> float:
    """Upper end of the scale: the 99.5th percentile over all pixels of all maps ``(..., H, W)``.

    1.0 where no map is valid.
    """
    finite = relative_maps[np.isfinite(relative_maps)]
    return float(np.percentile(finite, SCALE_PERCENTILE)) if finite.size else 1.0


def to_display(images: NDArray[np.floating]) -> NDArray[np.float64]:
    """Images ``(N, C, H, W)`` in [0, 1] as RGB ``(N, H, W, 3)``; other than 3 channels turn grey."""
    last = np.clip(np.moveaxis(images.astype(np.float64), 1, -1), 0, 1)
    if last.shape[-1] == 3:
        return last
    return np.repeat(last.mean(axis=-1, keepdims=True), 3, axis=-1)


def overlay(
    images: NDArray[np.floating], relative_maps: NDArray[np.floating], *, limit: float
) -> NDArray[np.float64]:
    """Colour-coded maps laid over their images; the more salient, the more opaque.

    Args:
        images: Shape ``(N, C, H, W)`` in [0, 1].
        relative_maps: Shape ``(N, H, W)``, multiples of the uniform value.
        limit: The value that gets the last colour; the same for all compared panels.

    Returns:
        RGB in [0, 1], shape ``(N, H, W, 3)``.
    """
    share = np.clip(np.nan_to_num(relative_maps) / limit, 0, 1)[..., None]
    colours = colormaps[MAP_COLOURS](share[..., 0])[..., :3]
    opacity = 0.25 + 0.65 * share
    return (1 - opacity) * to_display(images) + opacity * colours


def draw_map_grid(
    images: NDArray[np.floating],
    maps: NDArray[np.floating],
    *,
    titles: Sequence[str],
    title: str,
    over_images: bool,
) -> Figure:
    """One panel a map, on one scale with a colour bar.

    Args:
        images: Shape ``(N, C, H, W)`` in [0, 1].
        maps: Shape ``(N, H, W)``.
        titles: One a panel.
        title: Of the figure.
        over_images: Whether the maps are laid over their images.
    """
    scaled = relative(maps)
    limit = shared_limit(scaled)
    columns = min(5, len(maps))
    rows = -(-len(maps) // columns)
    figure = Figure(figsize=(1.6 * columns + 1.2, 1.75 * rows + 0.7), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    panels = overlay(images, scaled, limit=limit) if over_images else scaled
    for axes in grid.flat:
        axes.set_axis_off()
    shown = None
    for axes, panel, name in zip(grid.flat, panels, titles, strict=False):
        shown = axes.imshow(panel, cmap=MAP_COLOURS, vmin=0, vmax=limit)
        axes.set_title(name, fontsize=9)
    figure.suptitle(title, fontsize=10)
    figure.colorbar(shown, ax=grid, label=UNIT, extend="max") if shown is not None else None
    return figure
