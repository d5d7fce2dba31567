"""What parameter randomisation says of a method, in one word and one sentence. Draws nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from auglens.study.methods import NULL_METHODS

__all__ = ["FAILS", "PASSES", "UNTOLD", "Verdict", "judge_methods", "word"]

PASSES, FAILS, UNTOLD = "passes", "fails", "cannot be told"
NULL_NOTES = {
    "random": "It is a null, drawn anew for every network: low similarity says nothing of it.",
    "edge": "It is a null: its maps are edges of the image, whatever the network.",
}


@dataclass(frozen=True)
class Verdict:
    """The outcome for one method.

    Attributes:
        method: The method.
        absolute: The word where signs are dropped: ``passes``, ``fails`` or ``cannot be told``.
        signed: The word where signs count; nothing where that was not measured.
        sentence: The outcome without signs, with its numbers.
    """

    method: str
    absolute: str
    signed: str
    sentence: str


def judge_methods(table: pd.DataFrame, methods: Sequence[str]) -> list[Verdict]:
    """Judge every method that was measured, by its maps after the last re-initialised layer.

    A method passes if those maps are less like the trained network's maps than the trained
    network's maps of two different images of one class are: the upper end of the 95 % interval of
    the paired difference is below 0, in every run. It fails if the lower end is above 0 in every
    run.

    Args:
        table: The rows ``parameter_randomization`` of one group.
        methods: In the order of the report.
    """
    if table.empty:
        return []
    last = table[table["step"] == table.groupby(["run", "method"])["step"].transform("max")]
    verdicts = []
    for method in methods:
        own = last[last["method"] == method]
        absolute, signed = (own[own["mode"] == mode] for mode in ("absolute", "signed"))
        if not absolute.empty:
            said = _sentence(method, absolute)
            verdicts.append(Verdict(method, word(absolute), word(signed), said))
    return verdicts


def word(rows: pd.DataFrame) -> str:
    """The outcome of a method in one mode; nothing where it was not measured.

    Args:
        rows: One a run, with ``difference_low`` and ``difference_high``.
    """
    if rows.empty:
        return ""
    if (rows["difference_high"] < 0).all():
        return PASSES
    return FAILS if (rows["difference_low"] > 0).all() else UNTOLD


def _sentence(method: str, rows: pd.DataFrame) -> str:
    note = NULL_NOTES[method] if method in NULL_METHODS else ""
    said = [_outcome(method, rows), _numbers(rows), note]
    return " ".join(filter(None, said))


def _outcome(method: str, rows: pd.DataFrame) -> str:
    if rows["similarity"].isna().all():
        return f"{method} {UNTOLD}: fully randomised, its maps or their null are undefined."
    return {
        PASSES: f"{method} passes: without what the network learned its maps become others.",
        FAILS: f"{method} fails: its maps stay although nothing the network learned is left.",
        UNTOLD: f"{method} cannot be told: the similarity is not on one side of the null.",
    }[word(rows)]


def _numbers(rows: pd.DataFrame) -> str:
    if rows["similarity"].isna().all():
        return ""
    return (
        f"Fully randomised, its maps correlate {rows['similarity'].mean():.3f} with the trained "
        f"network's; the null is {rows['null'].mean():.3f}; {_interval(rows)}."
    )


def _interval(rows: pd.DataFrame) -> str:
    # Adding 0 turns -0.000 into 0.000.
    difference = f"paired difference {round(rows['difference'].mean(), 3) + 0.0:.3f}"
    if len(rows) == 1:
        low, high = rows["difference_low"].iloc[0], rows["difference_high"].iloc[0]
        if math.isnan(low):
            return f"{difference}, from one image, without an interval"
        return f"{difference}, 95 % interval {low:.3f} to {high:.3f}"
    below = int((rows["difference_high"] < 0).sum())
    above = int((rows["difference_low"] > 0).sum())
    return (
        f"{difference}, its 95 % interval below 0 in {below} and above 0 in {above} of "
        f"{len(rows)} runs"
    )
