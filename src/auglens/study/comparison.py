"""Compares every saliency map with the baseline's map of the same image. Draws nothing.

Legend: N probe images, H and W pixels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from auglens.metrics.entropy import effective_area, entropy, histogram_entropy
from auglens.metrics.similarity import cc, js, kl, sim
from auglens.records.identity import digest, reference_inputs
from auglens.records.run import Probe, RecordError, read_map, read_probe
from auglens.study.conditions import is_baseline
from auglens.study.load import Run

__all__ = ["ENTROPIES", "SIMILARITIES", "Comparison", "compare_maps", "kl_column"]

SIMILARITIES = ("cc", "kl", "kl_reverse", "sim", "js")
ENTROPIES = ("entropy", "effective_area", "entropy_histogram")

Column = NDArray[Any]


@dataclass(frozen=True)
class Explained:
    """Maps of one run and method with what decides whether they can be compared."""

    maps: Tensor
    probe_ids: Column
    settings: str


@dataclass
class Comparison:
    """Every map with its measures, and what could not be compared.

    Attributes:
        frame: One row a run, method and probe image; ``compared`` says whether it has a
            reference, ``kl_<eps>`` holds KL at each eps.
        reasons: For a run without similarity columns, why.
        damage: Files that are missing or cannot be read.
        settings: How the maps were made, by run and method.
    """

    frame: pd.DataFrame
    reasons: dict[str, str] = field(default_factory=dict)
    damage: list[str] = field(default_factory=list)
    settings: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


def kl_column(eps: float) -> str:
    """Name of the column that holds KL(baseline || run) at one eps."""
    return f"kl_{eps:g}"


def compare_maps(runs: Sequence[Run], *, kl_eps: Sequence[float]) -> Comparison:
    """Measure all maps of complete runs.

    The reference of a run is the baseline equal in everything but the augmentation, so it also
    has the same seeds.

    Args:
        runs: Complete runs trained on true labels.
        kl_eps: Values that keep KL finite; the first is the one of the columns ``kl`` and
            ``kl_reverse``.
    """
    return _MapComparison(runs, kl_eps).result()


class _MapComparison:
    """Pairs runs with their references; reads each reference's maps once."""

    def __init__(self, runs: Sequence[Run], kl_eps: Sequence[float]) -> None:
        self.runs = runs
        self.kl_eps = kl_eps
        self.references: dict[str, Run] = {}
        for run in filter(is_baseline, runs):
            self.references.setdefault(digest(reference_inputs(run.record.inputs)), run)
        self.explained: dict[str, dict[str, Explained]] = {}
        self.comparison = Comparison(pd.DataFrame())

    def result(self) -> Comparison:
        """Measure the maps of all runs."""
        frames = [frame for run in self.runs for frame in self._frames(run)]
        if frames:
            whole = pd.concat(frames, ignore_index=True)
            whole = whole.sort_values(["run", "method", "probe_id"], kind="stable")
            self.comparison.frame = whole.reset_index(drop=True)
        return self.comparison

    def _frames(self, run: Run) -> list[pd.DataFrame]:
        try:
            probe = read_probe(run.folder)
        except RecordError as error:
            self.comparison.damage.append(f"{run.name}: {error}")
            return []
        explained = self._explain(run)
        return [self._frame(run, probe, name, one) for name, one in explained.items()]

    def _frame(self, run: Run, probe: Probe, method: str, own: Explained) -> pd.DataFrame:
        reference = self._reference(run, method, own)
        frame = pd.DataFrame(_description(run, probe, method))
        frame = frame.set_index("probe_id").loc[own.probe_ids].reset_index()
        if reference is None:
            similarities = dict.fromkeys(self._similarity_names(), np.nan)
            return frame.assign(**similarities, **_entropies(own.maps), compared=False)
        measured = _similarities(own.maps, reference.maps, self.kl_eps)
        return frame.assign(**measured, **_entropies(own.maps), compared=True)

    def _similarity_names(self) -> list[str]:
        return [*SIMILARITIES, *map(kl_column, self.kl_eps)]

    def _reference(self, run: Run, method: str, own: Explained) -> Explained | None:
        if is_baseline(run):
            return None
        baseline = self.references.get(digest(reference_inputs(run.record.inputs)))
        if baseline is None:
            self.comparison.reasons[run.name] = (
                "no baseline (none) with the same seeds and settings"
            )
            return None
        other = self._explain(baseline).get(method)
        reason = self._obstacle(run, baseline, own, other)
        if reason:
            self.comparison.reasons[run.name] = f"{method}: {reason}"
            return None
        return other

    def _obstacle(self, run: Run, baseline: Run, own: Explained, other: Explained | None) -> str:
        if other is None:
            return f"the baseline {baseline.name} has no such maps"
        same_images = np.array_equal(own.probe_ids, other.probe_ids)
        if run.record.probe_hash != baseline.record.probe_hash or not same_images:
            return f"the baseline {baseline.name} explains other images"
        if own.settings != other.settings:
            return f"the baseline {baseline.name} has maps of other settings"
        return ""

    def _explain(self, run: Run) -> dict[str, Explained]:
        if not is_baseline(run):
            return self._read(run)
        if run.name not in self.explained:
            self.explained[run.name] = self._read(run)
        return self.explained[run.name]

    def _read(self, run: Run) -> dict[str, Explained]:
        named = set(run.record.config["saliency"]["methods"])
        present = {path.stem for path in (run.folder / "saliency").glob("*.npz")}
        explained = {}
        for method in sorted(named | present):
            try:
                found = read_map(run.folder, method)
            except RecordError as error:
                self.comparison.damage.append(f"{run.name}: {error}")
                continue
            self.comparison.settings.setdefault(run.name, {})[method] = found.settings
            key = digest(found.settings)
            explained[method] = Explained(torch.from_numpy(found.maps), found.probe_ids, key)
        return explained


def _description(run: Run, probe: Probe, method: str) -> dict[str, object]:
    return {
        "run": run.name,
        "augment": run.record.augment,
        "strength": np.nan if run.record.strength is None else run.record.strength,
        "seed": run.record.config["seed"],
        "method": method,
        "probe_id": probe.probe_ids,
        "label": probe.labels,
        "prediction": probe.logits.argmax(axis=1),
    }


def _similarities(maps: Tensor, reference: Tensor, kl_eps: Sequence[float]) -> dict[str, Column]:
    own, other = _unsigned(maps), _unsigned(reference)
    values = {
        "cc": cc(maps, reference),
        "kl": kl(own, other, eps=kl_eps[0]),
        "kl_reverse": kl(other, own, eps=kl_eps[0]),
        "sim": sim(own, other),
        "js": js(own, other),
        **{kl_column(eps): kl(own, other, eps=eps) for eps in kl_eps},
    }
    return {name: value.numpy() for name, value in values.items()}


def _entropies(maps: Tensor) -> dict[str, Column]:
    measures: dict[str, Callable[[Tensor], Tensor]] = {
        "entropy": entropy,
        "effective_area": effective_area,
        "entropy_histogram": histogram_entropy,
    }
    return {name: measure(_unsigned(maps)).numpy() for name, measure in measures.items()}


def _unsigned(maps: Tensor) -> Tensor:
    """Maps with negative values are no distributions: they become NaN, hence undefined."""
    signed = (maps < 0).flatten(1).any(dim=1)
    return torch.where(signed[:, None, None], torch.nan, maps)
