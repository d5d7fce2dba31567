"""One process at a time for one identity of a sweep."""

from contextlib import AbstractContextManager
from pathlib import Path

from filelock import FileLock

__all__ = ["identity_lock"]


def identity_lock(sweep: Path, identity: str) -> AbstractContextManager[object]:
    """A lock in a hidden folder of the sweep; waits while another process holds it.

    Args:
        sweep: The sweep folder.
        identity: Of the run.
    """
    lock = sweep / ".locks" / f"{identity[:16]}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(lock)
