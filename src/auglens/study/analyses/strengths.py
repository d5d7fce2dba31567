"""What grows with the strength of an augmentation, and whether saliency goes with accuracy.

Legend: A augmentations, K strengths, S seeds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auglens.study.analyses.map_similarity import GroupMaps, MapSimilarity
from auglens.study.analyses.pairing import by_seed, rng_for, seed_grid
from auglens.study.conditions import Condition, Group
from auglens.study.palette import FLOOR
from auglens.study.statistics.association import (
    association_coverage,
    curve_association,
    incremental_r2,
    repeated_measures_correlation,
)
from auglens.study.statistics.correction import holm
from auglens.study.statistics.intervals import mean_interval
from auglens.study.statistics.paired import sign_flip_p
from auglens.study.statistics.ranks import trend
from auglens.study.statistics.shift import shift_trend_test

__all__ = [
    "CORRELATION_BOUND",
    "StrengthDesign",
    "association_rows",
    "incremental_row",
    "repeated_rows",
    "shift_trend_rows",
    "strength_design",
    "trend_rows",
]

CORRELATION_BOUND = 0.5
NUM_PERMUTATIONS = 1999
NUM_RESAMPLES = 999
FEWEST_STRENGTHS = 3
OVERALL = "mean of all"

Row = dict[str, object]
Values = Mapping[tuple[str, str], pd.Series]


@dataclass(frozen=True)
class StrengthDesign:
    """Augmentations that were run at the same strengths.

    Attributes:
        augments: Names.
        strengths: Ascending; at least three.
        conditions: One row an augmentation, one column a strength.
    """

    augments: tuple[str, ...]
    strengths: tuple[float, ...]
    conditions: tuple[tuple[Condition, ...], ...]

    def means(self, values: pd.Series) -> NDArray[np.float64]:
        """Means over all runs of each condition, ``(A, K)``."""
        return np.array(
            [
                [values.reindex([run.name for run in one.runs]).mean() for one in row]
                for row in self.conditions
            ],
            np.float64,
        )


def strength_design(group: Group) -> StrengthDesign | None:
    """The augmentations that share the most strengths; None where none has three.

    An augmentation without a strength is in no such design, nor is one that was run at other
    strengths only.
    """
    found: dict[str, dict[float, Condition]] = {}
    for condition in group.conditions:
        if condition.strength is not None:
            found.setdefault(condition.augment, {}).setdefault(condition.strength, condition)
    rich = {name: own for name, own in found.items() if len(own) >= FEWEST_STRENGTHS}
    if not rich:
        return None
    shared = sorted(set.intersection(*map(set, rich.values())))
    if len(shared) < FEWEST_STRENGTHS:
        return None
    rows = tuple(tuple(own[strength] for strength in shared) for own in rich.values())
    return StrengthDesign(tuple(rich), tuple(shared), rows)


def trend_rows(design: StrengthDesign, values: pd.Series) -> list[Row]:
    """Whether maps leave the baseline of their seed further behind the stronger the augmentation.

    Per augmentation Spearman's correlation of strength and 1 - CC in each seed, its mean with a
    t-interval over seeds, and Page's test, one-sided, Holm over the augmentations. The last row
    is over the means of all augmentations, one a seed, with a sign-flip test, two-sided.

    Args:
        design: Augmentations and strengths.
        values: Mean CC with the baseline of the same seed, by run.
    """
    rows: list[Row] = []
    by_seed_rho = []
    for augment, conditions in zip(design.augments, design.conditions, strict=True):
        blocks = 1 - seed_grid(conditions, values)
        blocks = blocks[np.isfinite(blocks).all(axis=1)]
        if len(blocks) < 2:
            return []
        found = asdict(trend(blocks))
        by_seed_rho.append(found.pop("by_block"))
        rows.append({"augment": augment, **found})
    corrected = holm([float(str(row["p"])) for row in rows])
    rows = [{**row, "p_holm": p} for row, p in zip(rows, corrected.tolist(), strict=True)]
    if len({len(rhos) for rhos in by_seed_rho}) != 1:
        return rows
    means = np.mean(by_seed_rho, axis=0)
    overall = mean_interval(means)
    p = sign_flip_p(means, rng=rng_for("trend"), alternative="two-sided")
    shown = {"n": overall.n, "k": len(design.strengths), "rho": overall.mean}
    ends = {"low": overall.low, "high": overall.high, "p": p, "p_holm": p}
    return [*rows, {"augment": OVERALL, **shown, **ends}]


def shift_trend_rows(
    design: StrengthDesign, group: Group, own: GroupMaps, similarity: MapSimilarity
) -> list[Row]:
    """Whether the shift beyond seed noise grows with strength; the last row is the mean of all."""
    layouts = _layouts(design, group, own)
    if layouts is None:
        return []
    found = shift_trend_test(
        similarity.mean,
        layouts,
        rng=rng_for("shift trend", own.method),
        num_permutations=NUM_PERMUTATIONS,
        num_resamples=NUM_RESAMPLES,
    )
    shared: Row = {"n": found.n, "k": found.k}
    rows: list[Row] = [
        {"augment": augment, **shared, "rho": rho}
        for augment, rho in zip(design.augments, found.by_augment.tolist(), strict=True)
    ]
    ends = {"low": found.low, "high": found.high, "p": found.p}
    return [*rows, {"augment": OVERALL, **shared, "rho": found.rho, **ends}]


def association_rows(
    design: StrengthDesign, similarities: Mapping[str, pd.Series], accuracies: Values
) -> Iterator[Row]:
    """Saliency against accuracy within augmentations, adjusted for strength.

    Whole accuracy curves are permuted among the augmentations, since strengths of one are not
    independent. ``consensus`` is tested one-sided, for a positive association.

    Args:
        design: Augmentations and strengths.
        similarities: ``cc``, ``kl`` and ``consensus``, by run.
        accuracies: ``test_accuracy`` and ``val_accuracy``, by run.

    Yields:
        ``similarity``, ``accuracy`` and the association; ``spearman`` is over all points, which
        are not independent, and comes without a p.
    """
    for name, by_run in similarities.items():
        for accuracy in ("test_accuracy", "val_accuracy"):
            first, second = design.means(by_run), design.means(accuracies[accuracy, ""])
            if not (np.isfinite(first).all() and np.isfinite(second).all()):
                continue
            found = asdict(
                curve_association(
                    first,
                    second,
                    alternative="greater" if name == "consensus" else "two-sided",
                    bound=CORRELATION_BOUND,
                    rng=rng_for("association", name, accuracy),
                )
            )
            equal = found.pop("equivalence")
            by_augment = dict(zip(design.augments, found.pop("by_augment").tolist(), strict=True))
            naive = pd.Series(first.ravel()).corr(pd.Series(second.ravel()), method="spearman")
            coverage = association_coverage(*first.shape)
            place: Row = {"similarity": name, "accuracy": accuracy, **found, "spearman": naive}
            yield {
                **place,
                "coverage": coverage,
                **{f"equivalence_{key}": equal[key] for key in ("low", "high", "p", "power")},
                **{f"r_{augment}": value for augment, value in by_augment.items()},
            }


def incremental_row(
    design: StrengthDesign, values: Values, method: str, affinity: pd.DataFrame
) -> Row | None:
    """What CC to the baseline adds to affinity and diversity in foretelling test accuracy.

    Args:
        design: Augmentations and strengths.
        values: By run.
        method: Saliency method.
        affinity: Rows of the table ``affinity_diversity``.

    Returns:
        Leave-one-augmentation-out R^2 without and with it; None where some condition has no
        affinity or no similarity.
    """
    by_run = affinity.set_index("run")
    known = np.stack(
        [design.means(by_run[name].astype(float)) for name in ("affinity", "diversity")], axis=-1
    )
    added = design.means(values["cc", method])
    accuracy = design.means(values["test_accuracy", ""])
    if not all(np.isfinite(one).all() for one in (known, added, accuracy)):
        return None
    found = incremental_r2(accuracy, known, added, rng=rng_for("incremental", method))
    return {**asdict(found), "num_augments": len(design.augments), "k": len(design.strengths)}


def repeated_rows(group: Group, values: Values, method: str) -> Iterator[Row]:
    """CC and KL against test accuracy across the seeds of one condition, all conditions together.

    It asks another question than the association within augmentations: whether a seed whose maps
    are nearer to its baseline's is also more accurate.
    """
    runs = [
        (one.label, run.name)
        for one in group.usual
        if one is not group.baseline and one.augment != FLOOR
        for run in by_seed(one.runs).values()
    ]
    labels, names = [label for label, _ in runs], [name for _, name in runs]
    accuracy = values["test_accuracy", ""].reindex(names)
    for measure in ("cc", "kl"):
        similarity = values[measure, method].reindex(names)
        defined = (similarity.notna() & accuracy.notna()).to_numpy()
        kept = [label for label, keep in zip(labels, defined, strict=True) if keep]
        if len(kept) - len(set(kept)) < 2:
            continue
        found = repeated_measures_correlation(
            similarity.to_numpy(np.float64)[defined], accuracy.to_numpy(np.float64)[defined], kept
        )
        yield {"similarity": measure, **asdict(found)}


def _layouts(
    design: StrengthDesign, group: Group, own: GroupMaps
) -> Sequence[NDArray[np.int64]] | None:
    """Places of the runs of each shared seed, the baseline first; None below two such seeds."""
    if group.baseline is None:
        return None
    rows = [
        [by_seed(own.of(one).runs) for one in (group.baseline, *conditions)]
        for conditions in design.conditions
    ]
    shared = sorted(set.intersection(*(set(runs) for row in rows for runs in row)))
    if len(shared) < 2:
        return None
    return [np.array([own.places([runs[seed] for runs in row]) for seed in shared]) for row in rows]
