"""Saliency maps of many images: AugLens' methods beside Captum called as its tutorials show.

Both sides have the same weights and the settings of ``conf/saliency``. AugLens gives its
channels-last network the images in small batches. Captum gets a network in torch's default memory
format and many images at once; then, to see what those two choices are worth, AugLens' own network
and batches.

Legend: N images, C channels, H x W pixels, K classes.
"""

import copy
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from captum import attr
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from torch import Tensor, nn
from torchvision.datasets import MNIST

from auglens.components import built
from auglens.models.cnn2 import Cnn2
from auglens.models.normalized import NormalizedNetwork
from auglens.saliency.attribution import Attribution, saliency_maps
from auglens.saliency.backpropagation import DeepLift, GradCam, GuidedBackprop, GuidedGradCam
from auglens.saliency.gradients import (
    Gradient,
    GradientShap,
    InputXGradient,
    IntegratedGradients,
    SmoothGrad,
)
from auglens.saliency.maps import reduce_channels
from auglens.saliency.perturbation import Occlusion
from benchmarks.measuring import Comparison, compared, timed
from benchmarks.place import Place
from benchmarks.process import REPOSITORY

__all__ = [
    "PEERS",
    "Peer",
    "UsualNetwork",
    "measure",
    "networks",
    "our_maps",
    "peer_maps",
    "shipped",
]

NUM_IMAGES = 1000
CAM_LAYER = "conv2"
MEAN, STD = 0.1307, 0.3081


class UsualNetwork(nn.Module):
    """The network of ``net`` as people write it: torch's layers, in torch's memory format."""

    def __init__(self, net: Cnn2) -> None:
        super().__init__()
        layers = {name: copy.deepcopy(layer) for name, layer in net.named_children()}
        linear = layers.pop("linear")
        self.net = nn.Sequential(OrderedDict(**layers, flatten=nn.Flatten(), linear=linear))

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, K)`` of images ``(N, C, H, W)`` in [0, 1]."""
        logits: Tensor = self.net((images - MEAN) / STD)
        return logits


# The last argument is AugLens' method, for its settings.
Call = Callable[[nn.Module, Tensor, Tensor, Any], Tensor]


@dataclass(frozen=True)
class Peer:
    """The usual way to use one of Captum's methods.

    Attributes:
        call: Attribution of images ``(N, C, H, W)`` to targets ``(N,)``.
        title: What a reader knows it by.
        batch_size: Images a call.
        pairs: How often it is timed.
    """

    call: Call
    title: str
    batch_size: int
    pairs: int


def measure(place: Place) -> list[Comparison]:
    """Every method of Captum that AugLens ships, on official test images."""
    # Only a run tells the C library to keep freed memory; no side here does.
    torch.set_num_threads(2)
    images, targets = _test_images(place.mnist)
    methods = shipped(PEERS)
    return [
        comparison
        for name in PEERS
        for comparison in _comparisons(name, methods[name], images, targets)
    ]


def shipped(names: Mapping[str, object]) -> dict[str, Attribution]:
    """Methods by name, with their settings of ``conf/saliency``."""
    overrides = [f"saliency=[{','.join(names)}]", f"model.cam_layer={CAM_LAYER}"]
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        config = compose("train", overrides=overrides)
    nodes: Any = OmegaConf.to_container(config.saliency.methods, resolve=True)
    return {name: built(node, name) for name, node in nodes.items()}


def networks(seed: int) -> tuple[NormalizedNetwork, UsualNetwork]:
    """AugLens' network, untrained, and one of equal weights as people write it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = Cnn2(
            in_channels=1, height=28, width=28, num_classes=10, channels=[16, 32], kernel_size=5
        )
    usual = UsualNetwork(net).to(memory_format=torch.contiguous_format)
    return NormalizedNetwork(net, mean=[MEAN], std=[STD]).eval(), usual.eval()


def our_maps(
    method: Attribution, net: nn.Module, images: Tensor, targets: Tensor, *, seed: int
) -> Tensor:
    """Maps ``(N, H, W)`` as the explain stage makes them."""
    generator = torch.Generator().manual_seed(seed)
    return saliency_maps(method, net, images, targets, generator=generator, advance=lambda _: None)


def peer_maps(
    peer: Peer,
    method: Attribution,
    net: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    batch_size: int,
) -> Tensor:
    """Maps ``(N, H, W)`` from Captum's own attributions, reduced as ``method`` says."""
    parts = zip(torch.split(images, batch_size), torch.split(targets, batch_size), strict=True)
    maps = []
    with warnings.catch_warnings():
        # Purely informational: https://github.com/meta-pytorch/captum/issues/661
        warnings.filterwarnings("ignore", message=r"Setting (forward, )?backward hooks")
        warnings.filterwarnings("ignore", message=r"Input Tensor \d+ did not already require")
        for some, of in parts:
            attribution = peer.call(net, some.clone().requires_grad_(), of, method)
            maps.append(reduce_channels(attribution, method.reduce))
    return torch.cat(maps)


