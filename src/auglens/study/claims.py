"""What the poster's eight claims look like in these runs: sentences about numbers, beside the tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from auglens.study.condition_means import (
    bound_methods,
    condition_means,
    explaining_methods,
    named,
    say_spread,
    zero_methods,
)
from auglens.study.evidence import Evidence, correlate
from auglens.study.palette import BASELINE, FLOOR
from auglens.study.place_claims import say_background, say_connected
from auglens.study.statistics.ranks import spearman

__all__ = ["Claim", "describe_claims"]

UNTOLD = "This cannot be told from these runs: "


@dataclass(frozen=True)
class Claim:
    """One claim of the poster.

    Attributes:
        name: C1 to C8.
        seen: What these runs show; where it is about maps, those of the first method that can
            show it.
        others: The same of each further method.
    """

    name: str
    seen: str
    others: tuple[str, ...] = ()


def describe_claims(evidence: Evidence) -> list[Claim]:
    """All eight claims, for one comparison group. The nulls random and edge are left out."""
    seen = {
        "C1": _strength(evidence),
        "C2": _claim([_accuracy(evidence)]),
        "C3": _claim([_convergence(evidence)]),
        "C4": _background(evidence),
        "C5": _connected(evidence),
        "C6": _variation(evidence),
        "C7": _correlation(evidence),
        "C8": _entropy(evidence),
    }
    return [Claim(name, *said) for name, said in seen.items()]


def _claim(sentences: Sequence[str], note: str = "") -> tuple[str, tuple[str, ...]]:
    first, *others = sentences
    return " ".join(filter(None, (first, note))), tuple(others)


def _by_method(
    evidence: Evidence, describe: Callable[[Evidence, str], str], *, otherwise: str, note: str = ""
) -> tuple[str, tuple[str, ...]]:
    sentences = [describe(evidence, method) for method in explaining_methods(evidence)]
    said = list(filter(None, sentences))
    return _claim(said, note) if said else _claim([f"{UNTOLD}{otherwise}"])


def _strength(evidence: Evidence) -> tuple[str, tuple[str, ...]]:
    augments = [one.augment for one in evidence.group.conditions if one.strength is not None]
    if len(set(augments)) == len(augments):
        return _claim([f"{UNTOLD}every augmentation was run at one strength."])
    return _by_method(evidence, _strength_of, otherwise="no maps were compared.")


def _strength_of(evidence: Evidence, method: str) -> str:
    conditions = [one for one in evidence.group.conditions if one.strength is not None]
    augments = [one.augment for one in conditions]
    parts = []
    for augment in dict.fromkeys(augments):
        labels = [one.label for one in conditions if one.augment == augment]
        means = condition_means(evidence, method, "cc", labels)
        steps = ", ".join(f"{one.mean:.3f} at {one.strength:g}" for one in means)
        if means and len(labels) > 1:
            parts.append(f"{augment} ({method}): mean CC with the baseline {steps}.")
    return " ".join(["In these runs,", *parts]) if parts else ""


def _accuracy(evidence: Evidence) -> str:
    table = evidence.accuracies
    own = table[table["label"].isin([one.label for one in evidence.group.conditions])]
    ranked = own.sort_values("test_accuracy_mean", ascending=False)
    listed = ", ".join(
        f"{label} {mean:.3f}{say_spread(sd, n)}"
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


def _background(evidence: Evidence) -> tuple[str, tuple[str, ...]]:
    sentences, note = say_background(evidence)
    if sentences:
        return _claim(sentences, note)
    if not explaining_methods(evidence):
        return _claim([f"{UNTOLD}there are no maps."])
    unable = {*zero_methods(evidence), *bound_methods(evidence)}
    if unable.issuperset(explaining_methods(evidence)):
        return _claim([f"{UNTOLD}no method here could show a background bias."], note)
    reason = (
        "only in images of one channel does brightness mark a foreground. Figure 4 shows the maps."
    )
    return _claim([f"{UNTOLD}{reason}"], note)


def _connected(evidence: Evidence) -> tuple[str, tuple[str, ...]]:
    sentences, note = say_connected(evidence)
    return _claim(sentences or [f"{UNTOLD}there are no maps."], note)


def _variation(evidence: Evidence) -> tuple[str, tuple[str, ...]]:
    return _by_method(evidence, _variation_of, otherwise="no maps were compared with a baseline.")


def _variation_of(evidence: Evidence, method: str) -> str:
    others = [one for one in evidence.group.conditions if one.augment not in (BASELINE, FLOOR)]
    means = condition_means(evidence, method, "cc", [one.label for one in others])
    if not means:
        return ""
    means.sort(key=lambda one: one.mean)
    floor_labels = [one.label for one in evidence.group.conditions if one.augment == FLOOR]
    floors = condition_means(evidence, method, "cc", floor_labels)
    floor = (
        f"untouched copies, which differ in the order of the images only, have {floors[0].mean:.3f}"
        if floors
        else "there is no run that shows what order or seed alone do"
    )
    return (
        f"With {method}, mean CC with the baseline of the same seed goes from {named(means[0])}, to "
        f"{named(means[-1])}; {floor}."
    )


def _correlation(evidence: Evidence) -> tuple[str, tuple[str, ...]]:
    return _by_method(evidence, _correlation_of, otherwise="too few conditions.")


def _correlation_of(evidence: Evidence, method: str) -> str:
    parts = []
    for measure, (points, correlation) in correlate(evidence, method).items():
        if not np.isnan(correlation.rho):
            val = spearman(points["x"], points["val"])
            parts.append(
                f"{measure.upper()} ({method}) and test accuracy have Spearman's rho "
                f"{correlation.rho:.3f} (validation accuracy: {val.rho:.3f}) over "
                f"n = {len(points)} conditions, {_needed(correlation.critical)}."
            )
    return " ".join(["In these runs", *parts]) if parts else ""


def _needed(critical: float | None) -> str:
    if critical is None:
        return "more than 8, for which no exact critical value is given here"
    if critical > 1:
        return "too few for any value to be significant"
    return f"of which 5 % two-sided could call only |rho| of at least {critical:.3f} significant"


def _entropy(evidence: Evidence) -> tuple[str, tuple[str, ...]]:
    return _by_method(evidence, _entropy_of, otherwise="there are no maps.")


def _entropy_of(evidence: Evidence, method: str) -> str:
    means = sorted(condition_means(evidence, method, "entropy"), key=lambda one: one.mean)
    if not means:
        return ""
    return (
        f"With {method}, mean spatial entropy goes from {named(means[0])}, to "
        f"{named(means[-1])} nats."
    )
