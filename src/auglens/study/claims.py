"""What the poster's eight claims look like in these runs: sentences about numbers, no tests."""

from dataclasses import dataclass

import numpy as np

from auglens.study.illustrations import FLOOR, Evidence, correlate
from auglens.study.palette import BASELINE
from auglens.study.statistics import spearman

__all__ = ["Claim", "describe_claims"]

BLIND_TO_BACKGROUND = "blur_perturbation"
UNTOLD = "This cannot be told from these runs: "


@dataclass(frozen=True)
class Claim:
    """One claim of the poster.

    Attributes:
        name: C1 to C8.
        statement: In the poster's words.
        seen: What these runs show.
    """

    name: str
    statement: str
    seen: str


@dataclass(frozen=True)
class _Mean:
    """A measure's mean and standard deviation over the runs of a condition."""

    label: str
    strength: float
    mean: float
    sd: float
    n: int


def describe_claims(evidence: Evidence) -> list[Claim]:
    """All eight claims, for one comparison group."""
    return [
        Claim(
            "C1",
            "Saliency maps indicate the strength of an augmentation; strength and parameters have a high "
            "impact on CC and KL.",
            _strength(evidence),
        ),
        Claim(
            "C2",
            "Cropping is the most accurate; distortion and erasing do well too.",
            _accuracy(evidence),
        ),
        Claim(
            "C3",
            "Augmented sets converge slower, distortion slowest.",
            _convergence(evidence),
        ),
        Claim("C4", "There is no background bias.", _background(evidence)),
        Claim(
            "C5",
            "Heat is local and connected.",
            f"{UNTOLD}no measure of connectedness was taken. Figure 4 shows the maps.",
        ),
        Claim("C6", "Maps differ clearly between models.", _variation(evidence)),
        Claim(
            "C7",
            "CC and KL do not correlate with validation or test accuracy.",
            _correlation(evidence),
        ),
        Claim("C8", "Entropy shows no difference between models.", _entropy(evidence)),
    ]


def _strength(evidence: Evidence) -> str:
    conditions = [one for one in evidence.group.conditions if one.strength is not None]
    augments = [one.augment for one in conditions]
    several = [name for name in dict.fromkeys(augments) if augments.count(name) > 1]
    if not several:
        return f"{UNTOLD}every augmentation was run at one strength."
    parts = []
    for method in evidence.methods:
        for augment in several:
            labels = {one.label: one.strength for one in conditions if one.augment == augment}
            rows = _rows(evidence, method, "cc", list(labels))
            steps = ", ".join(f"{row.mean:.3f} at {row.strength:g}" for row in rows)
            parts += [f"{augment} ({method}): mean CC with the baseline {steps}."] if rows else []
    return " ".join(["In these runs,", *parts]) if parts else f"{UNTOLD}no maps were compared."


def _accuracy(evidence: Evidence) -> str:
    table = evidence.accuracies
    own = table[table["label"].isin([one.label for one in evidence.group.conditions])]
    ranked = own.sort_values("test_accuracy_mean", ascending=False)
    listed = ", ".join(
        f"{label} {mean:.3f}{_spread(sd, n)}"
        for label, mean, sd, n in zip(
            ranked["label"],
            ranked["test_accuracy_mean"],
            ranked["test_accuracy_sd"],
            ranked["n"],
            strict=True,
        )
    )
    return f"In these runs the order by mean test accuracy is {listed}."


def _convergence(evidence: Evidence) -> str:
    if evidence.epochs.empty:
        return f"{UNTOLD}no history was written."
    by_label = evidence.epochs.groupby("label")["epochs"].agg(["mean", "min", "max", "count"])
    ranked = by_label.sort_values("mean", ascending=False, kind="stable")
    listed = ", ".join(
        f"{label} {row['mean']:.1f}"
        + (f" ({row['min']:.0f} to {row['max']:.0f})" if row["count"] > 1 else "")
        for label, row in ranked.iterrows()
    )
    return (
        "In these runs the epochs until a model first has 95 % of its own best validation accuracy, "
        f"slowest first, are on average {listed}."
    )


def _background(evidence: Evidence) -> str:
    text = f"{UNTOLD}no measure of place was taken. Figure 4 shows where the heat lies."
    if BLIND_TO_BACKGROUND in evidence.methods:
        text += (
            f" Maps of {BLIND_TO_BACKGROUND} could not show such a bias: they are 0 wherever the "
            "image is locally constant."
        )
    return text


def _variation(evidence: Evidence) -> str:
    sentences = [_variation_of(evidence, method) for method in evidence.methods]
    return " ".join(filter(None, sentences)) or f"{UNTOLD}no maps were compared with a baseline."


def _variation_of(evidence: Evidence, method: str) -> str:
    others = [one for one in evidence.group.conditions if one.augment not in (BASELINE, FLOOR)]
    rows = _rows(evidence, method, "cc", [one.label for one in others])
    if not rows:
        return ""
    rows.sort(key=lambda row: row.mean)
    floor_labels = [one.label for one in evidence.group.conditions if one.augment == FLOOR]
    floors = _rows(evidence, method, "cc", floor_labels)
    floor = (
        f"untouched copies, which differ in the order of the images only, have {floors[0].mean:.3f}"
        if floors
        else "there is no run that shows what order or seed alone do"
    )
    return (
        f"With {method}, mean CC with the baseline of the same seed goes from {_named(rows[0])}, to "
        f"{_named(rows[-1])}; {floor}."
    )


def _correlation(evidence: Evidence) -> str:
    parts = []
    for method in evidence.methods:
        for measure, (points, correlation) in correlate(evidence, method).items():
            if not np.isnan(correlation.rho):
                name = "CC" if measure == "cc" else "KL"
                val = spearman(points["x"], points["val"])
                parts.append(
                    f"{name} ({method}) and test accuracy have Spearman's rho "
                    f"{correlation.rho:.3f} (validation accuracy: {val.rho:.3f}) over "
                    f"n = {len(points)} conditions, {_needed(correlation.critical)}."
                )
    return " ".join(["In these runs", *parts]) if parts else f"{UNTOLD}too few conditions."


def _needed(critical: float | None) -> str:
    if critical is None:
        return "more than 8, for which no exact critical value is given here"
    if critical > 1:
        return "too few for any value to be significant"
    return f"of which 5 % two-sided could call only |rho| of at least {critical:.3f} significant"


def _entropy(evidence: Evidence) -> str:
    labels = [one.label for one in evidence.group.conditions]
    parts = []
    for method in evidence.methods:
        rows = sorted(_rows(evidence, method, "entropy", labels), key=lambda row: row.mean)
        if rows:
            parts.append(
                f"With {method}, mean spatial entropy goes from {_named(rows[0])}, to "
                f"{_named(rows[-1])} nats."
            )
    if not parts:
        return f"{UNTOLD}there are no maps."
    return " ".join([*parts, "No test of equality was made."])


def _rows(evidence: Evidence, method: str, measure: str, labels: list[str]) -> list[_Mean]:
    measures = evidence.measures
    if measures.empty:
        return []
    own = measures[(measures["method"] == method) & (measures["measure"] == measure)]
    own = own[own["label"].isin(labels) & own["mean"].notna()]
    columns = own[["label", "strength", "mean", "sd", "n_runs"]]
    return [_Mean(*row) for row in columns.itertuples(index=False, name=None)]


def _named(mean: _Mean) -> str:
    return f"{mean.label}: {mean.mean:.3f}{_spread(mean.sd, mean.n)}"


def _spread(sd: float, n: int) -> str:
    return "" if np.isnan(sd) else f" ± {sd:.3f} (n = {n})"
