"""Verdicts that need strengths: C1, C7, H3 to H6. Reads tables; draws nothing."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from auglens.study.analyses.strengths import CORRELATION_BOUND, OVERALL
from auglens.study.evidence import Evidence
from auglens.study.verdicts.rows import first_of, rows_of
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
    "consensus_helps",
    "maps_tell_strength",
    "saliency_adds",
    "shift_grows",
    "similarity_is_equivalent",
    "similarity_is_unrelated",
]

NO_STRENGTHS = (
    "It needs several augmentations, each at three or more strengths (experiment=strength)."
)
CONFOUND = "Strength drives both sides; what is left when it is taken out is what is tested."


def maps_tell_strength(evidence: Evidence, method: str) -> Outcome:
    """C1: strength against 1 - CC with the baseline of the same seed."""
    own = rows_of(evidence, "strength_trends", method=method)
    overall = rows_of(evidence, "strength_trends", method=method, augment=OVERALL)
    if overall.empty:
        return cannot_tell(NO_STRENGTHS)
    row = first_of(overall)
    if row["n"] < FEWEST_SEEDS:
        return cannot_tell(too_few_seeds(int(row["n"])))
    word = NOT_SHOWN
    if row["p"] < SIGNIFICANCE:
        word = SHOWN if row["rho"] > 0 else CONTRADICTED
    sentence = (
        f"Within an augmentation, strength and distance (1 - CC) from the baseline's {method} maps "
        f"have a mean Spearman correlation of {row['rho']:.3f} over {row['n']:.0f} seeds, "
        f"{say_interval(row['low'], row['high'])}, {say_p(row['p'])}."
    )
    return Outcome(
        word,
        sentence,
        test="exact sign flips of the seeds' mean correlations",
        n=_size(row),
        estimate=row["rho"],
        low=row["low"],
        high=row["high"],
        unit="Spearman rho",
        p=row["p"],
        beside=(_by_augment(own[own["augment"] != OVERALL]),),
    )


def shift_grows(evidence: Evidence, method: str) -> Outcome:
    """H3: strength against Delta, strengths permuted within seeds, one-sided."""
    own = rows_of(evidence, "shift_trends", method=method)
    overall = rows_of(evidence, "shift_trends", method=method, augment=OVERALL)
    if overall.empty or overall["p"].isna().any():
        return cannot_tell(NO_STRENGTHS)
    row = first_of(overall)
    if row["n"] < FEWEST_SEEDS:
        return cannot_tell(too_few_seeds(int(row["n"])))
    word = SHOWN if row["p"] < SIGNIFICANCE else CONTRADICTED if row["high"] < 0 else NOT_SHOWN
    sentence = (
        f"Within an augmentation, strength and Delta have a mean Spearman correlation of "
        f"{row['rho']:.3f}, {say_interval(row['low'], row['high'])} (bootstrap of seeds), one-sided "
        f"{say_p(row['p'])}."
    )
    return Outcome(
        word,
        sentence,
        test="strengths permuted within seeds",
        n=_size(row),
        estimate=row["rho"],
        low=row["low"],
        high=row["high"],
        unit="Spearman rho",
        p=row["p"],
        beside=(_by_augment(own[own["augment"] != OVERALL]),),
    )


def similarity_is_unrelated(evidence: Evidence, method: str) -> Outcome:
    """C7: CC against test accuracy within augmentations, whole curves permuted."""
    row = _association(evidence, method, "cc", "test_accuracy")
    if row is None:
        return cannot_tell(NO_STRENGTHS)
    equal = row["equivalence_p"] < SIGNIFICANCE
    word = CONTRADICTED if row["p"] < SIGNIFICANCE else SHOWN if equal else UNTOLD
    sentence = (
        f"Within augmentations, adjusted for strength, CC with the baseline's {method} maps and test "
        f"accuracy correlate {row['estimate']:.3f} on average, "
        f"{say_interval(row['low'], row['high'])}; whole curves permuted ({_orders(row)}), "
        f"{say_p(row['p'])}. {_equivalence(row)}"
    )
    others = [
        f"{similarity.upper()} and {accuracy.replace('_', ' ')} {other['estimate']:.3f}, "
        f"{say_p(other['p'])}"
        for similarity in ("cc", "kl")
        for accuracy in ("test_accuracy", "val_accuracy")
        if (similarity, accuracy) != ("cc", "test_accuracy")
        and (other := _association(evidence, method, similarity, accuracy)) is not None
    ]
    naive = (
        f"Over all {row['num_augments'] * row['num_strengths']:.0f} points, which are not "
        f"independent, Spearman's rho is {row['spearman']:.3f}; it has no p."
    )
    return Outcome(
        word,
        sentence,
        test="permutation of whole curves among augmentations",
        n=f"{row['num_augments']:.0f} augmentations at {row['num_strengths']:.0f} strengths",
        estimate=row["estimate"],
        low=row["low"],
        high=row["high"],
        unit="correlation",
        p=row["p"],
        beside=(f"Not primary: {'; '.join(others)}.", naive, _coverage(row), CONFOUND),
    )


def similarity_is_equivalent(evidence: Evidence, method: str) -> Outcome:
    """H4: CC and KL against test accuracy, both within the bound by two one-sided tests."""
    rows = [
        row
        for measure in ("cc", "kl")
        if (row := _association(evidence, method, measure, "test_accuracy")) is not None
    ]
    if len(rows) < 2:
        return cannot_tell(NO_STRENGTHS)
    widest = max(rows, key=lambda row: float(row["equivalence_p"]))
    p = float(widest["equivalence_p"])
    related = min(float(row["p"]) for row in rows) < SIGNIFICANCE / len(rows)
    word = CONTRADICTED if related else SHOWN if p < SIGNIFICANCE else UNTOLD
    sentence = (
        f"{widest['similarity'].upper()}, the less equivalent of CC and KL: {_equivalence(widest)}"
    )
    return Outcome(
        word,
        sentence,
        test=f"two one-sided tests, bound {CORRELATION_BOUND:g}, 90 % interval",
        n=f"{widest['num_augments']:.0f} augmentations at {widest['num_strengths']:.0f} strengths",
        estimate=widest["estimate"],
        low=widest["equivalence_low"],
        high=widest["equivalence_high"],
        unit="correlation",
        p=p,
        beside=(_coverage(widest), CONFOUND),
    )


def consensus_helps(evidence: Evidence, method: str) -> Outcome:
    """H5: similarity to the other augmentations' consensus against test accuracy, one-sided."""
    row = _association(evidence, method, "consensus", "test_accuracy")
    if row is None:
        return cannot_tell(NO_STRENGTHS)
    against = row["p"] > 1 - SIGNIFICANCE / 2 and row["high"] < 0
    word = SHOWN if row["p"] < SIGNIFICANCE else CONTRADICTED if against else NOT_SHOWN
    sentence = (
        f"Within augmentations, adjusted for strength, similarity to the consensus of the other "
        f"augmentations and test accuracy correlate {row['estimate']:.3f} on average, "
        f"{say_interval(row['low'], row['high'])}; whole curves permuted ({_orders(row)}), one-sided "
        f"{say_p(row['p'])}."
    )
    return Outcome(
        word,
        sentence,
        test="permutation of whole curves among augmentations, one-sided",
        n=f"{row['num_augments']:.0f} augmentations at {row['num_strengths']:.0f} strengths",
        estimate=row["estimate"],
        low=row["low"],
        high=row["high"],
        unit="correlation",
        p=row["p"],
        beside=(_coverage(row), CONFOUND),
    )


