"""The folder of a sweep: taken, and its jobs looked through, before anything starts. Free of torch."""

import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
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
from auglens.records.jobs import read_notes
from auglens.records.locks import FolderBusyError, hold_folder, refuse_held
from auglens.settings import describe_refusal, describe_unresolved, resolved
from auglens.workers import Workers, has_workers, prepare

__all__ = ["SweepFolder"]


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
        num_jobs = None if swept is None else math.prod(map(len, swept.values()))
        if swept is not None and num_jobs:
            _check_jobs(config, swept)
        type(self).held = _hold(sweep, num_jobs=num_jobs, key="hydra.sweep.dir")
        type(self).notes = read_notes(sweep)
        type(self).sweep = sweep
        type(self).clock = None if num_jobs is None else SweepClock(num_jobs)
        type(self).announced = False
        if has_workers(config) and self.clock is not None:
            self._announce()
            workers = type(self).workers = Workers(sweep, self.clock)
            workers.watch()

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:  # noqa: ANN401, ARG002
        """Before the first job all were composed, so none is misspelt; only now are they told."""
        if not self.announced:
            self._announce()

    def _announce(self) -> None:
        if self.clock is None:
            return
        count = self.clock.num_jobs
        sys.stdout.write(f"{count} job{'s' * (count > 1)} in {self.sweep}\n")
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


def _check_jobs(config: DictConfig, swept: Mapping[str, list[str]]) -> None:
    """Refuse what would fail every job, seen from the first, and jobs without a folder's name.

    Hydra would drop all jobs after one without a name. Only values that refer to others can do so;
    each is composed once, with the first of the rest.
    """
    first = {key: values[0] for key, values in swept.items()}
    job = _composed(config, first)
    _check_reuse(job)
    _check_devices(job)
    for key, values in swept.items():
        for value in values:
            if "$" in value or "???" in value:
                _check_job_folder(config, {**first, key: value})


def _check_job_folder(config: DictConfig, job: Mapping[str, str]) -> None:
    composed = _composed(config, job)
    plain: Any = OmegaConf.to_container(composed.hydra, resolve=False)
    # Hydra's own part of the name, such as the job's number, is not known yet.
    for name in re.findall(r"\$\{([\w.]+)\}", str(plain["sweep"]["subdir"])):
        _folder(composed, name)


def _composed(config: DictConfig, job: Mapping[str, str]) -> DictConfig:
    """The config of one job, as Hydra will compose it."""
    loader = GlobalHydra.instance().config_loader()
    words = [f"{key}={value}" for key, value in job.items()]
    try:
        return loader.load_sweep_config(config, words)
    except (HydraException, OmegaConfBaseException) as error:
        _refuse(describe_refusal(error, "train", words))


def _check_reuse(config: DictConfig) -> None:
    """Every job would fail for a folder that is not there; a value that is no list fails by itself."""
    reuse = _selected(config, "reuse")
    absent = [name for name in reuse if not Path(str(name)).is_dir()] if reuse else []
    if absent:
        _refuse(f"reuse={[*reuse]}: there is no folder {absent[0]}; say reuse=[<folder>,...].")


def _check_devices(config: DictConfig) -> None:
    """Every job would fail; what ``auto`` means here is not known before torch is imported."""
    devices = _selected(config, "trainer.devices")
    devices = [*devices] if isinstance(devices, ListConfig) else devices
    if names_several_devices(devices):
        _refuse(f"trainer.devices={devices} {NO_MULTIRUN}")


def _selected(config: DictConfig, key: str) -> Any:  # noqa: ANN401 - any setting
    """A setting; None if it has a value only where its job runs, such as an environment variable."""
    try:
        return OmegaConf.select(config, key)
    except OmegaConfBaseException:
        return None
