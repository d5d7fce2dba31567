"""One command at a time for a folder, one process at a time for a job and for an identity."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from auglens.records.files import write_json
from auglens.records.processes import is_running, this_process
from auglens.records.reading import RecordError, read_json

__all__ = [
    "FolderBusyError",
    "hold_folder",
    "identity_lock",
    "is_worked_on",
    "job_lock",
    "read_command",
    "refuse_held",
]

LOCKS = ".locks"
COMMAND = "command.json"
WORD_S = 2.0


class FolderBusyError(ValueError):
    """Another command writes to the folder."""


@contextmanager
def identity_lock(sweep: Path, identity: str, *, on_wait: Callable[[], object]) -> Iterator[None]:
    """A lock in a hidden folder of the sweep; waits while another process holds it.

    Args:
        sweep: The sweep folder.
        identity: Of the run.
        on_wait: Called once if it has to wait.
    """
    lock = _lock(sweep, identity[:16])
    try:
        lock.acquire(blocking=False)
    except Timeout:
        on_wait()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def job_lock(sweep: Path, run: str) -> Iterator[None]:
    """Held by the worker process of a job, wherever it runs; waits while another one has it.

    Args:
        sweep: The sweep folder.
        run: Name of the job's run folder.
    """
    with _job_lock(sweep, run):
        yield


def is_worked_on(sweep: Path, run: str) -> bool:
    """Whether a process, on whatever machine, holds :func:`job_lock`; a lost one does not."""
    return _is_held(_job_lock(sweep, run))


def hold_folder(folder: Path, *, num_jobs: int | None) -> FileLock:
    """Take a sweep folder, or a single run's, for this command; ends with the process at last.

    Jobs in worker processes do not take it: it is their command's.

    Args:
        folder: Created if need be.
        num_jobs: How many jobs the command has, for :func:`read_command`; None if not known.

    Returns:
        The lock, to be released when the command is over.

    Raises:
        FolderBusyError: If another command holds it; nothing is touched then.
        OSError: If nothing can be written there.
    """
    lock = _lock(folder, "command")
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise FolderBusyError(f"{folder} is being written by {_holder(folder)}") from error
    since = datetime.now(UTC).isoformat(timespec="milliseconds")
    try:
        write_json(
            folder / LOCKS / COMMAND, {**this_process(), "since": since, "num_jobs": num_jobs}
        )
    except OSError:
        lock.release()
        raise
    return lock


def refuse_held(folder: Path) -> None:
    """Refuse a folder that a command holds; takes nothing.

    Raises:
        FolderBusyError: Says who holds it.
    """
    if (folder / LOCKS).is_dir() and _is_held(_lock(folder, "command")):
        raise FolderBusyError(f"{folder} is being written by {_holder(folder)}")


def read_command(folder: Path) -> Mapping[str, Any]:
    """What the latest command left word of, as far as it can be read; values are not checked.

    Returns:
        ``host, pid, process_started``, ``since`` (ISO 8601) and ``num_jobs``; empty if unreadable.
    """
    try:
        return read_json(folder, LOCKS, COMMAND)
    except RecordError:
        return {}


def _holder(folder: Path) -> str:
    """Who holds the folder; one that took it just now may not have left word yet."""
    deadline = time.monotonic() + WORD_S
    while True:
        command = read_command(folder)
        if command and is_running(command) is not False:
            who = f"process {command.get('pid')} on {command.get('host')}"
            return f"{who} since {command.get('since')}"
        if time.monotonic() > deadline:
            return "another process"
        time.sleep(0.02)


def _is_held(lock: FileLock) -> bool:
    try:
        with lock.acquire(blocking=False):
            return False
    except Timeout:
        return True


def _job_lock(sweep: Path, run: str) -> FileLock:
    return _lock(sweep, f"job-{run}")


def _lock(folder: Path, name: str) -> FileLock:
    lock = folder / LOCKS / f"{name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(lock)
