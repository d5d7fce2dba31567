"""Official MNIST through torchvision: its files, its mirrors, its checksums."""

import gzip
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from filelock import FileLock

from auglens.datasets.spec import ImageDataset, ImageSpec, Split
from auglens.datasets.splits import split_rng, stratified_parts

__all__ = ["DamagedFileError", "load_mnist"]

# MD5 of the official files, unpacked; torchvision has those of the packed ones.
UNPACKED = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}


class DamagedFileError(ValueError):
    """A file of a data set is not what it should be."""


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
        DamagedFileError: If a file is not the official one, and not packed beside it either.
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
    """Make sure that the four unpacked files lie whole in ``data_dir/MNIST/raw``."""
    raw = data_dir / "MNIST" / "raw"
    if not _unusable(raw):
        return
    data_dir.mkdir(parents=True, exist_ok=True)
    # Other processes may need them too: the first makes them, the others wait and look again.
    with FileLock(data_dir / "MNIST.lock"):
        unusable = _unusable(raw)
        with tempfile.TemporaryDirectory(dir=data_dir, prefix="MNIST-unfinished-") as unfinished:
            missing = [name for name in unusable if not _unpacked(raw, name, Path(unfinished))]
            damaged = [name for name in missing if (raw / name).exists()]
            if damaged:
                raise DamagedFileError("\n".join(_damage(raw / name) for name in damaged))
            if missing:
                _download(raw, Path(unfinished))


def _unusable(raw: Path) -> list[str]:
    """Names of the files that are absent or damaged; takes a tenth of a second if none is."""
    wanted = UNPACKED.items()
    return [name for name, md5 in wanted if not (raw / name).exists() or _md5(raw / name) != md5]


def _unpacked(raw: Path, name: str, unfinished: Path) -> bool:
    """Unpack a file that lies packed in the folder; False if it does not, or not whole."""
    packed = raw / f"{name}.gz"
    if not packed.exists() or _md5(packed) != _packed_md5(name):
        return False
    with gzip.open(packed) as source, (unfinished / name).open("wb") as target:
        shutil.copyfileobj(source, target)
    (unfinished / name).replace(raw / name)
    return True


def _download(raw: Path, unfinished: Path) -> None:
    from torchvision.datasets import MNIST

    staging = unfinished / "MNIST" / "raw"
    staging.mkdir(parents=True)
    for name in UNPACKED:
        packed = raw / f"{name}.gz"
        if packed.exists() and _md5(packed) == _packed_md5(name):
            shutil.copy(packed, staging)
    try:
        MNIST(unfinished, download=True)
    except (RuntimeError, OSError) as error:
        raise FileNotFoundError(_instructions(raw, MNIST.resources)) from error
    raw.mkdir(parents=True, exist_ok=True)
    for path in staging.iterdir():
        path.replace(raw / path.name)


def _packed_md5(name: str) -> str:
    from torchvision.datasets import MNIST

    return str(dict(MNIST.resources)[f"{name}.gz"])


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def _damage(path: Path) -> str:
    return (
        f"{path} is damaged: {path.stat().st_size} bytes with MD5 {_md5(path)}, expected MD5 "
        f"{UNPACKED[path.name]}. Delete it, and the next run fetches it again; or put the official "
        f"{path.name}.gz (MD5 {_packed_md5(path.name)}) beside it."
    )


def _instructions(raw: Path, resources: Sequence[tuple[str, str]]) -> str:
    wanted = "\n".join(f"  {name}  MD5 {md5}" for name, md5 in resources)
    return (
        f"MNIST is not in {raw} and no mirror answered. Put these four files there:\n{wanted}\n"
        "(AUGLENS_DATA_DIR or paths.data_dir names the folder above MNIST/raw), or use "
        "dataset=mnist_5k, which needs no download."
    )
