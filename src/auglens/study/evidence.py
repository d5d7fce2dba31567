"""All numbers of one comparison group, and what is read off them more than once. Draws nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from auglens.study.conditions import Group
from auglens.study.figure_data import correlation_points
from auglens.study.measured import Results
from auglens.study.methods import ordered_methods
from auglens.study.palette import BASELINE, FLOOR
from auglens.study.statistics.ranks import RankCorrelation, spearman

__all__ = ["Evidence", "correlate"]


@dataclass(frozen=True)
class Evidence:
    """All numbers of one group.

    Attributes:
        group: The group.
        accuracies: Its rows of the accuracy table.
        measures: Its rows of the metric table.
        maps: Its rows of :attr:`Comparison.frame`.
        curves: Its rows of the summary of the histories.
        epochs: Its rows of the epochs to 95 % of the best validation accuracy.
        settings: The different ways its maps were made, by method.
        tables: Its rows of every further table, by name.
        nulls: What unrelated maps score on its probe images, by measure.
        results: All sidecars that belong to its maps, by run; every run is there. Those that
            differ in their settings from a first run are in no table.
        has_permuted: Whether runs on permuted labels lie in the same sweeps.
    """

    group: Group
    accuracies: pd.DataFrame
    measures: pd.DataFrame
    maps: pd.DataFrame
    curves: pd.DataFrame
    epochs: pd.DataFrame
    settings: Mapping[str, Sequence[Mapping[str, Any]]]
    tables: Mapping[str, pd.DataFrame]
    nulls: Mapping[str, float]
    results: Results
    has_permuted: bool

    @property
    def methods(self) -> list[str]:
        """Saliency methods with maps in this group: as configured, others by name, nulls last."""
        if self.maps.empty:
            return []
        configured = list(self.group.config["saliency"]["methods"])
        return list(ordered_methods(self.maps["method"].unique(), configured))

    @property
    def main_method(self) -> str | None:
        """The method whose figures the report shows itself; None without maps."""
        return next(iter(self.methods), None)

    @property
    def num_seeds(self) -> int:
        """Number of different sets of seeds: data, first weights, order and augmentation."""
        return len({tuple(run.record.inputs["seeds"].values()) for run in self.group.runs})


def correlate(evidence: Evidence, method: str) -> dict[str, tuple[pd.DataFrame, RankCorrelation]]:
    """CC and KL against test accuracy: the points, and their rank correlation.

    The baseline has no similarity, and untouched copies are the floor, not an augmentation.
    """
    labels = [
        condition.label
        for condition in evidence.group.conditions
        if condition.augment not in (BASELINE, FLOOR)
    ]
    measures = evidence.measures[evidence.measures["method"] == method]
    correlated = {}
    for measure in ("cc", "kl"):
        points = correlation_points(evidence.accuracies, measures, measure, labels)
        correlated[measure] = (points, spearman(points["x"], points["y"]))
    return correlated
