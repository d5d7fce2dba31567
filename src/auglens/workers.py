"""A sweep whose jobs run in processes of a launcher: progress, and lost processes. Free of torch."""

import re
import threading
import time
from importlib.util import find_spec
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console
from rich.text import Text

from auglens.progress import SweepClock
from auglens.records.jobs import Note, forget_job, latest_notes, note_job
from auglens.records.locks import is_worked_on, read_command
from auglens.records.run import RunState, write_status

__all__ = ["Workers", "has_workers", "is_dealt_with", "prepare", "quoted"]

BASIC = "BasicLauncher"
LAUNCHER = re.compile(r"[+~]*hydra[./]launcher\b")
LOST = "its worker process was lost (killed, out of memory, or its machine gone)"
ENDED = (RunState.COMPLETED, RunState.FAILED)
UNENDED = (RunState.RUNNING, RunState.INTERRUPTED)
# By these a process is known.
PROCESS = ("host", "pid", "process_started")
POLL_S = 0.5
# Of the time between two looks, the part that looking may take: one in so many.
READ_SHARE = 20


def has_workers(config: DictConfig) -> bool:
    """Whether the launcher runs jobs in other processes than the command's."""
    return not str(config.hydra.launcher.get("_target_")).endswith(f".{BASIC}")


def prepare(config: DictConfig, sweep: Path) -> None:
    """Make folders mean the same for every worker, wherever it runs.

    Args:
        config: Of the multirun; the jobs' own are composed from it.
        sweep: The sweep folder, absolute.

    Raises:
        ValueError: If the launcher's packages are not installed.
    """
    package = ".".join(str(config.hydra.launcher["_target_"]).split(".")[:2])
    if find_spec(package) is None:
        name = str(config.hydra.runtime.choices["hydra/launcher"])
        extra = name.partition("_")[0]
        raise ValueError(
            f"hydra/launcher={name} needs packages that are not installed: "
            f"pip install -e '.[{extra}]'."
        )
    data_dir = Path(str(OmegaConf.select(config, "paths.data_dir"))).absolute()
    # The launcher is the command's: a job's own config need not have it.
    others = [word for word in config.hydra.overrides.hydra if not LAUNCHER.match(word)]
    folders = [f"hydra.sweep.dir={quoted(sweep)}", f"paths.data_dir={quoted(data_dir)}"]
    with open_dict(config.hydra.overrides):
        config.hydra.overrides.hydra = [*others, *folders]


def quoted(path: Path) -> str:
    """A path as a value in Hydra's grammar."""
    return "'" + str(path).replace("'", "\\'") + "'"


def is_dealt_with(sweep: Path, run: str, *, fail_fast: bool) -> bool:
    """Whether a job has nothing to do: it is done or put off by the command, or the sweep ends.

    To be asked under :func:`~auglens.records.locks.job_lock`. What an interrupted process left word
    of is still to do: SLURM may have queued it again.

    Args:
        sweep: The sweep folder.
        run: Name of the job's run folder.
        fail_fast: Whether one failed job ends the sweep.
    """
    if fail_fast and any(note.state is RunState.FAILED for note in latest_notes(sweep)):
        return True
    return any(note.state in ENDED or _is_put_off(note, sweep) for note in latest_notes(sweep, run))


class Workers:
    """The jobs of one command in worker processes.

    Where a process is lost, some launchers give all their jobs up. The jobs are then launched
    again: those that are done have nothing to do, and those whose process is gone come last, each
    alone, so that one that kills its process costs no other. A job whose process is lost alone, or
    a second time, has failed.

    Args:
        sweep: The sweep folder.
        clock: Counts the jobs.
    """

    def __init__(self, sweep: Path, clock: SweepClock) -> None:
        self.sweep = sweep
        self.clock = clock
        self.console = Console()
        self._over = threading.Event()
        self._watcher: threading.Thread | None = None
        self._waiting: list[str] = []
        self._repeated: set[str] = set()
        self._num_settled = 0

    def watch(self) -> None:
        """Begin to say how far the jobs are."""
        self._over.clear()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def unwatch(self) -> None:
        """Say it for the last time."""
        self._over.set()
        if self._watcher is not None:
            self._watcher.join()

    def _watch(self) -> None:
        self.clock.start()
        last, pause_s = False, POLL_S
        while not last:
            last = self._over.wait(pause_s)
            started = time.monotonic()
            ended = len(self._settled()) - self.clock.num_over
            # Of very many jobs all notes take a while to read.
            pause_s = max(POLL_S, READ_SHARE * (time.monotonic() - started))
            for _ in range(ended):
                self.clock.end()
            if ended > 0:
                self.console.print(Text(f"  {self.clock}", "dim"))

    def _settled(self) -> list[Note]:
        """Jobs that ended by themselves."""
        return [note for note in latest_notes(self.sweep) if note.state in ENDED]

    def take_loss(self) -> bool:
        """Give up or put off the jobs whose process is gone.

        Returns:
            Whether launching again can do more.
        """
        runs = [note.run for note in latest_notes(self.sweep)]
        lost = [run for run in runs if run not in self._waiting and self._is_lost(run)]
        for run in lost:
            # One that was lost after its last file is complete; its job will see so.
            unclear = len(lost) > 1 or (self.sweep / run / "record.json").exists()
            if unclear and run not in self._repeated:
                self._put_off(run)
            else:
                self._give_up(run)
        before, self._num_settled = self._num_settled, len(self._settled())
        return bool(lost) or self._num_settled > before

    def next_alone(self) -> bool:
        """Let one job that was put off run; False if there is none."""
        if not self._waiting:
            return False
        forget_job(self.sweep, self._waiting.pop(0))
        return True

    def _is_lost(self, run: str) -> bool:
        """In this order: a job leaves its last word before it lets go."""
        return not is_worked_on(self.sweep, run) and any(
            note.state in UNENDED for note in latest_notes(self.sweep, run)
        )

    def _give_up(self, run: str) -> None:
        self._note(run, RunState.FAILED)
        said = Text.assemble(("FAILED", "red"), f"  {run}: {LOST}")
        self.console.print(said, soft_wrap=True)

    def _put_off(self, run: str) -> None:
        self._note(run, RunState.INTERRUPTED)
        self._waiting.append(run)
        self._repeated.add(run)
        self.console.print(Text(f"LOST    {run}: {LOST}; it comes last"), soft_wrap=True)

    def _note(self, run: str, state: RunState) -> None:
        note_job(self.sweep, run, state, {})
        # The status of a finished run stays.
        if not (self.sweep / run / "record.json").exists():
            write_status(self.sweep / run, state, error=LOST)


def _is_put_off(note: Note, sweep: Path) -> bool:
    """Whether it is the command's word, not that of a worker which was interrupted."""
    command = read_command(sweep)
    ours = all(note.process.get(key) == command.get(key) for key in PROCESS)
    return note.state is RunState.INTERRUPTED and ours
