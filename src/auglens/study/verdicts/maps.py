"""Verdicts about single maps and how they differ: C4, C5, C6, C8, H2 and H8. Draws nothing."""

import numpy as np
import pandas as pd

from auglens.study.analyses.differences import ENTROPY_BOUND_NATS
from auglens.study.condition_means import bound_methods, zero_methods
from auglens.study.evidence import Evidence
from auglens.study.verdicts.rows import first_of, listed, rows_of, smallest_of
from auglens.study.verdicts.verdict import (
    CONTRADICTED,
    FEWEST_SEEDS,
    NOT_SHOWN,
    SHOWN,
    SIGNIFICANCE,
    UNTOLD,
    Outcome,
    cannot_tell,
    say_interval,
    say_p,
    too_few_seeds,
)

__all__ = [
    "entropy_is_alike",
    "equivariance_is_diagonal",
    "heat_is_connected",
    "maps_differ",
    "maps_shift",
    "no_background_bias",
]


def no_background_bias(evidence: Evidence, method: str) -> Outcome:
    """C4: foreground AUC of every network above chance; all must hold."""
    if method in {*zero_methods(evidence), *bound_methods(evidence)}:
        return cannot_tell(
            f"Maps of {method} hold nothing on a black background by construction, whatever the "
            "network looks at."
        )
    inner = rows_of(evidence, "levels", method=method, measure="foreground_auc_inner")
    beside = (
        []
        if inner.empty
        else [f"Without the 2-px frame the lowest mean AUC is {inner['mean'].min():.3f}."]
    )
    return _level(
        evidence,
        method,
        "foreground_auc",
        "The heat finds the foreground",
        "AUC",
        [*beside, "It says that heat prefers the foreground, not that the background holds none."],
    )


def heat_is_connected(evidence: Evidence, method: str) -> Outcome:
    """C5: share of the largest part of the hottest tenth, above that of unrelated maps."""
    return _level(
        evidence,
        method,
        "largest_component_share",
        "Of the hottest tenth of the pixels the largest connected part holds more than in unrelated "
        "maps",
        "share",
        ["More than noise is the least one can ask: compare with the image's own brightest tenth."],
    )


def maps_differ(evidence: Evidence, method: str) -> Outcome:
    """C6: PERMANOVA of 1 - mean CC, augmentation after seed."""
    own = rows_of(evidence, "permanova", method=method)
    if own.empty or own.iloc[0]["n_seeds"] < FEWEST_SEEDS:
        return cannot_tell(_few_seeds(own))
    row = first_of(own)
    word = SHOWN if row["p"] < SIGNIFICANCE else NOT_SHOWN
    num_groups = round(row["n_runs"] / row["n_seeds"])
    chance = (num_groups - 1) / (row["n_runs"] - row["n_seeds"])
    sentence = (
        f"The augmentation explains {row['r2']:.3f} of the variation of {method} maps that the "
        f"seed leaves (R2; {chance:.3f} is expected if it explained nothing), F = {row['f']:.2f}, "
        f"{say_p(row['p'])} by {row['num_permutations']:.0f} permutations within seeds."
    )
    return Outcome(
        word,
        sentence,
        test="PERMANOVA, augmentation after seed",
        n=f"{row['n_runs']:.0f} networks of {row['n_seeds']:.0f} seeds",
        estimate=row["r2"],
        unit="R2",
        p=row["p"],
        beside=_classified(evidence, method),
    )


def maps_shift(evidence: Evidence, method: str) -> Outcome:
    """H2: Delta above 0 for each augmentation, exchange within seeds, Holm-corrected."""
    own = rows_of(evidence, "shifts", method=method, measure="cc", tested=True)
    if own.empty or own["n"].min() < FEWEST_SEEDS:
        return cannot_tell(_few_seeds(own))
    moved = own[own["p_holm"] < SIGNIFICANCE]
    smallest = smallest_of(own, "delta")
    word = SHOWN if len(moved) == len(own) else NOT_SHOWN
    still = own[~own["label"].isin(moved["label"])]["label"].tolist()
    said = [f"Shown for {listed(moved['label'].tolist())}."] if len(moved) else []
    said += [f"Not shown for {listed(still)}."] if still else []
    sentence = (
        f"{' '.join(said)} The smallest Delta is {smallest['delta']:.3f} "
        f"({smallest['label']}; {say_interval(smallest['low'], smallest['high'])}), "
        f"Holm-corrected {say_p(own['p_holm'].max())} at most, against a seed floor of CC "
        f"{smallest['floor_b']:.3f}."
    )
    return Outcome(
        word,
        sentence,
        test="exchange within seeds, Holm over the augmentations",
        n=f"{own['n'].min():.0f} seeds",
        estimate=smallest["delta"],
        low=smallest["low"],
        high=smallest["high"],
        unit="CC",
        p=float(own["p_holm"].max()),
        beside=_corrected_similarity(own),
    )


