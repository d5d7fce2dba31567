"""Measures with state across batches, for logging.

Apart from the pure functions they use: torchmetrics takes seconds to import, and the study needs
none of it.
"""

import torch
from torch import Tensor
from torchmetrics import Metric

from auglens.metrics.entropy import entropy

__all__ = ["MapEntropy"]


class MapEntropy(Metric):
    """Mean spatial entropy in nats over all maps seen; degenerate maps are left out."""

    higher_is_better = None  # descriptive, not a score
    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")

    def update(self, maps: Tensor) -> None:
        """Add maps ``(N, H, W)``."""
        values = entropy(maps)
        self.total += values.nansum()
        self.count += values.isfinite().sum()

    def compute(self) -> Tensor:
        """The mean so far; NaN if there was no valid map."""
        return self.total / self.count
