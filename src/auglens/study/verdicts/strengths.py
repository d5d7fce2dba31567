"""Verdicts that need strengths: C1, C7, H3 to H6. Reads tables; draws nothing."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from auglens.study.analyses.strengths import CORRELATION_BOUND, OVERALL
from auglens.study.evidence import Evidence
from auglens.study.statistics.correction import holm
from auglens.study.verdicts.rows import first_of, rows_of, tell
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

EXPERIMENT = "run for several of them (experiment=strength)."
TREND_TESTS = {
    "strength_trends": "exact sign flips of the seeds' mean correlations",
    "shift_trends": "strengths permuted within seeds, one-sided",
}
INTERVALS = {
    "strength_trends": "The t-interval knows nothing of the scale's end at 1.",
    "shift_trends": "How often the bootstrap interval holds the truth was not measured; it tells the "
    "size and is no test.",
}
CONFOUND = "Strength drives both sides; what is left when it is taken out is what is tested."


def maps_tell_strength(evidence: Evidence, method: str) -> Outcome:
    """C1: strength against 1 - CC with the baseline of the same seed."""
    row = _overall(evidence, "strength_trends", method)
    if isinstance(row, Outcome):
        return row
    word = NOT_SHOWN
    if row["p"] < SIGNIFICANCE:
        word = SHOWN if row["rho"] > 0 else CONTRADICTED
    sentence = (
        f"Within an augmentation, strength and distance (1 - CC) from the baseline's {method} maps "
        f"have a mean Spearman correlation of {row['rho']:.3f} over {row['n']:.0f} seeds, "
        f"{say_interval(row['low'], row['high'])}, {say_p(row['p'])}."
    )
    return _trend(evidence, "strength_trends", method, row, word, sentence)


def shift_grows(evidence: Evidence, method: str) -> Outcome:
    """H3: strength against Delta, strengths permuted within seeds, one-sided."""
    row = _overall(evidence, "shift_trends", method)
    if isinstance(row, Outcome):
        return row
    word = SHOWN if row["p"] < SIGNIFICANCE else CONTRADICTED if row["high"] < 0 else NOT_SHOWN
    sentence = (
        f"Within an augmentation, strength and Delta have a mean Spearman correlation of "
        f"{row['rho']:.3f}, {say_interval(row['low'], row['high'])} (bootstrap of seeds), one-sided "
        f"{say_p(row['p'])}."
    )
    return _trend(evidence, "shift_trends", method, row, word, sentence)


def similarity_is_unrelated(evidence: Evidence, method: str) -> Outcome:
    """C7: CC and KL against validation and test accuracy, whole curves permuted, Holm over four."""
    rows = _associations(evidence, method, ("cc", "kl"), ("test_accuracy", "val_accuracy"))
    if isinstance(rows, Outcome):
        return rows
    corrected = holm([row["p"] for row in rows])
    p, alike = float(corrected.min()), max(float(row["equivalence_p"]) for row in rows)
    strongest = max(rows, key=lambda row: abs(float(row["estimate"])))
    said = "; ".join(
        f"{row['similarity'].upper()} and {row['accuracy'].replace('_', ' ')} "
        f"{row['estimate']:.3f} ({say_p(one)})"
        for row, one in zip(rows, corrected, strict=True)
    )
    sentence = (
        f"Within augmentations, adjusted for strength, similarity to the baseline's {method} maps and "
        f"accuracy correlate on average: {said}; whole curves permuted in {_orders(strongest)}, "
        f"Holm-corrected over the four. KL rises where CC falls. For the strongest, "
        f"{_equivalence(strongest)}"
    )
    naive = (
        f"Over all {strongest['num_augments'] * strongest['num_strengths']:.0f} points, which are "
        f"not independent, Spearman's rho of {strongest['similarity'].upper()} and "
        f"{strongest['accuracy'].replace('_', ' ')} is {strongest['spearman']:.3f}; it has no p."
    )
    return tell(
        strongest,
        CONTRADICTED if p < SIGNIFICANCE else SHOWN if alike < SIGNIFICANCE else UNTOLD,
        sentence,
        test="whole curves permuted among augmentations, Holm over four",
        n=_curves(strongest),
        unit="correlation",
        p=p,
        estimate="estimate",
        beside=(naive, _coverage(strongest), CONFOUND),
    )


def similarity_is_equivalent(evidence: Evidence, method: str) -> Outcome:
    """H4: CC and KL against test accuracy, both within the bound by two one-sided tests."""
    rows = _associations(evidence, method, ("cc", "kl"), ("test_accuracy",))
    if isinstance(rows, Outcome):
        return rows
    widest = max(rows, key=lambda row: float(row["equivalence_p"]))
    p = float(widest["equivalence_p"])
    related = float(holm([row["p"] for row in rows]).min()) < SIGNIFICANCE
    sentence = (
        f"{widest['similarity'].upper()}, the less equivalent of CC and KL: {_equivalence(widest)}"
    )
    return tell(
        widest,
        CONTRADICTED if related else SHOWN if p < SIGNIFICANCE else UNTOLD,
        sentence,
        test=f"two one-sided tests, bound {CORRELATION_BOUND:g}, 90 % interval",
        n=_curves(widest),
        unit="correlation",
        p=p,
        estimate="estimate",
        ends=("equivalence_low", "equivalence_high"),
        beside=(_coverage(widest), CONFOUND),
    )


def consensus_helps(evidence: Evidence, method: str) -> Outcome:
    """H5: similarity to the other augmentations' consensus against test accuracy, one-sided."""
    rows = _associations(evidence, method, ("consensus",), ("test_accuracy",))
    if isinstance(rows, Outcome):
        return rows
    (row,) = rows
    against = row["p"] > 1 - SIGNIFICANCE / 2 and row["high"] < 0
    sentence = (
        f"Within augmentations, adjusted for strength, similarity to the consensus of the other "
        f"augmentations and test accuracy correlate {row['estimate']:.3f} on average, "
        f"{say_interval(row['low'], row['high'])}; whole curves permuted in {_orders(row)}, one-sided "
        f"{say_p(row['p'])}."
    )
    return tell(
        row,
        SHOWN if row["p"] < SIGNIFICANCE else CONTRADICTED if against else NOT_SHOWN,
        sentence,
        test="whole curves permuted among augmentations, one-sided",
        n=_curves(row),
        unit="correlation",
        p=row["p"],
        estimate="estimate",
        beside=(_coverage(row), CONFOUND),
    )


