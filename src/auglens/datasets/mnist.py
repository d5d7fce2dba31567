"""Official MNIST through torchvision: its files, its mirrors, its checksums."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from filelock import FileLock

from auglens.datasets.spec import ImageDataset, ImageSpec, Split
from auglens.datasets.splits import split_rng, stratified_parts

__all__ = ["load_mnist"]


def load_mnist(
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
    """The official test set; validation images and pool from the official training set.

    Looks for the files in ``data_dir/MNIST/raw`` first; downloads what is missing, under a lock,
    into a temporary folder, and moves it there when whole.

    Args:
        name: Name of the data set.
        class_names: Names of the ten digits.
        mean: Mean of the one channel, in [0, 1].
        std: Standard deviation of the one channel.
        split_seed: Fixes the validation images, and the test images where not all are wanted.
        num_val: Validation images, with the class shares of the training set.
        num_test: Test images: 10000 is the whole official test set, fewer a part of it.
        data_dir: Folder that holds, or will hold, ``MNIST/raw``.

    Raises:
        FileNotFoundError: If files are missing and no mirror answers.
    """
    _fetch(data_dir)
    train, test = (_read(data_dir, train=part) for part in (True, False))
    rng = split_rng(split_seed)
    val, pool = stratified_parts(train, [num_val], rng=rng)
    if num_test != len(test):
        test, _ = stratified_parts(test, [num_test], rng=rng)
    spec = ImageSpec.describe(pool, name=name, class_names=class_names, mean=mean, std=std)
    return ImageDataset(spec, pool=pool, val=val, test=test)


def _read(data_dir: Path, *, train: bool) -> Split:
    from torchvision.datasets import MNIST

    files = MNIST(data_dir, train=train)
    return Split(files.data[:, None], files.targets.long(), torch.arange(len(files.targets)))


def _fetch(data_dir: Path) -> None:
    """Make sure that the four unpacked files lie in ``data_dir/MNIST/raw``."""
    from torchvision.datasets import MNIST

    raw = data_dir / "MNIST" / "raw"
    unpacked = [raw / Path(name).stem for name, _ in MNIST.resources]
    if all(path.exists() for path in unpacked):
        return
    data_dir.mkdir(parents=True, exist_ok=True)
    with (
        FileLock(data_dir / "MNIST.lock"),
        tempfile.TemporaryDirectory(dir=data_dir, prefix="MNIST-unfinished-") as unfinished,
    ):
        if all(path.exists() for path in unpacked):
            return
        staging = Path(unfinished) / "MNIST" / "raw"
        staging.mkdir(parents=True)
        for packed, _ in MNIST.resources:
            if (raw / packed).exists():
                shutil.copy(raw / packed, staging)
        try:
            MNIST(unfinished, download=True)
        except (RuntimeError, OSError) as error:
            raise FileNotFoundError(_instructions(raw, MNIST.resources)) from error
        raw.mkdir(parents=True, exist_ok=True)
        for path in staging.iterdir():
            path.replace(raw / path.name)


def _instructions(raw: Path, resources: Sequence[tuple[str, str]]) -> str:
    wanted = "\n".join(f"  {name}  MD5 {md5}" for name, md5 in resources)
    return (
        f"MNIST is not in {raw} and no mirror answered. Put these four files there:\n{wanted}\n"
        "(AUGLENS_DATA_DIR or paths.data_dir names the folder above MNIST/raw), or use "
        "dataset=mnist_5k, which needs no download."
    )
