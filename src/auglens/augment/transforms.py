"""The augmentations: each samples one parameter set an image, then applies a pure function.

Strength is dimensionless and means the same for all: 0 is the identity, 1 the documented defaults,
2 the most. Every class states its law of strength.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from auglens.augment import functional

__all__ = ["Blur", "Crop", "Distort", "Erase", "Identity", "PerImage", "Scale", "StrengthTransform"]

Parameters = Mapping[str, Tensor]
MAX_STRENGTH = 2.0
CROP_TRIES = 10


class StrengthTransform(ABC):
    """An augmentation with a strength; calling it samples, then applies.

    Args:
        strength: From 0, which returns the input bit for bit, to 2.

    Attributes:
        moves_pixels: Whether pixels change their place or vanish, and not only their look.

    Raises:
        ValueError: If ``strength`` is outside 0 to 2.
    """

    moves_pixels = True

    def __init__(self, *, strength: float) -> None:
        if not _is_number(strength) or not 0 <= strength <= MAX_STRENGTH:
            raise ValueError(
                f"augment.strength={strength!r} is outside 0 (no change) to {MAX_STRENGTH:g}."
            )
        self.strength = strength

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        """Augment ``images (N, C, H, W)`` in [0, 1]; the argument is left as it was."""
        if self.strength == 0:
            return images.clone()
        parameters = self.sample(len(images), size=images.shape[2:], generator=generator)
        drawn = {name: value.to(images.device) for name, value in parameters.items()}
        return self.apply(images, drawn)

    @abstractmethod
    def sample(self, count: int, *, size: Sequence[int], generator: torch.Generator) -> Parameters:
        """Draw one parameter set for each of ``count`` images of ``size`` (H, W)."""

    @abstractmethod
    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """Apply drawn ``parameters`` to ``images (N, C, H, W)``; deterministic."""


class Scale(StrengthTransform):
    """Random magnification about the centre: factor uniform in 1 ± ``max_change`` x strength.

    Args:
        strength: See :class:`StrengthTransform`.
        max_change: Largest change of the factor at strength 1, below 0.5.
    """

    def __init__(self, *, strength: float, max_change: float) -> None:
        super().__init__(strength=strength)
        self.max_change = _checked("max_change", max_change, low=0, high=0.499)

    def sample(self, count: int, *, size: Sequence[int], generator: torch.Generator) -> Parameters:
        """One ``factor`` an image; see the class."""
        del size
        change = self.max_change * self.strength
        return {"factor": _uniform(count, 1 - change, 1 + change, generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """``images (N, C, H, W)`` through :func:`auglens.augment.functional.scale`."""
        return functional.scale(images, parameters["factor"])


class Crop(StrengthTransform):
    """Random crop, resized back to the frame.

    The area fraction is uniform from ``min_area_fraction`` ** strength to 1; the aspect, relative
    to the frame's own, is log-uniform from (1 / ``max_aspect``) ** strength to ``max_aspect`` **
    strength. As in torchvision, boxes that do not fit are drawn again, ten times; then clipped.

    Args:
        strength: See :class:`StrengthTransform`.
        min_area_fraction: Smallest share of the area kept at strength 1, in (0, 1].
        max_aspect: Largest width over height at strength 1, at least 1.
    """

    def __init__(self, *, strength: float, min_area_fraction: float, max_aspect: float) -> None:
        super().__init__(strength=strength)
        self.min_area_fraction = _checked("min_area_fraction", min_area_fraction, low=1e-3, high=1)
        self.max_aspect = _checked("max_aspect", max_aspect, low=1, high=10)

    def sample(self, count: int, *, size: Sequence[int], generator: torch.Generator) -> Parameters:
        """One box an image: ``top``, ``left``, ``height``, ``width`` in pixels."""
        tries = count * CROP_TRIES
        area = _uniform(tries, self.min_area_fraction**self.strength, 1, generator)
        bound = self.strength * math.log(self.max_aspect)
        aspect = _uniform(tries, -bound, bound, generator).exp()
        sides = torch.stack([(area / aspect).sqrt(), (area * aspect).sqrt()]).view(2, count, -1)
        first_fit = (sides <= 1).all(dim=0).int().argmax(dim=1)
        chosen = sides[:, torch.arange(count), first_fit].clamp(max=1)
        return _place(chosen, size, generator, smallest=1)

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """``images (N, C, H, W)`` through :func:`auglens.augment.functional.crop_and_resize`."""
        return functional.crop_and_resize(images, **parameters)


class Erase(StrengthTransform):
    """One random rectangle set to 0 in every image, sides clipped to the frame.

    The area fraction is uniform from ``min_area_fraction`` (or the upper bound, where that is
    smaller) to ``max_area_fraction`` x strength; the aspect is log-uniform in ``aspect``.

    Args:
        strength: See :class:`StrengthTransform`.
        min_area_fraction: Smallest erased share of the area, in [0, 1].
        max_area_fraction: Largest erased share of the area at strength 1, in [0, 0.5].
        aspect: Smallest and largest height over width.
    """

    def __init__(
        self,
        *,
        strength: float,
        min_area_fraction: float,
        max_area_fraction: float,
        aspect: Sequence[float],
    ) -> None:
        super().__init__(strength=strength)
        self.max_area_fraction = _checked("max_area_fraction", max_area_fraction, low=0, high=0.5)
        self.min_area_fraction = _checked("min_area_fraction", min_area_fraction, low=0, high=1)
        if not isinstance(aspect, Sequence) or isinstance(aspect, str) or len(aspect) != 2:
            raise ValueError(f"augment.transform.aspect={aspect!r} must be two numbers.")
        self.aspect = [_checked("aspect", bound, low=0.01, high=100) for bound in aspect]

    def sample(self, count: int, *, size: Sequence[int], generator: torch.Generator) -> Parameters:
        """One rectangle an image: ``top``, ``left``, ``height``, ``width`` in pixels."""
        largest = self.max_area_fraction * self.strength
        area = _uniform(count, min(self.min_area_fraction, largest), largest, generator)
        lowest, highest = (math.log(bound) for bound in self.aspect)
        aspect = _uniform(count, lowest, highest, generator).exp()
        area_px = area * size[0] * size[1]
        sides_px = torch.stack([(area_px * aspect).sqrt(), (area_px / aspect).sqrt()])
        frame = torch.tensor(size, dtype=sides_px.dtype, device=sides_px.device)
        return _place((sides_px / frame[:, None]).clamp(max=1), size, generator, smallest=0)

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """``images (N, C, H, W)`` through :func:`auglens.augment.functional.erase`."""
        return functional.erase(images, **parameters)


class Distort(StrengthTransform):
    """Elastic distortion: uniform noise in [-1, 1], smoothed, scaled, as a displacement field.

    Follows torchvision's ``ElasticTransform``: amplitude ``amplitude`` x strength is its ``alpha``
    and ``sigma_px`` its ``sigma``, so a pixel moves by amplitude / 2 times the smoothed noise.

    Args:
        strength: See :class:`StrengthTransform`.
        amplitude: torchvision's ``alpha`` at strength 1, at least 0.
        sigma_px: Standard deviation of the smoothing Gaussian in pixels, positive.

    Reference:
        Simard et al., "Best practices for convolutional neural networks", ICDAR 2003.
    """

    def __init__(self, *, strength: float, amplitude: float, sigma_px: float) -> None:
        super().__init__(strength=strength)
        self.amplitude = _checked("amplitude", amplitude, low=0, high=1e4)
        self.sigma_px = _checked("sigma_px", sigma_px, low=0.1, high=1e3)

    def sample(self, count: int, *, size: Sequence[int], generator: torch.Generator) -> Parameters:
        """One ``displacement_px (H, W, 2)`` an image."""
        noise = _uniform(count * 2 * size[0] * size[1], -1, 1, generator).view(count, 2, *size)
        sigma_px = noise.new_tensor([self.sigma_px])
        rows, columns = (functional.reflecting_gaussian(sigma_px, side) for side in size)
        smooth = rows @ noise @ columns.transpose(1, 2)
        return {"displacement_px": smooth.movedim(1, 3) * (self.amplitude * self.strength / 2)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """``images (N, C, H, W)`` through :func:`auglens.augment.functional.elastic`."""
        return functional.elastic(images, parameters["displacement_px"])


class Blur(StrengthTransform):
    """Gaussian blur, sigma uniform from ``min_sigma_px`` to ``max_sigma_px``, both x strength.

    Args:
        strength: See :class:`StrengthTransform`.
        min_sigma_px: Smallest standard deviation at strength 1, in pixels.
        max_sigma_px: Largest standard deviation at strength 1, in pixels.
    """

    moves_pixels = False

    def __init__(self, *, strength: float, min_sigma_px: float, max_sigma_px: float) -> None:
        super().__init__(strength=strength)
        self.max_sigma_px = _checked("max_sigma_px", max_sigma_px, low=0, high=1e3)
        self.min_sigma_px = _checked("min_sigma_px", min_sigma_px, low=0, high=max_sigma_px)

    def sample(self, count: int, *, size: Sequence[int], generator: torch.Generator) -> Parameters:
        """One ``sigma_px`` an image."""
        del size
        low, high = self.min_sigma_px * self.strength, self.max_sigma_px * self.strength
        return {"sigma_px": _uniform(count, low, high, generator)}

    def apply(self, images: Tensor, parameters: Parameters) -> Tensor:
        """``images (N, C, H, W)`` through :func:`auglens.augment.functional.gaussian_blur`."""
        return functional.gaussian_blur(images, parameters["sigma_px"])


class Identity:
    """Leaves images as they are: the transform of ``none`` and ``duplicate``. Has no strength."""

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        """A copy of ``images (N, C, H, W)``."""
        del generator
        return images.clone()


class PerImage:
    """Adapts any transform of one image, such as torchvision v2's. Has no strength.

    torchvision draws one parameter set a call, so the transform is called once an image; its
    draws come from torch's global generator, which is seeded from ours and put back.

    Args:
        transform: Maps one image ``(C, H, W)`` in [0, 1] to an image of the same shape.
    """

    def __init__(self, *, transform: Callable[[Tensor], Tensor]) -> None:
        self.transform = transform

    def __call__(self, images: Tensor, *, generator: torch.Generator) -> Tensor:
        """Augment ``images (N, C, H, W)``.

        Raises:
            ValueError: If the transform changes the shape or the type of an image.
        """
        seed = torch.randint(2**62, (), generator=generator, device=generator.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            augmented = torch.stack([self.transform(image.clone()) for image in images])
        if augmented.shape != images.shape or augmented.dtype != images.dtype:
            raise ValueError(
                f"augment.transform.transform turned images {tuple(images.shape)} {images.dtype} "
                f"into {tuple(augmented.shape)} {augmented.dtype}; shape and type must stay."
            )
        return augmented


def _uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(count, generator=generator, device=generator.device)
    return low + (high - low) * drawn


def _place(
    side_fractions: Tensor, size: Sequence[int], generator: torch.Generator, *, smallest: int
) -> dict[str, Tensor]:
    """Boxes in whole pixels, placed uniformly, from side fractions ``(2, N)`` (height, width)."""
    frame = torch.tensor(size, device=side_fractions.device)[:, None]
    sides_px = (side_fractions * frame).round().long().clamp_min(smallest)
    places = _uniform(side_fractions.numel(), 0, 1, generator).view_as(side_fractions)
    # rand() can round up to 1 once scaled, hence the minimum.
    starts_px = torch.minimum((places * (frame - sides_px + 1)).long(), frame - sides_px)
    return {
        "top": starts_px[0],
        "left": starts_px[1],
        "height": sides_px[0],
        "width": sides_px[1],
    }


def _checked(name: str, value: float, *, low: float, high: float) -> float:
    if not _is_number(value) or not low <= value <= high:
        raise ValueError(f"augment.transform.{name}={value!r} is outside {low:g} to {high:g}.")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
