"""What long steps of a study are handed through, so that somebody may show how far they are."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

__all__ = ["Track", "untracked"]

T = TypeVar("T")


class Track(Protocol):
    """Hands items on, one after the other, and may show how many of them are done."""

    def __call__(self, items: Sequence[T], label: str) -> Iterable[T]:
        """The same items; ``label`` says what is done with them."""
        ...


def untracked(items: Sequence[T], label: str) -> Iterable[T]:  # noqa: ARG001 - a Track
    """The same items; nothing is shown."""
    return items
