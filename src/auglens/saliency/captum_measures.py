"""Captum's own measures of attributions, with randomness and radii made explicit."""

from collections.abc import Callable

import torch
from captum.metrics import infidelity as captum_infidelity
from captum.metrics import sensitivity_max
from torch import Tensor, nn

from auglens.saliency.guard import explaining

__all__ = ["infidelity", "max_sensitivity"]


def infidelity(
    net: nn.Module,
    images: Tensor,
    targets: Tensor,
    attribution: Tensor,
    *,
    stdev: float,
    num_samples: int,
    generator: torch.Generator,
) -> Tensor:
    """How badly an attribution predicts what Gaussian noise does to the target's logit.

    ``E[(b I·S - (f(x) - f(x - I)))^2]`` with the factor ``b`` that fits best, so that neither the
    scale of the attribution nor its overall sign has an influence.

    Args:
        net: Maps images to logits; left as it was.
        images: Shape ``(N, C, H, W)`` in [0, 1].
        targets: Whose logit, ``(N,)``.
        attribution: Signed, shape of ``images``, or one channel that stands for all.
        stdev: Standard deviation of the noise ``I``, in units of the image's [0, 1].
        num_samples: Noise images for each image.
        generator: Source of the noise, on the CPU.

    Returns:
        ``float64 (N,)`` on the CPU, at least 0, in squared logits; lower is better. NaN where the
        attribution is not finite or all zero.

    Reference:
        Yeh et al., "On the (in)fidelity and sensitivity of explanations", NeurIPS 2019,
        arXiv:1901.09392; Captum's ``infidelity`` with ``normalize=True``.
    """

    def perturb(inputs: Tensor) -> tuple[Tensor, Tensor]:
        noise = stdev * torch.randn(inputs.shape, generator=generator).to(inputs)
        return noise, inputs - noise

    with explaining(net):
        values: Tensor = captum_infidelity(
            net,
            perturb,
            images,
            attribution.expand_as(images).to(images),
            target=targets,
            n_perturb_samples=num_samples,
            normalize=True,
        )
    return torch.where(
        _is_undefined(attribution).cpu(),
        torch.nan,
        # A difference of rounded sums can fall below 0 by a rounding error.
        values.cpu().double().clamp_min(0),
    )


def max_sensitivity(
    explain: Callable[[Tensor], Tensor],
    images: Tensor,
    *,
    radius: float,
    num_samples: int,
    generator: torch.Generator,
) -> Tensor:
    """Largest relative change of a map under small changes of its image.

    ``max ||S(x + d) - S(x)|| / ||S(x)||`` over ``num_samples`` draws ``d``, uniform in a cube.

    Args:
        explain: Maps images ``(N, C, H, W)`` to maps ``(N, H, W)``, the same ones every time.
        images: Shape ``(N, C, H, W)`` in [0, 1].
        radius: Half the side of the cube, in units of the image's [0, 1].
        num_samples: Draws for each image.
        generator: Source of the draws, on the CPU.

    Returns:
        ``float64 (N,)`` on the CPU, at least 0; lower is more stable. NaN where the map of the
        image itself is not finite or all zero.

    Reference:
        Yeh et al., "On the (in)fidelity and sensitivity of explanations", NeurIPS 2019,
        arXiv:1901.09392; Captum's ``sensitivity_max``.
    """

    def perturb(inputs: tuple[Tensor, ...]) -> Tensor:
        (unchanged,) = inputs if isinstance(inputs, tuple) else (inputs,)
        step = radius * (2 * torch.rand(unchanged.shape, generator=generator) - 1)
        return unchanged + step.to(unchanged)

    explained: list[Tensor] = []

    def explanation(inputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor]:
        explained.append(explain(inputs[0] if isinstance(inputs, tuple) else inputs))
        return (explained[-1],)

    values: Tensor = sensitivity_max(
        explanation,
        images,
        perturb_func=perturb,
        n_perturb_samples=num_samples,
        # One draw of every image at a time: a method's own noise is then the same in each.
        max_examples_per_batch=len(images),
    )
    # The first maps are those of the images themselves.
    undefined = _is_undefined(explained[0])
    return torch.where(undefined, torch.nan, values.cpu().double())


def _is_undefined(attribution: Tensor) -> Tensor:
    flat = attribution.flatten(1)
    return ~flat.isfinite().all(dim=1) | (flat == 0).all(dim=1)
