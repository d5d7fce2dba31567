"""What an attribution method is, and how images are explained with one, batch by batch."""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from auglens.saliency.guard import explaining
from auglens.saliency.maps import reduce_channels

__all__ = ["Attribution", "attribute", "saliency_maps"]


class Attribution(Protocol):
    """Attributes a network's output to the pixels of its input.

    Attributes:
        reduce: How channels become one map, see :func:`~auglens.saliency.maps.reduce_channels`.
        batch_size: Images explained at a time; bounds the memory.
    """

    reduce: str
    batch_size: int

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """Attribution ``(N, C, H, W)`` or ``(N, 1, H, W)``, signed where the method has signs.

        Called under :func:`auglens.saliency.guard.explaining` with at most ``batch_size`` images.

        Args:
            net: Maps images to logits ``(N, K)``.
            images: Shape ``(N, C, H, W)`` in [0, 1]; they require gradients.
            targets: Whose logit is explained, ``(N,)``.
            generator: The only source of random numbers; on the CPU.
        """


def attribute(
    method: Attribution,
    net: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    generator: torch.Generator,
    reduce: Callable[[Tensor], Tensor],
    advance: Callable[[int], object],
) -> Tensor:
    """Explain images in batches; the network and its gradients are left as they were.

    Args:
        method: The attribution method.
        net: Maps images to logits.
        images: Shape ``(N, C, H, W)`` in [0, 1], on the network's device.
        targets: Shape ``(N,)``.
        generator: Source of the method's random numbers.
        reduce: Turns a batch's attribution into what is kept of it.
        advance: Told the number of images of each finished batch.

    Returns:
        What ``reduce`` made, one row an image, ``float32`` on the CPU.

    Raises:
        ValueError: If the method returns something else than one attribution an image.
    """
    kept = []
    with explaining(net):
        for part, part_targets in zip(
            torch.split(images, method.batch_size),
            torch.split(targets, method.batch_size),
            strict=True,
        ):
            wanted = part.detach().clone().requires_grad_()
            attribution = method(net, wanted, part_targets.clone(), generator=generator).detach()
            _check_shape(method, attribution, part)
            kept.append(reduce(attribution).float().cpu())
            advance(len(part))
    return torch.cat(kept)


def saliency_maps(
    method: Attribution,
    net: nn.Module,
    images: Tensor,
    targets: Tensor,
    *,
    generator: torch.Generator,
    advance: Callable[[int], object],
) -> Tensor:
    """Saliency maps ``float32 (N, H, W)`` on the CPU; arguments as for :func:`attribute`."""
    return attribute(
        method,
        net,
        images,
        targets,
        generator=generator,
        reduce=lambda attribution: reduce_channels(attribution, method.reduce),
        advance=advance,
    )


def _check_shape(method: Attribution, attribution: Tensor, images: Tensor) -> None:
    channels = attribution.shape[1:2]
    allowed = {(len(images), *channels, *images.shape[2:])}
    if tuple(attribution.shape) not in allowed or channels[0] not in (1, images.shape[1]):
        raise ValueError(
            f"{type(method).__name__} returned {tuple(attribution.shape)} for images "
            f"{tuple(images.shape)}; an attribution has the shape of the images, or one channel."
        )
