import pytest
import torch

from auglens.metrics.entropy import entropy
from auglens.metrics.running import MapEntropy


def test_running_mean_leaves_degenerate_maps_out() -> None:
    maps = torch.rand(5, 4, 4, generator=torch.Generator().manual_seed(0))
    maps[4] = 0
    metric = MapEntropy()
    metric.update(maps[:2])
    metric.update(maps[2:])
    valid = entropy(maps[:4])
    assert float(metric.compute()) == pytest.approx(float(valid.mean()))
