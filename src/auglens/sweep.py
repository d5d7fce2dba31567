"""Start and end of a sweep. Free of torch, so that a mistyped override is answered at once."""

import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from auglens.records.run import RunState, read_status, run_folders

__all__ = ["SweepFolder", "run_to_the_end"]

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
        type(self).sweep = Path(config.hydra.sweep.dir)

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """The folder of a single run."""
        type(self).run = Path(config.hydra.run.dir)


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
    ended = _ended_since(SweepFolder.sweep, started)
    if ended:
        _report(SweepFolder.sweep)
    return code or int(any(state in ENDED_BADLY for state in ended))


def _exit_code(main: Callable[[], object]) -> int:
    try:
        main()
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _ended_since(sweep: Path, started: float) -> list[str]:
    """States of the jobs that this command ran; empty if Hydra refused before the first."""
    folders = [
        folder
        for folder in run_folders(sweep)
        if (folder / "status.json").exists() and (folder / "status.json").stat().st_mtime >= started
    ]
    return [str(read_status(folder).get("state")) for folder in folders]


def _report(sweep: Path) -> None:
    """Build the report of what is there, print its table, mirror it to W&B."""
    from rich.console import Console

    from auglens.study import build_study
    from auglens.study.__main__ import settings
    from auglens.study.console import print_study
    from auglens.tracking import mirror_study

    console = Console()
    try:
        study = build_study([sweep], out=sweep, kl_eps=settings([])["kl_eps"])
    except ValueError as error:
        console.print(f"No report: {error}", highlight=False, soft_wrap=True)
        return
    mirror_study(study, sweep)
    print_study(study, console)


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
