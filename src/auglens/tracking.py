"""Weights & Biases and other loggers: a mirror of the local files. Imports wandb only if used."""

import logging
import netrc
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import numpy as np
from numpy.typing import NDArray
from pytorch_lightning.loggers import CSVLogger, Logger, WandbLogger

from auglens.records.identity import digest
from auglens.records.run import RecordError, read_record, run_folders
from auglens.wandb_service import FINISH_TIMEOUT_S, INIT_TIMEOUT_S, drop_service, open_run, opened

if TYPE_CHECKING:
    from auglens.study import Study

__all__ = [
    "TrackedRun",
    "csv_logger",
    "log_histogram",
    "log_images",
    "log_metrics",
    "mirror_study",
    "no_logger",
    "resolve_mode",
    "run_name",
    "sweep_name",
    "wandb_logger",
]

MODES = ("online", "offline", "disabled")
DEFAULT_HOST = "https://api.wandb.ai"
# W&B cuts longer tables off.
MOST_ROWS = 10_000

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrackedRun:
    """What a logger is told about a run.

    Attributes:
        name: ``<augment>-s<strength>-seed<seed>``.
        folder: The run folder.
        sweep: Name of the sweep, the group of its runs.
        identity: Of the run.
        config: The whole resolved config, plain values only.
    """

    name: str
    folder: Path
    sweep: str
    identity: str
    config: Mapping[str, Any]

    @property
    def wandb_id(self) -> str:
        """The same for the same run of the same sweep, whoever opens it."""
        return digest([self.sweep, self.identity])[:16]


def wandb_logger(
    run: TrackedRun, *, project: str, entity: str | None, mode: str | None
) -> list[Logger]:
    """One W&B run a job, its files in the run folder.

    Raises:
        ValueError: If ``mode`` is none W&B knows.
    """
    # Lightning's own call of wandb.init passes an argument that W&B warns of.
    settings = wandb_settings(run, project=project, entity=entity, mode=mode, again=False)
    mirror = _open_somehow(run, {"config": dict(run.config), **settings})
    return [] if mirror is None else [MirrorLogger(mirror)]


