"""Takes values out of a sidecar and refuses what is not of the form its measure writes."""

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["mapping", "names", "number", "numbers"]


def number(value: object) -> float:
    """A number; NaN for None and for what is not finite.

    Raises:
        ValueError: If it is something else.
    """
    if value is None:
        return float("nan")
    if type(value) is int or type(value) is float:
        return float(value) if abs(value) <= sys.float_info.max else float("nan")
    raise ValueError(f"{_short(value)} is no number")


def numbers(value: object, length: int) -> NDArray[np.float64]:
    """A list of ``length`` numbers, each as of :func:`number`.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(value, list) or len(value) != length:
        raise ValueError(f"{_short(value)} is no list of {length} numbers")
    return np.array([number(one) for one in value], np.float64)


def names(value: object) -> list[str]:
    """A list of different names, at least one.

    Raises:
        ValueError: If it is something else.
    """
    if not isinstance(value, list) or not value or any(type(one) is not str for one in value):
        raise ValueError(f"{_short(value)} is no list of names")
    if len(set(value)) < len(value):
        raise ValueError(f"{_short(value)} names something twice")
    return value


def mapping(value: object) -> Mapping[str, Any]:
    """A mapping by name.

    Raises:
        TypeError: If it is something else.
    """
    if not isinstance(value, dict):
        raise TypeError(f"{_short(value)} is no mapping")
    return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."
