"""Batched image operations with one explicit parameter an image. Draws no random numbers.

N images, C channels, H rows, W columns. Scaling, cropping and blurring are separable and linear:
each is one matrix over the rows and one over the columns of every image.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["crop_and_resize", "elastic", "erase", "gaussian_blur", "reflecting_gaussian", "scale"]


def scale(images: Tensor, factor: Tensor) -> Tensor:
    """Magnify about the centre, bilinearly; what comes from outside the frame is 0.

    Args:
        images: Shape ``(N, C, H, W)``.
        factor: Magnification, positive, shape ``(N,)``; above 1 enlarges.

    Returns:
        Images of the same shape.
    """
    return _separable(images, _scaling(factor, images.shape[2]), _scaling(factor, images.shape[3]))


def crop_and_resize(
    images: Tensor, *, top: Tensor, left: Tensor, height: Tensor, width: Tensor
) -> Tensor:
    """Cut one box out of every image and resize it bilinearly to the full frame.

    Args:
        images: Shape ``(N, C, H, W)``.
        top: First row of the box in pixels, shape ``(N,)``.
        left: First column of the box in pixels, shape ``(N,)``.
        height: Rows of the box, 1 to H, shape ``(N,)``.
        width: Columns of the box, 1 to W, shape ``(N,)``.

    Returns:
        Images of the same shape.
    """
    rows = _cropping(top, height, images.shape[2])
    return _separable(images, rows, _cropping(left, width, images.shape[3]))


def gaussian_blur(images: Tensor, sigma_px: Tensor) -> Tensor:
    """Blur every image with its own Gaussian, reflecting at the borders.

    Args:
        images: Shape ``(N, C, H, W)``.
        sigma_px: Standard deviation in pixels, at least 0, shape ``(N,)``; 0 changes nothing.

    Returns:
        Images of the same shape.
    """
    rows = reflecting_gaussian(sigma_px, images.shape[2])
    return _separable(images, rows, reflecting_gaussian(sigma_px, images.shape[3]))


def erase(images: Tensor, *, top: Tensor, left: Tensor, height: Tensor, width: Tensor) -> Tensor:
    """Set one rectangle of every image to 0; arguments as in :func:`crop_and_resize`.

    A height or width of 0 erases nothing.

    Args:
        images: Shape ``(N, C, H, W)``.
        top: First erased row, shape ``(N,)``.
        left: First erased column, shape ``(N,)``.
        height: Erased rows, shape ``(N,)``.
        width: Erased columns, shape ``(N,)``.

    Returns:
        Images of the same shape.
    """
    rows = _within(top, height, images.shape[2])
    columns = _within(left, width, images.shape[3])
    inside = (rows[:, :, None] & columns[:, None, :])[:, None]
    return images.masked_fill(inside, 0.0)


def elastic(images: Tensor, displacement_px: Tensor) -> Tensor:
    """Read every pixel from a displaced place, bilinearly; outside the frame is 0.

    Args:
        images: Shape ``(N, C, H, W)``.
        displacement_px: Where each pixel is read from, relative to itself, in pixels; shape
            ``(N, H, W, 2)``, columns (x) first.

    Returns:
        Images of the same shape.
    """
    height, width = images.shape[2:]
    y = torch.arange(height, dtype=images.dtype, device=images.device)
    x = torch.arange(width, dtype=images.dtype, device=images.device)
    places = (
        torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)
        + displacement_px
    )
    size = torch.tensor([width, height], dtype=images.dtype, device=images.device)
    grid = (2 * places + 1) / size - 1
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def reflecting_gaussian(sigma_px: Tensor, size: int) -> Tensor:
    """Matrices that blur a line of ``size`` pixels, reflecting at its ends.

    The kernel reaches 3 sigma of the widest Gaussian, never further than one reflection.

    Args:
        sigma_px: Standard deviations in pixels, at least 0, shape ``(N,)``.
        size: Pixels of the line.

    Returns:
        Shape ``(N, size, size)``; every row sums to 1.
    """
    radius = min(int(torch.ceil(3 * sigma_px.max())), size - 1)
    taps = torch.arange(-radius, radius + 1, device=sigma_px.device)
    exponent = -0.5 * (taps / sigma_px.clamp_min(torch.finfo(sigma_px.dtype).tiny)[:, None]) ** 2
    weights = torch.softmax(exponent, dim=1)
    places = (torch.arange(size, device=sigma_px.device)[:, None] + taps).abs()
    reflected = (size - 1) - (places - (size - 1)).abs()
    reads = F.one_hot(reflected, size).to(weights.dtype)
    return torch.einsum("nt,itj->nij", weights, reads)


def _separable(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Apply ``rows (N, H, H)`` to the rows and ``columns (N, W, W)`` to the columns."""
    return rows[:, None] @ images @ columns[:, None].transpose(2, 3)


def _scaling(factor: Tensor, size: int) -> Tensor:
    centre = (size - 1) / 2
    offset = torch.arange(size, dtype=factor.dtype, device=factor.device) - centre
    return _reading(offset / factor[:, None] + centre, size)


def _cropping(start: Tensor, length: Tensor, size: int) -> Tensor:
    start, length = start[:, None], length[:, None]
    place = (torch.arange(size, device=start.device) + 0.5) * (length / size) - 0.5
    return _reading(start + torch.minimum(place.clamp_min(0), length - 1), size)


def _reading(place: Tensor, size: int) -> Tensor:
    """Bilinear weights ``(N, L, size)`` that read a line at ``place (N, L)``; outside is 0."""
    pixels = torch.arange(size, dtype=place.dtype, device=place.device)
    return (1 - (place[:, :, None] - pixels).abs()).clamp_min(0)


def _within(start: Tensor, length: Tensor, size: int) -> Tensor:
    places = torch.arange(size, device=start.device)
    return (places >= start[:, None]) & (places < (start + length)[:, None])
