"""Reads files that a stranger may have written: nothing outside a folder, nothing without bounds."""

import hashlib
import json
import math
import stat
from pathlib import Path
from typing import Any, NoReturn

__all__ = [
    "MOST_JSON_BYTES",
    "RecordError",
    "file_hash",
    "inner_path",
    "is_inside",
    "parse_json",
    "read_bytes",
    "read_json",
]

MOST_BYTES = 2**30
MOST_JSON_BYTES = 2**26
DEEPEST = 50
LARGEST_INTEGER = 2**63


class RecordError(ValueError):
    """A file of a run is missing, damaged, or not what its record says."""


def inner_path(folder: Path, *parts: str, most_bytes: int = MOST_BYTES) -> Path:
    """A regular file that lies in a folder, wherever links lead.

    Args:
        folder: May be reached through links itself.
        parts: Way to the file.
        most_bytes: Its largest size.

    Raises:
        RecordError: If it is absent, no regular file, too large, or lies outside the folder.
    """
    path = folder.joinpath(*parts)
    try:
        resolved = path.resolve(strict=True)
        found = resolved.stat()
        inside = resolved.is_relative_to(folder.resolve())
    # Loops of links are a RuntimeError up to Python 3.12; a name with a null byte is a ValueError.
    except (OSError, RuntimeError, ValueError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from error
    if not inside:
        raise RecordError(f"{path} cannot be read: it is a link that leads out of its folder.")
    if not stat.S_ISREG(found.st_mode):
        raise RecordError(f"{path} cannot be read: it is no regular file.")
    if found.st_size > most_bytes:
        raise RecordError(
            f"{path} cannot be read: it has {found.st_size} bytes, at most {most_bytes} are read."
        )
    return path


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path leads, through whatever links, into a folder or to the folder itself."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def read_bytes(folder: Path, *parts: str, most_bytes: int = MOST_BYTES) -> bytes:
    """All of a file, as of :func:`inner_path`.

    Raises:
        RecordError: As of :func:`inner_path`.
    """
    path = inner_path(folder, *parts, most_bytes=most_bytes)
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error}") from error


def read_json(folder: Path, *parts: str) -> dict[str, Any]:
    """A JSON object: UTF-8, finite numbers, integers of 64 bits, at most 50 levels deep.

    Raises:
        RecordError: If it is anything else, or as of :func:`inner_path`.
    """
    path = folder.joinpath(*parts)
    content = read_bytes(folder, *parts, most_bytes=MOST_JSON_BYTES)
    try:
        return parse_json(content.decode())
    except ValueError as error:
        raise RecordError(f"{path} cannot be read: {error}") from error


def parse_json(text: str) -> dict[str, Any]:
    """A JSON object in text, as of :func:`read_json`.

    Raises:
        ValueError: If it is anything else.
    """
    try:
        found = json.loads(text, parse_constant=_refuse)
        _check_values(found, DEEPEST)
        return {**found}
    except RecursionError as error:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep") from error
    except TypeError as error:
        raise ValueError("it holds no JSON object") from error


def file_hash(folder: Path, *parts: str) -> str:
    """sha256 of a file's content.

    Raises:
        RecordError: As of :func:`inner_path`.
    """
    return hashlib.sha256(read_bytes(folder, *parts)).hexdigest()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number that a record may hold")


def _check_values(value: object, levels: int) -> None:
    """Refuse what the study could not compute with or write.

    Raises:
        ValueError: Says what it is.
    """
    if levels < 0:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep")
    if isinstance(value, str):
        value.encode()
    if isinstance(value, int) and abs(value) >= LARGEST_INTEGER:
        raise ValueError("it holds an integer of more than 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it holds a number that is not finite")
    items = [*value, *value.values()] if isinstance(value, dict) else value
    for item in items if isinstance(items, list) else ():
        _check_values(item, levels - 1)