def saliency_adds(evidence: Evidence, method: str) -> Outcome:
    """H6: leave-one-augmentation-out R2 of accuracy with CC, beyond affinity and diversity."""
    own = rows_of(evidence, "incremental", method=method)
    if own.empty:
        if rows_of(evidence, "associations", method=method).empty:
            return cannot_tell(NO_STRENGTHS)
        return cannot_tell(
            "It needs affinity and diversity of every network (measures=[affinity_diversity])."
        )
    row = first_of(own)
    word = SHOWN if row["gain"] > 0 and row["p"] < SIGNIFICANCE else NOT_SHOWN
    sentence = (
        f"Foretelling the test accuracy of an augmentation that was left out, R2 is "
        f"{row['without']:.3f} from affinity and diversity and {row['with_added']:.3f} with CC "
        f"added, a gain of {row['gain']:+.3f}; whole curves of CC permuted ({_orders(row)}), "
        f"{say_p(row['p'])}."
    )
    return Outcome(
        word,
        sentence,
        test="leave one augmentation out; permutation of whole curves, one-sided",
        n=f"{row['num_augments']:.0f} augmentations at {row['k']:.0f} strengths",
        estimate=row["gain"],
        unit="R2",
        p=row["p"],
        beside=("An R2 below 0 foretells worse than the mean of the others does.",),
    )


def _association(
    evidence: Evidence, method: str, similarity: str, accuracy: str
) -> dict[str, Any] | None:
    own = rows_of(evidence, "associations", method=method, similarity=similarity, accuracy=accuracy)
    return None if own.empty or own["estimate"].isna().any() else first_of(own)


def _equivalence(row: Mapping[str, Any]) -> str:
    interval = say_interval(row["equivalence_low"], row["equivalence_high"], percent=90)
    return (
        f"{interval} against a bound of {CORRELATION_BOUND:g}, {say_p(row['equivalence_p'])}; were "
        f"there no association at all, this would be told with a power of "
        f"{row['equivalence_power']:.2f}."
    )


def _coverage(row: Mapping[str, Any]) -> str:
    return (
        f"The interval over {row['num_augments']:.0f} augmentations, in name 95 %, holds a true 0 in "
        f"{row['coverage']:.0%} of simulations; it is not cut at -1 and 1."
    )


def _orders(row: Mapping[str, Any]) -> str:
    return f"{row['num_permutations']:.0f} orders"


def _size(row: Mapping[str, Any]) -> str:
    return f"{row['n']:.0f} seeds at {row['k']:.0f} strengths"


def _by_augment(rows: pd.DataFrame) -> str:
    if "p_holm" not in rows:
        pairs = zip(rows["augment"], rows["rho"], strict=True)
        return f"By augmentation: {', '.join(f'{name} {rho:.2f}' for name, rho in pairs)}."
    triples = zip(rows["augment"], rows["rho"], rows["p_holm"], strict=True)
    said = ", ".join(f"{name} {rho:.2f} ({say_p(p)})" for name, rho, p in triples)
    return f"By augmentation (Page's test, one-sided, Holm-corrected): {said}."
