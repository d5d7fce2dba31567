"""What training in bfloat16 costs in time and in accuracy, on a CPU that has instructions for it."""

import csv
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

from scipy import stats

from auglens.records.run import RunRecord, read_record, run_folders
from benchmarks.measuring import CONFIDENCE, Comparison, Quantity
from benchmarks.place import Place
from benchmarks.process import run_python

__all__ = ["accuracy_difference", "epoch_times", "measure"]

MIXED, FULL = "bf16-mixed", "32-true"
AUGMENTS = ("crop", "none")
NUM_SEEDS = 6

Trained = Mapping[tuple[str, int, str], tuple[RunRecord, Path]]


def measure(place: Place) -> list[Comparison | Quantity]:
    """One sweep whose runs alternate between the two precisions."""
    sweep = place.scratch / "precision"
    seeds = ",".join(map(str, range(NUM_SEEDS)))
    run_python(
        *("train.py", "-m", f"augment={','.join(AUGMENTS)}", f"seed={seeds}"),
        # The last choice changes fastest: a run and its counterpart are trained one after the other.
        f"trainer.precision={FULL},{MIXED}",
        *("logger=none", "figures=false", f"hydra.sweep.dir={sweep}"),
        f"paths.data_dir={place.scratch / 'data'}",
    )
    trained = read_runs(sweep)
    differences = (accuracy_difference(trained, augment) for augment in AUGMENTS)
    return [epoch_times(trained), *differences]


def read_runs(sweep: Path) -> Trained:
    """Record and folder of every run, by augmentation, seed and precision."""
    found: dict[tuple[str, int, str], tuple[RunRecord, Path]] = {}
    for folder in run_folders(sweep):
        record = read_record(folder)
        config = record.config
        found[record.augment, config["seed"], config["trainer"]["precision"]] = record, folder
    return found


def epoch_times(trained: Trained) -> Comparison:
    """Median seconds of an epoch, one pair an augmentation and seed."""
    pairs = [(_epoch_s(ours), _epoch_s(peer)) for (_, ours), (_, peer) in _pairs(trained)]
    return Comparison(
        f"one epoch with trainer.precision={MIXED} (median of each run)",
        f"AugLens with trainer.precision={FULL}, the default",
        [ours for ours, _ in pairs],
        [peer for _, peer in pairs],
    )


def accuracy_difference(trained: Trained, augment: str) -> Quantity:
    """Test accuracy in mixed precision less that in full, in points, one value a seed."""
    points = [
        100 * (ours.test_accuracy - peer.test_accuracy)
        for (ours, _), (peer, _) in _pairs(trained)
        if ours.augment == augment
    ]
    mean = statistics.mean(points)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(points) - 1) * float(stats.sem(points))
    what = (
        f"test accuracy with {MIXED} less that with {FULL}, augment={augment}, by seed: mean "
        f"{mean:+.2f}, {CONFIDENCE:.0%} interval {mean - half:+.2f} to {mean + half:+.2f}"
    )
    return Quantity(what, points, "points")


def _pairs(trained: Trained) -> Iterator[tuple[tuple[RunRecord, Path], tuple[RunRecord, Path]]]:
    """Each run in mixed precision and its counterpart."""
    for augment, seed, precision in trained:
        if precision == MIXED:
            yield trained[augment, seed, MIXED], trained[augment, seed, FULL]


def _epoch_s(folder: Path) -> float:
    with (folder / "history.csv").open(newline="", encoding="utf-8") as file:
        return statistics.median(float(row["seconds"]) for row in csv.DictReader(file))
