"""Each method against an identity, a re-derivation by hand, or a published value."""

from typing import Any

import numpy as np
import pytest
import torch
from captum.testing.helpers.basic_models import BasicModel_ConvNet_One_Conv, ReLULinearModel
from scipy.ndimage import sobel
from torch import Tensor, nn
from torch.nn import functional as F

from auglens.saliency.attribution import Attribution, attribute
from auglens.saliency.backpropagation import DeepLift, GradCam, GuidedBackprop, GuidedGradCam
from auglens.saliency.gradients import (
    Gradient,
    GradientShap,
    InputXGradient,
    IntegratedGradients,
    SmoothGrad,
)
from auglens.saliency.maps import reduce_channels
from auglens.saliency.null_maps import EdgeMap, RandomMap
from auglens.saliency.perturbation import Occlusion
from tests.saliency.shipped_methods import shipped, shipped_network

IMAGES = torch.rand(5, 3, 6, 5, generator=torch.Generator().manual_seed(1)).double()
TARGETS = torch.tensor([0, 2, 1, 1, 0])
ALIKE: dict[str, Any] = {"reduce": "sum", "batch_size": 2}


def linear_network() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    linear = nn.Linear(90, 3).double()
    return nn.Sequential(nn.Flatten(), linear), linear.weight[TARGETS].detach().view(5, 3, 6, 5)


def signed(
    method: Attribution, net: nn.Module, images: Tensor = IMAGES, targets: Tensor = TARGETS
) -> Tensor:
    return attribute(
        method,
        net,
        images,
        targets,
        generator=torch.Generator().manual_seed(0),
        reduce=lambda attribution: attribution,
        advance=lambda _: None,
    )


def _assert_close(first: Tensor, second: Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(first.double(), second.double(), rtol=tolerance, atol=tolerance)


def test_gradients_of_a_linear_network_are_its_weights() -> None:
    net, weights = linear_network()
    _assert_close(signed(Gradient(**ALIKE), net), weights)
    _assert_close(signed(SmoothGrad(**ALIKE, num_samples=3, stdev=0.5), net), weights)


@pytest.mark.parametrize("baseline", [0.0, 0.25])
def test_contributions_in_a_linear_network_are_weights_times_the_way(baseline: float) -> None:
    net, weights = linear_network()
    expected = weights * (IMAGES - baseline)
    path: dict[str, Any] = {"num_steps": 7, "quadrature": "gausslegendre"}
    _assert_close(signed(IntegratedGradients(**ALIKE, baseline=baseline, **path), net), expected)
    _assert_close(signed(DeepLift(**ALIKE, baseline=baseline), net), expected)
    shap = GradientShap(**ALIKE, baseline=baseline, num_samples=3, stdev=0.0)
    _assert_close(signed(shap, net), expected)
    if baseline == 0:
        _assert_close(signed(InputXGradient(**ALIKE), net), expected)


@pytest.mark.parametrize("name", ["integrated_gradients", "deeplift"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 40, 36)], ids=["grey", "three channels"])
def test_completeness(name: str, shape: tuple[int, int, int]) -> None:
    net, _ = shipped_network("cnn2", *shape)
    images, targets = torch.rand(4, *shape), torch.tensor([0, 1, 2, 6])
    total = signed(shipped(name)[name], net, images, targets).flatten(1).sum(dim=1)
    with torch.no_grad():
        change = (net(images) - net(torch.zeros_like(images))).gather(1, targets[:, None])[:, 0]
    # 50 points of a piecewise linear path leave a remainder; DeepLift's rule is exact.
    tolerance = 0.02 if name == "integrated_gradients" else 1e-4
    torch.testing.assert_close(total, change, rtol=tolerance, atol=tolerance)


