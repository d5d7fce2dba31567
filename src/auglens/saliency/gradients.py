"""Attribution methods made of plain gradients with respect to the image, on Captum."""

from dataclasses import dataclass

import torch
from captum import attr
from torch import Tensor, nn

from auglens.saliency.guard import drawing_from
from auglens.saliency.maps import check_method
from auglens.saliency.parameters import check_count, check_number, check_word

__all__ = ["Gradient", "GradientShap", "InputXGradient", "IntegratedGradients", "SmoothGrad"]

# Images a pass for each explained image, all at once.
MOST_PASSES = 100_000
QUADRATURES = (
    *("riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"),
    "gausslegendre",
)


@dataclass(kw_only=True)
class Gradient:
    """Gradient of the target's logit with respect to the image.

    Args:
        reduce: How channels become one map, see :func:`~auglens.saliency.maps.reduce_channels`.
        batch_size: Images explained at a time.

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Simonyan et al., "Deep inside convolutional networks", ICLR workshop 2014,
        arXiv:1312.6034; Captum's ``Saliency`` without its absolute value.
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
        gradient: Tensor = attr.Saliency(net).attribute(images, target=targets, abs=False)
        return gradient


@dataclass(kw_only=True)
class InputXGradient:
    """The image times the gradient; 0 wherever the image is black.

    Args:
        reduce: As for :class:`Gradient`.
        batch_size: Images explained at a time.

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Shrikumar et al., "Not just a black box", arXiv:1605.01713; Captum's ``InputXGradient``.
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
        product: Tensor = attr.InputXGradient(net).attribute(images, target=targets)
        return product


@dataclass(kw_only=True)
class IntegratedGradients:
    """Gradients averaged along the straight path from a baseline, times the way.

    Adds up to the difference of the logits of image and baseline (completeness). With a black
    baseline it is 0 wherever the image is black.

    Args:
        reduce: As for :class:`Gradient`.
        batch_size: Images explained at a time, each with ``num_steps`` passes at once.
        baseline: Brightness of the baseline image, in [0, 1].
        num_steps: Points of the path.
        quadrature: Captum's name of the rule that places them.

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Sundararajan et al., "Axiomatic attribution for deep networks", ICML 2017,
        arXiv:1703.01365; Captum's ``IntegratedGradients``.
    """

    reduce: str
    batch_size: int
    baseline: float
    num_steps: int
    quadrature: str

    def __post_init__(self) -> None:
        check_method(self.reduce, self.batch_size)
        check_number("baseline", self.baseline, low=0, high=1)
        check_count("num_steps", self.num_steps, most=MOST_PASSES)
        check_word("quadrature", self.quadrature, QUADRATURES)

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`auglens.saliency.attribution.Attribution`."""
        del generator
        integral: Tensor = attr.IntegratedGradients(net).attribute(
            images,
            baselines=self.baseline,
            target=targets,
            n_steps=self.num_steps,
            method=self.quadrature,
        )
        return integral


@dataclass(kw_only=True)
class SmoothGrad:
    """Gradient averaged over noisy copies of the image.

    Args:
        reduce: As for :class:`Gradient`; applied after averaging.
        batch_size: Images explained at a time, each with ``num_samples`` passes at once; draws
            depend on it.
        num_samples: Noisy copies of each image.
        stdev: Standard deviation of the noise, in units of the image's [0, 1].

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Smilkov et al., "SmoothGrad: removing noise by adding noise", arXiv:1706.03825; Captum's
        ``NoiseTunnel`` around ``Saliency``.
    """

    reduce: str
    batch_size: int
    num_samples: int
    stdev: float

    def __post_init__(self) -> None:
        check_method(self.reduce, self.batch_size)
        check_count("num_samples", self.num_samples, most=MOST_PASSES)
        check_number("stdev", self.stdev, low=0, high=10)

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`auglens.saliency.attribution.Attribution`."""
        with drawing_from(generator):
            smooth: Tensor = attr.NoiseTunnel(attr.Saliency(net)).attribute(
                images,
                nt_type="smoothgrad",
                nt_samples=self.num_samples,
                stdevs=self.stdev,
                target=targets,
                abs=False,
            )
        return smooth


@dataclass(kw_only=True)
class GradientShap:
    """Expected gradients at random points between a baseline and noisy copies of the image.

    Approximates SHAP values against the one baseline image. Where image and baseline agree its
    noise leaves a residue, which grows with ``stdev``.

    Args:
        reduce: As for :class:`Gradient`.
        batch_size: Images explained at a time, each with ``num_samples`` passes at once; draws
            depend on it.
        baseline: Brightness of the baseline image, in [0, 1].
        num_samples: Random points for each image.
        stdev: Standard deviation of the noise, in units of the image's [0, 1].

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Lundberg and Lee, "A unified approach to interpreting model predictions", NeurIPS 2017,
        arXiv:1705.07874; Captum's ``GradientShap``.
    """

    reduce: str
    batch_size: int
    baseline: float
    num_samples: int
    stdev: float

    def __post_init__(self) -> None:
        check_method(self.reduce, self.batch_size)
        check_number("baseline", self.baseline, low=0, high=1)
        check_count("num_samples", self.num_samples, most=MOST_PASSES)
        check_number("stdev", self.stdev, low=0, high=10)

    def __call__(
        self, net: nn.Module, images: Tensor, targets: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """See :class:`auglens.saliency.attribution.Attribution`."""
        with drawing_from(generator):
            values: Tensor = attr.GradientShap(net).attribute(
                images,
                baselines=torch.full_like(images[:1], self.baseline),
                n_samples=self.num_samples,
                stdevs=self.stdev,
                target=targets,
            )
        return values
