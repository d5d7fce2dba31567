"""Start and end of a sweep. Free of torch, so that a mistyped override is answered at once."""

import os
import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from auglens.failures import describe_failure
from auglens.records.files import write_text
from auglens.records.jobs import Note, notes_since
from auglens.records.run import RunState
from auglens.secrecy import refuse_secrets
from auglens.settings import describe_refusal
from auglens.sweep_folder import SweepFolder
from auglens.workers import quoted

__all__ = ["run_to_the_end"]

REPORT_ERROR = "report-error.txt"
FULL_ERROR = "HYDRA_FULL_ERROR"
SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
    try:
        refuse_secrets(sys.argv[1:])
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    interruption = _Interruption()
    for number in SIGNALS:
        signal.signal(number, interruption)
    try:
        code = _exit_code(main)
        if interruption.signal is None and code == 128 + signal.SIGTERM:
            # Ray's handler, in the place of this one, aborts the process after three seconds.
            signal.alarm(0)
            interruption.signal = signal.SIGTERM
        # Nor does Lightning put SIGINT back; a second one must end the report.
        for number in SIGNALS:
            signal.signal(number, interruption)
        if interruption.signal is not None:
            code = 128 + interruption.signal
            _say_how_to_go_on()
        return _conclude(code, measuring=interruption.signal is None)
    except (KeyboardInterrupt, SystemExit):
        sys.stderr.write(f"\nNo report: interrupted. {_how_to_report()}\n")
        return 128 + (interruption.signal or signal.SIGINT)
    finally:
        SweepFolder.release()


def _exit_code(main: Callable[[], object]) -> int:
    asked = os.environ.get(FULL_ERROR) == "1"
    try:
        with _hydra_raises(), warnings.catch_warnings():
            # https://github.com/facebookresearch/hydra/issues/1471
            warnings.filterwarnings("ignore", message="\n'hydra/launcher/.* is validated against")
            _launch(main)
    except SystemExit as stop:
        if hasattr(stop, "ray_terminate_msg"):
            return 128 + signal.SIGTERM
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (HydraException, OmegaConfBaseException, ValueError, TypeError) as error:
        # Of composing; what a job raises never comes here.
        if asked:
            traceback.print_exc()
        sys.stderr.write(f"{describe_refusal(error, 'train', _overrides(sys.argv[1:]))}\n")
        return 1
    except Exception as error:  # noqa: BLE001 - a disk that is full when Hydra writes, or worse; the report comes first
        if asked:
            traceback.print_exc()
        folder = SweepFolder.sweep or SweepFolder.run or Path.cwd()
        sys.stderr.write(f"{describe_failure(error, folder)}\n")
        return 1
    return 0


def _launch(main: Callable[[], object]) -> None:
    """Run all jobs; where a worker process was lost, launch what is left to do again."""
    while True:
        try:
            main()
        except (HydraException, OmegaConfBaseException, ValueError, TypeError):
            raise
        except Exception:
            if SweepFolder.workers is None or not SweepFolder.workers.take_loss():
                raise
        else:
            if SweepFolder.workers is None or not SweepFolder.workers.next_alone():
                return
        finally:
            if SweepFolder.workers is not None:
                SweepFolder.workers.unwatch()
        _stay_in(SweepFolder.workers.sweep)


def _stay_in(sweep: Path) -> None:
    """Let the command name its sweep, so that Hydra makes no folder of a later time."""
    others = [word for word in sys.argv if not word.startswith("hydra.sweep.dir=")]
    sys.argv[:] = [*others, f"hydra.sweep.dir={quoted(sweep)}"]


def _overrides(words: Sequence[str]) -> list[str]:
    """The words of a command that are no options of Hydra's."""
    return [word for word in words if not word.startswith("-")]


@contextmanager
def _hydra_raises() -> Iterator[None]:
    """Hydra answers errors with a traceback, unless it is told to hand them on."""
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = before


