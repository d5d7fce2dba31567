"""Networks whose weights are lost layer by layer, for the parameter randomisation test."""

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import nn

from auglens.saliency.guard import drawing_from

__all__ = ["cascade", "layer_names", "unforgettable"]


def layer_names(net: nn.Module) -> list[str]:
    """Layers with weights that can draw new ones, from the output to the input.

    The order is that of registration reversed, which is the order of use in the usual networks.
    """
    return [
        name
        for name, module in reversed(list(net.named_modules()))
        if hasattr(module, "reset_parameters")
        and any(True for _ in module.parameters(recurse=False))
    ]


def unforgettable(net: nn.Module) -> list[str]:
    """Parameters that belong to no layer of :func:`layer_names`, so that no step re-draws them."""
    layers = tuple(f"{name}." if name else "" for name in layer_names(net))
    own = {
        f"{layer}{name}"
        for layer in layers
        for name, _ in net.get_submodule(layer.rstrip(".")).named_parameters(recurse=False)
    }
    return [name for name, _ in net.named_parameters() if name not in own]


def cascade(net: nn.Module, *, generator: torch.Generator) -> Iterator[tuple[str, nn.Module]]:
    """Re-initialise layer by layer from the output to the input, cumulatively.

    Args:
        net: The trained network; left as it was.
        generator: Source of the new weights, on the CPU.

    Yields:
        The layer just re-initialised and a network in which it and all before it are; the same
        object every time, to be used before the next step.

    Reference:
        Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, arXiv:1810.03292.
    """
    randomized = deepcopy(net)
    for name in layer_names(net):
        layer = randomized.get_submodule(name)
        with drawing_from(generator):
            layer.reset_parameters()  # type: ignore[operator]
        yield name, randomized
