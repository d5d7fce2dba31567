"""What maps look like before any training: what the architecture and the image show by themselves.

Legend: N probe images.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auglens.explainer import predict
from auglens.loaded_run import first_network
from auglens.measures.measure import Outcome, Task
from auglens.metrics.table import map_columns
from auglens.study import check_foreground_threshold
from auglens.study.load import Run

__all__ = ["MEANS", "Untrained"]

MEANS = (
    *("foreground_auc", "foreground_auc_inner", "far_background_mass", "foreground_lift"),
    *("largest_component_share", "num_components", "spread_px", "moran", "entropy"),
)


@dataclass(kw_only=True)
class Untrained:
    """Measures of the maps of the run's network as it was before its first step.

    The same method explains the same images for their true class or, where predictions are
    explained, for what the untrained network itself predicts. What such maps show already no
    training has taught the network.

    Args:
        foreground_threshold: Brightness in (0, 1) above which a pixel is foreground.

    Raises:
        ValueError: If ``foreground_threshold`` is outside.

    Reference:
        Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, arXiv:1810.03292.
    """

    per_method = True

    foreground_threshold: float

    def __post_init__(self) -> None:
        check_foreground_threshold(self.foreground_threshold)

    def inputs(self, run: Run, runs: Sequence[Run]) -> Mapping[str, Any]:
        """Nothing of other runs."""
        del run, runs
        return {}

    def __call__(self, task: Task) -> Outcome:
        """The mean over the probe of every measure of :data:`MEANS`, None where undefined; ``n``.

        ``n`` counts the maps that are defined.
        """
        subject = task.subject
        explainer, probe = subject.explainer, subject.explainer.probe
        net = first_network(subject.run.record, probe).to(subject.device)
        targets = explainer.targets(predict(net, probe.images))
        maps = explainer.maps(net, targets, task.method, task.advance)
        columns = map_columns(maps, probe.images, foreground_threshold=self.foreground_threshold)
        means = {name: _mean(columns[name]) for name in MEANS}
        defined = int(np.isfinite(columns["entropy"]).sum())
        return Outcome(probe.ids.tolist(), values={**means, "n": defined})


def _mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    defined = values[np.isfinite(values)]
    mean = float(defined.mean()) if len(defined) else math.nan
    return None if math.isnan(mean) else mean
