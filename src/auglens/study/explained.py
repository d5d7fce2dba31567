"""What a finished run leaves to be compared: its maps and their measures, checked as they are read.

Legend: N probe images, C channels, H and W pixels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from auglens.metrics.catalogue import of_family
from auglens.records.maps import Probe
from auglens.records.measures import MeasureResult, belongs_to, measure_path, read_measures
from auglens.records.names import visible
from auglens.records.run import RecordError
from auglens.study.load import Run

__all__ = ["Explained", "ExplainedRun", "read_explained"]

Column = NDArray[Any]


@dataclass(frozen=True)
class Explained:
    """Maps of one run and method with the images they explain.

    Attributes:
        maps: ``(N, H, W)``.
        images: ``(N, C, H, W)`` in [0, 1].
        probe_ids: ``(N,)``.
        labels: ``(N,)``.
        predictions: Class of the largest logit, ``(N,)``.
        settings: How the maps were made.
        hash: Of everything that decided the maps.
        measured: Columns of sidecars by name, each ``(N,)``; NaN where an image was not measured.
    """

    maps: Tensor
    images: Tensor
    probe_ids: Column
    labels: Column
    predictions: Column
    settings: Mapping[str, Any]
    hash: str
    measured: Mapping[str, Column]


@dataclass(frozen=True)
class ExplainedRun:
    """Everything of one run that can be compared.

    Attributes:
        methods: By name of the saliency method.
        results: Sidecars that belong to these maps, at most one a measure and method.
        damage: Files that are missing, cannot be read or do not belong.
    """

    methods: Mapping[str, Explained]
    results: tuple[MeasureResult, ...]
    damage: tuple[str, ...]


def read_explained(run: Run) -> ExplainedRun:
    """Read the probe, the maps and the sidecars of a run; what is damaged is left out and said."""
    return _Reading(run).result()


class _Reading:
    """Collects damage while it reads one run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.damage: list[str] = []

    def result(self) -> ExplainedRun:
        probe = self._probe()
        methods = {} if probe is None else self._methods(probe)
        results = tuple(self._results(methods))
        joined = {name: _join(name, one, results) for name, one in methods.items()}
        return ExplainedRun(joined, results, tuple(self.damage))

    def _say(self, what: object) -> None:
        self.damage.append(visible(f"{self.run.name}: {what}"))

    def _probe(self) -> Probe | None:
        try:
            return self.run.probe()
        except RecordError as error:
            self._say(error)
            return None

    def _methods(self, probe: Probe) -> dict[str, Explained]:
        named = set(self.run.record.config["saliency"]["methods"])
        present = {path.stem for path in (self.run.folder / "saliency").glob("*.npz")}
        methods = {}
        for method in sorted(named | present):
            try:
                methods[method] = _read_method(self.run, method, probe)
            except RecordError as error:
                self._say(error)
        return methods

    def _results(self, methods: Mapping[str, Explained]) -> Iterable[MeasureResult]:
        results, damage = read_measures(self.run.folder)
        for line in damage:
            self._say(line)
        for result in results:
            obstacle = self._obstacle(result, methods)
            if obstacle:
                name = measure_path(self.run.folder, result.measure, result.method).name
                self._say(f"measures/{name} {obstacle}, so it is left out.")
                continue
            yield result

    def _obstacle(self, result: MeasureResult, methods: Mapping[str, Explained]) -> str:
        """Why a sidecar does not belong to the maps at hand; nothing if it does."""
        own = methods.get(result.method) if result.method else None
        if result.method and own is None:
            return "measures maps that are not there"
        if not belongs_to(result, self.run.record.identity, own.hash if own else None):
            return "measures other maps than those at hand"
        ids = list(result.probe_ids)
        known = set(own.probe_ids.tolist()) if own else set()
        if len(set(ids)) < len(ids) or not set(ids) <= known:
            return "measures other images than the maps explain"
        if not set(result.columns) <= set(of_family("faithfulness")):
            return "holds measures that are not known"
        return ""


def _read_method(run: Run, method: str, probe: Probe) -> Explained:
    found = run.maps(method)
    places = pd.Index(probe.probe_ids).get_indexer(pd.Index(found.probe_ids))
    expected = (len(places), *probe.images.shape[2:])
    if (places < 0).any() or found.maps.shape != expected:
        raise RecordError(f"The maps of {method} are not those of the images in probe.npz.")
    return Explained(
        maps=torch.from_numpy(found.maps),
        images=torch.from_numpy(probe.images[places]),
        probe_ids=found.probe_ids,
        labels=probe.labels[places],
        predictions=probe.logits[places].argmax(axis=1),
        settings=found.settings,
        hash=found.hash,
        measured={},
    )


def _join(method: str, explained: Explained, results: Iterable[MeasureResult]) -> Explained:
    """The same maps with the columns that sidecars hold for them."""
    measured: dict[str, Column] = {}
    for result in results:
        if result.method == method and result.columns:
            table = pd.DataFrame(dict(result.columns), list(result.probe_ids), dtype=np.float64)
            aligned = table.reindex(explained.probe_ids)
            measured |= {str(name): aligned[name].to_numpy() for name in aligned}
    return Explained(**{**vars(explained), "measured": measured})
