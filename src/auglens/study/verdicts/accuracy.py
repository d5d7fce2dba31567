"""Verdicts about accuracy and convergence: C2, C3 and H1. Reads tables; draws nothing."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from auglens.study.analyses.differences import AUGMENTED
from auglens.study.evidence import Evidence
from auglens.study.palette import FLOOR
from auglens.study.statistics.correction import holm
from auglens.study.verdicts.rows import first_of, listed, points, rows_of, smallest_of, tell
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

__all__ = [
    "converges_slower",
    "crop_is_best",
    "crop_is_better",
    "distort_is_slowest",
    "others_do_well",
]


def crop_is_better(evidence: Evidence) -> Outcome:
    """H1: the paired difference of crop and none in test accuracy."""
    found = _against_none(evidence, ["crop"])
    if isinstance(found, Outcome):
        return found
    (row,) = found
    word = NOT_SHOWN
    if row["p_holm"] < SIGNIFICANCE:
        word = SHOWN if row["mean"] > 0 else CONTRADICTED
    sentence = (
        f"{_gain(row)}, Holm-corrected {say_p(row['p_holm'])} (by exact sign flips "
        f"{say_p(row['p_sign_flip_holm'])})."
    )
    if word == NOT_SHOWN:
        sentence += f" A gain above {100 * row['high']:.1f} points lies outside the interval."
    return tell(
        row,
        word,
        sentence,
        test="paired t, Holm over the augmentations",
        n=_seeds(row["n"]),
        unit="points",
        p=row["p_holm"],
        times=100,
        beside=(
            (
                f"These seeds could have shown a difference of {100 * row['smallest']:.1f} points with "
                "80 % power, uncorrected, if the standard deviation is as found."
            ),
            _copies(evidence, ["crop"], "test_accuracy"),
        ),
    )


def crop_is_best(evidence: Evidence) -> Outcome:
    """C2a: crop against every other training set in test accuracy; all must hold."""
    own = _contrasts(evidence, "crop", "test_accuracy")
    if len(own) < 2:
        return cannot_tell("There are too few training sets beside crop.")
    if own["n"].min() < FEWEST_SEEDS:
        return cannot_tell(too_few_seeds(int(own["n"].min())))
    return _ahead_of_all(own, "crop", "more accurate", "points", times=100)


def others_do_well(evidence: Evidence) -> Outcome:
    """C2b: distort and erase against none in test accuracy; both must hold."""
    found = _against_none(evidence, ["distort", "erase"])
    if isinstance(found, Outcome):
        return found
    p = max(row["p"] / 2 if row["mean"] > 0 else 1 - row["p"] / 2 for row in found)
    worse = [row["augment"] for row in found if row["p_holm"] < SIGNIFICANCE and row["mean"] < 0]
    weakest = min(found, key=lambda row: float(row["mean"]))
    return tell(
        weakest,
        SHOWN if p < SIGNIFICANCE else CONTRADICTED if worse else NOT_SHOWN,
        f"{' '.join(f'{_gain(row)}.' for row in found)} Larger one-sided {say_p(p)}. "
        f"{_copies(evidence, ['distort', 'erase'], 'test_accuracy')}".strip(),
        test="paired t against none, one-sided, both must hold",
        n=_seeds(weakest["n"]),
        unit="points",
        p=p,
        times=100,
    )


def converges_slower(evidence: Evidence) -> Outcome:
    """C3a: epochs to 95 % of the own best validation accuracy, augmented sets against none."""
    own = rows_of(evidence, "contrasts", label=AUGMENTED, measure="epochs")
    against_none = own if own.empty else own[own["against"] != FLOOR]
    if against_none.empty:
        return cannot_tell("There are no augmented sets and none with the same seeds.")
    row = first_of(against_none)
    if row["n"] < FEWEST_SEEDS:
        return cannot_tell(too_few_seeds(int(row["n"])))
    sets = rows_of(evidence, "differences", measure="epochs", tested=True)["label"].tolist()
    if len(sets) < 2:
        return cannot_tell(f"There is one augmented set only: {listed(sets)}.")
    word = NOT_SHOWN
    if row["p"] < SIGNIFICANCE:
        word = SHOWN if row["mean"] > 0 else CONTRADICTED
    sentence = (
        f"The augmented sets need {row['mean']:+.1f} epochs against none until they first have "
        f"95 % of their own best validation accuracy (mean of {listed(sets)}; {row['n']:.0f} "
        f"seeds), {say_interval(row['low'], row['high'], 1)}, {say_p(row['p'])}. "
        f"{_copies(evidence, [AUGMENTED], 'epochs')}"
    ).strip()
    return tell(
        row,
        word,
        sentence,
        test="paired t of the mean over the augmentations",
        n=_seeds(row["n"]),
        unit="epochs",
        p=row["p"],
        beside=(
            (
                "Each set is timed to its own best, which is a later mark for a set that ends higher; "
                f"one epoch is the resolution. {_mean_accuracies(evidence)}"
            ),
        ),
    )


def distort_is_slowest(evidence: Evidence) -> Outcome:
    """C3b: distort against every other augmented set in these epochs; all must hold."""
    own = _contrasts(evidence, "distort", "epochs")
    if len(own) < 2:
        return cannot_tell("There are too few training sets beside distort.")
    if own["n"].min() < FEWEST_SEEDS:
        return cannot_tell(too_few_seeds(int(own["n"].min())))
    return _ahead_of_all(own, "distort", "slower", "epochs", times=1)


def _ahead_of_all(own: pd.DataFrame, label: str, how: str, unit: str, *, times: float) -> Outcome:
    """Whether one set is ahead of each other one; contradicted where one is ahead of it."""
    nearest = smallest_of(own, "mean")
    p = float(own["p_greater"].max())
    corrected = holm(own["p"].to_numpy())
    ahead = own[(corrected < SIGNIFICANCE) & (own["mean"] < 0)]["against"].tolist()
    low, high = times * nearest["low"], times * nearest["high"]
    sentence = (
        f"{label} against {nearest['against']}, the set it is least ahead of: "
        f"{times * nearest['mean']:+.1f} {unit}, {say_interval(low, high, 1)}; largest one-sided "
        f"{say_p(p)} of {len(own)}."
    )
    if ahead:
        verb = "is" if len(ahead) == 1 else "are"
        sentence += f" {listed(ahead)} {verb} {how}, Holm-corrected."
    return tell(
        nearest,
        SHOWN if p < SIGNIFICANCE else CONTRADICTED if ahead else NOT_SHOWN,
        sentence,
        test="paired t against each other set, one-sided, all must hold",
        n=_seeds(own["n"].min()),
        unit=unit,
        p=p,
        times=times,
    )


def _against_none(evidence: Evidence, augments: Sequence[str]) -> list[dict[str, Any]] | Outcome:
    """Differences of these to none in test accuracy, or why there are none."""
    rows = rows_of(evidence, "differences", measure="test_accuracy", tested=True)
    found = []
    for augment in augments:
        own = rows if rows.empty else rows[(rows["augment"] == augment) & (rows["n"] > 0)]
        if own.empty:
            return cannot_tell(f"There are no runs of {augment} and of none with the same seeds.")
        if own["n"].iloc[0] < FEWEST_SEEDS:
            return cannot_tell(too_few_seeds(int(own["n"].iloc[0])))
        found.append(first_of(own))
    return found


def _contrasts(evidence: Evidence, label: str, measure: str) -> pd.DataFrame:
    """One set against each other one but untouched copies, which are a control."""
    own = rows_of(evidence, "contrasts", label=label, measure=measure)
    return own if own.empty else own[own["against"] != FLOOR]


def _copies(evidence: Evidence, labels: Sequence[str], measure: str) -> str:
    """The same against untouched copies, which show what the make-up of batches does alone."""
    times, unit = (100, "points") if measure == "test_accuracy" else (1, "epochs")
    said = []
    for label in labels:
        own = rows_of(evidence, "contrasts", label=label, measure=measure, against=FLOOR)
        if len(own) and own["n"].iloc[0] >= FEWEST_SEEDS:
            row = first_of(own)
            interval = say_interval(times * row["low"], times * row["high"], 1)
            said.append(
                f"{label} {times * row['mean']:+.1f} {unit} ({interval}, {say_p(row['p'])})"
            )
    if not said:
        return ""
    return (
        "Against untouched copies (duplicate), which show the same images in other batches, "
        f"uncorrected: {'; '.join(said)}."
    )


def _mean_accuracies(evidence: Evidence) -> str:
    rows = rows_of(evidence, "differences", measure="mean_val_accuracy", tested=True)
    if rows.empty:
        return ""
    said = [
        f"{label} {points(mean)}" for label, mean in zip(rows["label"], rows["mean"], strict=True)
    ]
    return f"Validation accuracy, mean over all epochs, against none: {', '.join(said)}."


def _gain(row: dict[str, Any]) -> str:
    low, high = 100 * row["low"], 100 * row["high"]
    return (
        f"{row['label']} has {points(row['mean'])} of test accuracy against none over "
        f"{row['n']:.0f} seeds, {say_interval(low, high, 1)}"
    )


def _seeds(n: float) -> str:
    return f"{n:.0f} seeds"