def _open_somehow(run: TrackedRun, settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a wandb run
    """Online if wanted and possible, else offline; None if W&B cannot be had at all."""
    for mode in (settings["mode"], "offline"):
        try:
            return _open({**settings, "mode": mode})
        except Exception as error:  # noqa: BLE001 - W&B is a mirror: what it lacks must not cost the run
            reason = error
            drop_service()
        if mode == "online":
            log.warning("W&B does not answer (%s); %s stays offline.", reason, run.name)
    log.warning("W&B cannot be used (%s); %s is in local files only.", reason, run.name)
    return None


def _open(settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a wandb run
    mirror = open_run(settings)
    mirror.define_metric("epoch")
    mirror.define_metric("*", step_metric="epoch", step_sync=True)
    return mirror


class MirrorLogger(WandbLogger):
    """Lightning's logger, but for this: what W&B does not take is warned of once and costs nothing.

    Args:
        run: The open W&B run.
    """

    def __init__(self, run: Any) -> None:  # noqa: ANN401 - a wandb run
        super().__init__(experiment=run)
        self.lost = False

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """See :class:`WandbLogger`."""
        self._unless_lost(lambda: super(MirrorLogger, self).log_metrics(metrics, step))

    def log_hyperparams(self, params: Any) -> None:  # noqa: ANN401 - as Lightning's
        """See :class:`WandbLogger`."""
        self._unless_lost(lambda: super(MirrorLogger, self).log_hyperparams(params))

    def log_image(
        self,
        key: str,
        images: list[Any],
        step: int | None = None,
        **kwargs: Any,  # noqa: ANN401 - as Lightning's
    ) -> None:
        """See :class:`WandbLogger`."""
        self._unless_lost(lambda: super(MirrorLogger, self).log_image(key, images, step, **kwargs))

    def _unless_lost(self, call: Callable[[], object]) -> None:
        if self.lost:
            return
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever a broken connection raises
            self.lost = True
            drop_service()
            log.warning("W&B is lost (%s); local files go on and are whole.", error)


def wandb_settings(
    run: TrackedRun, *, project: str, entity: str | None, mode: str | None, again: bool
) -> dict[str, Any]:
    """Arguments of ``wandb.init`` that open ``run``.

    Args:
        run: Which.
        project: The W&B project.
        entity: Whose; None for the user's own.
        mode: A W&B mode or None, see :func:`resolve_mode`.
        again: Whether W&B has the run, and with it the list of packages, which takes longer than
            all the rest.
    """
    import wandb

    return {
        "project": project,
        "entity": entity,
        "mode": resolve_mode(mode),
        "id": run.wandb_id,
        "name": run.name,
        "group": run.sweep,
        "job_type": "train",
        "dir": str(run.folder),
        "resume": "allow",
        "settings": wandb.Settings(
            silent=True,
            console="off",
            x_save_requirements=not again,
            init_timeout=INIT_TIMEOUT_S,
            finish_timeout=FINISH_TIMEOUT_S,
        ),
    }


def csv_logger(run: TrackedRun) -> list[Logger]:
    """Lightning's CSV files in ``csv/`` of the run folder."""
    return [CSVLogger(run.folder, name="csv", version="")]


def no_logger(run: TrackedRun) -> list[Logger]:
    """No logger at all."""
    del run
    return []


def resolve_mode(mode: str | None) -> str:
    """Decide once between online and offline, so that W&B never asks.

    Args:
        mode: A W&B mode, or None: online with an API key (``WANDB_API_KEY`` or netrc), else
            offline.

    Raises:
        ValueError: If ``mode`` is none W&B knows.
    """
    if mode is None and not _has_api_key():
        _say_offline()
        return "offline"
    if mode is None:
        return "online"
    if mode not in MODES:
        raise ValueError(f"logger.mode={mode!r} is not one of {list(MODES)}, nor null.")
    return mode


def mirror_study(study: "Study", sweep: Path) -> None:
    """Add each run's similarity to its W&B summary, and the study as a run of the group.

    Runs are found by their ids; only those that this sweep trained with W&B are opened. The first
    saliency method has ``similarity/<measure>``, every one ``similarity/<method>/<measure>``. What
    W&B cannot take is warned of and costs nothing else.

    Args:
        study: What was built from the sweep.
        sweep: The sweep folder.
    """
    tracked = [folder for folder in run_folders(sweep) if _uses_wandb(folder)]
    if not tracked:
        return
    try:
        _mirror(study, sweep, tracked)
    except Exception as error:  # noqa: BLE001 - whatever W&B raises, the study is on disk
        log.warning("W&B does not have the study (%s); it is whole on disk.", error)


def _mirror(study: "Study", sweep: Path, tracked: Sequence[Path]) -> None:
    for folder in tracked:
        similarity = study.similarity.get(folder)
        if similarity:
            with opened(_settings_of(folder, sweep)) as run:
                methods = read_record(folder).config["saliency"]["methods"]
                run.summary.update(_similarity_summary(similarity, list(methods)))
    settings = _settings_of(tracked[0], sweep)
    name = sweep_name(sweep)
    settings |= {
        "id": digest([name, "study"])[:16],
        "name": f"study-{name}",
        "job_type": "study",
        "dir": str(sweep),
    }
    with opened(settings) as run:
        _log_study(run, study)


def sweep_name(sweep: Path) -> str:
    """Date and time of a sweep folder: W&B's group."""
    return f"{sweep.parent.name}/{sweep.name}"


@lru_cache(maxsize=1)
def _say_offline() -> None:
    log.warning("W&B stays offline: no API key. Runs can be sent later with `wandb sync`.")


def log_metrics(loggers: Sequence[Logger], metrics: Mapping[str, float]) -> None:
    """Log numbers to every logger."""
    for logger in loggers:
        logger.log_metrics(dict(metrics))


def log_images(
    loggers: Sequence[Logger],
    key: str,
    images: Sequence[NDArray[np.floating]],
    captions: Sequence[str],
) -> None:
    """Log RGB images ``(H, W, 3)`` in [0, 1] to the loggers that take images: W&B's."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            bytes_ = [(255 * np.clip(image, 0, 1)).round().astype(np.uint8) for image in images]
            logger.log_image(key, bytes_, caption=list(captions))


def log_histogram(loggers: Sequence[Logger], key: str, values: Sequence[float]) -> None:
    """Log a distribution to the loggers that take one: W&B's; NaN is left out."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            import wandb

            finite = [value for value in values if np.isfinite(value)]
            logger.log_metrics({key: wandb.Histogram(finite)})  # type: ignore[dict-item]


def _similarity_summary(
    similarity: Mapping[str, Mapping[str, float]], methods: Sequence[str]
) -> dict[str, float]:
    """Every method's means under its name, and those of the config's first without it."""
    summary = {
        f"similarity/{method}/{name}": value
        for method, measures in similarity.items()
        for name, value in measures.items()
    }
    first = next((method for method in methods if method in similarity), None)
    if first is not None:
        summary |= {f"similarity/{name}": value for name, value in similarity[first].items()}
    return summary


def _log_study(run: Any, study: "Study") -> None:  # noqa: ANN401 - a wandb run
    import wandb

    from auglens.study.saved import SavedTables

    report = study.report.parent
    frames = {"runs": study.runs, **SavedTables(report / "tables")}
    long = {name: len(frame) for name, frame in frames.items() if len(frame) > MOST_ROWS}
    tables = {
        f"tables/{name}": wandb.Table(dataframe=frame.astype(object).where(frame.notna(), None))
        for name, frame in frames.items()
        if name not in long and len(frame.columns)
    }
    figures = sorted((report / "figures").glob("*.png"))
    images = {f"figures/{path.stem}": wandb.Image(str(path)) for path in figures}
    page = wandb.Html(study.report.read_text(encoding="utf-8"), inject=False)
    run.log({**tables, **images, "report": page})
    if long:
        left_out = ", ".join(f"{name} ({count} rows)" for name, count in long.items())
        run.summary["tables_left_out"] = left_out
    run.log_artifact(_report_artifact(run.name, report))


def _report_artifact(name: str, report: Path) -> Any:  # noqa: ANN401 - a wandb artifact
    """The whole report folder."""
    import wandb

    # W&B takes letters, digits, "_", "-" and "." only.
    artifact = wandb.Artifact(re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII), type="report")
    for path in sorted(one for one in report.rglob("*") if one.is_file()):
        artifact.add_file(str(path), name=path.relative_to(report).as_posix())
    return artifact


def _uses_wandb(folder: Path) -> bool:
    try:
        logger = read_record(folder).config["logger"]
    except RecordError:
        return False
    return bool(logger["_target_"] == f"{__name__}.wandb_logger")


def _settings_of(folder: Path, sweep: Path) -> dict[str, Any]:
    """Arguments of ``wandb.init`` that re-open the run of a folder."""
    record = read_record(folder)
    keys = ("project", "entity", "mode")
    run = TrackedRun(
        name=run_name(record.config),
        folder=folder,
        sweep=sweep_name(sweep),
        identity=record.identity,
        config=record.config,
    )
    logger = {key: record.config["logger"][key] for key in keys}
    return wandb_settings(run, **logger, again=True)


def run_name(config: Mapping[str, Any]) -> str:
    """``<augment>-s<strength>-seed<seed>``."""
    augment = config["augment"]
    return f"{augment['name']}-s{augment['strength']}-seed{config['seed']}"


def _has_api_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", DEFAULT_HOST)).hostname or ""
    path = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        return netrc.netrc(path).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False
