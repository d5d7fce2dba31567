import pytest
import torch
from torch import nn

from auglens.saliency.attribution import Gradient
from auglens.saliency.guard import explaining
from auglens.saliency.maps import reduce_channels


def test_gradient_of_a_linear_network_is_its_weights() -> None:
    linear = nn.Linear(12, 3).double()
    net = nn.Sequential(nn.Flatten(), linear)
    images = torch.rand(5, 3, 2, 2, dtype=torch.float64)
    targets = torch.tensor([0, 2, 1, 1, 0])
    weights = linear.weight[targets].detach().view(5, 3, 2, 2)
    for reduce, expected in (
        ("max_abs", weights.abs().amax(1)),
        ("sum_abs", weights.abs().sum(1)),
        ("sum", weights.sum(1)),
    ):
        method = Gradient(reduce=reduce, batch_size=2)
        with explaining(net):
            maps = method(net, images, targets, generator=torch.Generator())
        torch.testing.assert_close(maps, expected)
        assert not maps.requires_grad


def test_an_unknown_reduction_is_refused() -> None:
    with pytest.raises(ValueError, match=r"reduce='mean' is not one of"):
        reduce_channels(torch.rand(1, 1, 2, 2), "mean")
