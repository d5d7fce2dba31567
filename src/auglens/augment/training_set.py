"""Builds a condition's training set: the original images and their augmented copies."""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Augmentation", "TrainingSet", "build_training_set"]


class Augmentation(Protocol):
    """Anything that turns images into augmented images of the same shape."""

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        """Augment ``images (N, C, H, W)`` in [0, 1] with parameters drawn from ``generator``."""


@dataclass(frozen=True)
class TrainingSet:
    """Samples one network is trained on.

    Attributes:
        images: ``float32 (M, C, H, W)`` in [0, 1].
        labels: ``int64 (M,)``.
        origins: Which original each sample was made from, ``int64 (M,)``.
    """

    images: Tensor
    labels: Tensor
    origins: Tensor


def build_training_set(
    images: Tensor,
    labels: Tensor,
    *,
    augmentation: Augmentation,
    copies: int,
    keep_original: bool,
    generator: torch.Generator,
) -> TrainingSet:
    """Original images first (if kept), then one augmented pass over all of them a copy.

    Args:
        images: Originals, ``(N, C, H, W)`` in [0, 1].
        labels: ``(N,)``.
        augmentation: Draws one parameter set an image.
        copies: Augmented copies of each image, at least 0.
        keep_original: Whether the originals are part of the set.
        generator: Source of the augmentation's draws.

    Raises:
        ValueError: If the set would be empty or ``copies`` is negative.
    """
    if copies < 0 or copies + keep_original == 0:
        raise ValueError(
            f"augment.copies={copies} with augment.keep_original={keep_original} leaves no image "
            "to train on; allowed: copies of at least 1, or 0 with keep_original=true."
        )
    parts = [images] if keep_original else []
    parts += [augmentation(images, generator=generator) for _ in range(copies)]
    origins = torch.arange(len(images)).repeat(len(parts))
    return TrainingSet(torch.cat(parts), labels.repeat(len(parts)), origins)
