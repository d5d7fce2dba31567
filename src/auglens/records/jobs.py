"""Word that the jobs of a sweep leave, and how far its latest command came."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auglens.records.files import write_json
from auglens.records.locks import read_command
from auglens.records.processes import is_running, this_process
from auglens.records.reading import MOST_JSON_BYTES, RecordError, parse_json, read_bytes
from auglens.records.run import RunState

__all__ = [
    "JOBS",
    "Note",
    "forget_job",
    "latest_notes",
    "note_job",
    "notes_since",
    "read_notes",
    "what_is_missing",
]

JOBS = ".jobs"


@dataclass(frozen=True)
class Note:
    """What one job left word of.

    Attributes:
        run: Name of its run folder.
        state: How it stood; None if the note cannot be read.
        wanted: What it asks of the explain stage.
        command: The command whose job it was: its ``since``, see :func:`read_command`.
        process: Who wrote it, see :func:`auglens.records.processes.this_process`.
    """

    run: str
    state: RunState | None
    wanted: Mapping[str, Any]
    command: object
    process: Mapping[str, Any]


def note_job(sweep: Path, run: str, state: RunState, wanted: Mapping[str, Any]) -> None:
    """Leave word of a job for the sweep's end; its run folder may belong to another run's record.

    Args:
        sweep: The sweep folder.
        run: Name of the job's run folder.
        state: How the job stands.
        wanted: What it asks of the explain stage; empty as long as it is not known.
    """
    command = read_command(sweep).get("since")
    content = {"state": state, "command": command, **this_process(), "wanted": wanted}
    write_json(sweep / JOBS / f"{run}.json", content)


def forget_job(sweep: Path, run: str) -> None:
    """Take the word of a job back."""
    (sweep / JOBS / f"{run}.json").unlink(missing_ok=True)


def read_notes(sweep: Path, run: str | None = None) -> dict[str, bytes]:
    """The notes as they are, by file name; empty where the file cannot be read.

    Args:
        sweep: The sweep folder.
        run: Name of one job's run folder; None for all.
    """
    paths = (sweep / JOBS).glob("*.json") if run is None else [sweep / JOBS / f"{run}.json"]
    names = sorted(path.name for path in paths if path.exists())
    return {name: _content(sweep, name) for name in names}


def notes_since(sweep: Path, before: Mapping[str, bytes]) -> list[Note]:
    """What the jobs of this command left word of; empty if Hydra refused before the first.

    Args:
        sweep: The sweep folder.
        before: What lay there when the command began, see :func:`read_notes`.
    """
    after = read_notes(sweep)
    return [_parse(name, note) for name, note in after.items() if before.get(name) != note]


def latest_notes(sweep: Path, run: str | None = None) -> list[Note]:
    """What the jobs of the latest command left word of; no clock of theirs is asked.

    Args:
        sweep: The sweep folder.
        run: Name of one job's run folder; None for all.
    """
    since = read_command(sweep).get("since")
    notes = [_parse(name, content) for name, content in read_notes(sweep, run).items()]
    return [note for note in notes if since is not None and note.command == since]


def what_is_missing(sweep: Path) -> str | None:
    """How far the latest command came, such as ``2 of 6 jobs finished, 1 running, 3 not started``.

    Args:
        sweep: A sweep folder, which may be anybody's.

    Returns:
        None if none of its jobs is running or was left out, or if the sweep does not say.
    """
    command = read_command(sweep)
    num_jobs = command.get("num_jobs")
    if type(num_jobs) is not int or "since" not in command:
        return None
    states = Counter(_word(note.state) for note in latest_notes(sweep))
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


def _content(sweep: Path, name: str) -> bytes:
    try:
        return read_bytes(sweep, JOBS, name, most_bytes=MOST_JSON_BYTES)
    except RecordError:
        return b""


def _parse(name: str, content: bytes) -> Note:
    run = name.removesuffix(".json")
    try:
        note = parse_json(content.decode())
        state, wanted, command = RunState(note["state"]), note["wanted"], note["command"]
    except (ValueError, TypeError, KeyError):
        return Note(run, state=None, wanted={}, command=None, process={})
    if not isinstance(wanted, dict):
        return Note(run, state=None, wanted={}, command=command, process={})
    return Note(run, state, wanted, command, process=note)
