"""Verdicts about single maps and how they differ: C4, C5, C6, C8, H2 and H8. Draws nothing."""

import math

import pandas as pd

from auglens.study.analyses.differences import ENTROPY_BOUND_NATS
from auglens.study.condition_means import bound_methods, condition_means, say_span, zero_methods
from auglens.study.evidence import Evidence
from auglens.study.methods import is_coarse
from auglens.study.palette import FLOOR
from auglens.study.verdicts.rows import first_of, listed, rows_of, smallest_of, tell
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
    """C4: foreground AUC of every training set's runs above that of the same untrained networks."""
    if method in {*zero_methods(evidence), *bound_methods(evidence)}:
        return cannot_tell(
            f"Maps of {method} hold nothing on a black background by construction, whatever the "
            "network looks at."
        )
    far = condition_means(evidence, method, "far_background_mass")
    chance = evidence.nulls.get("far_background_mass", math.nan)
    beside = (
        f"The far background, more than 2 px from the foreground, still holds {say_span(far)} of the "
        f"heat; of unrelated heat it holds {chance:.3f}. No bias is not no heat."
        if far
        else ""
    )
    return _more_than_untrained(
        evidence, method, "foreground_auc", "The heat prefers the foreground (ROC-AUC)", beside
    )


def heat_is_connected(evidence: Evidence, method: str) -> Outcome:
    """C5: share of the largest part of the hottest tenth, above that of untrained networks."""
    if is_coarse(method):
        return cannot_tell(
            f"Maps of {method} are made on a coarse grid or by windows and hang together by "
            "construction."
        )
    parts, images = (
        condition_means(evidence, method, name)
        for name in ("num_components", "image_num_components")
    )
    beside = f"The hottest tenth falls into {say_span(parts)} parts" + (
        f"; the images' own brightest tenth into {images[0].mean:.3f}." if images else "."
    )
    return _more_than_untrained(
        evidence,
        method,
        "largest_component_share",
        "The hottest tenth of the pixels lies in one piece (its share)",
        beside,
    )


def maps_differ(evidence: Evidence, method: str) -> Outcome:
    """C6: PERMANOVA between runs, augmentation after seed."""
    own = rows_of(evidence, "permanova", method=method)
    if own.empty or own["r2"].isna().any():
        return cannot_tell("There are too few runs with the same seeds and maps.")
    row = first_of(own)
    if row["n_seeds"] < FEWEST_SEEDS:
        return cannot_tell(too_few_seeds(int(row["n_seeds"])))
    chance = (round(row["n_runs"] / row["n_seeds"]) - 1) / (row["n_runs"] - row["n_seeds"])
    sentence = (
        f"The augmentation explains {row['r2']:.3f} of the variation of {method} maps that the "
        f"seed leaves (R2; {chance:.3f} is expected if it explained nothing), F = {row['f']:.2f}, "
        f"{say_p(row['p'])} by {row['num_permutations']:.0f} permutations within seeds."
    )
    return tell(
        row,
        SHOWN if row["p"] < SIGNIFICANCE else NOT_SHOWN,
        sentence,
        test="PERMANOVA, augmentation after seed",
        n=f"{row['n_runs']:.0f} runs of {row['n_seeds']:.0f} seeds",
        unit="R2",
        p=row["p"],
        estimate="r2",
        beside=(
            (
                f"Of all variation between runs the seed explains {row['r2_blocks']:.3f} and the "
                f"augmentation {row['r2_total']:.3f}."
            ),
            "It also reacts where one set's maps scatter more than another's.",
            _classified(evidence, method),
        ),
    )


