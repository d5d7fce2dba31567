"""Attribution methods that change the image place by place and look at the logits."""

from dataclasses import dataclass

import numpy as np
import torch
from captum import attr
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn

from auglens.saliency.maps import check_method
from auglens.saliency.parameters import check_count, check_number

__all__ = ["BlurPerturbation", "Occlusion", "blur_masks"]


@dataclass(kw_only=True)
class BlurPerturbation:
    """Half the squared distance of the logits when the image is blurred around a pixel.

    ``S(i, j) = 0.5 * ||f(x) - f(x (1 - M_ij) + G(x) M_ij)||^2`` with a bump ``M_ij`` of height 1
    at ``(i, j)`` and a Gaussian blur ``G``; all logits count, so the target has no influence.
    Where the image is constant around a pixel the map is 0: on an empty background this method
    shows no background bias by construction.

    Args:
        mask_sigma_px: Standard deviation of the bump in pixels.
        blur_sigma_px: Standard deviation of the image blur in pixels.
        stride_px: Distance of evaluated places in pixels; between them the map is bilinear.
        reduce: How channels become one map; there is one channel.
        batch_size: Images explained at a time, and perturbed images per forward pass.

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Greydanus et al., "Visualizing and understanding Atari agents", ICML 2018,
        arXiv:1711.00138; sigmas scaled from its 80-pixel frames in the config.
    """

    mask_sigma_px: float
    blur_sigma_px: float
    stride_px: int
    reduce: str
    batch_size: int

    def __post_init__(self) -> None:
        check_method(self.reduce, self.batch_size)
        check_number("mask_sigma_px", self.mask_sigma_px, low=0.1, high=1000)
        check_number("blur_sigma_px", self.blur_sigma_px, low=0.1, high=1000)
        check_count("stride_px", self.stride_px)

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`auglens.saliency.attribution.Attribution`."""
        del targets, generator
        height, width = images.shape[2:]
        masks = blur_masks(height, width, sigma_px=self.mask_sigma_px, stride_px=self.stride_px)
        flat = masks.flatten(0, 1).to(images)[:, None]
        step = max(1, self.batch_size // len(flat))
        with torch.no_grad():
            parts = [self._scores(net, part, flat) for part in torch.split(images, step)]
        coarse = torch.cat(parts).view(len(images), *masks.shape[:2])
        rows, columns = (
            _interpolation(side, self.stride_px).to(coarse) for side in (height, width)
        )
        return (rows @ coarse @ columns.T)[:, None]

    def _scores(self, net: nn.Module, images: Tensor, masks: Tensor) -> Tensor:
        """``S`` of ``images (N, C, H, W)`` at every mask ``(P, 1, H, W)``, shape ``(N, P)``."""
        change = _blurred(images, self.blur_sigma_px) - images
        logits = net(images)
        scores = []
        for part in torch.split(masks, max(1, self.batch_size // len(images))):
            perturbed = images[:, None] + change[:, None] * part
            moved = net(perturbed.flatten(0, 1)).view(len(images), len(part), -1)
            scores.append(0.5 * (moved - logits[:, None]).square().sum(dim=2))
        return torch.cat(scores, dim=1)


@dataclass(kw_only=True)
class Occlusion:
    """How far the target's logit falls when a window of the image is covered.

    Windows overlap; each pixel gets the mean over the windows that cover it. With black windows it
    is 0 wherever the image is black all around.

    Args:
        reduce: How channels become one map, see :func:`~auglens.saliency.maps.reduce_channels`.
        batch_size: Images explained at a time.
        window_px: Side of the window in pixels; all channels are covered together.
        stride_px: Distance between neighbouring windows in pixels, at most ``window_px``.
        baseline: Brightness of the window, in [0, 1].

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
        arXiv:1311.2901; Captum's ``Occlusion``.
    """

    reduce: str
    batch_size: int
    window_px: int
    stride_px: int
    baseline: float

    def __post_init__(self) -> None:
        check_method(self.reduce, self.batch_size)
        check_count("window_px", self.window_px)
        check_count("stride_px", self.stride_px, most=self.window_px)
        check_number("baseline", self.baseline, low=0, high=1)

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`auglens.saliency.attribution.Attribution`."""
        del generator
        channels = images.shape[1]
        with torch.no_grad():
            drops: Tensor = attr.Occlusion(net).attribute(
                images.detach(),
                sliding_window_shapes=(channels, self.window_px, self.window_px),
                strides=(channels, self.stride_px, self.stride_px),
                baselines=self.baseline,
                target=targets,
            )
        return drops


def blur_masks(height: int, width: int, *, sigma_px: float, stride_px: int) -> Tensor:
    """Bumps: a disc of radius 1 blurred with a Gaussian and divided by its maximum.

    Args:
        height: Rows H of the image.
        width: Columns W of the image.
        sigma_px: Standard deviation of the Gaussian in pixels.
        stride_px: Distance between neighbouring centres in pixels.

    Returns:
        Shape ``(rows, columns, H, W)``, values in [0, 1]; each centre is the middle of a
        ``stride_px`` cell, which for an even stride lies between pixels.
    """
    y, x = (torch.arange(side) - _centres(side, stride_px)[:, None] for side in (height, width))
    disc = (y[:, None, :, None] ** 2 + x[None, :, None, :] ** 2 <= 1).float()
    bumps = _blurred(disc, sigma_px)
    return bumps / bumps.amax(dim=(2, 3), keepdim=True)


def _centres(side: int, stride_px: int) -> Tensor:
    """Middles of the cells of a line; a last, partial cell has its own middle."""
    starts = torch.arange(0, side, stride_px)
    ends = (starts + stride_px).clamp(max=side)
    return (starts + ends - 1) / 2


def _interpolation(side: int, stride_px: int) -> Tensor:
    """Matrix ``(side, cells)`` that goes linearly from the centres to every pixel."""
    centres = _centres(side, stride_px).numpy()
    columns = [np.interp(np.arange(side), centres, one) for one in np.eye(len(centres))]
    return torch.from_numpy(np.stack(columns, axis=1))


def _blurred(images: Tensor, sigma_px: float) -> Tensor:
    """Gaussian blur with reflecting borders, as SciPy's ``gaussian_filter``, on any device."""
    rows, columns = (_blur_matrix(side, sigma_px).to(images) for side in images.shape[-2:])
    return rows @ images @ columns.T


def _blur_matrix(size: int, sigma_px: float) -> Tensor:
    return torch.from_numpy(gaussian_filter1d(np.eye(size), sigma_px, axis=0)).float()
