"""Lays images and saliency maps out side by side (Figures 1 and 4). Computes no measure.

Legend: R rows and K columns of panels, H and W pixels of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from auglens.saliency.overlay import MAP_COLOURS, overlay, relative, shared_limit, to_display

__all__ = ["SaliencyPanels", "TrainingSample", "draw_mosaic", "saliency_figure", "sample_figure"]

GAP_FRACTION = 0.07
PANEL_INCHES = 0.8
MARGIN_INCHES = 1.4


@dataclass(frozen=True)
class TrainingSample:
    """Some training images as every model saw them.

    Attributes:
        images: One row of images ``(K, C, H, W)`` a label, in [0, 1].
        image_titles: One a column.
    """

    images: dict[str, NDArray[np.floating]]
    image_titles: tuple[str, ...]


@dataclass(frozen=True)
class SaliencyPanels:
    """Maps of several models on the same query images.

    Attributes:
        images: The query images ``(R, C, H, W)`` in [0, 1].
        image_titles: One a query image.
        maps: ``(R, H, W)`` of each model, by label.
        method: That made them.
    """

    images: NDArray[np.floating]
    image_titles: tuple[str, ...]
    maps: dict[str, NDArray[np.floating]]
    method: str


def sample_figure(sample: TrainingSample) -> Figure:
    """Figure 1: a column an image, a row a training set."""
    rows = np.stack([to_display(images) for images in sample.images.values()])
    figure, axes = _figure_for(rows)
    draw_mosaic(rows, axes, row_titles=list(sample.images), column_titles=sample.image_titles)
    axes.set_title("Training images: the original, and one copy of each set", fontsize=10, pad=10)
    return figure


def saliency_figure(panels: SaliencyPanels, *, over_images: bool) -> Figure:
    """Figure 4: a row a query image, a column a model; all maps on one colour scale."""
    scaled = {label: relative(maps) for label, maps in panels.maps.items()}
    limit = shared_limit(np.stack(list(scaled.values())))
    columns = [to_display(panels.images)]
    for maps in scaled.values():
        shown = overlay(panels.images, maps, limit=limit) if over_images else _colours(maps, limit)
        columns.append(shown)
    mosaic = np.stack(columns, axis=1)
    figure, axes = _figure_for(mosaic)
    draw_mosaic(mosaic, axes, row_titles=panels.image_titles, column_titles=["query", *panels.maps])
    how = "laid over the query images" if over_images else "alone"
    axes.set_title(f"Saliency maps ({panels.method}) {how}", fontsize=10, pad=10)
    colours = ScalarMappable(Normalize(0, limit), MAP_COLOURS)
    bar = figure.colorbar(colours, ax=axes, extend="max", fraction=0.05, pad=0.02, aspect=40)
    bar.set_label("P = map / sum, in multiples of the uniform value", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return figure


def draw_mosaic(
    panels: NDArray[np.floating],
    axes: Axes,
    *,
    row_titles: Sequence[str],
    column_titles: Sequence[str],
) -> Axes:
    """Show all panels as one picture, which is far quicker than an Axes each.

    Args:
        panels: RGB in [0, 1], shape ``(R, K, H, W, 3)``.
        axes: Where to draw.
        row_titles: R names.
        column_titles: K names.
    """
    rows, columns, height, width, _ = panels.shape
    gap_px = max(1, round(GAP_FRACTION * width))
    space = ((0, 0), (0, 0), (0, gap_px), (0, gap_px), (0, 0))
    spaced = np.pad(panels, space, constant_values=1.0)
    picture = spaced.swapaxes(1, 2).reshape(rows * (height + gap_px), -1, 3)
    axes.imshow((255 * picture).round().astype(np.uint8), interpolation="nearest")
    axes.set_xticks(np.arange(columns) * (width + gap_px) + (width - 1) / 2, column_titles)
    axes.set_yticks(np.arange(rows) * (height + gap_px) + (height - 1) / 2, row_titles)
    longest = max(map(len, column_titles), default=0)
    axes.tick_params(length=0, labelsize=8, labeltop=True, labelbottom=False)
    if longest > 9:
        axes.tick_params(axis="x", labelrotation=60)
    axes.spines[:].set_visible(False)
    return axes


def _figure_for(mosaic: NDArray[np.floating]) -> tuple[Figure, Axes]:
    rows, columns, height, width, _ = mosaic.shape
    size = (
        PANEL_INCHES * columns + MARGIN_INCHES,
        PANEL_INCHES * rows * height / width + MARGIN_INCHES / 2,
    )
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots()


def _colours(relative_maps: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    """RGB of maps ``(R, H, W)``; an undefined map turns white."""
    shares = np.clip(relative_maps / limit, 0, 1)
    colours: NDArray[np.float64] = colormaps[MAP_COLOURS](np.nan_to_num(shares))[..., :3]
    return np.where(np.isnan(shares)[..., None], 1.0, colours)