def saliency_adds(evidence: Evidence, method: str) -> Outcome:
    """H6: leave-one-augmentation-out R2 of accuracy with CC, beyond affinity and diversity."""
    own = rows_of(evidence, "incremental", method=method)
    if own.empty:
        rows = _associations(evidence, method, ("cc",), ("test_accuracy",))
        if isinstance(rows, Outcome):
            return rows
        return cannot_tell(
            "It needs affinity and diversity of every run (measures=[affinity_diversity])."
        )
    row = first_of(own)
    sentence = (
        f"Foretelling the test accuracy of an augmentation that was left out, R2 is "
        f"{row['without']:.3f} from affinity and diversity and {row['with_added']:.3f} with CC "
        f"added, a gain of {row['gain']:+.3f}; whole curves of CC permuted in {_orders(row)}, "
        f"one-sided {say_p(row['p'])}."
    )
    return tell(
        row,
        SHOWN if row["gain"] > 0 and row["p"] < SIGNIFICANCE else NOT_SHOWN,
        sentence,
        test="leave one augmentation out; whole curves permuted, one-sided",
        n=f"{row['num_augments']:.0f} augmentations at {row['k']:.0f} strengths",
        unit="R2",
        p=row["p"],
        estimate="gain",
        beside=("An R2 below 0 foretells worse than the mean of the others does.",),
    )


def _overall(evidence: Evidence, table: str, method: str) -> dict[str, Any] | Outcome:
    own = rows_of(evidence, table, method=method, augment=OVERALL)
    if own.empty or own["p"].isna().any():
        return cannot_tell("It needs augmentations at three or more strengths, " + EXPERIMENT)
    row = first_of(own)
    return row if row["n"] >= FEWEST_SEEDS else cannot_tell(too_few_seeds(int(row["n"])))


def _trend(
    evidence: Evidence, table: str, method: str, row: Mapping[str, Any], word: str, sentence: str
) -> Outcome:
    own = rows_of(evidence, table, method=method)
    return tell(
        row,
        word,
        sentence,
        test=TREND_TESTS[table],
        n=f"{row['n']:.0f} seeds at {row['k']:.0f} strengths",
        unit="Spearman rho",
        p=row["p"],
        estimate="rho",
        beside=(_by_augment(own[own["augment"] != OVERALL]), INTERVALS[table]),
    )


def _associations(
    evidence: Evidence, method: str, similarities: Sequence[str], accuracies: Sequence[str]
) -> list[dict[str, Any]] | Outcome:
    """Rows of all these pairs, or why nothing can be told from them."""
    rows = []
    for similarity, accuracy in product(similarities, accuracies):
        own = rows_of(
            evidence, "associations", method=method, similarity=similarity, accuracy=accuracy
        )
        if own.empty or own["estimate"].isna().any():
            return cannot_tell("It needs augmentations at three or more strengths, " + EXPERIMENT)
        rows.append(first_of(own))
    if min(row["n_seeds"] for row in rows) < FEWEST_SEEDS:
        return cannot_tell(too_few_seeds(int(min(row["n_seeds"] for row in rows))))
    if len(rows) / rows[0]["num_permutations"] > SIGNIFICANCE:
        return cannot_tell(
            f"With {rows[0]['num_augments']:.0f} augmentations no permutation of whole curves can "
            "reach 5 %."
        )
    return rows


def _equivalence(row: Mapping[str, Any]) -> str:
    interval = say_interval(row["equivalence_low"], row["equivalence_high"], percent=90)
    return (
        f"{interval} against a bound of {CORRELATION_BOUND:g}, {say_p(row['equivalence_p'])}; of "
        f"simulated curves without any association {100 * row['equivalence_power']:.0f} % would be "
        "told to have none."
    )


def _coverage(row: Mapping[str, Any]) -> str:
    return (
        f"The interval over {row['num_augments']:.0f} augmentations, in name 95 %, holds a true 0 in "
        f"{100 * row['coverage']:.0f} % of simulations; it is not cut at -1 and 1."
    )


def _orders(row: Mapping[str, Any]) -> str:
    return f"{row['num_permutations']:.0f} orders"


def _curves(row: Mapping[str, Any]) -> str:
    return (
        f"{row['num_augments']:.0f} augmentations at {row['num_strengths']:.0f} strengths, "
        f"{row['n_seeds']:.0f} seeds each"
    )


def _by_augment(rows: pd.DataFrame) -> str:
    if "p_holm" not in rows:
        pairs = zip(rows["augment"], rows["rho"], strict=True)
        return f"By augmentation: {', '.join(f'{name} {rho:.2f}' for name, rho in pairs)}."
    triples = zip(rows["augment"], rows["rho"], rows["p_holm"], strict=True)
    said = ", ".join(f"{name} {rho:.2f} ({say_p(p)})" for name, rho, p in triples)
    return f"By augmentation (Page's test, one-sided, Holm-corrected): {said}."
