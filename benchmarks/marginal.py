"""What one more run adds to a sweep whose runs hardly train."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

from benchmarks.measuring import Quantity
from benchmarks.place import Place
from benchmarks.process import run_python

__all__ = ["BARE", "FULL", "SMALL_RUN", "measure", "small_sweep"]

REPEATS = 3
FEW, MANY = 2, 12
# One step of training and 100 test images, all of which are explained.
SMALL_RUN = (
    "trainer.max_epochs=1",
    "data.steps_per_epoch=1",
    "dataset=mnist_5k",
    "dataset.num_test=100",
    "probe.size=100",
)
FULL = ("logger=wandb", "figures=true")
BARE = ("logger=csv", "figures=false")


def small_sweep(num_runs: int, folder: Path, *settings: str) -> list[str]:
    """What follows ``python`` for a sweep of small runs.

    Args:
        num_runs: How many, each with a seed of its own.
        folder: The sweep folder.
        settings: Further overrides.
    """
    seeds = f"seed=range({num_runs})"
    return ["train.py", "-m", seeds, *SMALL_RUN, *settings, f"hydra.sweep.dir={folder}"]


def measure(place: Place) -> list[Quantity]:
    """Seconds of a further run, report included: with everything on, and with the least."""
    env = {"AUGLENS_DATA_DIR": str(place.scratch.absolute()), "WANDB_MODE": "offline"}
    folders = (place.scratch.absolute() / f"sweep{number}" for number in count())
    # Unpacks the images and fills the file cache.
    run_python(*small_sweep(FEW, next(folders), *FULL), env=env)
    more = f"one more run of a sweep ({MANY} against {FEW} runs of one step), its share of the "
    return [
        Quantity(f"{more}report, figures and W&B files", _further(folders, FULL, env), "s", 1.5),
        Quantity(f"{more}report, without figures and W&B", _further(folders, BARE, env), "s", 0.5),
    ]


def _further(
    folders: Iterator[Path], settings: tuple[str, ...], env: dict[str, str]
) -> list[float]:
    def seconds(num_runs: int) -> float:
        return run_python(*small_sweep(num_runs, next(folders), *settings), env=env).seconds

    return [(seconds(MANY) - seconds(FEW)) / (MANY - FEW) for _ in range(REPEATS)]
