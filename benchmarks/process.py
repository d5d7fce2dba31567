"""Runs a command as a process of its own and says what it cost."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["REPOSITORY", "Usage", "run", "run_python"]

REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Usage:
    """What a finished process cost.

    Attributes:
        seconds: Wall time from start to end.
        cpu_seconds: Of all its threads and of the processes it waited for.
        memory_mb: Peak resident memory of the largest of these processes, in MiB.
        output: What it wrote to standard output.
    """

    seconds: float
    cpu_seconds: float
    memory_mb: float
    output: str


def run(
    command: Sequence[str], *, cwd: Path = REPOSITORY, env: Mapping[str, str] | None = None
) -> Usage:
    """Run a command to its end.

    Args:
        command: The words of it.
        cwd: Where it runs.
        env: Environment variables beside those of this process.

    Raises:
        RuntimeError: If it ends with an error; says what it wrote last.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, **(env or {})}, stdout=output, stderr=errors
        )
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0), errors.seek(0)
        if process.returncode != 0:
            last = errors.read()[-2000:]
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{last}")
        # Linux counts in KiB, macOS in bytes.
        memory = used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
        return Usage(seconds, used.ru_utime + used.ru_stime, memory, output.read())


def run_python(
    *arguments: str, cwd: Path = REPOSITORY, env: Mapping[str, str] | None = None
) -> Usage:
    """Run Python, this one, with ``arguments``."""
    return run([sys.executable, *arguments], cwd=cwd, env=env)
