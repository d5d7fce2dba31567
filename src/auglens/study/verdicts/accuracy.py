"""Verdicts about accuracy and convergence: C2, C3 and H1. Reads tables; draws nothing."""

from typing import Any

import pandas as pd

from auglens.study.analyses.differences import AUGMENTED
from auglens.study.evidence import Evidence
from auglens.study.verdicts.rows import first_of, listed, points, rows_of, smallest_of
from auglens.study.verdicts.verdict import (
    CONTRADICTED,
    FEWEST_SEEDS,
    NOT_SHOWN,
    SHOWN,
    SIGNIFICANCE,
    Outcome,
    cannot_tell,
    say_interval,
    say_p,
    too_few_seeds,
)

__all__ = ["converges_slower", "crop_is_best", "crop_is_better"]


def crop_is_better(evidence: Evidence) -> Outcome:
    """H1: the paired difference of crop and none in test accuracy."""
    row = _one(_accuracy_differences(evidence), "crop")
    if row is None:
        return cannot_tell("There are no runs of crop and of none with the same seeds.")
    if row["n"] < FEWEST_SEEDS:
        return cannot_tell(too_few_seeds(int(row["n"])))
    word = NOT_SHOWN
    if row["p_holm"] < SIGNIFICANCE:
        word = SHOWN if row["mean"] > 0 else CONTRADICTED
    low, high = 100 * row["low"], 100 * row["high"]
    sentence = (
        f"crop has {points(row['mean'])} of test accuracy against none over {row['n']:.0f} seeds, "
        f"{say_interval(low, high, 1)}, Holm-corrected {say_p(row['p_holm'])}."
    )
    if word == NOT_SHOWN:
        sentence += f" A gain above {high:.1f} points is outside the interval."
    flips = f"By exact sign flips, Holm-corrected, {say_p(row['p_sign_flip_holm'])}."
    smallest = (
        f"These seeds could have shown a difference of {100 * row['smallest']:.1f} points with "
        "80 % power (uncorrected)."
    )
    return Outcome(
        word,
        sentence,
        test="paired t, Holm over the augmentations",
        n=_seeds(row["n"]),
        estimate=100 * row["mean"],
        low=low,
        high=high,
        unit="points",
        p=row["p_holm"],
        beside=(flips, smallest),
    )


def crop_is_best(evidence: Evidence) -> Outcome:
    """C2: crop against every other training set; all differences must hold."""
    own = rows_of(evidence, "contrasts", label="crop", measure="test_accuracy")
    beside = _who_does_well(evidence)
    if own.empty or len(own) < 2:
        return cannot_tell("There are too few training sets beside crop.", beside=beside)
    if own["n"].min() < FEWEST_SEEDS:
        return cannot_tell(too_few_seeds(int(own["n"].min())), beside=beside)
    nearest = smallest_of(own, "mean")
    p = float(own["p_greater"].max())
    better = _accuracy_better_than_crop(own)
    word = SHOWN if p < SIGNIFICANCE else CONTRADICTED if better else NOT_SHOWN
    low, high = 100 * nearest["low"], 100 * nearest["high"]
    sentence = (
        f"crop against the training set nearest to it, {nearest['against']}: "
        f"{points(nearest['mean'])}, {say_interval(low, high, 1)}; the largest of the "
        f"{len(own)} one-sided p is {say_p(p).removeprefix('p ').removeprefix('= ')}."
    )
    if better:
        sentence += f" {listed(better)} is more accurate, Holm-corrected."
    return Outcome(
        word,
        sentence,
        test="paired t against each other set, all must hold",
        n=_seeds(own["n"].min()),
        estimate=100 * nearest["mean"],
        low=low,
        high=high,
        unit="points",
        p=p,
        beside=beside,
    )


def converges_slower(evidence: Evidence) -> Outcome:
    """C3: epochs to 95 % of the best validation accuracy, augmented sets against none."""
    beside = _who_is_slowest(evidence)
    own = rows_of(evidence, "contrasts", label=AUGMENTED, measure="epochs")
    if own.empty:
        return cannot_tell("There are no augmented sets and none with the same seeds.")
    row = first_of(own)
    if row["n"] < FEWEST_SEEDS:
        return cannot_tell(too_few_seeds(int(row["n"])), beside=beside)
    word = NOT_SHOWN
    if row["p"] < SIGNIFICANCE:
        word = SHOWN if row["mean"] > 0 else CONTRADICTED
    sentence = (
        f"The augmented sets need {row['mean']:+.1f} epochs against none until they first have "
        f"95 % of their own best validation accuracy (mean of the augmentations, "
        f"{row['n']:.0f} seeds), {say_interval(row['low'], row['high'], 1)}, {say_p(row['p'])}."
    )
    return Outcome(
        word,
        sentence,
        test="paired t of the mean over the augmentations",
        n=_seeds(row["n"]),
        estimate=row["mean"],
        low=row["low"],
        high=row["high"],
        unit="epochs",
        p=row["p"],
        beside=beside,
    )


def _accuracy_differences(evidence: Evidence) -> pd.DataFrame:
    found = rows_of(evidence, "differences", measure="test_accuracy", tested=True)
    return found if found.empty else found[found["n"] > 0]


def _one(rows: pd.DataFrame, augment: str) -> dict[str, Any] | None:
    if rows.empty:
        return None
    own = rows[rows["augment"] == augment]
    return None if own.empty else first_of(own)


def _who_does_well(evidence: Evidence) -> tuple[str, ...]:
    """The claim's second half, distortion and erasing: their differences to none."""
    rows = _accuracy_differences(evidence)
    said = []
    for augment in ("distort", "erase"):
        row = _one(rows, augment)
        if row is not None and row["n"] >= FEWEST_SEEDS:
            low, high = 100 * row["low"], 100 * row["high"]
            said.append(
                f"{augment} {points(row['mean'])} against none, {say_interval(low, high, 1)}, "
                f"Holm-corrected {say_p(row['p_holm'])}"
            )
    return (f"The claim's second half: {'; '.join(said)}.",) if said else ()


def _who_is_slowest(evidence: Evidence) -> tuple[str, ...]:
    own = rows_of(evidence, "contrasts", label="distort", measure="epochs")
    if own.empty or own["n"].min() < FEWEST_SEEDS:
        return ()
    nearest = smallest_of(own, "mean")
    p = float(own["p_greater"].max())
    holds = "is" if p < SIGNIFICANCE else "is not shown to be"
    said = (
        f"The claim's second half: distort {holds} the slowest; against {nearest['against']}, the "
        f"nearest or slower one, {nearest['mean']:+.1f} epochs, "
        f"{say_interval(nearest['low'], nearest['high'], 1)}, largest one-sided {say_p(p)}."
    )
    return (said,)


def _accuracy_better_than_crop(own: pd.DataFrame) -> list[str]:
    corrected = own["p"] * len(own)
    return [str(name) for name in own[(corrected < SIGNIFICANCE) & (own["mean"] < 0)]["against"]]


def _seeds(n: float) -> str:
    return f"{n:.0f} seeds"
