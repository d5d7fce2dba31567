"""The poster's six trainings, from typing the command to the report, beside three programs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measuring import Comparison, Quantity
from benchmarks.place import Place
from benchmarks.process import Usage, run_python

__all__ = ["AUGMENTATIONS", "measure", "one_run_command", "poster_command"]

AUGMENTATIONS = ("scale", "crop", "erase", "distort", "blur", "none")
ROUNDS = 3
PLAIN_BAR = 0.85
SIX_RUNS = (
    "six networks trained, tested and explained on official MNIST, from typing the command to the "
    "report: records, checkpoints, figures and W&B files"
)
ONE_RUN = "one network trained on crop, tested and explained, with records, figures and W&B files"
PLAIN = (
    "a plain PyTorch loop: six trainings, tests and 1,000 gradients each in default memory format, "
    "ReLU before pooling, evaluation in batches of 1,000; no files, no report"
)
TUNED = (
    "a tuned PyTorch loop: the same in channels-last format, pooling before ReLU, evaluation in "
    "batches of 100; no files, no report"
)
USUAL = (
    "a usual Lightning script, one training on crop: samples one by one through a DataLoader, "
    "progress bar, metrics of every step, CSV logger, checkpoint; no maps"
)
# What AugLens uses by its settings whatever the machine has.
TWO_THREADS = {"OMP_NUM_THREADS": "2"}


@dataclass
class Programs:
    """Runs AugLens and the others, each time as a fresh process.

    Attributes:
        place: Folders.
        used: Folders of AugLens's runs so far.
    """

    place: Place
    used: int = field(default=0)

    def poster(self) -> Usage:
        """The six runs of AugLens and their report."""
        return self._auglens(*poster_command(self._fresh_folder()))

    def one_run(self) -> Usage:
        """One run of AugLens."""
        return self._auglens(*one_run_command(self._fresh_folder()))

    def loop(self, name: str) -> Usage:
        """A loop without a framework, on the raw files."""
        return self._peer(name, self.place.raw)

    def usual(self) -> Usage:
        """The usual Lightning script, which writes into its working folder."""
        return self._peer("lightning_usual.py", self.place.mnist)

    def _auglens(self, *arguments: str) -> Usage:
        env = {"AUGLENS_DATA_DIR": str(self.place.mnist), "WANDB_MODE": "offline"}
        return run_python(*arguments, env={**TWO_THREADS, **env})

    def _peer(self, name: str, data: Path) -> Usage:
        script = str(self.place.peers.absolute() / name)
        return run_python(script, str(data.absolute()), cwd=self.place.scratch, env=TWO_THREADS)

    def _fresh_folder(self) -> Path:
        self.used += 1
        return self.place.scratch.absolute() / f"auglens{self.used}"


def poster_command(sweep: Path) -> list[str]:
    """What follows ``python`` for the six runs.

    Args:
        sweep: The sweep folder.
    """
    augment = f"augment={','.join(AUGMENTATIONS)}"
    return ["train.py", "-m", augment, "dataset=mnist", f"hydra.sweep.dir={sweep}"]


def one_run_command(folder: Path) -> list[str]:
    """What follows ``python`` for one run.

    Args:
        folder: The run folder.
    """
    return ["train.py", "augment=crop", "dataset=mnist", f"hydra.run.dir={folder}"]


def measure(place: Place) -> list[Comparison | Quantity]:
    """Three rounds of everything, after uncounted runs that fill the file cache."""
    programs = Programs(place)
    programs.one_run()
    run_python("-c", "import torchvision.transforms.v2, torch.utils.data")
    ours, plain, tuned = _in_turn(
        programs.poster, lambda: programs.loop("plain.py"), lambda: programs.loop("tuned.py")
    )
    return [
        _comparison(SIX_RUNS, PLAIN, ours, plain, bar=PLAIN_BAR),
        _comparison(SIX_RUNS, TUNED, ours, tuned),
        _one_run(programs),
        *_costs("AugLens's six runs and report", ours),
        *_costs("the plain loop", plain),
        *_costs("the tuned loop", tuned),
    ]


def _one_run(programs: Programs) -> Comparison:
    ours, usual = _in_turn(programs.one_run, programs.usual)
    return _comparison(ONE_RUN, USUAL, ours, usual)


def _in_turn(*programs: Callable[[], Usage]) -> list[list[Usage]]:
    """Rounds of all programs, each round begun by the next of them."""
    used: list[list[Usage]] = [[] for _ in programs]
    for first in range(ROUNDS):
        for number in range(len(programs)):
            whose = (first + number) % len(programs)
            used[whose].append(programs[whose]())
    return used


def _comparison(
    work: str, peer: str, ours: Sequence[Usage], theirs: Sequence[Usage], bar: float | None = None
) -> Comparison:
    ours_s, peer_s = ([usage.seconds for usage in usages] for usages in (ours, theirs))
    return Comparison(work, peer, ours_s, peer_s, bar)


def _costs(whose: str, usages: Sequence[Usage]) -> list[Quantity]:
    return [
        Quantity(f"peak memory of {whose}", [usage.memory_mb for usage in usages], "MiB"),
        Quantity(f"CPU time of {whose}", [usage.cpu_seconds for usage in usages], "s"),
    ]
