"""One job of Hydra's: reuse a finished run or train a new one, and say how it ended."""

import gc
import logging
import math
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.text import Text

from auglens import tracking, wandb_service
from auglens.components import Components, build_components, build_network
from auglens.config_rules import check_processes
from auglens.explainer import check_probe, checkpoint_name, load_weights
from auglens.failures import describe_failure, is_disk_full
from auglens.progress import image_progress
from auglens.records.files import remove_unfinished
from auglens.records.jobs import note_job
from auglens.records.locks import identity_lock, job_lock
from auglens.records.run import (
    RunRecord,
    RunState,
    find_record,
    read_record,
    read_status,
    run_folders,
    write_record,
    write_status,
)
from auglens.run_figures import write_probe_figure
from auglens.secrecy import refuse_secret_config
from auglens.settings import resolved
from auglens.stage import asked_for, explain_jobs
from auglens.startup import set_apart
from auglens.sweep_folder import SweepFolder
from auglens.training import train
from auglens.workers import is_dealt_with

__all__ = ["run_job"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """Where a job runs.

    Attributes:
        config: The resolved config as plain containers.
        folder: The run folder.
        sweep: The sweep folder; the run folder itself for a single run.
        console: Where people read.
    """

    config: dict[str, Any]
    folder: Path
    sweep: Path
    console: Console

    @property
    def name(self) -> str:
        """What people and W&B call the run."""
        return tracking.run_name(self.config)


def run_job(cfg: DictConfig) -> float:
    """Make one run complete; the return value is its test accuracy, NaN if it failed.

    In a multirun a failure costs this job only, unless ``fail_fast`` or the disk is full, when
    every further job would fail too.

    Raises:
        SystemExit: If nothing further should run: the only thing that ends Hydra's basic launcher.
    """
    multirun = HydraConfig.get().mode is RunMode.MULTIRUN
    folder = Path(HydraConfig.get().runtime.output_dir)
    sweep = Path(HydraConfig.get().sweep.dir).absolute() if multirun else folder
    if not multirun or SweepFolder.sweep is not None:
        return _run(cfg, folder, sweep, Console(), goes_on=multirun and not cfg.fail_fast)
    # A launcher's process: it may begin anywhere, and shares its terminal with others.
    os.chdir(HydraConfig.get().runtime.cwd)
    with job_lock(sweep, folder.name):
        if is_dealt_with(sweep, folder.name, fail_fast=cfg.fail_fast):
            return math.nan
        return _run(cfg, folder, sweep, Console(force_terminal=False), goes_on=True)


def _run(cfg: DictConfig, folder: Path, sweep: Path, console: Console, *, goes_on: bool) -> float:
    """As :func:`run_job`.

    Args:
        cfg: The config.
        folder: The run folder.
        sweep: The sweep folder; the run folder itself for a single run.
        console: Where people read.
        goes_on: Whether further jobs run after a failure.
    """
    multirun = sweep != folder
    state = RunState.RUNNING
    wanted: dict[str, Any] = {}
    set_apart()
    _start_clock()
    try:
        if multirun:
            note_job(sweep, folder.name, state, wanted)
        _say(folder, state, phase="setup")
        refuse_secret_config(OmegaConf.to_container(cfg, resolve=False))
        config = resolved(cfg)
        accuracy, identity = _complete(Job(config, folder, sweep, console))
        wanted = asked_for(config, identity)
        if not multirun:
            _measure(folder, wanted, console)
        state = RunState.COMPLETED
        return accuracy
    except Exception as error:
        state = RunState.FAILED
        _say_failure(folder, error, console)
        if goes_on and not is_disk_full(error):
            return math.nan
        raise SystemExit(1) from error
    except BaseException:
        state = RunState.INTERRUPTED
        _say_the_end(folder, state)
        raise
    finally:
        if multirun:
            # A disk that takes no more was said above.
            with suppress(OSError):
                note_job(sweep, folder.name, state, wanted)
        wandb_service.finish(failed=state is not RunState.COMPLETED)
        _say_progress(console, state)
        # Trainer and module refer to each other, so a job's images would stay for several jobs.
        gc.collect()


def _start_clock() -> None:
    if SweepFolder.clock is not None:
        SweepFolder.clock.start()


def _say_progress(console: Console, state: RunState) -> None:
    """After a job that ended by itself, how far the sweep is."""
    clock = SweepFolder.clock
    if clock is not None and state is not RunState.INTERRUPTED:
        clock.end()
        console.print(Text(f"  {clock}", "dim"))


def _say_failure(folder: Path, error: BaseException, console: Console) -> None:
    """One line to people, the same in ``status.json``; where the error came from in the log."""
    reason = describe_failure(error, folder)
    said = Text.assemble(("FAILED", "red"), f"  {folder.name}: {reason}")
    console.print(said, soft_wrap=True)
    if not is_disk_full(error):
        # The console shows warnings and errors, and has its line.
        log.info("%s failed", folder.name, exc_info=error)
    _say_the_end(folder, RunState.FAILED, error=reason)


def _say_the_end(folder: Path, state: RunState, **details: str) -> None:
    """As :func:`_say`; on a disk that takes no more the older status stays, of a process gone."""
    with suppress(OSError):
        _say(folder, state, **details)


def _say(folder: Path, state: RunState, **details: str) -> None:
    """Write ``status.json``, unless the folder holds a finished run, whose status that is."""
    if not (folder / "record.json").exists():
        write_status(folder, state, **details)


def _complete(job: Job) -> tuple[float, str]:
    """Test accuracy and identity of the job's run, trained now or found."""
    components = build_components(job.config)
    check_processes(
        job.config,
        world_size=components.inputs["trainer"]["world_size"],
        multirun=job.sweep != job.folder,
    )
    with _lock(job, components.identity):
        finished = find_record(components.identity, _candidates(job))
        if finished is not None:
            return _reuse(job, components, finished), components.identity
        if (job.folder / "record.json").exists():
            raise ValueError(
                f"{job.folder} holds the record of another run (or a damaged one); use another "
                "hydra.sweep.dir or hydra.run.dir, or delete that folder."
            )
        return _train(job, components), components.identity


def _measure(folder: Path, wanted: Mapping[str, Any], console: Console) -> None:
    """Take the measures a single run asks for; those of a sweep's runs are taken at its end."""
    if not explain_jobs(folder, [wanted], console):
        raise RuntimeError("A measure failed (see above); the run itself is complete.")


def _lock(job: Job, identity: str) -> AbstractContextManager[object]:
    """One at a time an identity, so that parallel jobs of a sweep do not train it twice."""
    if job.sweep == job.folder:
        return nullcontext()
    line = f"{job.folder.name} waits: another process works on the same run."
    return identity_lock(job.sweep, identity, on_wait=lambda: job.console.print(Text(line)))


def _train(job: Job, components: Components) -> float:
    write_status(job.folder, RunState.RUNNING, phase="training", identity=components.identity)
    tracked = tracking.TrackedRun(
        name=job.name,
        folder=job.folder,
        sweep=tracking.sweep_name(job.sweep),
        identity=components.identity,
        config=job.config,
    )
    record = train(components, job.folder, tracked, job.console, lambda error: _give_up(job, error))
    write_record(job.folder, record)
    write_status(job.folder, RunState.COMPLETED, identity=components.identity)
    job.console.print(_line(record, f"{record.seconds['total']:6.1f} s"), soft_wrap=True)
    return record.test_accuracy


def _give_up(job: Job, error: BaseException) -> None:
    """End this process while its main thread waits for another one that is gone."""
    try:
        if isinstance(error, Exception):
            _say_failure(job.folder, error, job.console)
        else:
            _say_the_end(job.folder, RunState.INTERRUPTED)
    finally:
        os._exit(1)


def _reuse(job: Job, components: Components, finished: Path) -> float:
    """Train nothing; make the maps that the finished run lacks, in its own folder."""
    record = read_record(finished)
    if finished.parent == job.sweep:
        _mend(finished, components.identity)
    added = components.explainer.missing(finished)
    if added:
        _explain(job, components, finished, record)
    _say(job.folder, RunState.REUSED, identity=components.identity, run=str(finished.absolute()))
    note = f"reused{', explained by ' + ', '.join(added) if added else ''}"
    job.console.print(_line(record, note), soft_wrap=True)
    return record.test_accuracy


def _mend(finished: Path, identity: str) -> None:
    """Say of a run that it is complete where its process was killed before it could."""
    remove_unfinished(finished)
    if read_status(finished).get("state") != RunState.COMPLETED:
        write_status(finished, RunState.COMPLETED, identity=identity)


def _explain(job: Job, components: Components, finished: Path, record: RunRecord) -> None:
    explainer = components.explainer
    check_probe(finished, record, explainer.probe)
    if job.folder != finished and finished.parent != job.sweep:
        explainer.refuse_to_replace(finished)
    net = build_network(job.config, components.dataset.spec)
    load_weights(net, finished / checkpoint_name(job.config))
    total = len(explainer.missing(finished)) * len(explainer.probe.labels)
    with image_progress(job.console, total=total) as advance:
        made = explainer.explain(net, finished, advance)
    for method, maps in made.items():
        if job.config["figures"]:
            write_probe_figure(finished, method, explainer.probe, maps)


def _candidates(job: Job) -> Iterable[Path]:
    for sweep in (job.sweep, *map(Path, job.config["reuse"])):
        yield from run_folders(sweep)


def _line(record: RunRecord, note: str) -> Text:
    strength = "" if record.strength is None else f"s{record.strength:g}"
    epochs = record.config["trainer"]["max_epochs"]
    if record.config["data"]["permute_train_labels"]:
        note = f"{note}  permuted labels: chance is all it can be"
    return Text(
        f"{record.augment:<10} {strength:<5} seed {record.config['seed']:<3} "
        f"best epoch {record.best_epoch:>3}/{epochs}  val {record.val_accuracy:.3f}  "
        f"test {record.test_accuracy:.3f}  {note}"
    )
