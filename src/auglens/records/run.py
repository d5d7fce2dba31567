"""The folder of one run: its record, its status, its maps. Reads back only what it can check."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auglens.records.arrays import is_array, read_named_arrays, write_arrays
from auglens.records.files import write_json
from auglens.records.identity import digest, effective_strength, group_inputs
from auglens.records.names import plain_name
from auglens.records.processes import this_process
from auglens.records.reading import (
    MOST_JSON_BYTES,
    RecordError,
    file_hash,
    is_inside,
    parse_json,
    read_bytes,
    read_json,
)
from auglens.records.rules import check_record
from auglens.records.seals import sealed, unsealed

__all__ = [
    "Probe",
    "RecordError",
    "RunRecord",
    "RunState",
    "SaliencyMaps",
    "damaged_files",
    "find_record",
    "has_map",
    "map_path",
    "method_hash",
    "read_map",
    "read_own_map",
    "read_probe",
    "read_record",
    "read_samples",
    "read_status",
    "run_folders",
    "write_map",
    "write_probe",
    "write_record",
    "write_status",
]

SCHEMA = 1
RECORD = "record.json"
STATUS = "status.json"
# What a run leaves and nothing changes once its record is written.
LASTING = ("history.csv", "probe.npz", "samples.npz")
# By any of these a folder is known as a run's, however much of it is gone.
TRACES = (RECORD, STATUS, *LASTING, "best.ckpt", "last.ckpt", ".hydra", "saliency", "measures")


class RunState(StrEnum):
    """The word in ``status.json``; for people, never read as the truth about a run."""

    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    REUSED = "REUSED"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A finished run. Accuracies are fractions in [0, 1]; epochs count from 1.

    Attributes:
        identity: Hash of ``inputs``; one identity is one result.
        inputs: Everything that can change the result.
        config: The whole resolved config.
        probe_hash: Hash of the explained images, labels and ids.
        best_epoch: Epoch with the best validation accuracy, the earliest if tied.
        val_accuracy: Validation accuracy at ``best_epoch``.
        test_accuracy: Of the best-validation weights; the run's result.
        test_accuracy_last_epoch: Of the last epoch's weights; a control.
        test_balanced_accuracy: Mean recall over classes, best-validation weights.
        test_balanced_accuracy_last_epoch: The same of the last epoch's weights.
        test_confusion: Counts, row = true class, column = prediction, best-validation weights.
        test_confusion_last_epoch: The same of the last epoch's weights.
        samples_seen: Training samples shown, repeats counted.
        seconds: Wall time by phase, and ``total``.
        versions: Version of Python and of each library that computes.
        git_commit: Commit of the code, or None outside a checkout.
        hardware: What the run ran on.
        finished: When, ISO 8601 in UTC.
        files: sha256 by name of the files beside the record that nothing changes any more.
        schema: Version of this form.
    """

    identity: str
    inputs: dict[str, Any]
    config: dict[str, Any]
    probe_hash: str
    best_epoch: int
    val_accuracy: float
    test_accuracy: float
    test_accuracy_last_epoch: float
    test_balanced_accuracy: float
    test_balanced_accuracy_last_epoch: float
    test_confusion: list[list[int]]
    test_confusion_last_epoch: list[list[int]]
    samples_seen: int
    seconds: dict[str, float]
    versions: dict[str, str]
    git_commit: str | None
    hardware: dict[str, str]
    finished: str
    files: dict[str, str] = field(default_factory=dict)
    schema: int = SCHEMA

    @property
    def augment(self) -> str:
        """Name of the augmentation."""
        return str(self.inputs["augment"]["name"])

    @property
    def strength(self) -> float | None:
        """Strength of the augmentation; None where it has none."""
        return effective_strength(self.config["augment"])

    @property
    def group(self) -> str:
        """Short name of the comparison group."""
        return digest(group_inputs(self.inputs))[:8]


