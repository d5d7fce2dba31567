"""Checks settings of methods and measures: one line with name, value and what is allowed."""

import math
from collections.abc import Collection

__all__ = ["check_count", "check_flag", "check_number", "check_word"]

MOST = 1_000_000


def check_count(name: str, value: object, *, most: int = MOST) -> None:
    """Refuse what is no whole number of at least 1.

    Args:
        name: Of the parameter.
        value: What was given.
        most: The largest that is allowed; a typing error must not fill the memory.

    Raises:
        ValueError: Naming all three.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not 1 <= value <= most:  # type: ignore[operator]
        raise ValueError(f"{name}={value!r} must be a whole number from 1 to {most}.")


def check_number(name: str, value: object, *, low: float, high: float) -> None:
    """Refuse what is no finite number from ``low`` to ``high``.

    Args:
        name: Of the parameter.
        value: What was given.
        low: The smallest that is allowed.
        high: The largest that is allowed.

    Raises:
        ValueError: Naming all of them.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or math.isnan(value) or not low <= value <= high:  # type: ignore[arg-type, operator]
        raise ValueError(f"{name}={value!r} must be a number from {low:g} to {high:g}.")


def check_word(name: str, value: object, words: Collection[str]) -> None:
    """Refuse what is none of ``words``.

    Raises:
        ValueError: Naming them.
    """
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"{name}={value!r} must be one of {', '.join(words)}.")


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither true nor false.

    Raises:
        ValueError: Naming the value.
    """
    if value is not True and value is not False:
        raise ValueError(f"{name}={value!r} must be true or false.")
