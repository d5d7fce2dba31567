"""How the study and the explaining of images grow, each in a process of its own."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auglens.records.arrays import write_arrays
from auglens.records.files import write_text
from auglens.records.maps import Probe, method_hash, write_map, write_probe
from auglens.records.run import RunRecord, RunState, write_record, write_status
from benchmarks.measuring import Growth, Point
from benchmarks.place import Place
from benchmarks.process import run_python
from tests.study.generated_sweep import make_config, make_record

__all__ = ["POSTER", "STRENGTH_CONDITIONS", "explain", "measure", "write_runs"]

AUGMENTS = ("scale", "crop", "erase", "distort", "blur", "none")
Condition = tuple[str, float]
POSTER: tuple[Condition, ...] = tuple((augment, 1.0) for augment in AUGMENTS)
# Each augmentation at each strength, the baseline, and untouched copies.
STRENGTHS = (0.5, 1.0, 2.0)
STRENGTH_CONDITIONS: tuple[Condition, ...] = (
    *((augment, strength) for augment in AUGMENTS[:-1] for strength in STRENGTHS),
    *(("none", 1.0), ("duplicate", 1.0)),
)
RUN_COUNTS = (6, 12, 30, 60, 120)
PROBE_SIZES = (50, 200, 1_000, 5_000)
NUM_PROBE = 200
METHOD = "gradient"
SIZE_PX = (28, 28)
ACCURACIES = (
    "test_accuracy",
    "test_accuracy_last_epoch",
    "test_balanced_accuracy",
    "test_balanced_accuracy_last_epoch",
)
CONFUSIONS = ("test_confusion", "test_confusion_last_epoch")
NUM_CLASSES, NUM_EPOCHS = 10, 30


def measure(place: Place) -> list[Growth]:
    """By runs, by probe images, and the maps themselves by probe images."""
    runs = [_study(place, count, num_runs=count, num_probe=NUM_PROBE) for count in RUN_COUNTS]
    probes = [_study(place, n, num_runs=len(AUGMENTS), num_probe=n) for n in PROBE_SIZES]
    made = [_explain(place, size) for size in PROBE_SIZES]
    study = "python -m auglens.study, from start to report, one method,"
    maps = (
        f"maps of {METHOD} from an untrained network, computed and written; the memory is that of "
        "the whole process, libraries included"
    )
    return [
        Growth(f"{study} 6 conditions and {NUM_PROBE} probe images", "runs", runs),
        Growth(f"{study} 6 runs", "probe images", probes),
        Growth(maps, "probe images", made),
    ]


def _study(place: Place, size: int, *, num_runs: int, num_probe: int) -> Point:
    sweep = place.scratch / f"study-{num_runs}-{num_probe}"
    write_runs(sweep, POSTER, num_runs=num_runs, num_probe=num_probe)
    used = run_python("-m", "auglens.study", f"sweep={sweep}")
    return Point(size, used.seconds, used.memory_mb)


def _explain(place: Place, num_probe: int) -> Point:
    code = "import sys; from benchmarks.study import explain; explain(*sys.argv[1:])"
    folder = place.scratch / f"explain-{num_probe}"
    used = run_python("-c", code, str(folder), str(num_probe))
    return Point(num_probe, float(used.output.split()[-1]), used.memory_mb)


def explain(folder: str, num_probe: str) -> None:
    """Make the maps of one run and print the seconds it took; called as a process of its own."""
    # Imported here: the writing of runs needs no network.
    import torch

    from auglens.components import build_network, built
    from auglens.datasets.spec import ImageSpec
    from auglens.explainer import Explainer, ProbeImages
    from auglens.memory import keep_freed_memory
    from benchmarks.training import composed

    keep_freed_memory()
    torch.set_num_threads(2)
    config = composed(f"saliency=[{METHOD}]")
    names = tuple(map(str, range(NUM_CLASSES)))
    net = build_network(config, ImageSpec("digits", 1, *SIZE_PX, names, (0.13,), (0.31,)))
    settings = config["saliency"]["methods"]
    count = int(num_probe)
    probe = ProbeImages(*map(torch.from_numpy, (_images(count), _labels(count), np.arange(count))))
    methods = {METHOD: built(settings[METHOD], METHOD)}
    explainer = Explainer(probe, methods, settings, "true_class", seed=0, identity="0" * 64)
    started = time.perf_counter()
    explainer.explain(net, Path(folder), lambda *_: None)
    sys.stdout.write(f"{time.perf_counter() - started}\n")


def write_runs(
    sweep: Path, conditions: Sequence[Condition], *, num_runs: int, num_probe: int
) -> None:
    """Write a sweep as training would, seed after seed, its maps drawn at random.

    Maps are a pattern that all share, one of the seed, one of the augmentation, as large as its
    strength, and noise.

    Args:
        sweep: Its folder.
        conditions: Augmentation and strength of each run of a seed.
        num_runs: Of all seeds together; the last seed may lack some.
        num_probe: Images that each run explains.
    """
    random = np.random.default_rng(0)
    pattern = random.gamma(2.0, size=(num_probe, *SIZE_PX))
    moved = {augment: random.gamma(1.0, size=pattern.shape) for augment, _ in conditions}
    shared = pattern
    for number in range(num_runs):
        seed, place = divmod(number, len(conditions))
        if place == 0:
            shared = random.gamma(1.0, size=pattern.shape)
        augment, strength = conditions[place]
        noise = random.gamma(1.0, size=pattern.shape)
        maps = (pattern + shared + strength * moved[augment] + noise).astype(np.float32)
        name = f"{number}-{augment}-s{strength:g}-seed{seed}"
        _write_run(sweep / name, augment, seed, maps, random, strength=strength)


def _write_run(
    folder: Path,
    augment: str,
    seed: int,
    maps: NDArray[np.float32],
    random: np.random.Generator,
    *,
    strength: float,
) -> None:
    config = make_config(augment, seed=seed, strength=strength, probe={"size": len(maps)})
    config["dataset"] |= {"class_names": [str(label) for label in range(NUM_CLASSES)]}
    confusion = random.integers(1, 10, (NUM_CLASSES, NUM_CLASSES))
    confusion += 200 * np.eye(NUM_CLASSES, dtype=int)
    accuracy = float(confusion.trace() / confusion.sum())
    changes = dict.fromkeys(ACCURACIES, accuracy) | dict.fromkeys(CONFUSIONS, confusion.tolist())
    record = make_record(config, **changes)
    _write_probe(folder, record, random)
    made = {**config["saliency"]["methods"][METHOD], "target": "true_class", "seed": 0}
    hashed = method_hash(record.identity, made, probe_hash=record.probe_hash)
    ids = np.arange(len(maps))
    write_map(folder, METHOD, maps=maps, probe_ids=ids, method_hash=hashed, settings=made)
    _write_training(folder, random)
    write_status(folder, RunState.COMPLETED, identity=record.identity)
    write_record(folder, record)


def _write_probe(folder: Path, record: RunRecord, random: np.random.Generator) -> None:
    count = record.config["probe"]["size"]
    logits = random.normal(size=(count, NUM_CLASSES)).astype(np.float32)
    ids = np.arange(count)
    write_probe(folder, Probe(_images(count), _labels(count), ids, logits, record.probe_hash))


def _write_training(folder: Path, random: np.random.Generator) -> None:
    """Samples and history."""
    originals, copies = _images(5), random.random((5, 10, 1, *SIZE_PX), np.float32)
    arrays: dict[str, NDArray[Any]] = {"originals": originals, "augmented": copies}
    numbers = {"ids": np.arange(5), "labels": np.arange(5)}
    write_arrays(folder / "samples.npz", {**numbers, **arrays})
    rows = [
        f"{epoch},{2 / epoch},{2 / epoch},{0.9 - 0.8 * random.random() / epoch},0.1"
        for epoch in range(1, NUM_EPOCHS + 1)
    ]
    header = "epoch,train_loss,val_loss,val_accuracy,seconds"
    write_text(folder / "history.csv", "\n".join([header, *rows]) + "\n")


def _images(count: int) -> NDArray[np.float32]:
    """A bright bar on black, each elsewhere, ``(N, 1, H, W)``."""
    images = np.zeros((count, 1, *SIZE_PX), np.float32)
    for number, image in enumerate(images):
        left = 4 + number % 16
        image[:, 4:24, left : left + 4] = 0.5 + 0.5 * (number % 7) / 7
    return images


def _labels(count: int) -> NDArray[np.int64]:
    return np.arange(count) % NUM_CLASSES