@dataclass(frozen=True)
class Probe:
    """The images every run explains, and what one run makes of them.

    Attributes:
        images: ``float32 (N, C, H, W)`` in [0, 1].
        labels: ``int64 (N,)``.
        probe_ids: Position of each image in its source file, ``int64 (N,)``.
        logits: ``float32 (N, K)``, best-validation weights.
        hash: sha256 of images, labels and ids.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    probe_ids: NDArray[np.int64]
    logits: NDArray[np.float32]
    hash: str


@dataclass(frozen=True)
class SaliencyMaps:
    """Maps of one method on the probe.

    Attributes:
        maps: ``float32 (N, H, W)``.
        probe_ids: ``int64 (N,)``, as in :class:`Probe`.
        hash: Of everything that decided the maps.
        settings: The method's config, its target and its seed.
    """

    maps: NDArray[np.float32]
    probe_ids: NDArray[np.int64]
    hash: str
    settings: dict[str, Any]


def write_record(folder: Path, record: RunRecord) -> None:
    """Write ``record.json``; with it the run is complete, so it comes last.

    The record gets the checksums of what lies beside it, and one of itself.
    """
    lasting = {name: file_hash(folder, name) for name in LASTING if (folder / name).is_file()}
    write_json(folder / RECORD, sealed(asdict(replace(record, files=lasting))))


def read_record(folder: Path) -> RunRecord:
    """Read and check ``record.json``.

    Raises:
        RecordError: If it is absent, damaged, of another schema, has a field that is out of
            range, or its identity is not the hash of its inputs.
    """
    path = folder / RECORD
    content = {"files": {}, **unsealed(path, read_json(folder, RECORD))}
    if set(content) != {field.name for field in fields(RunRecord)}:
        raise RecordError(f"{path} is no record of this version of AugLens (schema {SCHEMA}).")
    if content["schema"] != SCHEMA or digest(content["inputs"]) != content["identity"]:
        raise RecordError(f"{path} does not hold the identity or schema that it names.")
    try:
        check_record(content)
    except ValueError as error:
        raise RecordError(f"{path} cannot be read: {error}") from error
    return RunRecord(**content)


def damaged_files(folder: Path, record: RunRecord) -> dict[str, str]:
    """What is wrong with files beside a record that should be as they were, by name."""
    damage = {}
    for name, expected in record.files.items():
        if name not in LASTING:
            continue
        try:
            if file_hash(folder, name) != expected:
                damage[name] = (
                    f"{folder / name} cannot be read: it is not as it was when its run finished."
                )
        except RecordError as error:
            damage[name] = str(error)
    return damage


def find_record(identity: str, folders: Iterable[Path]) -> Path | None:
    """The first of the run folders ``folders`` whose valid record has this identity."""
    name = identity.encode()
    for folder in folders:
        try:
            # Of many records few need to be read whole.
            mentioned = name in read_bytes(folder, RECORD, most_bytes=MOST_JSON_BYTES)
            if mentioned and read_record(folder).identity == identity:
                return folder
        except RecordError:
            continue
    return None


def run_folders(sweep: Path) -> list[Path]:
    """Run folders of a sweep folder, sorted; a single run's folder is a sweep of one.

    Links that lead out of the sweep are none of them.
    """
    if (sweep / RECORD).exists() or (sweep / STATUS).exists():
        return [sweep]
    if not sweep.is_dir():
        return []
    return sorted(
        (folder for folder in sweep.iterdir() if _is_run(folder) and is_inside(folder, sweep)),
        key=lambda folder: (_job_number(folder.name), folder.name),
    )


def write_status(folder: Path, state: RunState, **details: str | None) -> None:
    """Write ``status.json``: the state, who runs it, when, and ``details`` such as the phase."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    content = {"state": state, **this_process(), "started": now}
    if state is not RunState.RUNNING:
        # How far it came, and what it would have been, outlives its end.
        before = read_status(folder)
        content |= {key: before[key] for key in ("started", "phase", "identity") if key in before}
    write_json(folder / STATUS, {**content, "updated": now, **details})


def read_status(folder: Path) -> dict[str, Any]:
    """The content of ``status.json``; empty where there is none that can be read."""
    try:
        return read_json(folder, STATUS)
    except RecordError:
        return {}


def write_probe(folder: Path, probe: Probe) -> None:
    """Write ``probe.npz``."""
    arrays: dict[str, NDArray[Any]] = {
        name: np.asarray(value) for name, value in vars(probe).items()
    }
    write_arrays(folder / "probe.npz", arrays)


def read_probe(folder: Path) -> Probe:
    """Read ``probe.npz``.

    Raises:
        RecordError: If it is absent, damaged, or its arrays do not fit each other.
    """
    path = folder / "probe.npz"
    arrays = read_named_arrays(folder, path.name, names={field.name for field in fields(Probe)})
    probe = Probe(**{**arrays, "hash": str(arrays["hash"])})
    count = probe.labels.size
    if not (
        is_array(probe.images, np.float32, (count, None, None, None))
        and is_array(probe.labels, np.int64, (count,))
        and is_array(probe.probe_ids, np.int64, (count,))
        and is_array(probe.logits, np.float32, (count, None))
    ):
        raise RecordError(f"{path} holds no images (N, C, H, W) with N labels, ids and logits.")
    if len(np.unique(probe.probe_ids)) < count:
        raise RecordError(f"{path} holds an image twice.")
    if not (probe.images.min() >= 0 and probe.images.max() <= 1):
        raise RecordError(f"{path} holds images that are not in [0, 1].")
    if probe.labels.min() < 0 or probe.labels.max() >= probe.logits.shape[1]:
        raise RecordError(f"{path} holds labels without a logit.")
    return probe


