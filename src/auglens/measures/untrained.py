"""What maps look like before any training: what the architecture and the image show by themselves.

Legend: N probe images.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auglens.loaded_run import first_network
from auglens.measures.measure import Outcome, Task
from auglens.metrics.table import map_columns
from auglens.saliency.maps import reduce_channels
from auglens.study.load import Run

__all__ = ["MEANS", "Untrained"]

MEANS = (
    *("foreground_auc", "foreground_auc_inner", "far_background_mass", "foreground_lift"),
    *("largest_component_share", "num_components", "spread_px", "moran", "entropy"),
)


@dataclass(kw_only=True)
class Untrained:
    """Measures of the maps of the run's network as it was before its first step.

    The same method explains the same images for the same targets. What such maps show already no
    training has taught the network.

    Args:
        foreground_threshold: Brightness in (0, 1) above which a pixel is foreground.

    Reference:
        Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, arXiv:1810.03292.
    """

    per_method = True

    foreground_threshold: float

    def inputs(self, run: Run, runs: Sequence[Run]) -> Mapping[str, Any]:
        """Nothing of other runs."""
        del run, runs
        return {}

    def __call__(self, task: Task) -> Outcome:
        """The mean over the probe of every measure of :data:`MEANS`, None where undefined; ``n``.

        ``n`` counts the maps that are defined.
        """
        subject = task.subject
        probe = subject.explainer.probe
        net = first_network(subject.run.record, probe).to(subject.device)
        reduction = subject.method(task.method).reduce
        maps = task.attribute(
            subject, net, subject.images, lambda one: reduce_channels(one, reduction)
        )
        columns = map_columns(
            maps.cpu(), probe.images, foreground_threshold=self.foreground_threshold
        )
        means = {name: _mean(columns[name]) for name in MEANS}
        defined = int(np.isfinite(columns["entropy"]).sum())
        return Outcome(probe.ids.tolist(), values={**means, "n": defined})


def _mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    defined = values[np.isfinite(values)]
    mean = float(defined.mean()) if len(defined) else math.nan
    return None if math.isnan(mean) else mean
