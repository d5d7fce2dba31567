"""Whether a long sweep in one process stays as small and as quick as it began. Linux only."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.marginal import BARE, FULL, small_sweep
from benchmarks.measuring import Growth, Point, Quantity
from benchmarks.place import Place
from benchmarks.process import REPOSITORY, run_python

__all__ = ["Sample", "measure", "sampled"]

SIZES = (6, 15, 30, 60, 120)
EARLY, LATE = 6, 60
BAR_PERCENT = 5.0
INTERVAL_S = 0.02


@dataclass(frozen=True)
class Sample:
    """A process after so many runs.

    Attributes:
        num_runs: That were finished.
        seconds: Since the command was typed.
        resident_mb: Memory of the process then, in MiB.
        peak_mb: Most that it had so far, in MiB.
    """

    num_runs: int
    seconds: float
    resident_mb: float
    peak_mb: float


def measure(place: Place) -> list[Growth | Quantity]:
    """Sweeps of small runs; each run's beginning is the end of the one before."""
    scratch = place.scratch.absolute()
    # Unpacks the images: the memory this takes once would hide what later runs add.
    run_python(*small_sweep(1, scratch / "first", *BARE), env=_environment(scratch))
    bare = _swept(scratch, "csv", SIZES[-1], BARE)
    full = _swept(scratch, "wandb", LATE, FULL)
    return [
        _growth([bare[size] for size in SIZES]),
        _increase(bare, "with logger=csv and no figures"),
        _increase(full, "with W&B offline and figures"),
    ]


def _environment(scratch: Path) -> dict[str, str]:
    return {"AUGLENS_DATA_DIR": str(scratch), "WANDB_MODE": "offline"}


def _swept(scratch: Path, name: str, num_runs: int, settings: tuple[str, ...]) -> dict[int, Sample]:
    """Samples by number of runs finished, from a sweep of one run more."""
    sweep, said = scratch / name, scratch / f"{name}.txt"
    command = [sys.executable, *small_sweep(num_runs + 1, sweep, *settings)]
    with said.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, **_environment(scratch)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        samples = {sample.num_runs: sample for sample in sampled(process, sweep)}
    if process.returncode != 0 or num_runs not in samples:
        raise RuntimeError(
            f"The sweep ended with {process.returncode}:\n{said.read_text()[-2000:]}"
        )
    return samples


def sampled(process: subprocess.Popen[bytes], sweep: Path) -> Iterator[Sample]:
    """A sample whenever a run of the sweep is over, until the process ends.

    Args:
        process: Just started; runs the jobs one after the other.
        sweep: The sweep folder, which its jobs name after their numbers.
    """
    started = time.perf_counter()
    num_runs = 1
    while process.poll() is None:
        if any(sweep.glob(f"{num_runs}-*")):
            status = _status(process.pid)
            seconds = time.perf_counter() - started
            yield Sample(num_runs, seconds, status["VmRSS"], status["VmHWM"])
            num_runs += 1
        else:
            time.sleep(INTERVAL_S)


def _status(pid: int) -> dict[str, float]:
    """The memory lines of a process's status, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    words = [line.split() for line in lines if line.startswith("Vm")]
    return {name.rstrip(":"): int(size) / 2**10 for name, size, _ in words}


def _growth(samples: Sequence[Sample]) -> Growth:
    work = "a sweep of runs of one step in one process, from typing until so many were finished"
    points = [Point(sample.num_runs, sample.seconds, sample.peak_mb) for sample in samples]
    return Growth(work, "runs", points)


def _increase(samples: Mapping[int, Sample], settings: str) -> Quantity:
    percent = 100 * (samples[LATE].resident_mb / samples[EARLY].resident_mb - 1)
    what = f"growth of resident memory from run {EARLY} to run {LATE} of a sweep {settings}"
    return Quantity(what, [percent], "%", BAR_PERCENT)
