"""A data set of the tests: every image has one brightness, that of its class; one class is black."""

from collections.abc import Sequence
from pathlib import Path

import torch

from auglens.datasets.spec import ImageDataset, ImageSpec, Split
from auglens.datasets.splits import split_rng, stratified_parts


def load_constant(
    *,
    name: str,
    class_names: Sequence[str],
    mean: Sequence[float],
    std: Sequence[float],
    split_seed: int,
    num_val: int,
    num_test: int,
    data_dir: Path,
) -> ImageDataset:
    """240 images of 1 x 28 x 28 pixels, 80 a class."""
    del data_dir
    labels = torch.arange(3).repeat_interleave(80)
    images = (100 * labels).to(torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 28, 28).clone()
    whole = Split(images, labels, torch.arange(240))
    val, test, pool = stratified_parts(whole, [num_val, num_test], rng=split_rng(split_seed))
    spec = ImageSpec.describe(whole, name=name, class_names=class_names, mean=mean, std=std)
    return ImageDataset(spec, pool=pool, val=val, test=test)
