"""What holds for every shipped method, on every shipped model, for grey and for coloured images."""

import copy

import pytest
import torch
from torch import Tensor, nn

from auglens.saliency.attribution import attribute
from tests.saliency.shipped_methods import (
    MODELS,
    NAMES,
    OWN_NOISE,
    STOCHASTIC,
    explain,
    shipped,
    shipped_network,
)

SHAPES = {"grey 28 x 28": (1, 28, 28), "three channels 40 x 36": (3, 40, 36)}
MOST_ROWS = 200
ZERO_ON_BLACK = ("input_x_gradient", "integrated_gradients", "deeplift", "occlusion", "edge")


@pytest.fixture(scope="module", params=list(SHAPES.values()), ids=list(SHAPES))
def images(request: pytest.FixtureRequest) -> Tensor:
    return torch.rand(5, *request.param, generator=torch.Generator().manual_seed(0))


def num_hooks(net: nn.Module) -> int:
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks)
        for m in net.modules()
    )


TARGETS = torch.tensor([0, 6, 3, 3, 1])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", NAMES)
def test_one_finite_map_an_image_and_the_network_as_it_was(
    name: str, model: str, images: Tensor
) -> None:
    net, cam_layer = shipped_network(model, *images.shape[1:])
    method = shipped(name, cam_layer=cam_layer)[name]
    net.train()
    net(images).sum().backward()
    before = copy.deepcopy(net.state_dict())
    gradients = [parameter.grad for parameter in net.parameters()]
    hooks = num_hooks(net)
    original = images.clone()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    maps = explain(method, net, images, TARGETS)
    assert maps.shape == (5, *images.shape[2:])
    assert maps.dtype == torch.float32
    assert not maps.requires_grad
    assert maps.isfinite().all()
    assert (maps >= 0).all()
    assert (maps.flatten(1).amax(dim=1) > 0).any()
    assert torch.equal(torch.rand(3), expected)
    assert all(module.training for module in net.modules())
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert all(p.grad is g for p, g in zip(net.parameters(), gradients, strict=True))
    assert num_hooks(net) == hooks
    assert torch.equal(images, original)


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_is_one_result_and_draws_follow_it(name: str, images: Tensor) -> None:
    net, _ = shipped_network("cnn2", *images.shape[1:])
    method = shipped(name)[name]
    first, again, other = (explain(method, net, images, TARGETS, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert torch.equal(first, other) == (name not in STOCHASTIC)


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(OWN_NOISE)))
def test_maps_do_not_depend_on_the_batch(name: str, images: Tensor) -> None:
    net, _ = shipped_network("cnn2", *images.shape[1:])
    method = shipped(name)[name]
    whole = explain(method, net, images, TARGETS)
    method.batch_size = 2
    torch.testing.assert_close(explain(method, net, images, TARGETS), whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"edge"}))
def test_another_network_has_other_maps(name: str, images: Tensor) -> None:
    net, _ = shipped_network("cnn2", *images.shape[1:])
    other = copy.deepcopy(net)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.copy_(parameter.flip(0))
    method = shipped(name)[name]
    maps = [explain(method, one, images, TARGETS) for one in (net, other)]
    assert not torch.allclose(maps[0], maps[1])


@pytest.mark.parametrize("name", ZERO_ON_BLACK)
def test_methods_that_cannot_see_a_black_background(name: str) -> None:
    net, _ = shipped_network("cnn2", 1, 28, 28)
    image = torch.zeros(1, 1, 28, 28)
    image[:, :, 12:16, 12:16] = 1.0
    maps = explain(shipped(name)[name], net, image, torch.tensor([2]))
    far = torch.ones(28, 28, dtype=torch.bool)
    far[5:23, 5:23] = False
    assert maps[0][far].abs().max() == 0
    assert maps.max() > 0


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_bounded_by_the_rows_of_a_pass(name: str) -> None:
    net, _ = shipped_network("cnn2", 1, 28, 28)
    rows = []
    net.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    method = shipped(name)[name]
    count = min(method.batch_size + 5, 205 if name != "blur_perturbation" else 5)
    explain(method, net, torch.rand(count, 1, 28, 28), torch.zeros(count, dtype=torch.long))
    assert max(rows, default=0) <= MOST_ROWS


class Half:
    """A method of somebody who forgot what it must return."""

    reduce = "max_abs"
    batch_size = 2

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        del net, targets, generator
        return images[:, 0]


def test_a_method_that_returns_no_attribution_is_named() -> None:
    net, _ = shipped_network("cnn2", 1, 28, 28)
    images, targets = torch.rand(3, 1, 28, 28), torch.zeros(3, dtype=torch.long)
    with pytest.raises(ValueError, match=r"Half returned \(2, 28, 28\)"):
        explain(Half(), net, images, targets)


def test_progress_counts_every_image_once() -> None:
    net, _ = shipped_network("cnn2", 1, 28, 28)
    images, targets = torch.rand(9, 1, 28, 28), torch.zeros(9, dtype=torch.long)
    counted: list[int] = []
    attribute(
        shipped("integrated_gradients")["integrated_gradients"],
        net,
        images,
        targets,
        generator=torch.Generator(),
        reduce=lambda attribution: attribution,
        advance=counted.append,
    )
    assert counted == [4, 4, 1]
