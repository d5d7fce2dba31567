"""Writes small sweep folders as training would: 12 x 10 pixels, 20 probe images, 4 classes."""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auglens.records.arrays import write_arrays
from auglens.records.files import write_text
from auglens.records.identity import digest, identity_inputs
from auglens.records.maps import Probe, method_hash, write_map, write_probe
from auglens.records.run import RunRecord, RunState, write_record, write_status
from tests.study.generated_measures import write_sidecars

AUGMENTS = ("scale", "crop", "erase", "distort", "blur", "none", "duplicate")
WITHOUT_STRENGTH = ("none", "duplicate")
METHOD = "gradient"
CLASS_NAMES = ["circle", "<script>", "square", "star"]
NUM_CLASSES = len(CLASS_NAMES)
SHAPE = (3, 12, 10)
# One channel, so that bright pixels are a foreground.
GREY = (1, 12, 10)
NUM_PROBE = 20
NUM_EPOCHS = 6
PROBE_HASH = "0" * 64
GRADIENT = {"_target_": "auglens.saliency.attribution.gradient", "reduce": "max_abs"}
INTEGRATED = {"reduce": "sum_abs", "batch_size": 200, "baseline": 0.0, "num_steps": 32}
METHODS: dict[str, dict[str, Any]] = {
    METHOD: {**GRADIENT, "batch_size": 200},
    "integrated_gradients": INTEGRATED,
    "random": {"batch_size": 200},
    "edge": {"batch_size": 200},
}


def make_config(
    augment: str, /, *, seed: int = 0, strength: float = 1.0, **changes: Mapping[str, object]
) -> dict[str, Any]:
    """A resolved training config; ``changes`` are merged into the sections they name."""
    transform: dict[str, Any] = {"_target_": f"auglens.augment.transforms.{augment.title()}"}
    if augment not in WITHOUT_STRENGTH:
        transform["strength"] = strength
    config: dict[str, Any] = {
        "seed": seed,
        "seeds": dict.fromkeys(("data", "init", "order", "augment"), seed) | {"explain": 0},
        "num_threads": 2,
        "dataset": {"name": "shapes", "class_names": CLASS_NAMES, "num_val": 40},
        "data": {
            "train_size": 20,
            "batch_size": 22,
            "steps_per_epoch": 10,
            "permute_train_labels": False,
        },
        "augment": {
            "name": augment,
            "strength": strength,
            "copies": 0 if augment == "none" else 10,
            "keep_original": True,
            "transform": transform,
        },
        "model": {"name": "cnn2", "net": {"channels": [4, 8]}, "cam_layer": "conv2"},
        "optimizer": {"_target_": "torch.optim.Adam", "lr": 0.001},
        "trainer": {"max_epochs": NUM_EPOCHS, "precision": "32-true"},
        "probe": {"size": NUM_PROBE, "target": "true_class"},
        "saliency": {"methods": {METHOD: {"reduce": "max_abs", "batch_size": 200}}},
    }
    for section, values in changes.items():
        config[section] = {**config[section], **values}
    return config


def make_record(config: dict[str, Any], **changes: object) -> RunRecord:
    """A valid record of a config; accuracies follow from its confusion matrix."""
    inputs = identity_inputs(config, accelerator="cpu", world_size=1)
    confusion = _random_for(digest(inputs)).integers(1, 30, (NUM_CLASSES, NUM_CLASSES))
    confusion = confusion + 60 * np.eye(NUM_CLASSES, dtype=int)
    recall = confusion.diagonal() / confusion.sum(axis=1)
    accuracy = float(confusion.trace() / confusion.sum())
    content: dict[str, Any] = {
        "identity": digest(inputs),
        "inputs": inputs,
        "config": config,
        "probe_hash": PROBE_HASH,
        "best_epoch": 3,
        "val_accuracy": accuracy + 0.0125,
        "test_accuracy": accuracy,
        "test_accuracy_last_epoch": accuracy - 0.01,
        "test_balanced_accuracy": float(recall.mean()),
        "test_balanced_accuracy_last_epoch": float(recall.mean()),
        "test_confusion": confusion.tolist(),
        "test_confusion_last_epoch": confusion.tolist(),
        "samples_seen": 220 * NUM_EPOCHS,
        "seconds": {"train": 1.5, "total": 2.25},
        "versions": {"python": "3.11.0", "torch": "2.15.0"},
        "git_commit": "a" * 40,
        "hardware": {"cpu": "test"},
        "finished": "2026-01-01T00:00:00+00:00",
    }
    return RunRecord(**{**content, **changes})


