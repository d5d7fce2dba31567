"""Writes files that are whole or absent, and never through a link to another folder."""

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

__all__ = ["check_no_link", "remove_unfinished", "write_bytes", "write_json", "write_text"]


def write_bytes(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file under a temporary name, flush it to the disk, rename it.

    Args:
        path: The finished file; its folder is created.
        write: Writes the content to the open binary file it is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files private; results are as readable as any other file of the user.
        Path(unfinished).chmod(0o666 & ~_umask())
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes left half-written in ``folder``, whose only writer we are."""
    for unfinished in (*folder.glob(".*.part"), *folder.glob("*/.*.part")):
        unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text, whole or not at all."""
    write_bytes(path, lambda file: file.write(text.encode()))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write indented JSON, whole or not at all; NaN is refused."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def check_no_link(folder: Path, *parts: str) -> None:
    """Refuse to write where a link, perhaps left by a stranger, leads somewhere else.

    A link in the place of a file is no danger: what is written replaces it.

    Args:
        folder: The user's own choice; may be reached through links.
        parts: Folders below it, each inside the one before.

    Raises:
        ValueError: If one of them is a link, or no folder.
    """
    for part in parts:
        folder = folder / part
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise ValueError(
                f"{folder} is a link or no folder; nothing is written there: remove it."
            )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