def map_path(folder: Path, method: str) -> Path:
    """Where the maps of one saliency method lie.

    Raises:
        RecordError: If ``method`` is no plain name.
    """
    return folder / "saliency" / f"{plain_name(method)}.npz"


def write_map(
    folder: Path,
    method: str,
    *,
    maps: NDArray[np.float32],
    probe_ids: NDArray[np.int64],
    method_hash: str,
    settings: Mapping[str, Any],
) -> None:
    """Write the maps ``(N, H, W)`` of one method on the probe, and how they were made."""
    arrays: dict[str, NDArray[Any]] = {
        "maps": maps,
        "probe_ids": probe_ids,
        "hash": np.array(method_hash),
        "settings": np.array(json.dumps(settings, sort_keys=True)),
    }
    write_arrays(map_path(folder, method), arrays)


def read_map(folder: Path, method: str) -> SaliencyMaps:
    """Read the maps of one method.

    Raises:
        RecordError: If the file is absent or damaged.
    """
    path = map_path(folder, method)
    names = {field.name for field in fields(SaliencyMaps)}
    arrays = read_named_arrays(folder, *path.parts[-2:], names=names)
    maps, ids = arrays["maps"], arrays["probe_ids"]
    shaped = is_array(maps, np.float32, (ids.size, None, None))
    if not shaped or not is_array(ids, np.int64, (ids.size,)) or len(np.unique(ids)) < ids.size:
        raise RecordError(f"{path} holds no maps (N, H, W) with N probe ids.")
    return SaliencyMaps(maps, ids, hash=str(arrays["hash"]), settings=_settings(path, arrays))


def read_own_map(folder: Path, method: str, record: RunRecord) -> SaliencyMaps:
    """Read the maps of one method, if they are of this run and probe.

    Raises:
        RecordError: If they are not, or as of :func:`read_map`.
    """
    found = read_map(folder, method)
    if found.hash != method_hash(record.identity, found.settings, probe_hash=record.probe_hash):
        raise RecordError(f"{map_path(folder, method)} holds maps of another run or other images.")
    return found


def read_samples(folder: Path) -> dict[str, NDArray[Any]]:
    """Read ``samples.npz``: training images and their copies.

    Returns:
        ``ids (M,)``, ``labels (M,)``, ``originals (M, C, H, W)`` in [0, 1] and
        ``augmented (M, copies, C, H, W)``.

    Raises:
        RecordError: If it is absent or damaged.
    """
    path = folder / "samples.npz"
    arrays = read_named_arrays(folder, path.name, names={"ids", "labels", "originals", "augmented"})
    originals, augmented, count = arrays["originals"], arrays["augmented"], arrays["ids"].size
    if not (
        is_array(originals, np.float32, (count, None, None, None))
        and is_array(arrays["ids"], np.int64, (count,))
        and is_array(arrays["labels"], np.int64, (count,))
        and augmented.dtype == np.float32
        and augmented.shape[:1] + augmented.shape[2:] == originals.shape
    ):
        raise RecordError(f"{path} holds no training images with their copies.")
    return arrays


def has_map(folder: Path, method: str, method_hash: str) -> bool:
    """Whether the folder holds readable maps of exactly these settings."""
    try:
        return read_map(folder, method).hash == method_hash
    except RecordError:
        return False


def method_hash(identity: str, settings: Mapping[str, Any], *, probe_hash: str) -> str:
    """Hash of everything that decides one method's maps of one run, ``seeds.explain`` included."""
    return digest([identity, settings, probe_hash])


def _settings(path: Path, arrays: Mapping[str, Any]) -> dict[str, Any]:
    try:
        settings = parse_json(str(arrays["settings"]))
    except ValueError as error:
        raise RecordError(f"{path} does not say how its maps were made: {error}") from error
    if not {"target", "seed"} <= set(settings):
        raise RecordError(f"{path} does not say for which target and seed its maps were made.")
    return settings


def _is_run(folder: Path) -> bool:
    return folder.is_dir() and any((folder / trace).exists() for trace in TRACES)


def _job_number(name: str) -> int:
    number = name.split("-", 1)[0]
    return int(number) if number.isdigit() else -1
