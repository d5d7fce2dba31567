"""How soon AugLens answers: help, mistakes, and the imports that a job waits for."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Comparison, Quantity, compared
from benchmarks.place import Place
from benchmarks.process import REPOSITORY, run_python

__all__ = ["Command", "answered_s", "commands", "measure"]

REPEATS = 5
BAR_S = 1.5
JOB = "import auglens.job"
LIBRARIES = "import torch, torchvision, pytorch_lightning"


@dataclass(frozen=True)
class Command:
    """A command that needs no torch.

    Attributes:
        what: People do with it.
        words: What follows ``python``.
        code: Exit code it must end with.
        says: Part of what it must print.
    """

    what: str
    words: Sequence[str]
    code: int
    says: str


def commands(scratch: Path) -> list[Command]:
    """Everything that must be answered at once.

    Args:
        scratch: Where Hydra may leave files.
    """
    run, sweep = f"hydra.run.dir={scratch / 'run'}", f"hydra.sweep.dir={scratch / 'sweep'}"
    job, many = ("train.py", run), ("train.py", "-m", sweep)
    return [
        Command("help", ("train.py", "--help"), 0, "augment: "),
        Command("a misspelt augmentation", (*job, "augment=crp"), 1, "crp"),
        Command(
            "a misspelt augmentation in a sweep",
            (*many, "augment=crop,crp"),
            1,
            "There is no augment=crp",
        ),
        Command("a misspelt key", (*job, "trainer.max_epoch=3"), 1, "max_epoch"),
        Command("an override that cannot be parsed", (*job, "seed=[1"), 1, "[1"),
        Command("a report of no sweep", ("-m", "auglens.study"), 1, "Which sweep?"),
        Command(
            "maps of a missing sweep",
            ("-m", "auglens.explain", "sweep=nowhere"),
            1,
            "there is no folder",
        ),
    ]


def answered_s(command: Command) -> float:
    """Seconds from start to end of a command.

    Raises:
        RuntimeError: If it ends otherwise than it must.
    """
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command.words],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode != command.code or command.says not in done.stdout:
        raise RuntimeError(
            f"python {' '.join(command.words)} ended with {done.returncode}, not {command.code} "
            f"and {command.says!r}:\n{done.stdout[-2000:]}"
        )
    return seconds


def measure(place: Place) -> list[Comparison | Quantity]:
    """Every command five times after an uncounted one, then the imports of a job."""
    quantities = [_quantity(command) for command in commands(place.scratch.absolute())]
    imports = compared(
        f"python -c '{JOB}'",
        f"python -c '{LIBRARIES}', the libraries alone",
        lambda: run_python("-c", JOB).seconds,
        lambda: run_python("-c", LIBRARIES).seconds,
        pairs=REPEATS,
    )
    return [*quantities, imports]


def _quantity(command: Command) -> Quantity:
    answered_s(command)
    words = " ".join(word for word in command.words if not word.startswith("hydra."))
    what = f"answer to {command.what} (python {words})"
    return Quantity(what, [answered_s(command) for _ in range(REPEATS)], "s", BAR_S)
