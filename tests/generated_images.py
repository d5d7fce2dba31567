"""A data set of the tests: coloured bars at places that depend on the class, or no structure."""

from collections.abc import Sequence
from pathlib import Path

import torch

from auglens.datasets.spec import ImageDataset, ImageSpec, Split
from auglens.datasets.splits import split_rng, stratified_parts

COUNTS = (60, 90, 70, 130, 80, 100, 170)


def load_generated(
    *,
    name: str,
    class_names: Sequence[str],
    mean: Sequence[float],
    std: Sequence[float],
    split_seed: int,
    num_val: int,
    num_test: int,
    data_dir: Path,
    structure: bool,
) -> ImageDataset:
    """700 images of 3 x 40 x 36 pixels.

    Args:
        structure: Else every image has one brightness, that of its class; one class is black.
    """
    del data_dir
    labels = torch.arange(7).repeat_interleave(torch.tensor(COUNTS))
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(60, (700, 3, 40, 36), generator=generator, dtype=torch.uint8)
    for label in range(7):
        images[labels == label, label % 3, 5 * label : 5 * label + 6] += 180
    if not structure:
        images[:] = (36 * labels).to(torch.uint8).reshape(-1, 1, 1, 1)
    whole = Split(images, labels, torch.arange(700))
    val, test, pool = stratified_parts(whole, [num_val, num_test], rng=split_rng(split_seed))
    spec = ImageSpec.describe(whole, name=name, class_names=class_names, mean=mean, std=std)
    return ImageDataset(spec, pool=pool, val=val, test=test)