def entropy_is_alike(evidence: Evidence, method: str) -> Outcome:
    """C8: spatial entropy against none's, Holm-corrected; alike within a bound if equivalent."""
    own = rows_of(evidence, "differences", method=method, measure="entropy", tested=True)
    if own.empty or own["n"].min() < FEWEST_SEEDS:
        return cannot_tell(_few_seeds(own))
    differing = own[own["p_holm"] < SIGNIFICANCE]
    largest = smallest_of(own.assign(nearness=-own["mean"].abs()), "nearness")
    alike = float(own["equivalence_p"].max())
    word = CONTRADICTED if len(differing) else SHOWN if alike < SIGNIFICANCE else UNTOLD
    told = (
        f"Entropy differs from none's for {listed(differing['label'].tolist())}"
        if len(differing)
        else "No augmentation's entropy differs detectably from none's"
    )
    sentence = (
        f"{told}; the largest difference is {largest['mean']:+.3f} nats ({largest['label']}; "
        f"{say_interval(largest['low'], largest['high'])}), Holm-corrected "
        f"{say_p(largest['p_holm'])}."
    )
    bound = (
        f"All alike within {ENTROPY_BOUND_NATS:g} nats, 5 % of the effective area, by two one-sided "
        f"tests: {say_p(alike)} at most."
    )
    return Outcome(
        word,
        sentence,
        test="paired t, Holm over the augmentations; two one-sided tests",
        n=f"{own['n'].min():.0f} seeds",
        estimate=largest["mean"],
        low=largest["low"],
        high=largest["high"],
        unit="nats",
        p=float(own["p_holm"].min()),
        beside=(bound,),
    )


def equivariance_is_diagonal(evidence: Evidence, method: str) -> Outcome:
    """H8: equivariance to the own training augmentation minus that to the others'."""
    own = rows_of(evidence, "equivariance_diagonal", method=method)
    if own.empty:
        return cannot_tell(
            "Equivariance was not measured for every network and augmentation, each with the "
            "others' (the measure equivariance)."
        )
    row = first_of(own)
    if row["n"] < FEWEST_SEEDS:
        return cannot_tell(_few_seeds(own))
    word = NOT_SHOWN
    if row["p"] < SIGNIFICANCE:
        word = SHOWN if row["mean"] > 0 else CONTRADICTED
    sentence = (
        f"Maps follow the augmentation a network was trained with {row['mean']:+.3f} better than "
        f"the others' (mean correlation {row['inside']:.3f} on the diagonal, {row['outside']:.3f} "
        f"beside it), {say_interval(row['low'], row['high'])}, {say_p(row['p'])}."
    )
    return Outcome(
        word,
        sentence,
        test="paired t of the diagonal against the rest",
        n=f"{row['n']:.0f} seeds",
        estimate=row["mean"],
        low=row["low"],
        high=row["high"],
        unit="correlation",
        p=row["p"],
    )


def _level(
    evidence: Evidence, method: str, measure: str, claim: str, unit: str, beside: list[str]
) -> Outcome:
    own = rows_of(evidence, "levels", method=method, measure=measure)
    if own.empty or own["null"].isna().any():
        return cannot_tell("These maps have no such measure: it needs a foreground or a null.")
    if own["n"].min() < FEWEST_SEEDS:
        return cannot_tell(_few_seeds(own))
    weakest = smallest_of(own, "mean")
    p = float(own["p_greater"].max())
    below = own[own["high"] < own["null"]]["label"].tolist()
    word = SHOWN if p < SIGNIFICANCE else CONTRADICTED if below else NOT_SHOWN
    how = {
        SHOWN: "in every network",
        CONTRADICTED: f"but less than that by {listed(below)}",
        NOT_SHOWN: "not in every network",
    }[word]
    sentence = (
        f"{claim}, {how}: the weakest is {weakest['label']} with a mean {unit} of "
        f"{weakest['mean']:.3f}, {say_interval(weakest['low'], weakest['high'])}, where chance is "
        f"{weakest['null']:.3f}; largest one-sided {say_p(p)} of {len(own)}."
    )
    return Outcome(
        word,
        sentence,
        test="one-sample t in every network, all must hold",
        n=f"{own['n'].min():.0f} seeds",
        estimate=weakest["mean"],
        low=weakest["low"],
        high=weakest["high"],
        unit=unit,
        p=p,
        beside=beside,
    )


def _classified(evidence: Evidence, method: str) -> tuple[str, ...]:
    own = rows_of(evidence, "classifier", method=method)
    if own.empty:
        return ()
    row = first_of(own)
    said = (
        f"A linear classifier of single maps names the training set of {row['accuracy']:.2f} of "
        f"{row['n']:.0f} networks of seeds it never saw (chance {row['chance']:.2f}, "
        f"{say_p(row['p'])})."
    )
    return (said,)


def _corrected_similarity(own: pd.DataFrame) -> tuple[str, ...]:
    defined = own[own["rho_star"].notna()]
    if defined.empty:
        return ()
    spread = ", ".join(
        f"{label} {value:.2f}"
        for label, value in zip(defined["label"], defined["rho_star"], strict=True)
    )
    likeness = (
        "Corrected for seed noise, the similarity to none's maps (rho*, 1: the same up to noise)"
    )
    said = [f"{likeness} is {spread}."]
    coverage = own["coverage"].min()
    if np.isfinite(coverage):
        said.append(
            f"The bootstrap interval of Delta, in name 95 %, holds the truth in {coverage:.0%} of "
            "simulations with as many seeds."
        )
    return tuple(said)


def _few_seeds(own: pd.DataFrame) -> str:
    if own.empty:
        return "There are too few runs with the same seeds and maps."
    return too_few_seeds(int(own["n_seeds" if "n_seeds" in own else "n"].min()))
