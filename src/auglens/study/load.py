"""Finds the runs of sweeps, finished and not. Reads records and statuses; concludes nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from auglens.records.jobs import JOBS, what_is_missing
from auglens.records.maps import Probe, SaliencyMaps, read_own_map, read_probe, read_samples
from auglens.records.names import visible, visible_name
from auglens.records.processes import is_running
from auglens.records.reading import is_inside
from auglens.records.run import (
    RecordError,
    RunRecord,
    RunState,
    damaged_files,
    read_record,
    read_status,
    run_folders,
)
from auglens.study.progress import Track, untracked

__all__ = ["Loaded", "Run", "StudyError", "Unfinished", "load_sweeps", "newest_sweep"]

DAMAGED = "DAMAGED"
MISSING = "MISSING"
# Where a sweep keeps word of its jobs, one file a run folder.


class StudyError(ValueError):
    """There is nothing a report could be built from, or nowhere to put it."""


@dataclass(frozen=True)
class Run:
    """A complete run.

    Attributes:
        name: Of its folder; with the sweep's name before it where sweeps are joined.
        folder: Where its record lies.
        record: Read from there, valid.
        borrowed: Whether it was found through a REUSED folder that points to it.
        damaged: What is wrong with files that are not as they were when it finished, by name.
    """

    name: str
    folder: Path
    record: RunRecord
    borrowed: bool = False
    damaged: Mapping[str, str] = field(default_factory=dict)

    @property
    def permuted(self) -> bool:
        """Whether it was trained on permuted labels, so that it is no result."""
        return bool(self.record.inputs["data"].get("permute_train_labels", False))

    def probe(self) -> Probe:
        """The explained images and its logits.

        Raises:
            RecordError: If ``probe.npz`` is absent, damaged, or of another run.
        """
        self.check("probe.npz")
        probe = read_probe(self.folder)
        num_classes = len(self.record.config["dataset"]["class_names"])
        if probe.hash != self.record.probe_hash or probe.logits.shape[1] != num_classes:
            raise RecordError(f"{self.folder / 'probe.npz'} holds another run's images or classes.")
        return probe

    def maps(self, method: str) -> SaliencyMaps:
        """Its maps by one method.

        Raises:
            RecordError: If they are absent, damaged, or of another run or other images.
        """
        return read_own_map(self.folder, method, self.record)

    def samples(self) -> dict[str, NDArray[Any]]:
        """Training images and their copies, as of :func:`auglens.records.maps.read_samples`.

        Raises:
            RecordError: If ``samples.npz`` is absent, damaged, or of another run.
        """
        self.check("samples.npz")
        samples = read_samples(self.folder)
        num_classes = len(self.record.config["dataset"]["class_names"])
        if samples["labels"].min() < 0 or samples["labels"].max() >= num_classes:
            raise RecordError(f"{self.folder / 'samples.npz'} holds labels of no class.")
        return samples

    def check(self, name: str) -> None:
        """Refuse a file that is not as it was when the run finished.

        Raises:
            RecordError: Says what is wrong with it.
        """
        if name in self.damaged:
            raise RecordError(self.damaged[name])


@dataclass(frozen=True)
class Unfinished:
    """A folder without a valid record, and why.

    Attributes:
        name: As for :class:`Run`.
        folder: The run folder.
        status: The word of ``status.json``, or DAMAGED.
        error: What went wrong, as far as it is known.
        identity: Of the run it would have been, if known.
    """

    name: str
    folder: Path
    status: str
    error: str
    identity: str | None


@dataclass(frozen=True)
class Loaded:
    """All that was found, in the order of the folders.

    Attributes:
        entries: One an identity, and every unfinished folder.
        repeated: Names of folders left out because another one holds the same identity complete.
        missing: Of each sweep whose latest command runs or was cut short, how far it came.
    """

    entries: tuple[Run | Unfinished, ...]
    repeated: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """The complete ones."""
        return tuple(entry for entry in self.entries if isinstance(entry, Run))

    @property
    def results(self) -> tuple[Run, ...]:
        """The complete ones that were trained on the true labels."""
        return tuple(run for run in self.runs if not run.permuted)

    @property
    def unfinished(self) -> tuple[Unfinished, ...]:
        """The others."""
        return tuple(entry for entry in self.entries if isinstance(entry, Unfinished))


def load_sweeps(
    sweeps: Sequence[Path], reuse: Sequence[Path] = (), track: Track = untracked
) -> Loaded:
    """Read every run folder of the sweep folders.

    A run counts once however often it was run or reused: the first folder that holds its record
    is taken. A folder that failed is left out only if its identity is complete elsewhere.

    Args:
        sweeps: Sweep folders, or folders of single runs.
        reuse: Further sweep folders that reused runs may lie in; others are not followed.
        track: Shows how many folders are read.

    Raises:
        StudyError: If a folder does not exist or no run in any of them is complete.
    """
    trusted = [*sweeps, *reuse]
    folders = track(_named_folders(sweeps), "Reading records")
    found = [_read(name, folder, trusted) for name, folder in folders]
    found += [entry for sweep in sweeps for entry in _absent(sweep)]
    chosen: dict[str, Run] = {}
    runs = [entry for entry in found if isinstance(entry, Run)]
    for run in sorted(runs, key=lambda run: run.borrowed):
        chosen.setdefault(run.record.identity, run)
    missing = _missing(sweeps)
    if not chosen:
        looked = ", ".join(str(sweep) for sweep in sweeps)
        detail = "; ".join([f"{len(found)} run folders, none finished", *missing])
        raise StudyError(f"No complete run in {looked} ({detail}).")
    kept = [entry for entry in found if _is_kept(entry, chosen)]
    names = {entry.name for entry in kept}
    repeated = tuple(entry.name for entry in found if entry.name not in names)
    return Loaded(tuple(kept), repeated, tuple(missing))


def newest_sweep(multirun: Path) -> Path:
    """The latest ``<date>/<time>`` folder with runs in it.

    Raises:
        StudyError: If there is none.
    """
    sweeps = [folder for folder in sorted(multirun.glob("*/*")) if run_folders(folder)]
    if not sweeps:
        raise StudyError(f"There is no sweep in {multirun}.")
    return sweeps[-1]


def _missing(sweeps: Sequence[Path]) -> list[str]:
    said = {sweep: what_is_missing(sweep) for sweep in dict.fromkeys(sweeps)}
    return [f"{sweep.resolve().name}: {line}" for sweep, line in said.items() if line]


def _is_kept(entry: Run | Unfinished, chosen: dict[str, Run]) -> bool:
    if isinstance(entry, Run):
        return chosen[entry.record.identity] is entry
    return entry.identity not in chosen


def _named_folders(sweeps: Sequence[Path]) -> list[tuple[str, Path]]:
    distinct = {sweep.resolve(): sweep for sweep in reversed(sweeps)}
    ordered = [sweep for sweep in dict.fromkeys(sweeps) if distinct[sweep.resolve()] == sweep]
    for sweep in ordered:
        if not sweep.is_dir():
            raise StudyError(f"There is no folder {sweep}.")
    folders = [(sweep, folder) for sweep in ordered for folder in run_folders(sweep)]
    if len(ordered) < 2:
        return [(visible_name(folder.resolve().name), folder) for _, folder in folders]
    names = [visible_name("/".join(folder.resolve().parts[-2:])) for _, folder in folders]
    repeated = {name for name, count in Counter(names).items() if count > 1}
    return [
        (visible_name(folder.as_posix()) if name in repeated else name, folder)
        for name, (_, folder) in zip(names, folders, strict=True)
    ]


def _read(name: str, folder: Path, trusted: Sequence[Path]) -> Run | Unfinished:
    try:
        return _complete(name, folder)
    except RecordError as error:
        damage = str(error)
    status = read_status(folder)
    state = visible(str(status.get("state", DAMAGED)))
    identity = visible(str(status["identity"])) if status.get("identity") else None
    if state == RunState.REUSED:
        return _follow(name, folder, str(status.get("run", "")), identity, trusted)
    if state == RunState.COMPLETED or (folder / "record.json").exists():
        state = DAMAGED
    reason = damage if state == DAMAGED else str(status.get("error") or "no error was written down")
    if state == RunState.RUNNING:
        state, reason = _seen(status)
    return Unfinished(name, folder, state, visible(reason), identity)


def _seen(status: Mapping[str, object]) -> tuple[str, str]:
    """State and reason of a run that says it is running."""
    running = is_running(status)
    if running is False:
        return RunState.INTERRUPTED, "its process is gone"
    where = f"process {status.get('pid')} on {status.get('host')}"
    if running is None:
        return RunState.RUNNING, f"{where}, which cannot be seen from here"
    return RunState.RUNNING, f"{where} is at it"


def _complete(name: str, folder: Path, *, borrowed: bool = False) -> Run:
    record = read_record(folder)
    return Run(name, folder, record, borrowed, damaged_files(folder, record))


def _follow(
    name: str, folder: Path, original: str, identity: str | None, trusted: Sequence[Path]
) -> Run | Unfinished:
    """The run that a REUSED folder points to, if it lies in one of the sweeps that may be read."""
    target = folder.parent / original
    if not any(is_inside(target, sweep) for sweep in trusted):
        reason = (
            f"reuses {original}, which lies in no sweep that was named; if you know it, add "
            f"reuse=[{target.parent}]"
        )
        return Unfinished(name, folder, RunState.REUSED, visible(reason), identity)
    try:
        return _complete(name, target, borrowed=True)
    except RecordError as error:
        reason = visible(f"reuses a run that is not there: {error}")
        return Unfinished(name, folder, DAMAGED, reason, identity)


def _absent(sweep: Path) -> Iterator[Unfinished]:
    """Run folders that were there once, and links that lead out of the sweep."""
    there = {folder.name for folder in run_folders(sweep)}
    for path in sorted(sweep.iterdir()):
        if path.is_symlink() and path.is_dir() and not is_inside(path, sweep):
            there.add(path.name)
            reason = "it is a link that leads out of the sweep, so it is not read"
            yield Unfinished(visible_name(path.name), path, DAMAGED, reason, None)
    jobs = sweep / JOBS
    for note in sorted(jobs.glob("*.json")) if is_inside(jobs, sweep) else ():
        if note.stem not in there:
            reason = "its folder is not there, or holds nothing of a run"
            yield Unfinished(visible_name(note.stem), sweep / note.stem, MISSING, reason, None)
