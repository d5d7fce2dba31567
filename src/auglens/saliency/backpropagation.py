"""Attribution methods that change how gradients flow through the network, on Captum."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from captum import attr
from torch import Tensor, nn

from auglens.saliency.maps import check_method
from auglens.saliency.parameters import check_flag, check_number, check_word

__all__ = ["DeepLift", "GradCam", "GuidedBackprop", "GuidedGradCam"]

INTERPOLATIONS = ("nearest", "nearest-exact", "bilinear", "bicubic", "area")


@dataclass(kw_only=True)
class GuidedBackprop:
    """Gradient with negative parts cut off at every ReLU; sees ``nn.ReLU`` modules only.

    Args:
        reduce: How channels become one map, see :func:`~auglens.saliency.maps.reduce_channels`.
        batch_size: Images explained at a time.

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Springenberg et al., "Striving for simplicity", ICLR workshop 2015, arXiv:1412.6806;
        Captum's ``GuidedBackprop``.
    """

    reduce: str
    batch_size: int

    def __post_init__(self) -> None:
        check_method(self.reduce, self.batch_size)

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`auglens.saliency.attribution.Attribution`."""
        del generator
        with _unannounced_hooks():
            gradient: Tensor = attr.GuidedBackprop(net).attribute(images, target=targets)
        return gradient


@dataclass(kw_only=True)
class DeepLift:
    """Differences from a baseline, propagated back by the rescale rule.

    Adds up to the difference of the logits of image and baseline (completeness). With a black
    baseline it is 0 wherever the image is black. Every activation of the network must be a module
    of its own.

    Args:
        reduce: As for :class:`GuidedBackprop`.
        batch_size: Images explained at a time.
        baseline: Brightness of the baseline image, in [0, 1].

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Shrikumar et al., "Learning important features through propagating activation
        differences", ICML 2017, arXiv:1704.02685; Captum's ``DeepLift``.
    """

    reduce: str
    batch_size: int
    baseline: float

    def __post_init__(self) -> None:
        check_method(self.reduce, self.batch_size)
        check_number("baseline", self.baseline, low=0, high=1)

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`auglens.saliency.attribution.Attribution`."""
        del generator
        with _unannounced_hooks(), _unpooling(), _inputs_of_their_own(net):
            contributions: Tensor = attr.DeepLift(net).attribute(
                images, baselines=self.baseline, target=targets
            )
        return contributions


@dataclass(kw_only=True)
class GradCam:
    """Activations of one layer, weighted by their mean gradient, enlarged to the image.

    Args:
        reduce: As for :class:`GuidedBackprop`; there is one channel.
        batch_size: Images explained at a time.
        layer: Name of the layer; its last words are enough where they are unique.
        relu: Whether negative values become 0, as in the paper.
        interpolation: How the layer's map is enlarged: a mode of ``F.interpolate``.

    Raises:
        ValueError: If ``layer`` is None, or a setting is outside its range.

    Reference:
        Selvaraju et al., "Grad-CAM", ICCV 2017, arXiv:1610.02391; Captum's ``LayerGradCam``.
    """

    reduce: str
    batch_size: int
    layer: str | None
    relu: bool
    interpolation: str

    def __post_init__(self) -> None:
        check_method(self.reduce, self.batch_size)
        check_flag("relu", self.relu)
        check_word("interpolation", self.interpolation, INTERPOLATIONS)
        _check_layer(self.layer)

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`auglens.saliency.attribution.Attribution`."""
        del generator
        coarse = attr.LayerGradCam(net, _find_layer(net, self.layer)).attribute(
            images, target=targets, relu_attributions=self.relu
        )
        fine: Tensor = attr.LayerAttribution.interpolate(
            coarse, images.shape[2:], self.interpolation
        )
        return fine


@dataclass(kw_only=True)
class GuidedGradCam:
    """Guided backpropagation times the enlarged, non-negative Grad-CAM of one layer.

    Args:
        reduce: As for :class:`GuidedBackprop`.
        batch_size: Images explained at a time.
        layer: As for :class:`GradCam`.
        interpolation: As for :class:`GradCam`.

    Raises:
        ValueError: If ``layer`` is None, or a setting is outside its range.

    Reference:
        Selvaraju et al., "Grad-CAM", ICCV 2017, arXiv:1610.02391; Captum's ``GuidedGradCam``.
    """

    reduce: str
    batch_size: int
    layer: str | None
    interpolation: str

    def __post_init__(self) -> None:
        check_method(self.reduce, self.batch_size)
        check_word("interpolation", self.interpolation, INTERPOLATIONS)
        _check_layer(self.layer)

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`auglens.saliency.attribution.Attribution`."""
        del generator
        with _unannounced_hooks():
            product: Tensor = attr.GuidedGradCam(net, _find_layer(net, self.layer)).attribute(
                images, target=targets, interpolate_mode=self.interpolation
            )
        return product


def _check_layer(layer: str | None) -> None:
    if layer is None:
        raise ValueError(
            "layer is null: the model names no layer to take class activation maps from "
            "(model.cam_layer), so gradcam and guided_gradcam cannot explain it."
        )


def _find_layer(net: nn.Module, layer: str | None) -> nn.Module:
    found: list[nn.Module] = [
        module
        for name, module in net.named_modules()
        if name == layer or name.endswith(f".{layer}")
    ]
    if len(found) != 1:
        names = [name for name, _ in net.named_modules() if name]
        raise ValueError(f"layer={layer!r} (model.cam_layer) is not one of the layers {names}.")
    return found[0]


@contextmanager
def _unannounced_hooks() -> Iterator[None]:
    with warnings.catch_warnings():
        # Purely informational: https://github.com/meta-pytorch/captum/issues/661
        warnings.filterwarnings("ignore", message=r"Setting (forward, )?backward hooks")
        yield


@contextmanager
def _inputs_of_their_own(net: nn.Module) -> Iterator[None]:
    """Give every layer a copy of its input.

    Captum hooks the tensors between layers. Where two hooked layers share one, as a pooling and
    the ReLU after it do, the first reads the gradient before the second has replaced it, and
    completeness is lost: https://github.com/meta-pytorch/captum/issues/1104
    """
    layers = [module for module in net.modules() if not any(True for _ in module.children())]
    hooks = [layer.register_forward_pre_hook(_copied) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _copied(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    del layer
    return tuple(one.clone() for one in inputs)


@contextmanager
def _unpooling() -> Iterator[None]:
    """Allow max-unpooling in deterministic mode, which refuses it for repeated indices alone.

    Windows that do not overlap have none: https://github.com/pytorch/pytorch/issues/80827
    """
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
