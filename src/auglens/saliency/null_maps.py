"""Maps that explain nothing: what every measure of an explanation is read against."""

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from auglens.saliency.maps import check_method

__all__ = ["EdgeMap", "RandomMap"]


@dataclass(kw_only=True)
class RandomMap:
    """Independent half-normal pixels, drawn anew for every network and every image.

    The draw is decided by the generator's seed, the network's weights and the image together: the
    same network and image always give the same map, others an unrelated one.

    Args:
        reduce: How channels become one map; there is one channel.
        batch_size: Images at a time.

    Raises:
        ValueError: If a setting is outside its range.
    """

    reduce: str
    batch_size: int

    def __post_init__(self) -> None:
        check_method(self.reduce, self.batch_size)

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`auglens.saliency.attribution.Attribution`."""
        del targets
        seed = generator.initial_seed() ^ _fingerprint(*net.parameters())
        size = (1, *images.shape[2:])
        noise = [
            torch.randn(size, generator=torch.Generator().manual_seed(seed ^ _fingerprint(image)))
            for image in images
        ]
        return torch.stack(noise).abs().to(images.device)


@dataclass(kw_only=True)
class EdgeMap:
    """Sobel gradient magnitude of the image: looks like an explanation, ignores the network.

    Args:
        reduce: How channels become one map.
        batch_size: Images at a time.

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        The edge detector of Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018,
        arXiv:1810.03292.
    """

    reduce: str
    batch_size: int

    def __post_init__(self) -> None:
        check_method(self.reduce, self.batch_size)

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`auglens.saliency.attribution.Attribution`."""
        del net, targets, generator
        smooth, slope = images.new_tensor([1.0, 2.0, 1.0]), images.new_tensor([-1.0, 0.0, 1.0])
        kernels = torch.stack([torch.outer(smooth, slope), torch.outer(slope, smooth)])[:, None]
        channels = images.shape[1]
        # Repeating the outermost pixels keeps the frame from looking like an edge.
        # Without its first value an image of one grey has no edges at all, not even by rounding.
        levelled = images.detach() - images.detach()[..., :1, :1]
        padded = F.pad(levelled, (1, 1, 1, 1), mode="replicate")
        slopes = F.conv2d(padded, kernels.repeat(channels, 1, 1, 1), groups=channels)
        squares = slopes.square()
        return (squares[:, 0::2] + squares[:, 1::2]).sqrt()


def _fingerprint(*tensors: Tensor) -> int:
    """62 bits that differ between tensors of different content."""
    whole = hashlib.sha256()
    for tensor in tensors:
        whole.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return int.from_bytes(whole.digest()[:8], "big") >> 2