def _conclude(code: int, *, measuring: bool) -> int:
    """Measure and report on what a sweep finished; the exit code.

    Args:
        code: The exit code so far.
        measuring: False after an interruption: people want their report then, not further work.
    """
    sweep = SweepFolder.sweep
    notes = [] if sweep is None else notes_since(sweep, SweepFolder.notes)
    if sweep is None or not notes:
        return code
    for note in notes:
        if note.state is None:
            sys.stderr.write(f"The note of job {note.run} in {sweep} cannot be read.\n")
    measured = _measure(sweep, notes) if measuring else 0
    reported = _report(sweep, notes)
    finished = all(note.state is RunState.COMPLETED for note in notes)
    return code or measured or int(not (finished and reported))


def _measure(sweep: Path, notes: Sequence[Note]) -> int:
    """Take the measures that the jobs asked for; nothing is imported if they asked for none.

    Returns:
        The exit code so far; whatever fails here, the report comes next.
    """
    wanted = [note.wanted for note in notes if note.wanted.get("measures")]
    if not wanted:
        return 0
    from rich.console import Console

    from auglens.stage import explain_jobs

    try:
        return int(not explain_jobs(sweep, wanted, Console()))
    except (KeyboardInterrupt, SystemExit) as stop:
        _say_how_to_go_on()
        return stop.code if isinstance(stop, SystemExit) and isinstance(stop.code, int) else 130
    except Exception as error:  # noqa: BLE001 - the report of what was trained is worth more
        sys.stderr.write(f"Nothing was measured: {describe_failure(error, sweep)}\n")
        return 1


def _report(sweep: Path, notes: Sequence[Note]) -> bool:
    """Build the report of what is there, print its table, mirror it to W&B."""
    from rich.console import Console

    from auglens.study import build_study
    from auglens.study.__main__ import measure_settings
    from auglens.study.console import print_study, step_progress
    from auglens.study.load import StudyError
    from auglens.tracking import mirror_study

    console = Console()
    try:
        reuse = sorted({name for note in notes for name in note.wanted.get("reuse", ())})
        reused = [*map(Path, reuse)]
        with step_progress(console) as track:
            study = build_study([sweep], out=sweep, reuse=reused, track=track, **measure_settings())
    except StudyError as error:
        console.print(f"No report: {error}", markup=False, highlight=False, soft_wrap=True)
        return False
    except Exception as error:  # noqa: BLE001 - a full disk, or a mistake of ours: finished runs are whole all the same
        _say_no_report(sweep, error)
        return False
    (sweep / REPORT_ERROR).unlink(missing_ok=True)
    print_study(study, console)
    mirror_study(study, sweep)
    return True


def _say_no_report(sweep: Path, error: Exception) -> None:
    """One line to people; where the error came from goes to a file."""
    trace = "".join(traceback.format_exception(error))
    try:
        write_text(sweep / REPORT_ERROR, trace)
        where = f"; see {sweep / REPORT_ERROR}"
    except OSError:
        where = ""
    sys.stderr.write(
        f"No report: {describe_failure(error, sweep).rstrip('.')}{where}. Finished runs are kept. "
        f"{_how_to_report()}\n"
    )


def _say_how_to_go_on() -> None:
    folder = SweepFolder.sweep or SweepFolder.run
    if folder is None:
        return
    key = "hydra.sweep.dir" if SweepFolder.sweep else "hydra.run.dir"
    arguments = [word for word in sys.argv if not word.startswith(f"{key}=")]
    command = shlex.join(["python", *arguments, f"{key}={folder}"])
    submitted = any(word.startswith("hydra/launcher=slurm") for word in arguments)
    theirs = " Jobs that were submitted go on; scancel ends them." if submitted else ""
    sys.stderr.write(
        f"\nInterrupted. Finished runs are kept.{theirs} Go on: {command}\n{_how_to_report()}\n"
    )


def _how_to_report() -> str:
    folder = SweepFolder.sweep or SweepFolder.run
    return f"Report of what is there: python -m auglens.study sweep={shlex.quote(str(folder))}"