def test_smoothgrad_is_the_mean_gradient_over_noise() -> None:
    class Cubic(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.pow(3).flatten(1).sum(dim=1, keepdim=True)

    images, targets = IMAGES.float(), torch.zeros(5, dtype=torch.long)
    method = SmoothGrad(**ALIKE, num_samples=4000, stdev=0.2)
    # E[3 (x + n)^2] = 3 x^2 + 3 sigma^2; the tolerance is 4 standard errors of the mean.
    expected = 3 * images.square() + 3 * 0.04
    assert (signed(method, Cubic(), images, targets) - expected).abs().max() < 0.09


def test_guided_backprop_by_hand() -> None:
    torch.manual_seed(1)
    first, second = nn.Linear(90, 20), nn.Linear(20, 3)
    net = nn.Sequential(nn.Flatten(), first, nn.ReLU(), second)
    images = IMAGES.float() - 0.5
    active = (first(images.flatten(1)) > 0).float()
    passed = (second.weight[TARGETS].clamp(min=0) * active).detach()
    expected = (passed @ first.weight.detach()).view(5, 3, 6, 5)
    _assert_close(signed(GuidedBackprop(**ALIKE), net, images), expected)
    assert not torch.allclose(signed(Gradient(**ALIKE), net, images), expected)


def test_grad_cam_is_captums_published_example() -> None:
    # Expected values of captum's own test of LayerGradCam on this model.
    image = torch.arange(16.0).view(1, 1, 4, 4)
    grad_cam = GradCam(**ALIKE, layer="conv1", relu=True, interpolation="nearest")
    found = signed(grad_cam, BasicModel_ConvNet_One_Conv(), image, torch.tensor([0]))
    expected = torch.tensor([[11.25, 13.5], [20.25, 22.5]])
    _assert_close(found[0, 0], expected.repeat_interleave(2, 0).repeat_interleave(2, 1))


def test_grad_cam_and_its_guided_form_by_hand() -> None:
    net, _ = shipped_network("cnn2", 3, 40, 36)
    images, targets = torch.rand(5, 3, 40, 36), torch.tensor([0, 6, 3, 3, 1])
    activations: list[Tensor] = []
    hook = net.get_submodule("net.conv2").register_forward_hook(
        lambda _module, _inputs, output: activations.append(output)
    )
    logits = net(images)
    hook.remove()
    (slopes,) = torch.autograd.grad(logits.gather(1, targets[:, None]).sum(), activations[0])
    weighted = slopes.mean(dim=(2, 3), keepdim=True) * activations[0]
    coarse = weighted.sum(dim=1, keepdim=True).relu().detach()
    expected = F.interpolate(coarse, (40, 36), mode="bilinear")
    grad_cam = GradCam(**ALIKE, layer="conv2", relu=True, interpolation="bilinear")
    _assert_close(signed(grad_cam, net, images, targets), expected)
    guided = GuidedGradCam(**ALIKE, layer="conv2", interpolation="bilinear")
    backprop = signed(GuidedBackprop(**ALIKE), net, images, targets)
    _assert_close(signed(guided, net, images, targets), backprop * expected)


def test_deep_lift_is_captums_published_example() -> None:
    # Expected values of captum's own test of DeepLift on this model.
    class OneInput(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = ReLULinearModel()

        def forward(self, images: Tensor) -> Tensor:
            flat = images.flatten(1)
            logit: Tensor = self.model(flat[:, :3], flat[:, 3:])
            return logit

    image = torch.tensor([[-10.0, 1.0, -5.0, 3.0, 3.0, 1.0]]).view(1, 1, 2, 3)
    found = signed(DeepLift(**ALIKE, baseline=0.0), OneInput(), image, torch.tensor([0]))
    expected = torch.tensor([0.0, 0.0, 0.0, 6.0, 9.0, 0.0])
    _assert_close(found.flatten(), expected)


def test_deep_lift_keeps_completeness_where_a_relu_follows_a_pooling() -> None:
    # Captum alone loses it there: neighbouring layers share the tensor it hooks.
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)
    )
    images = IMAGES.float()
    total = signed(DeepLift(**ALIKE, baseline=0.3), net, images).flatten(1).sum(dim=1)
    with torch.no_grad():
        change = net(images) - net(torch.full_like(images, 0.3))
    _assert_close(total, change.gather(1, TARGETS[:, None])[:, 0])


