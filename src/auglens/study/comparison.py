"""Measures every saliency map, and compares it with the baseline's map of the same image."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auglens.metrics.catalogue import MEASURES, of_family
from auglens.metrics.distribution import unsigned
from auglens.metrics.similarity import kl
from auglens.metrics.table import map_columns, similarity_columns
from auglens.records.identity import digest, reference_inputs
from auglens.records.measures import MeasureResult
from auglens.study.agreement import agreement_rows
from auglens.study.conditions import is_baseline
from auglens.study.explained import Explained, ExplainedRun, read_explained
from auglens.study.load import Run
from auglens.study.progress import Track, untracked

__all__ = ["Comparison", "compare_maps", "kl_column", "measure_names"]

AGREEMENT = ("run", "method", "other_method", "spearman", "n", "n_undefined")

Column = NDArray[Any]


@dataclass
class Comparison:
    """Every map with its measures, and what could not be compared.

    Attributes:
        frame: One row a run, method and probe image; ``compared`` says whether it has a
            reference, ``kl_<eps>`` holds KL at each eps.
        agreement: One row a run and pair of methods, see
            :func:`~auglens.study.agreement.agreement_rows`.
        results: Sidecars that belong to the maps, by run.
        reasons: For a run without similarity columns, why.
        damage: Files that are missing, cannot be read or do not belong.
        settings: How the maps were made, by run and method.
    """

    frame: pd.DataFrame
    agreement: pd.DataFrame
    results: dict[str, tuple[MeasureResult, ...]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    damage: list[str] = field(default_factory=list)
    settings: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)


def kl_column(eps: float) -> str:
    """Name of the column that holds KL(baseline || run) at one eps."""
    return f"kl_{eps:g}"


def measure_names(kl_eps: Sequence[float]) -> list[str]:
    """Measures of :attr:`Comparison.frame`: the catalogue's, KL at each eps after similarity."""
    similarity = of_family("similarity")
    others = [name for name in MEASURES if name not in similarity]
    return [*similarity, *map(kl_column, kl_eps), *others]


def compare_maps(
    runs: Sequence[Run],
    *,
    kl_eps: Sequence[float],
    foreground_threshold: float,
    track: Track = untracked,
) -> Comparison:
    """Measure all maps of complete runs.

    The reference of a run is the baseline equal in everything but the augmentation, so it also
    has the same seeds.

    Args:
        runs: Complete runs trained on true labels.
        kl_eps: Values that keep KL finite; the first is the one of the columns ``kl`` and
            ``kl_reverse``.
        foreground_threshold: Brightness above which a pixel is foreground.
        track: Shows how many runs are measured.
    """
    return _MapComparison(runs, kl_eps, foreground_threshold).result(track)


