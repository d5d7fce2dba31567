"""Lets gradients be taken from any hook of a training framework and leaves no trace."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

__all__ = ["drawing_from", "explaining"]


@contextmanager
def explaining(net: nn.Module) -> Iterator[None]:
    """Evaluation mode and gradients on; afterwards everything is as it was.

    Restores the training mode of every submodule, the gradient and ``requires_grad`` of every
    parameter, and the state of torch's and NumPy's global generators (Captum's GradientShap
    draws from the latter). Also leaves inference mode, in which Lightning may run its hooks.

    Args:
        net: The network to explain; it must have been built outside inference mode.

    Raises:
        ValueError: If a parameter was created in inference mode: no gradient can be taken then.
    """
    if any(parameter.is_inference() for parameter in net.parameters()):
        raise ValueError(
            "This network was built in inference mode and can never be explained; build it "
            "outside, or set trainer.inference_mode=false."
        )
    modes = {module: module.training for module in net.modules()}
    gradients = {parameter: parameter.grad for parameter in net.parameters()}
    wanted = {parameter: parameter.requires_grad for parameter in net.parameters()}
    numpy_state = np.random.get_state()  # noqa: NPY002 - the global state is what is put back
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng():
            net.eval()
            for parameter in gradients:
                parameter.grad = None
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        for module, training in modes.items():
            module.training = training
        for parameter, gradient in gradients.items():
            parameter.grad = gradient
            parameter.requires_grad_(wanted[parameter])


@contextmanager
def drawing_from(generator: torch.Generator) -> Iterator[None]:
    """Seed torch's and NumPy's global generators from ours, and put them back afterwards.

    For methods of other libraries that draw from nothing else.

    Args:
        generator: On the CPU; one number is drawn from it.
    """
    seed = int(torch.randint(2**62, (), generator=generator))
    numpy_state = np.random.get_state()  # noqa: NPY002 - the global state is what is put back
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)  # noqa: NPY002
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
