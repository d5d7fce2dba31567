"""Checksums inside JSON files, which have none of their own: a changed digit is noticed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auglens.records.identity import digest
from auglens.records.reading import RecordError

__all__ = ["sealed", "unsealed"]

CHECKSUM = "checksum"


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with the checksum of all of it."""
    return {**content, CHECKSUM: digest(content)}


def unsealed(path: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """The content without its checksum; files of earlier versions have none.

    Args:
        path: Where it was read, for the message.
        content: As it was read.

    Raises:
        RecordError: If the checksum is that of another content.
    """
    plain = {key: value for key, value in content.items() if key != CHECKSUM}
    if CHECKSUM in content and content[CHECKSUM] != digest(plain):
        raise RecordError(f"{path} cannot be read: its checksum is that of another content.")
    return plain