class _MapComparison:
    """Pairs runs with their references; keeps a reference's maps as long as a run needs them."""

    def __init__(
        self, runs: Sequence[Run], kl_eps: Sequence[float], foreground_threshold: float
    ) -> None:
        self.runs = runs
        self.kl_eps = kl_eps
        self.foreground_threshold = foreground_threshold
        self.references: dict[str, Run] = {}
        for run in filter(is_baseline, runs):
            self.references.setdefault(_reference_key(run), run)
        compared = (
            self.references.get(_reference_key(run)) for run in runs if not is_baseline(run)
        )
        self.num_waiting = Counter(one.name for one in compared if one is not None)
        self.explained: dict[str, ExplainedRun] = {}
        self.comparison = Comparison(pd.DataFrame(), pd.DataFrame(columns=list(AGREEMENT)))

    def result(self, track: Track) -> Comparison:
        """Measure the maps of all runs."""
        frames, agreements = [], []
        for run in track(self.runs, "Measuring maps"):
            explained = self._explain(run)
            self._note(run, explained)
            frames += [self._frame(run, name, one) for name, one in explained.methods.items()]
            agreements += [{"run": run.name, **row} for row in agreement_rows(explained.methods)]
            self._release(run)
        if frames:
            whole = pd.concat(frames, ignore_index=True)
            whole = whole.sort_values(["run", "method", "probe_id"], kind="stable")
            self.comparison.frame = whole.reset_index(drop=True)
        self.comparison.agreement = pd.DataFrame(agreements, columns=list(AGREEMENT))
        return self.comparison

    def _note(self, run: Run, explained: ExplainedRun) -> None:
        self.comparison.damage += explained.damage
        self.comparison.results[run.name] = explained.results
        self.comparison.settings[run.name] = {
            name: dict(one.settings) for name, one in explained.methods.items()
        }

    def _frame(self, run: Run, method: str, own: Explained) -> pd.DataFrame:
        reference = self._reference(run, method, own)
        described = pd.DataFrame(_description(run, method, own))
        columns = {
            **dict.fromkeys(measure_names(self.kl_eps), np.nan),
            **({} if reference is None else self._similarities(own, reference)),
            **map_columns(own.maps, own.images, foreground_threshold=self.foreground_threshold),
            **own.measured,
        }
        measures = pd.DataFrame(columns, described.index)
        compared = pd.Series(reference is not None, described.index, name="compared")
        return pd.concat([described, measures, compared], axis=1)

    def _similarities(self, own: Explained, reference: Explained) -> dict[str, Column]:
        first, *others = self.kl_eps
        columns = similarity_columns(own.maps, reference.maps, kl_eps=first)
        maps, baseline = unsigned(own.maps), unsigned(reference.maps)
        by_eps = {kl_column(eps): kl(maps, baseline, eps=eps).numpy() for eps in others}
        return {**columns, kl_column(first): columns["kl"], **by_eps}

    def _reference(self, run: Run, method: str, own: Explained) -> Explained | None:
        if is_baseline(run):
            return None
        baseline = self.references.get(_reference_key(run))
        if baseline is None:
            self._say(run, "no baseline (none) with the same seeds and settings")
            return None
        other = self._explain(baseline).methods.get(method)
        reason = self._obstacle(run, baseline, own, other)
        if reason:
            self._say(run, f"{method}: {reason}")
            return None
        return other

    def _say(self, run: Run, reason: str) -> None:
        said = self.comparison.reasons.get(run.name)
        if said is None:
            self.comparison.reasons[run.name] = reason
        elif reason != said:
            self.comparison.reasons[run.name] = f"{said}; {reason}"

    def _obstacle(self, run: Run, baseline: Run, own: Explained, other: Explained | None) -> str:
        if other is None:
            return f"the baseline {baseline.name} has no such maps"
        same_images = np.array_equal(own.probe_ids, other.probe_ids)
        if run.record.probe_hash != baseline.record.probe_hash or not same_images:
            return f"the baseline {baseline.name} explains other images"
        if digest(own.settings) != digest(other.settings):
            return f"the baseline {baseline.name} has maps of other settings"
        return ""

    def _explain(self, run: Run) -> ExplainedRun:
        if run.name in self.explained:
            return self.explained[run.name]
        explained = read_explained(run)
        if self.num_waiting[run.name]:
            self.explained[run.name] = explained
        return explained

    def _release(self, run: Run) -> None:
        """Forget the maps of a run's reference after the last run that is compared with it."""
        baseline = None if is_baseline(run) else self.references.get(_reference_key(run))
        if baseline is not None:
            self.num_waiting[baseline.name] -= 1
            if not self.num_waiting[baseline.name]:
                self.explained.pop(baseline.name, None)


def _reference_key(run: Run) -> str:
    return digest(reference_inputs(run.record.inputs))


def _description(run: Run, method: str, own: Explained) -> dict[str, object]:
    return {
        "run": run.name,
        "augment": run.record.augment,
        "strength": np.nan if run.record.strength is None else run.record.strength,
        "seed": run.record.config["seed"],
        "method": method,
        "probe_id": own.probe_ids,
        "label": own.labels,
        "prediction": own.predictions,
    }
