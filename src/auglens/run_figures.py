"""The pictures of one run: its maps and a sample of its training set. Computes no measure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from auglens.records.files import write_bytes
from auglens.saliency import overlay

__all__ = ["first_of_each_class", "map_panels", "write_map_figures", "write_sample_figure"]

PNG_DPI = 110
SHOWN_COPIES = 5


def first_of_each_class(labels: Tensor) -> Tensor:
    """Positions of the first image of each class in ``labels (N,)``."""
    return torch.stack([(labels == label).int().argmax() for label in labels.unique()])


def map_panels(
    images: NDArray[np.floating], maps: NDArray[np.floating]
) -> dict[str, list[NDArray[np.float64]]]:
    """RGB panels ``(H, W, 3)`` of maps alone (``maps``) and over their images (``overlays``).

    Args:
        images: Shape ``(N, C, H, W)`` in [0, 1].
        maps: Shape ``(N, H, W)``; all panels share one scale.
    """
    scaled = overlay.relative(maps)
    limit = overlay.shared_limit(scaled)
    alone = colormaps[overlay.MAP_COLOURS](np.nan_to_num(scaled) / limit)[..., :3]
    return {"maps": list(alone), "overlays": list(overlay.overlay(images, scaled, limit=limit))}


def write_map_figures(
    folder: Path,
    method: str,
    images: Tensor,
    maps: Tensor,
    shown: Tensor,
    captions: Sequence[str],
) -> None:
    """Write ``figures/<method>.png`` and ``figures/<method>_overlay.png``.

    Args:
        folder: The run folder.
        method: Name of the attribution method.
        images: Probe images ``(N, C, H, W)`` in [0, 1].
        maps: Their maps ``(N, H, W)``.
        shown: Positions of the images to draw.
        captions: One an image drawn.
    """
    for name, over_images in ((method, False), (f"{method}_overlay", True)):
        figure = overlay.draw_map_grid(
            images[shown].numpy(),
            maps[shown].numpy(),
            titles=captions,
            title=f"{method}: saliency{' over the image' if over_images else ''}",
            over_images=over_images,
        )
        _write(folder / "figures" / f"{name}.png", figure)


def write_sample_figure(
    folder: Path, originals: NDArray[np.floating], augmented: NDArray[np.floating], augment: str
) -> None:
    """Write ``figures/training_set.png``: originals on top, some of their copies below.

    Args:
        folder: The run folder.
        originals: Shape ``(N, C, H, W)`` in [0, 1].
        augmented: Their copies, shape ``(N, copies, C, H, W)``.
        augment: Name of the augmentation.
    """
    copies = augmented[:, :SHOWN_COPIES].swapaxes(0, 1)
    lines = [originals, *copies]
    figure = Figure(figsize=(1.2 * len(originals), 1.2 * len(lines) + 0.4), layout="constrained")
    grid = figure.subplots(len(lines), len(originals), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for row, line in zip(grid, lines, strict=True):
        for axes, image in zip(row, overlay.to_display(line), strict=True):
            axes.imshow(image)
    figure.suptitle(f"{augment}: originals (top row) and copies", fontsize=10)
    _write(folder / "figures" / "training_set.png", figure)


def _write(path: Path, figure: Figure) -> None:
    write_bytes(path, lambda file: figure.savefig(file, format="png", dpi=PNG_DPI))
