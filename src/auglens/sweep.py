"""Start and end of a sweep. Free of torch, so that a mistyped override is answered at once."""

import json
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from auglens.records.files import write_json
from auglens.records.run import RunState

__all__ = ["SweepFolder", "note_job", "run_to_the_end", "states_since"]

JOBS = ".jobs"
ENDED_BADLY = (RunState.FAILED, RunState.INTERRUPTED, RunState.RUNNING)


class SweepFolder(Callback):
    """Remembers the folder Hydra works in; does nothing that matters, as callbacks may not.

    Attributes:
        sweep: The sweep folder of a multirun, once it started.
        run: The run folder of a single run, once it started.
    """

    sweep: Path | None = None
    run: Path | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """Only ``hydra.sweep.dir`` can be read here: the config is not swept yet."""
        type(self).sweep = Path(config.hydra.sweep.dir).absolute()

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """The folder of a single run."""
        type(self).run = Path(config.hydra.run.dir).absolute()


class _Interruption:
    """Turns the first SIGINT or SIGTERM into an exception and remembers which it was."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        del frame
        self.signal = number
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)


def run_to_the_end(main: Callable[[], object]) -> int:
    """Run Hydra's main; whatever happens, report on what a sweep finished.

    Args:
        main: The function decorated by ``hydra.main``.

    Returns:
        The exit code: 0, 1 if a job failed, 128 + signal if interrupted, else Hydra's own.
    """
    started = time.time()
    interruption = _Interruption()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interruption)
    code = _exit_code(main)
    # Lightning leaves SIGINT ignored after an interrupt; a second Ctrl-C must end the report.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if interruption.signal is not None:
        code = 128 + interruption.signal
        _say_how_to_go_on()
    if SweepFolder.sweep is None:
        return code
    ended = states_since(SweepFolder.sweep, started)
    if not ended:
        return code
    reported = _report(SweepFolder.sweep)
    failed = not reported or any(state in ENDED_BADLY for state in ended)
    return code or int(failed)


def _exit_code(main: Callable[[], object]) -> int:
    try:
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except Exception:  # noqa: BLE001 - whatever HYDRA_FULL_ERROR lets through; the report comes first
        traceback.print_exc()
        return 1
    return 0


def note_job(sweep: Path, run: str, state: RunState) -> None:
    """Leave word of a job for the sweep's end; its run folder may belong to another run's record.

    Args:
        sweep: The sweep folder.
        run: Name of the job's run folder.
        state: How the job stands.
    """
    write_json(sweep / JOBS / f"{run}.json", {"state": state, "updated": time.time()})


def states_since(sweep: Path, started: float) -> list[str]:
    """States of the jobs that this command ran; empty if Hydra refused before the first.

    Args:
        sweep: The sweep folder.
        started: When the command began, seconds since the epoch.
    """
    notes = [json.loads(path.read_text("utf-8")) for path in sorted((sweep / JOBS).glob("*.json"))]
    return [note["state"] for note in notes if note["updated"] >= started]


def _report(sweep: Path) -> bool:
    """Build the report of what is there, print its table, mirror it to W&B."""
    from rich.console import Console

    from auglens.study import build_study
    from auglens.study.__main__ import settings
    from auglens.study.console import print_study
    from auglens.study.load import StudyError
    from auglens.tracking import mirror_study

    console = Console()
    try:
        study = build_study([sweep], out=sweep, kl_eps=settings([])["kl_eps"])
    except StudyError as error:
        console.print(f"No report: {error}", markup=False, highlight=False, soft_wrap=True)
        return False
    print_study(study, console)
    mirror_study(study, sweep)
    return True


def _say_how_to_go_on() -> None:
    folder = SweepFolder.sweep or SweepFolder.run
    if folder is None:
        return
    key = "hydra.sweep.dir" if SweepFolder.sweep else "hydra.run.dir"
    arguments = [word for word in sys.argv if not word.startswith(f"{key}=")]
    command = shlex.join(["python", *arguments, f"{key}={folder}"])
    sys.stderr.write(
        f"\nInterrupted. Finished runs are kept. Go on: {command}\n"
        f"Report of what is there: python -m auglens.study sweep={shlex.quote(str(folder))}\n"
    )