def test_occlusion_is_the_mean_fall_over_the_windows_that_cover_a_pixel() -> None:
    net, weights = linear_network()
    method = Occlusion(**ALIKE, window_px=3, stride_px=2, baseline=0.1)
    change = (weights * (IMAGES - 0.1)).sum(dim=1).numpy()
    expected, covered = np.zeros((5, 6, 5)), np.zeros((6, 5))
    for top in range(0, 5, 2):
        for left in range(0, 4, 2):
            window = np.s_[top : top + 3, left : left + 3]
            expected[:, window[0], window[1]] += change[:, window[0], window[1]].sum(
                axis=(1, 2), keepdims=True
            )
            covered[window] += 1
    found = signed(method, net)[:, 0]
    _assert_close(found, torch.from_numpy(expected / covered))


def test_an_image_of_one_grey_has_no_edges() -> None:
    grey = torch.full((2, 3, 9, 8), 128 / 255)
    edges = EdgeMap(**ALIKE)(nn.Identity(), grey, torch.zeros(2), generator=torch.Generator())
    assert edges.count_nonzero() == 0


def test_edge_is_scipys_sobel() -> None:
    planes = IMAGES.flatten(0, 1).numpy()
    expected = [
        np.hypot(*(sobel(plane, axis=axis, mode="nearest") for axis in (0, 1))) for plane in planes
    ]
    found = signed(EdgeMap(**ALIKE), nn.Identity()).flatten(0, 1)
    _assert_close(found, torch.from_numpy(np.stack(expected)))


def test_random_is_half_normal_and_unrelated_between_networks_and_images() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    images, targets = torch.rand(40, 1, 28, 28), torch.zeros(40, dtype=torch.long)
    method = RandomMap(reduce="max_abs", batch_size=15)
    maps = [signed(method, net, images, targets).flatten() for net in (first, first, second)]
    assert torch.equal(maps[0], maps[1])
    # Mean sqrt(2 / pi) of 31,360 pixels: 4 standard errors; correlation likewise.
    assert float(maps[0].mean()) == pytest.approx(0.7979, abs=4 * 0.603 / 31360**0.5)
    assert abs(float(torch.corrcoef(torch.stack([maps[0], maps[2]]))[0, 1])) < 4 / 31360**0.5
    nudged = signed(method, first, images + 1e-6, targets).flatten()
    assert abs(float(torch.corrcoef(torch.stack([maps[0], nudged]))[0, 1])) < 4 / 31360**0.5


@pytest.mark.parametrize("layer", ["conv9", "conv"])
def test_a_layer_that_is_not_there_is_named_with_those_that_are(layer: str) -> None:
    net, _ = shipped_network("cnn2", 1, 28, 28)
    method = GradCam(**ALIKE, layer=layer, relu=True, interpolation="bilinear")
    with pytest.raises(ValueError, match=rf"layer='{layer}'.*net\.conv2"):
        signed(method, net, torch.rand(1, 1, 28, 28), torch.tensor([0]))


def test_a_model_without_a_layer_has_no_activation_maps() -> None:
    for make in (
        lambda: GradCam(**ALIKE, layer=None, relu=True, interpolation="bilinear"),
        lambda: GuidedGradCam(**ALIKE, layer=None, interpolation="bilinear"),
    ):
        with pytest.raises(ValueError, match=r"model\.cam_layer"):
            make()


def test_reductions() -> None:
    attribution = torch.tensor([[[[1.0]], [[-3.0]], [[1.0]]]])
    reduced = {
        how: float(reduce_channels(attribution, how)) for how in ("max_abs", "sum_abs", "sum")
    }
    assert reduced == {"max_abs": 3, "sum_abs": 5, "sum": -1}
    with pytest.raises(ValueError, match=r"reduce='mean' is not one of"):
        reduce_channels(attribution, "mean")
