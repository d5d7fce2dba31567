"""Lays images and saliency maps out side by side (Figures 1, 4 and 18). Computes no measure.

Legend: R rows and K columns of panels, H and W pixels of each.
"""

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from auglens.saliency.overlay import (
    colour_coded,
    mosaic_figure,
    overlay,
    relative,
    shared_limit,
    to_display,
)

__all__ = ["SaliencyPanels", "TrainingSample", "saliency_figure", "sample_figure"]


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
    """

    images: NDArray[np.floating]
    image_titles: tuple[str, ...]
    maps: dict[str, NDArray[np.floating]]


def sample_figure(sample: TrainingSample) -> Figure:
    """Figure 1: a column an image, a row a training set."""
    return mosaic_figure(
        np.stack([to_display(images) for images in sample.images.values()]),
        row_titles=list(sample.images),
        column_titles=sample.image_titles,
        title="Training images: the original, and one copy of each set",
        limit=None,
    )


def saliency_figure(panels: SaliencyPanels, *, over_images: bool, title: str) -> Figure:
    """A row a query image, a column a model or several; all maps on one colour scale."""
    scaled = {label: relative(maps) for label, maps in panels.maps.items()}
    limit = shared_limit(np.stack(list(scaled.values())))
    columns = [to_display(panels.images)]
    for maps in scaled.values():
        alone = colour_coded(maps, limit=limit)
        columns.append(overlay(panels.images, maps, limit=limit) if over_images else alone)
    return mosaic_figure(
        np.stack(columns, axis=1),
        row_titles=panels.image_titles,
        column_titles=["query", *panels.maps],
        title=title,
        limit=limit,
    )
