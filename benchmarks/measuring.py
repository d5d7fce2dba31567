"""Times two ways of doing the same work in turn, and says how sure the ratio is."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

__all__ = ["Comparison", "Growth", "Point", "Quantity", "compared", "fitted_exponent", "timed"]

CONFIDENCE = 0.9
Timed = Callable[[], float]


def timed(work: Callable[[], object]) -> Timed:
    """The same work, which answers how many seconds it took."""

    def run() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return run


@dataclass(frozen=True)
class Comparison:
    """AugLens and a peer at the same work, timed in turn.

    Attributes:
        work: What both did.
        peer: What AugLens is compared with.
        ours_s: Seconds of AugLens, one value a pair.
        peer_s: Seconds of the peer, in the same order.
        bar: The ratio ours / peer that must not be exceeded; None where there is none.
    """

    work: str
    peer: str
    ours_s: Sequence[float]
    peer_s: Sequence[float]
    bar: float | None = None

    @property
    def ratios(self) -> list[float]:
        """Ours / peer of every pair; below 1 AugLens is faster."""
        return [ours / peer for ours, peer in zip(self.ours_s, self.peer_s, strict=True)]

    @property
    def ratio(self) -> float:
        """Median over the pairs."""
        return statistics.median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """90 % t interval of the ratio, on the logarithmic scale, around its geometric mean."""
        logs = np.log(self.ratios)
        if len(logs) < 2:
            raise ValueError("One pair has no spread; measure at least two.")
        half = stats.t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1) * stats.sem(logs)
        return float(np.exp(logs.mean() - half)), float(np.exp(logs.mean() + half))

    def as_json(self) -> dict[str, Any]:
        """The values and what follows from them."""
        low, high = self.interval
        derived = {"ratio": self.ratio, "low": low, "high": high, "pairs": len(self.ratios)}
        return {**_listed(asdict(self)), **derived}


@dataclass(frozen=True)
class Point:
    """One size of a growing task.

    Attributes:
        size: Of the task.
        seconds: It took.
        memory_mb: Peak memory it needed, in MiB.
    """

    size: int
    seconds: float
    memory_mb: float


@dataclass(frozen=True)
class Growth:
    """How time and memory grow with the size of a task.

    Attributes:
        work: What was done.
        unit: What the size counts.
        points: Measured sizes, in order.
    """

    work: str
    unit: str
    points: Sequence[Point]

    def as_json(self) -> dict[str, Any]:
        """The points, the exponents fitted to all of them, and what the last step up costs.

        Totals hold what every size pays (start-up, libraries), which hides growth in small sizes:
        the two largest sizes show it best.
        """
        sizes = [point.size for point in self.points]
        seconds = [point.seconds for point in self.points]
        memory_mb = [point.memory_mb for point in self.points]
        step = sizes[-1] - sizes[-2]
        derived = {
            "time_exponent": fitted_exponent(sizes, seconds),
            "late_time_exponent": fitted_exponent(sizes[-2:], seconds[-2:]),
            "seconds_each": (seconds[-1] - seconds[-2]) / step,
            "memory_exponent": fitted_exponent(sizes, memory_mb),
            "late_memory_exponent": fitted_exponent(sizes[-2:], memory_mb[-2:]),
            "memory_mb_each": (memory_mb[-1] - memory_mb[-2]) / step,
        }
        return {**_listed(asdict(self)), **derived}


@dataclass(frozen=True)
class Quantity:
    """One measured number.

    Attributes:
        what: Is measured.
        values: All measurements.
        unit: Their unit.
        bar: The value that the median must not exceed; None where there is none.
    """

    what: str
    values: Sequence[float]
    unit: str
    bar: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The values and their median."""
        return {**_listed(asdict(self)), "median": statistics.median(self.values)}


def compared(
    work: str, peer: str, ours: Timed, theirs: Timed, *, pairs: int, bar: float | None = None
) -> Comparison:
    """Time both in turn after one uncounted round; who goes first alternates.

    Args:
        work: What both do.
        peer: What AugLens is compared with.
        ours: Does it and answers its seconds.
        theirs: The same of the peer.
        pairs: How often.
        bar: The ratio ours / peer that must not be exceeded.
    """
    ours(), theirs()
    ours_s, peer_s = [], []
    for pair in range(pairs):
        if pair % 2:
            peer_s.append(theirs())
            ours_s.append(ours())
        else:
            ours_s.append(ours())
            peer_s.append(theirs())
    return Comparison(work, peer, ours_s, peer_s, bar)


def fitted_exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The power k of ``cost = c * size ** k``, by least squares on the logarithms."""
    slope, _ = np.polyfit(np.log(sizes), np.log(costs), 1)
    return float(slope)


def _listed(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [_listed(one) if isinstance(one, dict) else one for one in value]
        if isinstance(value, (list, tuple))
        else value
        for name, value in values.items()
        if not (isinstance(value, float) and math.isnan(value))
    }
