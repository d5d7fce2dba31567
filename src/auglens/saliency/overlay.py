"""Draws saliency maps, alone and over their images. Explains nothing and reads no files.

All panels of one figure share one scale, in multiples of the uniform value: 1 is what every pixel
would have if the map were spread evenly.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

__all__ = [
    "MAP_COLOURS",
    "colour_coded",
    "mosaic_figure",
    "overlay",
    "relative",
    "shared_limit",
    "to_display",
]

MAP_COLOURS = "inferno"
SCALE_PERCENTILE = 99.5
UNIT = "P = map / sum,\nmultiples of the uniform value"
PANEL_INCHES = 0.8
BOTTOM_INCHES = 0.15
MAX_LEVEL_TITLE = 9
GAP_FRACTION = 0.07


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
    multiples: NDArray[np.float64] = np.divide(
        absolute, mean, out=np.full_like(absolute, np.nan), where=valid
    )
    return multiples


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
        return np.asarray(last)
    grey: NDArray[np.float64] = np.repeat(last.mean(axis=-1, keepdims=True), 3, axis=-1)
    return grey


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
    opacity = 0.25 + 0.65 * share
    colours = colour_coded(relative_maps, limit=limit)
    mixed: NDArray[np.float64] = (1 - opacity) * to_display(images) + opacity * colours
    return mixed


def colour_coded(relative_maps: NDArray[np.floating], *, limit: float) -> NDArray[np.float64]:
    """Maps alone, in colours; an undefined map turns white.

    Args:
        relative_maps: Shape ``(N, H, W)``, multiples of the uniform value.
        limit: The value that gets the last colour; the same for all compared panels.

    Returns:
        RGB in [0, 1], shape ``(N, H, W, 3)``.
    """
    colours: NDArray[np.float64] = colormaps[MAP_COLOURS](np.nan_to_num(relative_maps) / limit)
    return np.where(np.isnan(relative_maps)[..., None], 1.0, colours[..., :3])


def mosaic_figure(
    panels: NDArray[np.floating],
    *,
    row_titles: Sequence[str],
    column_titles: Sequence[str],
    title: str,
    limit: float | None,
) -> Figure:
    """Show panels side by side as one picture, which is far quicker than an Axes each.

    Args:
        panels: RGB in [0, 1], shape ``(R, K, H, W, 3)``.
        row_titles: R names.
        column_titles: K names.
        title: Of the figure.
        limit: Upper end of the maps' scale, for the colour bar; None if no map is shown.
    """
    rows, columns, height, width, _ = panels.shape
    longest = max(map(len, column_titles), default=0)
    content = np.array([PANEL_INCHES * columns, PANEL_INCHES * rows * height / width])
    left = 0.2 + 0.075 * max(map(len, row_titles), default=0)
    right = 0.2 if limit is None else 1.15
    slanted = longest > MAX_LEVEL_TITLE
    top = 0.55 + (0.06 * longest if slanted else 0.0)
    size = content + np.array([left + right, top + BOTTOM_INCHES])
    figure = Figure(figsize=tuple(size))
    box = (left / size[0], BOTTOM_INCHES / size[1], *(content / size))
    axes = figure.add_axes(box)
    gap_px = max(1, round(GAP_FRACTION * width))
    axes.imshow(_one_picture(panels, gap_px), interpolation="nearest", aspect="auto")
    middles = np.arange(columns) * (width + gap_px) + (width - 1) / 2
    axes.set_xticks(middles, column_titles, parse_math=False)
    middles = np.arange(rows) * (height + gap_px) + (height - 1) / 2
    axes.set_yticks(middles, row_titles, parse_math=False)
    axes.tick_params(length=0, labelsize=8, labeltop=True, labelbottom=False)
    if slanted:
        axes.tick_params(axis="x", labelrotation=60)
    axes.spines[:].set_visible(False)
    figure.suptitle(title, fontsize=10, y=1 - 0.08 / size[1], va="top", parse_math=False)
    if limit is not None:
        place = (box[0] + box[2] + 0.12 / size[0], box[1], 0.15 / size[0], box[3])
        _add_scale(figure, figure.add_axes(place), limit)
    return figure


def _one_picture(panels: NDArray[np.floating], gap_px: int) -> NDArray[np.floating]:
    rows, _, height, _, _ = panels.shape
    space = ((0, 0), (0, 0), (0, gap_px), (0, gap_px), (0, 0))
    spaced = np.pad(panels, space, constant_values=1.0)
    picture = spaced.swapaxes(1, 2).reshape(rows * (height + gap_px), -1, 3)
    return picture[:-gap_px, :-gap_px]


def _add_scale(figure: Figure, axes: Axes, limit: float) -> None:
    colours = ScalarMappable(Normalize(0, limit), MAP_COLOURS)
    bar = figure.colorbar(colours, cax=axes, extend="max")
    bar.set_label(UNIT, fontsize=8)
    axes.tick_params(labelsize=8)