def maps_shift(evidence: Evidence, method: str) -> Outcome:
    """H2: Delta above 0 for each augmentation, runs exchanged within seeds; all must hold."""
    rows = rows_of(evidence, "shifts", method=method, measure="cc")
    own = rows if rows.empty else rows[rows["tested"]]
    if own.empty or own["n"].min() < FEWEST_SEEDS:
        return cannot_tell(_few_seeds(own))
    if len(own) < 2:
        return cannot_tell(f"There is one augmentation only: {own['label'].iloc[0]}.")
    p = float(own["p"].max())
    smallest = smallest_of(own, "delta")
    moved = own[own["p_holm"] < SIGNIFICANCE]["label"].tolist()
    still = own[~own["label"].isin(moved)]["label"].tolist()
    said = [f"Holm-corrected, shown for {listed(moved)}."] if moved else []
    said += [f"Holm-corrected, not shown for {listed(still)}."] if still else []
    share = smallest["delta"] / (1 - smallest["floor_b"])
    sentence = (
        f"{' '.join(said)} The smallest Delta is {smallest['delta']:.4f} ({smallest['label']}; "
        f"{say_interval(smallest['low'], smallest['high'], 4)}), {100 * share:.1f} % of the distance 1 - CC "
        f"between two baselines of different seeds; largest one-sided {say_p(p)} (the smallest "
        f"possible is {say_p(2 / smallest['num_exchanges'])})."
    )
    return tell(
        smallest,
        SHOWN if p < SIGNIFICANCE else NOT_SHOWN,
        sentence,
        test="exchange within seeds, one-sided, all must hold",
        n=f"{own['n'].min():.0f} seeds",
        unit="CC",
        p=p,
        estimate="delta",
        beside=(
            _shift_of_copies(rows),
            _corrected_similarity(own),
            (
                f"The bootstrap interval, in name 95 %, held the truth in "
                f"{100 * smallest['coverage']:.0f} % of the draws of "
                "one simulated case; it tells the size and is no test."
            ),
        ),
    )


def entropy_is_alike(evidence: Evidence, method: str) -> Outcome:
    """C8: spatial entropy of every training set against none's, Holm-corrected, and equivalence."""
    own = rows_of(evidence, "differences", method=method, measure="entropy", tested=True)
    if own.empty or own["n"].min() < FEWEST_SEEDS:
        return cannot_tell(_few_seeds(own))
    differing = own[(own["p_holm"] < SIGNIFICANCE) & ~(own["equivalence_p"] < SIGNIFICANCE)]
    alike = float(own["equivalence_p"].max())
    shown = differing if len(differing) else own
    largest = smallest_of(shown.assign(nearness=-shown["mean"].abs()), "nearness")
    told = (
        f"Entropy differs from none's for {listed(differing['label'].tolist())}"
        if len(differing)
        else f"No training set's entropy differs from none's by more than {ENTROPY_BOUND_NATS:g} nats"
        " for certain"
    )
    sentence = (
        f"{told}; the largest difference is {largest['mean']:+.3f} nats ({largest['label']}; "
        f"{say_interval(largest['low'], largest['high'])}), Holm-corrected "
        f"{say_p(largest['p_holm'])}."
    )
    equal = own[own["equivalence_p"] < SIGNIFICANCE]["label"].tolist()
    bound = f"{ENTROPY_BOUND_NATS:g} nats, 5 % of the effective area, by two one-sided tests"
    within = f"Alike within {bound}: {listed(equal) or 'none of them'}"
    return tell(
        largest,
        CONTRADICTED if len(differing) else SHOWN if alike < SIGNIFICANCE else UNTOLD,
        sentence,
        test="paired t, Holm over the augmentations, beside equivalence",
        n=f"{own['n'].min():.0f} seeds",
        unit="nats",
        p=largest["p_holm"],
        beside=(f"{within} (for all at once {say_p(alike)}).",),
    )


def equivariance_is_diagonal(evidence: Evidence, method: str) -> Outcome:
    """H8: equivariance to the own training augmentation minus that to the others'."""
    own = rows_of(evidence, "equivariance_diagonal", method=method)
    if own.empty:
        return cannot_tell(
            "Equivariance was not measured for every run and augmentation, each with the others' "
            "(the measure equivariance)."
        )
    row = first_of(own)
    if row["n"] < FEWEST_SEEDS:
        return cannot_tell(too_few_seeds(int(row["n"])))
    word = NOT_SHOWN
    if row["p"] < SIGNIFICANCE:
        word = SHOWN if row["mean"] > 0 else CONTRADICTED
    sentence = (
        f"Maps follow the augmentation a network was trained with {row['mean']:+.3f} better than "
        f"the others' (mean correlation {row['inside']:.3f} on the diagonal, {row['outside']:.3f} "
        f"beside it), {say_interval(row['low'], row['high'])}, {say_p(row['p'])}."
    )
    return tell(
        row,
        word,
        sentence,
        test="paired t of the diagonal against the rest",
        n=f"{row['n']:.0f} seeds",
        unit="correlation",
        p=row["p"],
    )


