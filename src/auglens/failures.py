"""Says in one line why something failed, and what to do if the machine was the reason."""

import errno
from collections.abc import Iterator
from pathlib import Path

__all__ = ["describe_failure", "is_disk_full"]

FULL = (errno.ENOSPC, errno.EDQUOT)
DENIED = (errno.EROFS, errno.EACCES, errno.EPERM)
# What torch says of the CPU's and the GPU's memory, and of a file that it could not go on writing.
MEMORY_WORDS = ("out of memory", "can't allocate memory", "cannot allocate memory")
WRITER_WORDS = "PytorchStreamWriter failed writing file"


def describe_failure(error: BaseException, folder: Path) -> str:
    """One line: the reason and, for a full disk or memory, the way out.

    Args:
        error: Anything that was raised; its causes are looked through for a lack of room.
        folder: What was written to, where the error does not say.
    """
    place = getattr(error, "filename", None) or folder
    if is_disk_full(error):
        return f"no space left on the disk of {place}: free some, then the same command goes on."
    if any(map(_is_out_of_memory, _chain(error))):
        return (
            "out of memory: use a smaller data.batch_size or data.eval_batch_size "
            f"({_one_line(error)})."
        )
    if isinstance(error, OSError) and error.errno in DENIED:
        return f"{place} cannot be used: {error.strerror}."
    return f"{type(error).__name__}: {_one_line(error)}"


def is_disk_full(error: BaseException) -> bool:
    """Whether a disk without room, or a user without a quota, is behind an error."""
    return any(_is_full(one) for one in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from or raised during."""
    seen: list[BaseException] = []
    one: BaseException | None = error
    while one is not None and one not in seen:
        seen.append(one)
        yield one
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _is_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in FULL
    return isinstance(error, RuntimeError) and WRITER_WORDS in str(error)


def _is_out_of_memory(error: BaseException) -> bool:
    said = str(error).lower()
    kind = isinstance(error, RuntimeError) and any(word in said for word in MEMORY_WORDS)
    return kind or isinstance(error, MemoryError)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
