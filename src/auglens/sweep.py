"""Start and end of a sweep. Free of torch, so that a mistyped override is answered at once."""

import math
import os
import re
import shlex
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from filelock import FileLock
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from auglens.config_rules import NO_MULTIRUN, names_several_devices
from auglens.failures import describe_failure
from auglens.progress import SweepClock
from auglens.records.files import write_text
from auglens.records.jobs import Note, notes_since, read_notes
from auglens.records.locks import FolderBusyError, hold_folder, refuse_held
from auglens.records.run import RunState
from auglens.secrecy import refuse_secrets
from auglens.settings import describe_refusal, describe_unresolved, resolved
from auglens.workers import Workers, has_workers, prepare, quoted

__all__ = ["SweepFolder", "run_to_the_end"]

REPORT_ERROR = "report-error.txt"
FULL_ERROR = "HYDRA_FULL_ERROR"


class SweepFolder(Callback):
    """Takes and remembers the folder Hydra works in, before anything is written there.

    Attributes:
        sweep: The sweep folder of a multirun, once it started.
        run: The run folder of a single run, once it started.
        notes: What jobs of earlier commands left there.
        clock: Says how far the multirun is; None where the number of its jobs is not known.
        held: Keeps other commands out of the folder.
        announced: Whether the number of jobs was said.
        workers: The jobs of a multirun whose launcher runs them in other processes.
    """

    sweep: Path | None = None
    run: Path | None = None
    notes: Mapping[str, bytes] = {}
    clock: SweepClock | None = None
    held: FileLock | None = None
    announced: bool = False
    workers: Workers | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """Only ``hydra.sweep.dir`` can be read here: the config is not swept yet."""
        sweep = _folder(config, "hydra.sweep.dir")
        if has_workers(config):
            _prepare(config, sweep)
        if self.workers is not None:
            # The same jobs again, after the loss of a worker process.
            self.workers.watch()
            return
        swept = _swept(config)
        _check_job_folders(config, swept or {})
        num_jobs = None if swept is None else math.prod(map(len, swept.values()))
        type(self).held = _hold(sweep, num_jobs=num_jobs, key="hydra.sweep.dir")
        type(self).notes = read_notes(sweep)
        type(self).sweep = sweep
        type(self).clock = None if num_jobs is None else SweepClock(num_jobs)
        type(self).announced = False
        if has_workers(config) and self.clock is not None:
            sys.stdout.write(f"{num_jobs} jobs in {sweep}\n")
            workers = type(self).workers = Workers(sweep, self.clock)
            workers.watch()

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """Before the first job all were composed, so none is misspelt; only now are they told."""
        if self.clock is None or self.announced:
            return
        _check_reuse(config)
        _check_devices(config)
        sys.stdout.write(f"{self.clock.num_jobs} jobs in {self.sweep}\n")
        type(self).announced = True

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """The folder of a single run."""
        run = _folder(config, "hydra.run.dir")
        type(self).held = _hold(run, num_jobs=None, key="hydra.run.dir")
        type(self).run = run

    @classmethod
    def release(cls) -> None:
        """Let other commands write to the folder."""
        if cls.held is not None:
            cls.held.release()
        cls.held = None


def _hold(folder: Path, *, num_jobs: int | None, key: str) -> FileLock:
    """Take the folder, or end the command in one line: Hydra lets only SystemExit out."""
    try:
        # A single run may lie in the folder of a sweep.
        refuse_held(folder.parent)
        return hold_folder(folder, num_jobs=num_jobs)
    except FolderBusyError as error:
        sys.stderr.write(f"{error}; wait for it, or use another {key}.\n")
    except OSError as error:
        sys.stderr.write(f"Nothing started in {folder}: {describe_failure(error, folder)}\n")
    raise SystemExit(1)


def _prepare(config: DictConfig, sweep: Path) -> None:
    try:
        prepare(config, sweep)
    except ValueError as error:
        _refuse(error)


