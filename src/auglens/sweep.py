"""Start and end of a sweep. Free of torch, so that a mistyped override is answered at once."""

import json
import math
import shlex
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from auglens.progress import SweepClock
from auglens.records.files import write_json
from auglens.records.run import RunState
from auglens.secrecy import refuse_secrets

__all__ = ["SweepFolder", "note_job", "notes_since", "run_to_the_end"]

JOBS = ".jobs"
ENDED_BADLY = (RunState.FAILED, RunState.INTERRUPTED, RunState.RUNNING)


class SweepFolder(Callback):
    """Remembers the folder Hydra works in; does nothing that matters, as callbacks may not.

    Attributes:
        sweep: The sweep folder of a multirun, once it started.
        run: The run folder of a single run, once it started.
        notes: What jobs of earlier commands left there.
        clock: Says how far the multirun is; None where the number of its jobs is not known.
    """

    sweep: Path | None = None
    run: Path | None = None
    notes: Mapping[str, bytes] = {}
    clock: SweepClock | None = None

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """Only ``hydra.sweep.dir`` can be read here: the config is not swept yet."""
        sweep = Path(config.hydra.sweep.dir).absolute()
        type(self).notes = _read_notes(sweep)
        type(self).sweep = sweep
        num_jobs = _count_jobs(config)
        type(self).clock = None if num_jobs is None else SweepClock(num_jobs)
        if num_jobs is not None:
            sys.stdout.write(f"{num_jobs} jobs in {sweep}\n")

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """The folder of a single run."""
        type(self).run = Path(config.hydra.run.dir).absolute()


def _count_jobs(config: DictConfig) -> int | None:
    """How many jobs Hydra's own sweeper makes of the command; None for another sweeper.

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
        choices = {
            one.get_key_element(): len(list(one.sweep_iterator())) if one.is_sweep_override() else 1
            for one in parsed
        }
    except HydraException:
        return None
    return math.prod(choices.values())


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
    code = _exit_code(main)
    # Lightning leaves SIGINT ignored after an interrupt; a second Ctrl-C must end the report.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if interruption.signal is not None:
        code = 128 + interruption.signal
        _say_how_to_go_on()
    if SweepFolder.sweep is None:
        return code
    notes = notes_since(SweepFolder.sweep, SweepFolder.notes)
    if not notes:
        return code
    # After an interruption people want their report, not further work.
    measured = 0 if interruption.signal is not None else _measure(SweepFolder.sweep, notes)
    reported = _report(SweepFolder.sweep, notes)
    ended_badly = any(note["state"] in ENDED_BADLY for note in notes)
    return code or measured or int(ended_badly or not reported)


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


def notes_since(sweep: Path, before: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """What the jobs of this command left word of; empty if Hydra refused before the first.

    Args:
        sweep: The sweep folder.
        before: What lay there when the command began, by file name.
    """
    after = _read_notes(sweep)
    return [json.loads(note) for name, note in after.items() if before.get(name) != note]


def _read_notes(sweep: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((sweep / JOBS).glob("*.json"))}


def _measure(sweep: Path, notes: Sequence[Mapping[str, Any]]) -> int:
    """Take the measures that the jobs asked for; nothing is imported if they asked for none.

    Returns:
        The exit code so far; whatever happens here, the report comes next.
    """
    wanted = [note["wanted"] for note in notes if note["wanted"].get("measures")]
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
        sys.stderr.write(f"Nothing was measured: {error}\n")
        return 1


def _report(sweep: Path, notes: Sequence[Mapping[str, Any]]) -> bool:
    """Build the report of what is there, print its table, mirror it to W&B."""
    from rich.console import Console

    from auglens.study import build_study
    from auglens.study.__main__ import measure_settings
    from auglens.study.console import print_study
    from auglens.study.load import StudyError
    from auglens.tracking import mirror_study

    console = Console()
    try:
        reuse = sorted({name for note in notes for name in note["wanted"].get("reuse", ())})
        study = build_study([sweep], out=sweep, reuse=[*map(Path, reuse)], **measure_settings())
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