def _more_than_untrained(
    evidence: Evidence, method: str, measure: str, claim: str, beside: str
) -> Outcome:
    own = rows_of(evidence, "untrained_contrasts", method=method, measure=measure)
    if own.empty:
        return cannot_tell(
            "What maps of the same networks look like before training was not measured (the measure "
            "untrained), or these images have no foreground.",
            beside=(beside,) if beside else (),
        )
    if own["n"].min() < FEWEST_SEEDS:
        return cannot_tell(_few_seeds(own))
    weakest = smallest_of(own, "mean")
    p = float(own["p_greater"].max())
    below = own[own["high"] < 0]["label"].tolist()
    word = SHOWN if p < SIGNIFICANCE else CONTRADICTED if below else NOT_SHOWN
    how = {
        SHOWN: "more than before training, for every training set",
        CONTRADICTED: f"less than before training for {listed(below)}",
        NOT_SHOWN: "not more than before training for every training set",
    }[word]
    sentence = (
        f"{claim} {how}: the weakest is {weakest['label']}, {weakest['trained']:.3f} against "
        f"{weakest['untrained']:.3f}, {say_interval(weakest['low'], weakest['high'])} of the paired "
        f"difference; largest one-sided {say_p(p)} of {len(own)}."
    )
    return tell(
        weakest,
        word,
        sentence,
        test="paired t against the untrained networks, one-sided, all must hold",
        n=f"{own['n'].min():.0f} seeds",
        unit="difference",
        p=p,
        beside=(_level(evidence, method, measure), beside),
    )


def _level(evidence: Evidence, method: str, measure: str) -> str:
    """The same against a fixed level, which untrained networks may pass too."""
    own = rows_of(evidence, "levels", method=method, measure=measure)
    if own.empty or own["null"].isna().any():
        return ""
    above = own[own["p_greater"] < SIGNIFICANCE]["label"].tolist()
    return (
        f"Unrelated maps have {own['null'].iloc[0]:.3f}; above it lie {listed(above) or 'none'}: the "
        "least one can ask."
    )


def _classified(evidence: Evidence, method: str) -> str:
    own = rows_of(evidence, "classifier", method=method)
    if own.empty:
        return ""
    row = first_of(own)
    return (
        f"A linear classifier of single maps names the training set of "
        f"{row['accuracy'] * row['n']:.0f} of {row['n']:.0f} runs of seeds it never saw (chance "
        f"{row['chance'] * row['n']:.0f}, {say_p(row['p'])}; one split of the seeds)."
    )


def _shift_of_copies(rows: pd.DataFrame) -> str:
    own = rows[rows["augment"] == FLOOR]
    if own.empty:
        return ""
    row = first_of(own)
    return (
        f"Untouched copies alone, the same images in other batches, have a Delta of "
        f"{row['delta']:.4f} ({say_p(row['p'])}): what lies near it is no augmentation's."
    )


def _corrected_similarity(own: pd.DataFrame) -> str:
    defined = own[own["rho_star"].notna()]
    if defined.empty:
        return ""
    pairs = zip(defined["label"], defined["rho_star"], strict=True)
    spread = ", ".join(f"{label} {value:.2f}" for label, value in pairs)
    return (
        "Corrected for seed noise, the similarity to none's maps (rho*, 1: the same up to noise) is "
        f"{spread}."
    )


def _few_seeds(own: pd.DataFrame) -> str:
    if own.empty:
        return "There are too few runs with the same seeds and maps."
    return too_few_seeds(int(own["n"].min()))
