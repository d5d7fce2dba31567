"""Whether the process that wrote a file still runs: its host, its id, when it started."""

import os
import socket
from collections.abc import Mapping
from typing import Any

import psutil

__all__ = ["is_running", "this_process"]

# The system counts a start from its own boot, whose time may be corrected while it runs.
CLOCK_STEP_S = 5.0


def this_process() -> dict[str, Any]:
    """``host``, ``pid`` and ``process_started`` (seconds since 1970) of this process."""
    started = round(psutil.Process().create_time(), 2)
    return {"host": socket.gethostname(), "pid": os.getpid(), "process_started": started}


def is_running(process: Mapping[str, Any]) -> bool | None:
    """Whether a process runs; an id that another process has by now does not count.

    Args:
        process: Keys of :func:`this_process`, read from a file that anybody may have written.

    Returns:
        None where it cannot be known: on another host, or if keys are missing or are no numbers.
    """
    pid, started = process.get("pid"), process.get("process_started")
    known = type(pid) is int and isinstance(started, (int, float))
    if process.get("host") != socket.gethostname() or not known:
        return None
    try:
        found = psutil.Process(pid)
        alike = abs(found.create_time() - started) < CLOCK_STEP_S
        return bool(alike and found.status() != psutil.STATUS_ZOMBIE)
    except psutil.AccessDenied:
        return None
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return False
