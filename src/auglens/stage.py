"""Goes through the runs of a sweep and makes the maps and measures that each of them lacks."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.text import Text

from auglens.components import built
from auglens.explainer import Explainer, ProbeImages, predict
from auglens.failures import describe_failure, is_disk_full
from auglens.loaded_run import recorded_network, recorded_probe
from auglens.measures.measure import Measure, NotMeasurable, Subject, Task
from auglens.memory import keep_freed_memory
from auglens.progress import image_progress
from auglens.records.files import check_no_link
from auglens.records.identity import digest
from auglens.records.locks import identity_lock
from auglens.records.measures import (
    MeasureResult,
    has_measure,
    measure_hash,
    measure_path,
    write_measure,
)
from auglens.records.names import visible
from auglens.records.run import RunRecord
from auglens.run_figures import write_probe_figure
from auglens.study.load import Run, StudyError, load_sweeps
from auglens.trust import build_recorded, check_recorded, targets

__all__ = ["ExplainStage", "Request", "asked_for", "explain_jobs", "explain_sweep"]

RUNS_KEPT = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """What to make of a sweep's runs.

    Attributes:
        methods: Settings of the saliency methods, given a model's layer for activation maps.
        measures: Settings of the measures by name.
        trust: Modules that recorded configs may use.
        data_dir: Where data sets lie.
        figures: Whether new maps are drawn too.
        explained_as: ``target`` and ``seed`` of the explanations; what is not there is each run's
            own.
    """

    methods: Callable[[str | None], Mapping[str, Any]]
    measures: Mapping[str, Any]
    trust: Sequence[str]
    data_dir: Path
    figures: bool
    explained_as: Mapping[str, Any] = field(default_factory=dict)


def explain_sweep(
    sweep: Path, request: Request, console: Console, reuse: Sequence[Path] = ()
) -> bool:
    """Make the maps and measures that the complete runs of a sweep lack.

    Args:
        sweep: A sweep folder, or a single run's folder.
        request: What to make.
        console: Where progress and failures are shown.
        reuse: Further sweep folders that reused runs may lie in.

    Returns:
        Whether nothing failed.
    """
    try:
        loaded = load_sweeps([sweep], reuse)
    except StudyError as error:
        console.print(visible(str(error)), markup=False, highlight=False, soft_wrap=True)
        return False
    for entry in loaded.unfinished:
        console.print(
            Text(f"left out: {entry.name} is {entry.status}: {entry.error}"), soft_wrap=True
        )
    return ExplainStage(sweep, loaded.runs, request, console).run(loaded.runs)


def explain_jobs(sweep: Path, jobs: Iterable[Mapping[str, Any]], console: Console) -> bool:
    """Take the measures that the jobs of a sweep asked for, each of its own run.

    Args:
        sweep: The sweep folder, or a single run's folder.
        jobs: What :func:`asked_for` said of each.
        console: Where progress, omissions and failures are shown.

    Returns:
        Whether nothing failed.
    """
    jobs = list(jobs)
    # A measure of one run may build what another run was made of.
    trust = sorted({name for job in jobs for name in job["trust"]})
    alike: dict[str, tuple[Mapping[str, Any], list[str]]] = {}
    for job in jobs:
        plan = {
            key: value for key, value in job.items() if key not in ("identity", "trust", "reuse")
        }
        if plan["measures"]:
            alike.setdefault(digest(plan), (plan, []))[1].append(job["identity"])
    if not alike:
        return True
    reuse = sorted({Path(name) for job in jobs for name in job["reuse"]})
    runs = load_sweeps([sweep], reuse).runs
    fine = True
    for wanted, identities in alike.values():
        chosen = [run for run in runs if run.record.identity in identities]
        fine &= ExplainStage(sweep, runs, _request(wanted, trust), console).run(chosen)
    return fine


def asked_for(config: Mapping[str, Any], identity: str) -> dict[str, Any]:
    """What a job asks of the explain stage, ready for JSON.

    Args:
        config: Its resolved config.
        identity: Of its run.
    """
    own = [config[key] for key in ("dataset", "augment", "model")]
    return {
        "identity": identity,
        "saliency": config["saliency"],
        "measures": config["measures"],
        "trust": sorted(targets(own)),
        "reuse": [str(Path(name).absolute()) for name in config["reuse"]],
        "data_dir": str(Path(config["paths"]["data_dir"]).absolute()),
        "figures": config["figures"],
        "explained_as": {"target": config["probe"]["target"], "seed": config["seeds"]["explain"]},
    }


def _request(wanted: Mapping[str, Any], trust: Sequence[str]) -> Request:
    plain = {key: wanted[key] for key in ("measures", "figures", "explained_as")}
    methods, data_dir = wanted["saliency"]["methods"], Path(wanted["data_dir"])
    return Request(methods=lambda _: methods, data_dir=data_dir, trust=trust, **plain)


class ExplainStage:
    """Explains and measures the runs of one sweep.

    Args:
        sweep: The sweep folder.
        runs: Its complete runs.
        request: What to make.
        console: Where progress, omissions and failures are shown.

    Raises:
        ValueError: If a measure cannot be built, or needs maps of a method and none is named.
    """

    def __init__(
        self, sweep: Path, runs: Sequence[Run], request: Request, console: Console
    ) -> None:
        self.sweep = sweep
        self.runs = {run.record.identity: run for run in runs}
        self.request = request
        self.console = console
        self.measures: dict[str, Measure] = {
            name: built(node, f"measures.{name}") for name, node in request.measures.items()
        }
        # Only their values depend on the model.
        self.method_names = list(request.methods(None))
        unnamed = [name for name, one in self.measures.items() if one.per_method]
        if unnamed and not self.method_names:
            raise ValueError(f"Of which maps? {', '.join(unnamed)} need saliency=[<method>,...].")
        self.counts: Counter[str] = Counter()
        self.omitted: Counter[str] = Counter()
        self.probe = lru_cache(maxsize=RUNS_KEPT)(self._read_probe)
        self.subject = lru_cache(maxsize=RUNS_KEPT)(self._load)

    def run(self, chosen: Sequence[Run]) -> bool:
        """Do everything that is missing; a failure costs only itself.

        Args:
            chosen: The runs to explain and measure; those on permuted labels serve others only.

        Returns:
            Whether nothing failed.
        """
        twins = [run for run in chosen if run.permuted]
        chosen = [run for run in chosen if not run.permuted]
        if twins:
            self.omitted["runs on permuted labels, which are no results themselves"] += len(twins)
        total = len(chosen) * sum(1 for _ in self._tasks(chosen[0])) if chosen else 0
        with image_progress(self.console, total=total) as self._advance:
            for run in chosen:
                started = time.perf_counter()
                done = self._complete(run)
                if done:
                    seconds = time.perf_counter() - started
                    self._say(f"{run.name}  {_counted(done)}  {seconds:.1f} s")
        self._conclude()
        return self.counts["failed"] == 0

    def _complete(self, run: Run) -> list[str]:
        """Make what one run lacks; names of what was made."""
        made = []
        for label, task in self._tasks(run):
            self._label, self._num_images = f"{run.name} {label}", 0
            self._tick(0)
            try:
                keep_freed_memory()
                torch.set_num_threads(run.record.inputs["num_threads"])
                self._check_links(run)
                waits = f"{run.name} waits: another process works on the same run."
                wait = partial(self._say, waits)
                with identity_lock(self.sweep, run.record.identity, on_wait=wait):
                    made += task()
            except NotMeasurable as reason:
                self.omitted[f"{label.split('.')[0]}: {reason}"] += 1
            except Exception as error:
                self.counts["failed"] += 1
                log.debug("%s %s failed", run.name, label, exc_info=True)
                why = describe_failure(error, run.folder)
                if is_disk_full(error):
                    raise ValueError(f"{run.name} {label}: {why}") from error
                self._say(f"FAILED  {run.name} {label}: {why}", style="red")
            self._advance(self._label, 1)
        return made

    def _check_links(self, run: Run) -> None:
        """Refuse to write through links that a stranger left."""
        check_no_link(self.sweep, ".locks")
        for name in ("saliency", "measures", "figures"):
            check_no_link(run.folder, name)

    def _tick(self, count: int) -> None:
        """Show that a task goes on: how many images it has been through."""
        self._num_images += count
        self._advance(f"{self._label}  {self._num_images} images", 0)

    def _tasks(self, run: Run) -> Iterator[tuple[str, Callable[[], list[str]]]]:
        for method in self.method_names:
            yield f"maps.{method}", partial(self._explain, run, method)
        for name, measure in self.measures.items():
            for one in self.method_names if measure.per_method else (None,):
                yield f"{name}.{one}" if one else name, partial(self._measure, run, name, one)

    def _explain(self, run: Run, method: str) -> list[str]:
        explainer = self._explainer(run, [method])
        if not explainer.missing(run.folder):
            self.counts["there"] += 1
            return []
        if run.borrowed:
            explainer.refuse_to_replace(run.folder)
        net = self.subject(run.record.identity).net
        (maps,) = explainer.explain(net, run.folder, lambda _, count: self._tick(count)).values()
        self.counts["made"] += 1
        if self.request.figures:
            write_probe_figure(run.folder, method, explainer.probe, maps)
        return ["maps"]

    def _measure(self, run: Run, name: str, method: str | None) -> list[str]:
        measure, settings = self.measures[name], self.request.measures[name]
        explainer = self._explainer(run, [method] if method else [])
        inputs = dict(measure.inputs(run, list(self.runs.values())))
        decided = {
            "settings": settings,
            "inputs": inputs,
            "method_hash": explainer.hash(method) if method else None,
            "seed": explainer.seed,
        }
        hashed = measure_hash(run.record.identity, **decided)
        if has_measure(run.folder, name, method, hashed):
            self.counts["there"] += 1
            return []
        if run.borrowed and measure_path(run.folder, name, method).exists():
            raise ValueError(
                f"{run.folder} belongs to a reused sweep and was measured otherwise; measure it "
                "in that sweep's own folder."
            )
        subject = replace(self.subject(run.record.identity), explainer=explainer)
        outcome = measure(self._task(subject, method, inputs))
        result = MeasureResult(measure=name, method=method, hash=hashed, **decided, **vars(outcome))
        write_measure(run.folder, result)
        self.counts["made"] += 1
        return [name]

    def _task(self, subject: Subject, method: str | None, inputs: Mapping[str, Any]) -> Task:
        return Task(
            subject=subject,
            method=method or "",
            inputs=inputs,
            other=self.subject,
            build=lambda node: build_recorded(node, trust=self.request.trust),
            data_dir=self.request.data_dir.absolute(),
            advance=self._tick,
        )

    def _load(self, identity: str) -> Subject:
        """A run with its network, built only from what its record may name."""
        run = self.runs[identity]
        explainer = self._explainer(run, [])
        trust = self.request.trust
        net = recorded_network(run.folder, run.record, explainer.probe, trust=trust)
        net.to(self._device(run.record))
        return Subject(run, explainer, net, predict(net, explainer.probe.images))

    def _explainer(self, run: Run, names: Sequence[str]) -> Explainer:
        """The run's explainer with some of the methods: another one may not fit its model."""
        config = run.record.config
        settings = self.request.methods(_recorded_layer(config))
        own = {"target": config["probe"]["target"], "seed": config["seeds"]["explain"]}
        return Explainer(
            probe=self.probe(run.record.identity),
            methods={name: built(settings[name], f"saliency.methods.{name}") for name in names},
            settings=settings,
            identity=run.record.identity,
            **{**own, **self.request.explained_as},
        )

    def _read_probe(self, identity: str) -> ProbeImages:
        run = self.runs[identity]
        return recorded_probe(run.folder, run.record)

    def _device(self, record: RunRecord) -> torch.device:
        """Where the run was trained, if that is here."""
        wanted = torch.device(record.inputs["trainer"]["accelerator"])
        here = torch.accelerator.current_accelerator()
        if wanted.type == "cpu" or (here is not None and here.type == wanted.type):
            return wanted
        self.omitted[f"{wanted.type} is not here, so runs trained on it use the CPU"] += 1
        return torch.device("cpu")

    def _conclude(self) -> None:
        for reason, count in self.omitted.items():
            self._say(f"left out, {count} times: {reason}")
        self._say(
            f"Made {self.counts['made']} files of maps and measures; {self.counts['there']} were "
            f"there; {self.counts['failed']} failed. Build the report with: python -m "
            f"auglens.study sweep={self.sweep}"
        )

    def _say(self, line: str, style: str = "") -> None:
        self.console.print(Text(visible(line), style=style), soft_wrap=True)


def _counted(made: Iterable[str]) -> str:
    """What was made, by kind.

    >>> _counted(["maps", "maps", "affinity_diversity"])
    'maps 2, affinity_diversity 1'
    """
    return ", ".join(f"{kind} {count}" for kind, count in Counter(made).items())


def _recorded_layer(config: Mapping[str, Any]) -> str | None:
    """The model's layer for activation maps, as plain text."""
    layer = config["model"]["cam_layer"]
    check_recorded(layer, trust=[])
    if layer is not None and not isinstance(layer, str):
        raise ValueError(f"The record's model.cam_layer={layer!r} is no name of a layer.")
    return layer
