"""Word that the jobs of a sweep leave, and how far its latest command came."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from auglens.records.files import write_json
from auglens.records.locks import read_command
from auglens.records.processes import is_running
from auglens.records.reading import MOST_JSON_BYTES, RecordError, parse_json, read_bytes
from auglens.records.run import RunState

__all__ = ["JOBS", "Note", "note_job", "notes_since", "read_notes", "what_is_missing"]

JOBS = ".jobs"


@dataclass(frozen=True)
class Note:
    """What one job left word of.

    Attributes:
        run: Name of its run folder.
        state: How it stood; None if the note cannot be read.
        wanted: What it asks of the explain stage.
        updated: When it was written, in seconds since 1970.
    """

    run: str
    state: RunState | None
    wanted: Mapping[str, Any]
    updated: float


def note_job(sweep: Path, run: str, state: RunState, wanted: Mapping[str, Any]) -> None:
    """Leave word of a job for the sweep's end; its run folder may belong to another run's record.

    Args:
        sweep: The sweep folder.
        run: Name of the job's run folder.
        state: How the job stands.
        wanted: What it asks of the explain stage; empty as long as it is not known.
    """
    content = {"state": state, "updated": time.time(), "wanted": wanted}
    write_json(sweep / JOBS / f"{run}.json", content)


def read_notes(sweep: Path) -> dict[str, bytes]:
    """The notes as they are, by file name; empty where the file cannot be read."""
    names = sorted(path.name for path in (sweep / JOBS).glob("*.json"))
    return {name: _content(sweep, name) for name in names}


def notes_since(sweep: Path, before: Mapping[str, bytes]) -> list[Note]:
    """What the jobs of this command left word of; empty if Hydra refused before the first.

    Args:
        sweep: The sweep folder.
        before: What lay there when the command began, see :func:`read_notes`.
    """
    after = read_notes(sweep)
    return [_parse(name, note) for name, note in after.items() if before.get(name) != note]


def what_is_missing(sweep: Path) -> str | None:
    """How far the latest command came, such as ``2 of 6 jobs finished, 1 running, 3 not started``.

    Args:
        sweep: A sweep folder, which may be anybody's.

    Returns:
        None if none of its jobs is running or was left out, or if the sweep does not say.
    """
    command = read_command(sweep)
    num_jobs, since = command.get("num_jobs"), _seconds(command.get("since"))
    if type(num_jobs) is not int or since is None:
        return None
    notes = [_parse(name, content) for name, content in read_notes(sweep).items()]
    states = Counter(_word(note.state) for note in notes if note.updated >= since)
    if is_running(command) is False:
        states["interrupted"] += states.pop("running", 0)
    states["not started"] = num_jobs - states.total()
    if states["not started"] <= 0 and not states["running"] and not states["interrupted"]:
        return None
    words = ("failed", "interrupted", "running", "unknown", "not started")
    rest = "".join(f", {states[word]} {word}" for word in words if states[word] > 0)
    return f"{states['finished']} of {num_jobs} jobs finished{rest}"


def _word(state: RunState | None) -> str:
    if state is None:
        return "unknown"
    return "finished" if state is RunState.COMPLETED else state.value.lower()


def _seconds(since: object) -> float | None:
    try:
        return datetime.fromisoformat(str(since)).timestamp()
    except (ValueError, OverflowError):
        return None


def _content(sweep: Path, name: str) -> bytes:
    try:
        return read_bytes(sweep, JOBS, name, most_bytes=MOST_JSON_BYTES)
    except RecordError:
        return b""


def _parse(name: str, content: bytes) -> Note:
    run = name.removesuffix(".json")
    try:
        note = parse_json(content.decode())
        state, wanted, updated = RunState(note["state"]), note["wanted"], float(note["updated"])
    except (ValueError, TypeError, KeyError):
        return Note(run, state=None, wanted={}, updated=0.0)
    if not isinstance(wanted, dict):
        return Note(run, state=None, wanted={}, updated=updated)
    return Note(run, state, wanted, updated)
