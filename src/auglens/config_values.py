"""Kinds of values that settings have: what is allowed, in words, and whether a value is so."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = [
    "COUNT",
    "FLAG",
    "TEXT",
    "WORD",
    "Rule",
    "is_number",
    "list_of",
    "number",
    "one_of",
    "positive",
    "whole",
]


@dataclass(frozen=True)
class Rule:
    """One setting's rule.

    Attributes:
        allowed: What it may be, in words.
        holds: Whether a value keeps it.
    """

    allowed: str
    holds: Callable[[Any], bool]

    def or_null(self) -> "Rule":
        """The same, or no value."""
        return Rule(f"{self.allowed}, or null", lambda value: value is None or self.holds(value))


def whole(least: int, most: int) -> Rule:
    """An integer in [least, most]."""

    def holds(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

    return Rule(f"a whole number from {least} to {most}", holds)


def number(least: float, most: float) -> Rule:
    """A number in [least, most]."""
    return Rule(
        f"a number from {least:g} to {most:g}",
        lambda value: is_number(value) and least <= value <= most,
    )


def positive(most: float) -> Rule:
    """A number in (0, most]."""
    return Rule(
        f"a number above 0, up to {most:g}", lambda value: is_number(value) and 0 < value <= most
    )


def one_of(*words: object) -> Rule:
    """One of these values, of the same type."""

    def holds(value: object) -> bool:
        # True == 1, which is another value.
        return any(type(value) is type(word) and value == word for word in words)

    listed = ", ".join(str(word).lower() if isinstance(word, bool) else str(word) for word in words)
    return Rule(f"one of {listed}", holds)


def list_of(rule: Rule, words: str, *, least: int = 0, most: int = 10_000) -> Rule:
    """A list of ``least`` to ``most`` values that keep a rule; ``words`` say so."""

    def holds(value: object) -> bool:
        listed = isinstance(value, list) and least <= len(value) <= most
        return listed and all(map(rule.holds, value))  # type: ignore[call-overload]

    return Rule(words, holds)


def is_number(value: object) -> bool:
    """Whether it is a number, which true and false are not here."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


FLAG = Rule("true or false", lambda value: isinstance(value, bool))
TEXT = Rule("text", lambda value: isinstance(value, str))
WORD = Rule("text of at least one character", lambda value: isinstance(value, str) and value != "")
COUNT = whole(1, 1_000_000)
