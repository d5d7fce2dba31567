"""Attribution methods on Captum, one class a method, all with the same call."""

from typing import Protocol

import torch
from captum.attr import Saliency
from torch import Tensor, nn

from auglens.saliency.maps import reduce_channels

__all__ = ["Attribution", "Gradient"]


class Attribution(Protocol):
    """Explains images: one saliency map each."""

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """Maps ``(N, H, W)`` of ``images (N, C, H, W)`` in [0, 1] for ``targets (N,)``.

        Called under :func:`auglens.saliency.guard.explaining`; ``generator`` is the only source
        of random numbers.
        """


class Gradient:
    """Gradient of the target's logit with respect to the image.

    Args:
        reduce: How channels become one map, see :func:`~auglens.saliency.maps.reduce_channels`.
        batch_size: Images explained at a time; bounds the memory, changes no map.

    Reference:
        Simonyan et al., "Deep inside convolutional networks", ICLR workshop 2014,
        arXiv:1312.6034; Captum's ``Saliency`` without its absolute value.
    """

    def __init__(self, *, reduce: str, batch_size: int) -> None:
        self.reduce = reduce
        self.batch_size = batch_size

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`Attribution`."""
        del generator
        saliency = Saliency(net)
        parts = [
            saliency.attribute(part.clone().requires_grad_(), target=part_targets, abs=False)
            for part, part_targets in zip(
                torch.split(images, self.batch_size),
                torch.split(targets, self.batch_size),
                strict=True,
            )
        ]
        return reduce_channels(torch.cat(parts), self.reduce)
