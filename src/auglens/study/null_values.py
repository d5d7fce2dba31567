"""What maps score that know nothing of the network, beside the measures. Draws nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from auglens.metrics.catalogue import MEASURES
from auglens.metrics.nulls import unrelated_values
from auglens.records.run import RecordError
from auglens.study.comparison import kl_column
from auglens.study.conditions import Group

__all__ = ["group_nulls", "null_column"]

SEED = 0
NULL_METHOD = "random"


def group_nulls(
    group: Group, *, kl_eps: Sequence[float], foreground_threshold: float
) -> dict[str, float]:
    """Means over unrelated maps on the group's own probe images, by measure.

    Returns:
        Every measure of the catalogue whose null is ``unrelated``, and KL at the first eps under
        its own name too; NaN where the images leave it undefined. Empty if no probe can be read.
    """
    for run in group.runs:
        try:
            images = torch.from_numpy(run.probe().images)
        except RecordError:
            continue
        values = unrelated_values(
            images,
            foreground_threshold=foreground_threshold,
            kl_eps=kl_eps[0],
            generator=torch.Generator().manual_seed(SEED),
        )
        return {**values, kl_column(kl_eps[0]): values["kl"]}
    return {}


def null_column(metrics: pd.DataFrame, nulls: Mapping[str, float]) -> pd.Series:
    """The null of every row of a group's metric table; NaN where none is known.

    It is the catalogue's number; or what unrelated maps score; or, where the catalogue names
    none, what the method ``random`` scores on the same networks.

    Args:
        metrics: Rows with ``label, method, measure, mean``.
        nulls: As of :func:`group_nulls`.
    """
    of_random = metrics[metrics["method"] == NULL_METHOD]
    random = dict(
        zip(
            zip(of_random["label"], of_random["measure"], strict=True),
            of_random["mean"],
            strict=True,
        )
    )

    def null(label: str, measure: str) -> float:
        declared = MEASURES[measure].null if measure in MEASURES else "unrelated"
        if declared == "unrelated":
            return nulls.get(measure, np.nan)
        return random.get((label, measure), np.nan) if declared is None else float(declared)

    values = map(null, metrics["label"], metrics["measure"])
    return pd.Series(list(values), metrics.index, dtype=np.float64)