def write_run(
    folder: Path,
    config: dict[str, Any],
    *,
    maps: NDArray[np.float32] | None = None,
    shape: tuple[int, int, int] = SHAPE,
    **record_changes: object,
) -> RunRecord:
    """Write everything a finished run leaves that the study reads; ``maps`` go to all methods."""
    record = make_record(config, **record_changes)
    random = _random_for(record.identity)
    probe_images = make_images(shape)
    labels = np.arange(NUM_PROBE) % NUM_CLASSES
    probe_ids = 1000 + 7 * np.arange(NUM_PROBE)
    logits = random.normal(size=(NUM_PROBE, NUM_CLASSES)).astype(np.float32)
    write_probe(folder, Probe(probe_images, labels, probe_ids, logits, record.probe_hash))
    for method, settings in config["saliency"]["methods"].items():
        own = _draw_maps(method, probe_images, random) if maps is None else maps
        made = {**settings, "target": config["probe"]["target"], "seed": config["seeds"]["explain"]}
        hashed = method_hash(record.identity, made, probe_hash=record.probe_hash)
        write_map(folder, method, maps=own, probe_ids=probe_ids, method_hash=hashed, settings=made)
    _write_samples(folder, config, random, shape)
    _write_history(folder, random)
    write_status(folder, RunState.COMPLETED, identity=record.identity)
    write_record(folder, record)
    return record


def write_sweep(
    folder: Path, *, augments: Sequence[str] = AUGMENTS, seeds: Sequence[int] = (0, 1)
) -> Path:
    """A sweep of every augmentation at strength 1 with every seed."""
    jobs = [(augment, seed) for augment in augments for seed in seeds]
    for number, (augment, seed) in enumerate(jobs):
        name = f"{number}-{augment}-s1-seed{seed}"
        write_run(folder / name, make_config(augment, seed=seed))
    return folder


def write_trusted_sweep(
    folder: Path, *, augments: Sequence[str] = ("crop", "blur", "none"), seeds: Sequence[int] = (0,)
) -> Path:
    """A sweep of one-channel images with :data:`METHODS` and every measure of the explain stage."""
    jobs = [(augment, seed) for augment in augments for seed in seeds]
    for number, (augment, seed) in enumerate(jobs):
        config = make_config(augment, seed=seed)
        config["saliency"] = {"methods": METHODS}
        run = folder / f"{number}-{augment}-s1-seed{seed}"
        write_run(run, config, shape=GREY)
        write_sidecars(run, list(METHODS))
    return folder


def make_images(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """The probe: noise, or with one channel a bright rectangle on black, each elsewhere."""
    if shape[0] > 1:
        return np.random.default_rng(0).random((NUM_PROBE, *shape), np.float32)
    images = np.zeros((NUM_PROBE, *shape), np.float32)
    for number, image in enumerate(images):
        top, left = 2 + number % 5, 2 + number % 3
        image[:, top : top + 3, left : left + 2] = 0.75
    return images


def write_failures(folder: Path) -> Path:
    """Add to a sweep what can go wrong, and runs that are no rows of its comparison."""
    write_status(
        folder / "20-<script>alert(1)-s1-seed0",
        RunState.FAILED,
        error="ValueError: <script>strength</script> is outside 0 to 2",
    )
    damaged = folder / "21-crop-s2-seed0"
    write_run(damaged, make_config("crop", strength=2.0))
    (damaged / "record.json").write_text('{"identity": ')
    write_status(folder / "22-blur-s1-seed9", RunState.INTERRUPTED)
    small = make_config("none", data={"batch_size": 10})
    write_run(folder / "23-none-s1-seed0", small)
    permuted = make_config("crop", data={"permute_train_labels": True})
    write_run(folder / "24-crop-s1-seed0", permuted)
    write_status(folder / "25-crop-s1-seed0", RunState.REUSED, run="2-crop-s1-seed0")
    write_run(folder / "26-blur-s1-seed5", make_config("blur", seed=5))
    return folder


def _draw_maps(
    method: str, images: NDArray[np.float32], random: np.random.Generator
) -> NDArray[np.float32]:
    """Noise that differs from run to run; of ``edge`` the edges of the images, in every run."""
    if method == "edge":
        steps = np.gradient(images.mean(axis=1), axis=(1, 2))
        return np.asarray(np.hypot(*steps), np.float32)
    shape = (len(images), *images.shape[2:])
    if method == "random":
        return np.abs(random.normal(size=shape)).astype(np.float32)
    return random.gamma(1.0, size=shape).astype(np.float32)


def _write_samples(
    folder: Path,
    config: dict[str, Any],
    random: np.random.Generator,
    shape: tuple[int, int, int],
) -> None:
    originals = np.random.default_rng(config["seeds"]["data"]).random((5, *shape), np.float32)
    copies = random.random((5, config["augment"]["copies"], *shape), np.float32)
    arrays: dict[str, NDArray[Any]] = {
        "ids": np.arange(5),
        "labels": np.arange(5) % NUM_CLASSES,
        "originals": originals,
        "augmented": copies,
    }
    write_arrays(folder / "samples.npz", arrays)


def _write_history(folder: Path, random: np.random.Generator) -> None:
    lines = ["epoch,train_loss,val_loss,val_accuracy,seconds"]
    for epoch in range(1, NUM_EPOCHS + 1):
        noise = random.random()
        lines.append(f"{epoch},{2 / epoch + noise / 9},{2 / epoch},{1 - 0.8 / epoch - noise / 9},1")
    write_text(folder / "history.csv", "\n".join(lines) + "\n")


def _random_for(text: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(text.encode()))
