"""What a verdict is, and the four words it can be. Computes nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "CONTRADICTED",
    "FEWEST_SEEDS",
    "NOT_SHOWN",
    "SHOWN",
    "SIGNIFICANCE",
    "UNTOLD",
    "WORDS",
    "Outcome",
    "Primary",
    "Verdict",
    "cannot_tell",
    "say_interval",
    "say_p",
    "too_few_seeds",
]

SHOWN, NOT_SHOWN, CONTRADICTED = "shown", "not shown", "contradicted"
UNTOLD = "cannot be told from these runs"
WORDS = (SHOWN, CONTRADICTED, NOT_SHOWN, UNTOLD)
SIGNIFICANCE = 0.05
# With fewer no exact two-sided test of paired differences can reach 5 %: 2 / 2^5 is .0625.
FEWEST_SEEDS = 6


@dataclass(frozen=True)
class Primary:
    """A claim of the poster or a hypothesis, and the one analysis that decides about it.

    Attributes:
        name: C1 to C8, H1 to H8.
        statement: What is claimed.
        analysis: The primary analysis, in words.
    """

    name: str
    statement: str
    analysis: str


@dataclass(frozen=True)
class Outcome:
    """What a primary analysis gave.

    Attributes:
        word: One of the four words.
        sentence: The result with its numbers.
        test: The test in a few words; nothing where none was made.
        n: What was counted, such as ``10 seeds``.
        estimate: The quantity the word rests on; NaN without.
        low: Lower end of its 95 % interval, or of the one the test names; NaN without.
        high: Upper end, likewise.
        unit: Of the three; nothing where they have none.
        p: After correction, where the test has one; NaN without.
        beside: Further sentences: other parts of the claim, and limits.
    """

    word: str
    sentence: str
    test: str = ""
    n: str = ""
    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    p: float = math.nan
    beside: Sequence[str] = ()


@dataclass(frozen=True)
class Verdict:
    """One row of the report: what was claimed, how it was tested, what came out."""

    primary: Primary
    outcome: Outcome


def cannot_tell(why: str, *, beside: Sequence[str] = ()) -> Outcome:
    """The outcome where these runs lack what the primary analysis needs.

    Args:
        why: What they lack, as a sentence.
        beside: As in :class:`Outcome`.
    """
    return Outcome(UNTOLD, why, beside=beside)


def too_few_seeds(n: int) -> str:
    """Why nothing can be told with fewer than :data:`FEWEST_SEEDS` seeds."""
    return (
        f"There are {n} paired seeds; below {FEWEST_SEEDS} no exact test of paired differences can "
        "reach 5 %."
    )


def say_interval(low: float, high: float, digits: int = 3, percent: int = 95) -> str:
    """Such as ``95 % interval 0.012 to 0.034``.

    >>> say_interval(0.0121, 0.034)
    '95 % interval 0.012 to 0.034'
    """
    if math.isnan(low) or math.isnan(high):
        return "no interval"
    # Adding 0 turns -0.000 into 0.000.
    ends = [f"{round(end, digits) + 0.0:.{digits}f}" for end in (low, high)]
    return f"{percent} % interval {ends[0]} to {ends[1]}"


def say_p(p: float) -> str:
    """Such as ``p = .012``; very small ones are bounded.

    >>> say_p(0.0123), say_p(1e-9), say_p(1.0)
    ('p = .012', 'p < .001', 'p = 1.000')
    """
    if math.isnan(p):
        return "no p"
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("= 0.", "= .")
