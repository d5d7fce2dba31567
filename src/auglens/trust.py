"""Decides which classes a recorded config may build: a sweep folder may come from a stranger."""

import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

from auglens.components import built

__all__ = ["UntrustedError", "build_recorded", "check_recorded", "targets"]

# Packages whose own classes have no effect but to compute.
CLASSES_OF = (
    "auglens.models",
    "auglens.augment",
    "torchvision.models",
    "torchvision.transforms.v2",
)
LOADERS_OF = "auglens.datasets"


class UntrustedError(ValueError):
    """A recorded config names something that it may not build."""


def build_recorded(node: Mapping[str, Any], *, trust: Sequence[str]) -> Any:  # noqa: ANN401
    """Build what a node of a recorded config names.

    Args:
        node: With a ``_target_``, perhaps nested.
        trust: Modules whose own content is allowed beside the classes of AugLens and torchvision,
            or whole names of classes and functions.

    Raises:
        UntrustedError: As :func:`check_recorded`.
    """
    check_recorded(node, trust=trust)
    return built(node, str(node.get("_target_")))


def check_recorded(node: object, *, trust: Sequence[str]) -> None:
    """Refuse a node that names, anywhere in it, more than is allowed.

    Allowed are classes defined in ``auglens.models``, ``auglens.augment``, ``torchvision.models``
    and ``torchvision.transforms.v2``, the loaders of ``auglens.datasets``, and the classes and
    functions defined in a module of ``trust``, or named there themselves. Where something is
    defined counts, not how it is reached.

    Args:
        node: A part of a recorded config.
        trust: As for :func:`build_recorded`.

    Raises:
        UntrustedError: Naming the target and the setting that would allow it.
    """
    for text in _strings(node):
        if "${" in text:
            raise UntrustedError(f"A recorded config is resolved, but {text!r} asks for more.")
    for target in targets(node):
        if not _is_harmless(target) and not _is_trusted(target, trust):
            module = target.rpartition(".")[0] or target
            raise UntrustedError(
                f"The record names {target!r}, which is no class of {', '.join(CLASSES_OF)}. If "
                f"you know it, allow it with trust={module}."
            )


def _is_harmless(target: str) -> bool:
    packages = (*CLASSES_OF, LOADERS_OF)
    package = next((one for one in packages if target.startswith(f"{one}.")), None)
    found = None if package is None else _defined_in(package, target)
    if package == LOADERS_OF:
        return inspect.isfunction(found) and found.__name__.startswith("load_")
    return inspect.isclass(found)


def _is_trusted(target: str, trust: Sequence[str]) -> bool:
    if target in trust:
        return True
    modules = [module for module in trust if target.startswith(f"{module}.")]
    found = [_defined_in(module, target) for module in modules]
    return any(inspect.isclass(one) or inspect.isfunction(one) for one in found)


def _defined_in(package: str, target: str) -> object:
    """What a dotted name leads to, if the package itself defines it; else None."""
    found = _find(package, target.removeprefix(f"{package}.").split("."))
    home = str(getattr(found, "__module__", ""))
    return found if home == package or home.startswith(f"{package}.") else None


def _find(package: str, words: Sequence[str]) -> object:
    """What lies at a dotted name; modules are imported from inside the package only."""
    try:
        found: object = importlib.import_module(package)
    except ImportError:
        return None
    for word in words:
        inside = isinstance(found, ModuleType) and found.__name__.startswith(package)
        if inside and not hasattr(found, word):
            try:
                importlib.import_module(f"{found.__name__}.{word}")  # type: ignore[attr-defined]
            except ImportError:
                return None
        found = getattr(found, word, None)
    return found


def targets(node: object) -> Iterator[str]:
    """Every ``_target_`` anywhere in a node."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield str(node["_target_"])
        for value in node.values():
            yield from targets(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from targets(value)


def _strings(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _strings(key)
            yield from _strings(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _strings(value)
    elif isinstance(node, str):
        yield node
