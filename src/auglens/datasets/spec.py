"""What a data set hands over: its constants and its three splits. Reads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["ImageDataset", "ImageSpec", "Split"]


@dataclass(frozen=True)
class ImageSpec:
    """Constants of a data set.

    Attributes:
        name: The name used in configs, records and reports.
        channels: Colour channels C.
        height: Rows H in pixels.
        width: Columns W in pixels.
        class_names: One name a class, in the order of the labels.
        mean: Mean of each channel in [0, 1], for the model's normalisation.
        std: Standard deviation of each channel, positive.
    """

    name: str
    channels: int
    height: int
    width: int
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def describe(
        cls,
        split: "Split",
        *,
        name: str,
        class_names: Sequence[str],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> "ImageSpec":
        """The spec of images like those of ``split``.

        Raises:
            ValueError: If the constants do not fit the images or the labels.
        """
        channels, height, width = split.images.shape[1:]
        if len(mean) != channels or len(std) != channels or min(std) <= 0:
            raise ValueError(
                f"dataset.mean={list(mean)} and dataset.std={list(std)} of {name} need one value "
                f"(std positive) for each of its {channels} channels."
            )
        if int(split.labels.max()) >= len(class_names):
            raise ValueError(
                f"dataset.class_names of {name} has {len(class_names)} names, but label "
                f"{int(split.labels.max())} occurs."
            )
        return cls(name, channels, height, width, tuple(class_names), tuple(mean), tuple(std))


@dataclass(frozen=True)
class Split:
    """Images with labels.

    Attributes:
        images: ``uint8 (N, C, H, W)``.
        labels: ``int64 (N,)``.
        ids: Position of each image in its source file, ``int64 (N,)``.
    """

    images: Tensor
    labels: Tensor
    ids: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Tensor) -> "Split":
        """The images at the positions ``index (M,)``."""
        return Split(self.images[index], self.labels[index], self.ids[index])

    def unit_images(self) -> Tensor:
        """The images as ``float32 (N, C, H, W)`` in [0, 1]."""
        return self.images.to(torch.float32, copy=True).div_(255)


@dataclass(frozen=True)
class ImageDataset:
    """A data set's three disjoint splits: training images come from the pool only."""

    spec: ImageSpec
    pool: Split
    val: Split
    test: Split
