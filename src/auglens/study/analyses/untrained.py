"""Maps of trained networks against those of the same networks before training, paired by seed."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from auglens.study.analyses.pairing import rng_for
from auglens.study.conditions import Group
from auglens.study.palette import FLOOR
from auglens.study.statistics.paired import paired_difference

__all__ = ["untrained_rows"]

MEASURES = (
    *("foreground_auc", "foreground_auc_inner", "far_background_mass"),
    *("largest_component_share", "num_components", "spread_px"),
)

Row = dict[str, object]


def untrained_rows(
    group: Group, maps: pd.DataFrame, untrained: pd.DataFrame, method: str
) -> Iterator[Row]:
    """What training adds to the place and shape of the heat, for every training set.

    Args:
        group: The comparison group.
        maps: Rows of :attr:`Comparison.frame`.
        untrained: The table of that name: means over images of the untrained networks' maps.
        method: Saliency method.

    Yields:
        ``measure``, ``label``, means of both, their paired difference with a 95 % t-interval and
        ``p_greater``, one-sided; nothing for a set with a run that was not measured.
    """
    before = untrained[untrained["method"] == method].set_index("run")
    own = maps[maps["method"] == method]
    for measure in MEASURES:
        after = own.groupby("run")[measure].mean()
        for condition in group.usual:
            names = [run.name for run in condition.runs]
            if condition.augment == FLOOR or not set(names) <= set(before.index):
                continue
            first = after.reindex(names).to_numpy(np.float64)
            second = before[measure].reindex(names).to_numpy(np.float64)
            found = paired_difference(first, second, rng=rng_for("untrained", measure))
            if found.n == 0:
                continue
            half = found.p / 2
            yield {
                "measure": measure,
                "label": condition.label,
                "n": found.n,
                "trained": float(np.nanmean(first)),
                "untrained": float(np.nanmean(second)),
                "mean": found.mean,
                "low": found.low,
                "high": found.high,
                "p_greater": half if found.mean > 0 else 1 - half,
            }