def _refuse(reason: object) -> NoReturn:
    """End the command in one line: Hydra lets only SystemExit out of a callback."""
    sys.stderr.write(f"{reason}\n")
    raise SystemExit(1)


def _folder(config: DictConfig, key: str) -> Path:
    """The folder that Hydra will make, or an end that names the setting it cannot be had without."""
    try:
        return Path(str(OmegaConf.select(config, key, throw_on_missing=True))).absolute()
    except OmegaConfBaseException as error:
        _refuse_unresolved(error, config)


def _refuse_unresolved(error: OmegaConfBaseException, config: DictConfig) -> NoReturn:
    """Name the first setting that cannot be resolved: the folder's name may only refer to it."""
    try:
        resolved(OmegaConf.masked_copy(config, [str(name) for name in config if name != "hydra"]))
    except ValueError as reason:
        _refuse(reason)
    _refuse(describe_unresolved(error, config))


def _swept(config: DictConfig) -> dict[str, list[str]] | None:
    """The values each key takes in the jobs of Hydra's own sweeper; None for another sweeper.

    The values of a key on the command line replace those of ``hydra.sweeper.params``.
    """
    # Interpolations belong to the jobs; here they may have no value yet.
    plain: Any = OmegaConf.to_container(config.hydra, resolve=False)
    sweeper, overrides = plain["sweeper"], plain["overrides"]["task"]
    if not str(sweeper.get("_target_")).endswith(".BasicSweeper"):
        return None
    given = [f"{key}={values}" for key, values in (sweeper.get("params") or {}).items()]
    try:
        parsed = OverridesParser.create().parse_overrides([*given, *overrides])
        return {one.get_key_element(): _values(one) for one in parsed}
    except HydraException:
        return None


def _values(override: Override) -> list[str]:
    if override.is_sweep_override():
        return list(override.sweep_string_iterator())
    return [override.get_value_element_as_str()]


def _check_job_folders(config: DictConfig, swept: Mapping[str, list[str]]) -> None:
    """Refuse values that leave a job without a name: Hydra would drop all jobs after it.

    Only values that refer to others can do so; each is composed once, with the first of the rest.
    """
    first = {key: values[0] for key, values in swept.items() if values}
    for key, values in swept.items():
        for value in values:
            if "$" in value or "???" in value:
                _check_job_folder(config, {**first, key: value})


def _check_job_folder(config: DictConfig, job: Mapping[str, str]) -> None:
    loader = GlobalHydra.instance().config_loader()
    words = [f"{key}={value}" for key, value in job.items()]
    try:
        composed = loader.load_sweep_config(config, words)
    except (HydraException, OmegaConfBaseException) as error:
        _refuse(describe_refusal(error, "train", words))
    plain: Any = OmegaConf.to_container(composed.hydra, resolve=False)
    # Hydra's own part of the name, such as the job's number, is not known yet.
    for name in re.findall(r"\$\{([\w.]+)\}", str(plain["sweep"]["subdir"])):
        _folder(composed, name)


def _check_reuse(config: DictConfig) -> None:
    """Every job would fail for a folder that is not there; a value that is no list fails by itself."""
    reuse = OmegaConf.select(config, "reuse")
    absent = [name for name in reuse if not Path(str(name)).is_dir()] if reuse else []
    if absent:
        _refuse(f"reuse={[*reuse]}: there is no folder {absent[0]}; say reuse=[<folder>,...].")


def _check_devices(config: DictConfig) -> None:
    """Every job would fail; what ``auto`` means here is not known before torch is imported."""
    devices = OmegaConf.select(config, "trainer.devices")
    devices = [*devices] if isinstance(devices, ListConfig) else devices
    if names_several_devices(devices):
        _refuse(f"trainer.devices={devices} {NO_MULTIRUN}")


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
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interruption)
    try:
        code = _exit_code(main)
        # Lightning leaves SIGINT ignored after an interrupt; a second one must end the report.
        signal.signal(signal.SIGINT, interruption)
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
