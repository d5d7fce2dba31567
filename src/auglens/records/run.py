"""The folder of one run: its record and its status. Reads back only what it can check."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from auglens.records.files import write_json
from auglens.records.identity import digest, effective_strength, group_inputs
from auglens.records.processes import this_process
from auglens.records.reading import (
    MOST_JSON_BYTES,
    RecordError,
    file_hash,
    is_inside,
    read_bytes,
    read_json,
)
from auglens.records.rules import check_record
from auglens.records.seals import sealed, unsealed

__all__ = [
    "RecordError",
    "RunRecord",
    "RunState",
    "damaged_files",
    "find_record",
    "read_record",
    "read_status",
    "run_folders",
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


def _is_run(folder: Path) -> bool:
    return folder.is_dir() and any((folder / trace).exists() for trace in TRACES)


def _job_number(name: str) -> int:
    number = name.split("-", 1)[0]
    return int(number) if number.isdigit() else -1
