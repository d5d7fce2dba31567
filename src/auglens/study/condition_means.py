"""Means of a group's conditions, put into words. Computes and draws nothing."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from auglens.study.evidence import Evidence
from auglens.study.methods import NULL_METHODS, is_bound_to_ink, is_zero_on_black

__all__ = [
    "ConditionMean",
    "bound_methods",
    "condition_means",
    "explaining_methods",
    "named",
    "say_span",
    "say_spread",
    "zero_methods",
]


@dataclass(frozen=True)
class ConditionMean:
    """A measure's mean and standard deviation over the runs of a condition."""

    label: str
    strength: float
    mean: float
    sd: float
    n: int


def explaining_methods(evidence: Evidence) -> list[str]:
    """Methods with maps, in the order of the report, without the nulls."""
    return [method for method in evidence.methods if method not in NULL_METHODS]


def zero_methods(evidence: Evidence) -> list[str]:
    """Explaining methods whose maps are 0, or next to it, on black by construction."""
    return _methods_that(is_zero_on_black, evidence)


def bound_methods(evidence: Evidence) -> list[str]:
    """Explaining methods whose maps are 0 far from the ink by construction."""
    return _methods_that(is_bound_to_ink, evidence)


def _methods_that(are: Callable[[str, Mapping[str, Any]], bool], evidence: Evidence) -> list[str]:
    return [
        method
        for method in explaining_methods(evidence)
        if any(are(method, way) for way in evidence.settings.get(method, ()))
    ]


def condition_means(
    evidence: Evidence, method: str, measure: str, labels: Iterable[str] | None = None
) -> list[ConditionMean]:
    """Defined means in the order of the conditions, of some of them or of all."""
    measures = evidence.measures
    if measures.empty:
        return []
    own = measures[(measures["method"] == method) & (measures["measure"] == measure)]
    own = own[own["mean"].notna()]
    if labels is not None:
        own = own[own["label"].isin(list(labels))]
    columns = own[["label", "strength", "mean", "sd", "n_runs"]]
    return [ConditionMean(*row) for row in columns.itertuples(index=False, name=None)]


def named(one: ConditionMean) -> str:
    """Such as ``crop: 0.512 ± 0.020 (n = 3)``."""
    return f"{one.label}: {one.mean:.3f}{say_spread(one.sd, one.n)}"


def say_spread(sd: float, n: int) -> str:
    """What stands after a mean: its standard deviation and n; nothing where n is 1."""
    return "" if np.isnan(sd) else f" ± {sd:.3f} (n = {n})"


def say_span(means: Sequence[ConditionMean]) -> str:
    """Smallest and largest mean, such as ``0.512 (crop) to 0.634 (none)``."""
    if not means:
        return "undefined"
    ends = sorted(means, key=lambda one: one.mean)
    low, high = (f"{one.mean:.3f} ({one.label})" for one in (ends[0], ends[-1]))
    return low if len(ends) == 1 else f"{low} to {high}"
