"""The pictures of one run: its maps and a sample of its training set. Computes no measure."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from auglens.explainer import ProbeImages
from auglens.records.files import write_bytes
from auglens.saliency import overlay

__all__ = ["MapPanels", "first_of_each_class", "write_probe_figure", "write_sample_figure"]

PNG_DPI = 110
SHOWN_COPIES = 5


def first_of_each_class(labels: Tensor) -> Tensor:
    """Positions of the first image of each class in ``labels (N,)``."""
    classes = range(int(labels.max()) + 1)
    return torch.tensor(
        [int((labels == label).int().argmax()) for label in classes if (labels == label).any()]
    )


@dataclass(frozen=True)
class MapPanels:
    """Maps of some images, ready to be drawn on one scale.

    Attributes:
        images: Shape ``(N, C, H, W)`` in [0, 1].
        maps: Shape ``(N, H, W)``.
    """

    images: NDArray[np.floating]
    maps: NDArray[np.floating]

    @property
    def limit(self) -> float:
        """Upper end of the scale, in multiples of the uniform value."""
        return overlay.shared_limit(overlay.relative(self.maps))

    def alone(self) -> NDArray[np.float64]:
        """RGB ``(N, H, W, 3)`` of the maps."""
        return overlay.colour_coded(overlay.relative(self.maps), limit=self.limit)

    def over_images(self) -> NDArray[np.float64]:
        """RGB ``(N, H, W, 3)`` of the maps over their images."""
        return overlay.overlay(self.images, overlay.relative(self.maps), limit=self.limit)


def write_probe_figure(folder: Path, method: str, probe: ProbeImages, maps: Tensor) -> None:
    """Write ``figures/<method>.png``: the first probe image of each class, its map, the overlay.

    Args:
        folder: The run folder.
        method: Name of the attribution method.
        probe: The explained images.
        maps: Their maps ``(N, H, W)``.
    """
    shown = first_of_each_class(probe.labels)
    panels = MapPanels(probe.images[shown].numpy(), maps[shown].numpy())
    rows = np.stack([overlay.to_display(panels.images), panels.alone(), panels.over_images()])
    figure = overlay.mosaic_figure(
        rows,
        row_titles=["image", "map", "overlay"],
        column_titles=[f"class {int(label)}" for label in probe.labels[shown]],
        title=f"{method}: first probe image of each class",
        limit=panels.limit,
    )
    _write(folder / "figures" / f"{method}.png", figure)


def write_sample_figure(
    path: Path, originals: NDArray[np.floating], augmented: NDArray[np.floating], *, title: str
) -> None:
    """Write a PNG: originals on top, some of their copies below.

    Args:
        path: The file.
        originals: Shape ``(N, C, H, W)`` in [0, 1].
        augmented: Their copies, shape ``(N, copies, C, H, W)``.
        title: Of the figure.
    """
    copies = augmented[:, :SHOWN_COPIES].swapaxes(0, 1)
    rows = np.stack([overlay.to_display(line) for line in (originals, *copies)])
    figure = overlay.mosaic_figure(
        rows,
        row_titles=["original", *(f"copy {number + 1}" for number in range(len(copies)))],
        column_titles=[""] * len(originals),
        title=title,
        limit=None,
    )
    _write(path, figure)


def _write(path: Path, figure: Figure) -> None:
    write_bytes(path, lambda file: figure.savefig(file, format="png", dpi=PNG_DPI))
