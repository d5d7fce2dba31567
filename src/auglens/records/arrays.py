"""Arrays in ``.npz`` files: bounded from their headers before anything of them is unpacked."""

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from auglens.records.files import write_bytes
from auglens.records.reading import MOST_BYTES, RecordError, inner_path

__all__ = ["is_array", "read_arrays", "read_named_arrays", "write_arrays"]

MOST_ARRAYS = 16
ENCRYPTED = 1
SUFFIX = ".npy"
# Booleans, numbers and text; none of them holds a Python object.
KINDS = "biufU"
VERSIONS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays of any shape as a compressed ``.npz`` (whole or not at all)."""
    write_bytes(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def read_arrays(folder: Path, *parts: str) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz`` in a folder.

    Raises:
        RecordError: If it is absent, lies outside the folder, is damaged, holds anything but
            arrays of numbers and text, or says that these take more than 1 GiB.
    """
    path = inner_path(folder, *parts)
    # zipfile, zlib and NumPy raise a wide family of errors on damaged files.
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                one.filename.removesuffix(SUFFIX): _read(archive, one) for one in _members(archive)
            }
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise RecordError(f"{path} cannot be read: {reason}") from error


def read_named_arrays(folder: Path, *parts: str, names: set[str]) -> dict[str, Any]:
    """As :func:`read_arrays`, of exactly these names.

    Raises:
        RecordError: If others are there, or as of :func:`read_arrays`.
    """
    arrays = read_arrays(folder, *parts)
    if set(arrays) != names:
        path = folder.joinpath(*parts)
        raise RecordError(f"{path} holds {sorted(arrays)}, expected {sorted(names)}.")
    return arrays


def is_array(array: NDArray[Any], dtype: type, shape: tuple[int | None, ...]) -> bool:
    """Whether an array is not empty and has a type and a shape, None for any size."""
    return (
        array.dtype == dtype
        and array.size > 0
        and array.ndim == len(shape)
        and all(size in (None, own) for own, size in zip(array.shape, shape, strict=True))
    )


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The archive's directory, if it can be one of arrays.

    Raises:
        ValueError: Says why it cannot.
    """
    members = archive.infolist()
    names = [one.filename for one in members]
    if len(members) > MOST_ARRAYS or len(set(names)) < len(names):
        raise ValueError(f"it holds more than {MOST_ARRAYS} arrays, or one twice")
    if any(not name.removesuffix(SUFFIX).isidentifier() for name in names):
        raise ValueError("it holds something that is no array")
    if any(one.flag_bits & ENCRYPTED for one in members):
        raise ValueError("it is encrypted")
    total = sum(one.file_size for one in members)
    if total > MOST_BYTES:
        raise ValueError(f"its arrays take {total} bytes, at most {MOST_BYTES} are read")
    return members


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    """One array; of the stream no more is unpacked than its header and the directory agree on.

    Raises:
        ValueError: If they do not, or it is no array of numbers or text.
    """
    with archive.open(member) as stream:
        shape, in_columns, dtype = _header(stream)
        size = math.prod(shape) * dtype.itemsize
        if dtype.kind not in KINDS or dtype.hasobject or min(shape, default=0) < 0:
            raise ValueError(f"{member.filename} is of type {dtype} and shape {shape}")
        if stream.tell() + size != member.file_size:
            raise ValueError(f"{member.filename} is not as long as its header says")
        content = bytearray(stream.read(size))
        # Comes to the end of the stream, where the checksum is compared.
        stream.read(1)
    if len(content) != size:
        raise ValueError(f"{member.filename} ends too early")
    return np.ndarray(shape, dtype, content, order="F" if in_columns else "C")


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    if version not in VERSIONS:
        raise ValueError(f"its arrays are of version {version}")
    shape, in_columns, dtype = VERSIONS[version](stream)
    return shape, in_columns, dtype