def _comparisons(
    name: str, method: Attribution, images: Tensor, targets: Tensor
) -> Iterator[Comparison]:
    peer = PEERS[name]
    net, usual = networks(seed=0)
    work = f"{name.replace('_', ' ')} maps of {len(images):,} images"
    at_once = "all at once" if peer.batch_size >= len(images) else f"{peer.batch_size} at once"
    of_peers = {
        f"{peer.title}, {at_once}, default memory format": (usual, peer.batch_size, 1 / 1.5),
        f"{peer.title}, AugLens' network and batches": (net, method.batch_size, None),
    }
    for title, (its_net, batch_size, bar) in of_peers.items():
        theirs = partial(peer_maps, peer, method, its_net, images, targets, batch_size=batch_size)
        yield compared(
            work,
            title,
            timed(lambda: our_maps(method, net, images, targets, seed=0)),
            timed(theirs),
            pairs=peer.pairs,
            bar=bar,
        )


def _test_images(folder: Path) -> tuple[Tensor, Tensor]:
    """The first official test images ``(N, 1, H, W)`` in [0, 1] and their labels ``(N,)``."""
    test = MNIST(folder, train=False)
    return test.data[:NUM_IMAGES, None].float() / 255, test.targets[:NUM_IMAGES]


def _saliency(net: nn.Module, images: Tensor, targets: Tensor, method: Gradient) -> Tensor:
    del method
    gradient: Tensor = attr.Saliency(net).attribute(images, target=targets, abs=False)
    return gradient


def _input_x_gradient(
    net: nn.Module, images: Tensor, targets: Tensor, method: InputXGradient
) -> Tensor:
    del method
    product: Tensor = attr.InputXGradient(net).attribute(images, target=targets)
    return product


def _integrated(
    net: nn.Module, images: Tensor, targets: Tensor, method: IntegratedGradients
) -> Tensor:
    integral: Tensor = attr.IntegratedGradients(net).attribute(
        images,
        baselines=method.baseline,
        target=targets,
        n_steps=method.num_steps,
        method=method.quadrature,
    )
    return integral


def _smooth(net: nn.Module, images: Tensor, targets: Tensor, method: SmoothGrad) -> Tensor:
    smooth: Tensor = attr.NoiseTunnel(attr.Saliency(net)).attribute(
        images,
        nt_type="smoothgrad",
        nt_samples=method.num_samples,
        stdevs=method.stdev,
        target=targets,
        abs=False,
    )
    return smooth


def _gradient_shap(net: nn.Module, images: Tensor, targets: Tensor, method: GradientShap) -> Tensor:
    values: Tensor = attr.GradientShap(net).attribute(
        images,
        baselines=torch.full_like(images[:1], method.baseline),
        n_samples=method.num_samples,
        stdevs=method.stdev,
        target=targets,
    )
    return values


def _deeplift(net: nn.Module, images: Tensor, targets: Tensor, method: DeepLift) -> Tensor:
    # Without copies Captum's values are wrong where two layers share a tensor:
    # https://github.com/meta-pytorch/captum/issues/1104
    layers = [layer for layer in net.modules() if not any(True for _ in layer.children())]
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs: tuple(one.clone() for one in inputs))
        for layer in layers
    ]
    contributions: Tensor = attr.DeepLift(net).attribute(
        images, baselines=method.baseline, target=targets
    )
    for hook in hooks:
        hook.remove()
    return contributions


def _guided(net: nn.Module, images: Tensor, targets: Tensor, method: GuidedBackprop) -> Tensor:
    del method
    gradient: Tensor = attr.GuidedBackprop(net).attribute(images, target=targets)
    return gradient


def _gradcam(net: nn.Module, images: Tensor, targets: Tensor, method: GradCam) -> Tensor:
    coarse = attr.LayerGradCam(net, net.get_submodule("net.conv2")).attribute(
        images, target=targets, relu_attributions=method.relu
    )
    fine: Tensor = attr.LayerAttribution.interpolate(coarse, images.shape[2:], method.interpolation)
    return fine


def _guided_gradcam(
    net: nn.Module, images: Tensor, targets: Tensor, method: GuidedGradCam
) -> Tensor:
    product: Tensor = attr.GuidedGradCam(net, net.get_submodule("net.conv2")).attribute(
        images, target=targets, interpolate_mode=method.interpolation
    )
    return product


def _occlusion(net: nn.Module, images: Tensor, targets: Tensor, method: Occlusion) -> Tensor:
    channels = images.shape[1]
    drops: Tensor = attr.Occlusion(net).attribute(
        images,
        sliding_window_shapes=(channels, method.window_px, method.window_px),
        strides=(channels, method.stride_px, method.stride_px),
        baselines=method.baseline,
        target=targets,
    )
    return drops


# With 50 copies of each image, 1,000 images at once need more than 8 GiB, and 100 a tenth of it.
PEERS = {
    "gradient": Peer(_saliency, "Captum's Saliency", 1000, 5),
    "input_x_gradient": Peer(_input_x_gradient, "Captum's InputXGradient", 1000, 5),
    "guided_backprop": Peer(_guided, "Captum's GuidedBackprop", 1000, 5),
    "gradcam": Peer(_gradcam, "Captum's LayerGradCam, enlarged", 1000, 5),
    "guided_gradcam": Peer(_guided_gradcam, "Captum's GuidedGradCam", 1000, 5),
    "deeplift": Peer(_deeplift, "Captum's DeepLift with layers' inputs copied", 1000, 5),
    "gradient_shap": Peer(_gradient_shap, "Captum's GradientShap", 1000, 3),
    "smoothgrad": Peer(_smooth, "Captum's NoiseTunnel of Saliency", 100, 3),
    "integrated_gradients": Peer(_integrated, "Captum's IntegratedGradients", 100, 3),
    "occlusion": Peer(_occlusion, "Captum's Occlusion", 1000, 3),
}
