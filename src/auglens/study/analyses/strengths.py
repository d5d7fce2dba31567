"""What grows with the strength of an augmentation, and whether saliency goes with accuracy.

Legend: A augmentations, K strengths, S seeds.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auglens.study.analyses.map_similarity import GroupMaps, MapSimilarity
from auglens.study.analyses.pairing import by_seed, rng_for, seed_grid
from auglens.study.conditions import Condition, Group, seeds_of
from auglens.study.palette import FLOOR
from auglens.study.statistics.association import (
    curve_association,
    incremental_r2,
    repeated_measures_correlation,
    simulate_unrelated,
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
    "left_out_augments",
    "repeated_rows",
    "shift_trend_rows",
    "strength_design",
    "trend_rows",
]

CORRELATION_BOUND = 0.5
NUM_PERMUTATIONS = 1999
NUM_RESAMPLES = 999
FEWEST_STRENGTHS = 3
FEWEST_SEEDS = 2
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

    @property
    def num_seeds(self) -> int:
        """The smallest number of runs over all conditions."""
        return min(len(one.runs) for row in self.conditions for one in row)

    def only(self, augments: Collection[str]) -> "StrengthDesign":
        """The same of some augmentations."""
        kept = {
            name: row
            for name, row in zip(self.augments, self.conditions, strict=True)
            if name in augments
        }
        return StrengthDesign(tuple(kept), self.strengths, tuple(kept.values()))

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
    """The largest table of augmentations and strengths without a hole; None below three strengths.

    Of the strengths that an augmentation or some of them share those with the most augmentations
    times strengths, of equal ones those with more augmentations. An augmentation without a
    strength is in no such design, nor is one that lacks a strength of it:
    :func:`left_out_augments` names them.
    """
    found = _by_strength(group)
    candidates: dict[frozenset[float], None] = {}
    for own in found.values():
        candidates |= dict.fromkeys(
            [frozenset(own), *(one.intersection(own) for one in candidates)]
        )
    sizes = [
        (sum(one <= own.keys() for own in found.values()), one)
        for one in candidates
        if len(one) >= FEWEST_STRENGTHS
    ]
    if not sizes:
        return None
    _, chosen = max(sizes, key=lambda size: (size[0] * len(size[1]), size[0]))
    kept = {name: own for name, own in found.items() if chosen <= own.keys()}
    rows = tuple(tuple(own[strength] for strength in sorted(chosen)) for own in kept.values())
    return StrengthDesign(tuple(kept), tuple(sorted(chosen)), rows)


def left_out_augments(group: Group, design: StrengthDesign) -> list[str]:
    """Augmentations with strengths that are not in the design, with what they were run at."""
    return [
        f"{name}: run at {', '.join(f'{strength:g}' for strength in sorted(own))}"
        for name, own in _by_strength(group).items()
        if name not in design.augments
    ]


def trend_rows(design: StrengthDesign, values: pd.Series) -> list[Row]:
    """Whether maps leave the baseline of their seed further behind the stronger the augmentation.

    Per augmentation Spearman's correlation of strength and 1 - CC in each seed, its mean with a
    t-interval over seeds, and Page's test, one-sided, Holm over the augmentations. The last row
    is over the means of all augmentations, one a seed, with a sign-flip test, two-sided. All rows
    are of the same seeds: those with a value of every augmentation at every strength. An
    augmentation with fewer than two such seeds, or that leaves the others fewer, has no row.

    Args:
        design: Augmentations and strengths.
        values: Mean CC with the baseline of the same seed, by run.
    """
    kept = _sharing_seeds(design, set(values.index[values.notna()]))
    if kept is None:
        return []
    grid = 1 - seed_grid([one for row in kept.conditions for one in row], values)
    grid = grid[np.isfinite(grid).all(axis=1)].reshape(-1, len(kept.augments), len(kept.strengths))
    found = [asdict(trend(grid[:, place])) for place in range(len(kept.augments))]
    means = np.mean([one.pop("by_block") for one in found], axis=0)
    corrected = holm([one["p"] for one in found]).tolist()
    rows: list[Row] = [
        {"augment": augment, **one, "p_holm": p}
        for augment, one, p in zip(kept.augments, found, corrected, strict=True)
    ]
    overall = mean_interval(means)
    p = sign_flip_p(means, rng=rng_for("trend"), alternative="two-sided")
    shown = {"n": overall.n, "k": len(design.strengths), "rho": overall.mean}
    ends = {"low": overall.low, "high": overall.high, "p": p, "p_holm": p}
    return [*rows, {"augment": OVERALL, **shown, **ends}]


def shift_trend_rows(
    design: StrengthDesign, group: Group, own: GroupMaps, similarity: MapSimilarity
) -> list[Row]:
    """Whether the shift beyond seed noise grows with strength; the last row is the mean of all.

    Seeds and augmentations are left out as in :func:`trend_rows`, for runs without a defined map.
    """
    alone = np.isfinite(np.diagonal(similarity.mean))
    defined = {run.name for run, has_map in zip(own.runs, alone, strict=True) if has_map}
    kept = None if group.baseline is None else _sharing_seeds(design, defined, group.baseline)
    if kept is None or group.baseline is None:
        return []
    layouts = _layouts(kept, group.baseline, own)
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
        for augment, rho in zip(kept.augments, found.by_augment.tolist(), strict=True)
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
        ``similarity``, ``accuracy`` and the association, with ``n_seeds``, the smallest number of
        runs of a condition; ``spearman`` is over all points, which are not independent, and comes
        without a p.
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
            simulated = simulate_unrelated(*first.shape, CORRELATION_BOUND)
            place: Row = {"similarity": name, "accuracy": accuracy, **found, "spearman": naive}
            yield {
                **place,
                "coverage": simulated.coverage,
                "equivalence_power": simulated.equivalence,
                "n_seeds": design.num_seeds,
                **{f"equivalence_{key}": equal[key] for key in ("low", "high", "p")},
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
        Leave-one-augmentation-out R^2 without and with it, the design's size and its smallest
        number of runs of a condition; None where some condition has no affinity or no similarity.
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
    size: Row = {"num_augments": len(design.augments), "k": len(design.strengths)}
    return {**asdict(found), **size, "n_seeds": design.num_seeds}


def repeated_rows(group: Group, values: Values, method: str) -> Iterator[Row]:
    """CC and KL against test accuracy across runs, what their condition and seed are like left out.

    It asks another question than the association within augmentations: whether a run whose maps
    are nearer to its baseline's than its condition and seed foretell is also more accurate than
    they foretell. Runs of one seed share first weights, images and the baseline, and would not be
    independent were the seed not taken out.

    Yields:
        ``similarity`` and the correlation; nothing where it has no degree of freedom.
    """
    runs = [
        (one.label, str(seed), run.name)
        for one in group.usual
        if one is not group.baseline and one.augment != FLOOR
        for seed, run in by_seed(one.runs).items()
    ]
    names = [name for _, _, name in runs]
    accuracy = values["test_accuracy", ""].reindex(names)
    for measure in ("cc", "kl"):
        found = repeated_measures_correlation(
            values[measure, method].reindex(names),
            accuracy,
            [label for label, _, _ in runs],
            [seed for _, seed, _ in runs],
        )
        if found.df > 0:
            yield {"similarity": measure, **asdict(found)}


def _by_strength(group: Group) -> dict[str, dict[float, Condition]]:
    """The first condition of each strength of every augmentation that has strengths."""
    found: dict[str, dict[float, Condition]] = {}
    for condition in group.conditions:
        if condition.strength is not None:
            found.setdefault(condition.augment, {}).setdefault(condition.strength, condition)
    return found


def _sharing_seeds(
    design: StrengthDesign, defined: Collection[str], *beside: Condition
) -> StrengthDesign | None:
    """The augmentations that share two seeds; None where no augmentation has two.

    As long as they do not, that of the fewest seeds goes, of equal ones the last.

    Args:
        design: Augmentations and strengths.
        defined: Names of the runs that count.
        beside: Conditions that must have a run of each seed too.
    """
    seeds = {}
    for augment, row in zip(design.augments, design.conditions, strict=True):
        of_each = (
            {seeds_of(run) for run in one.runs if run.name in defined} for one in (*row, *beside)
        )
        seeds[augment] = set.intersection(*of_each)
    while seeds and len(set.intersection(*seeds.values())) < FEWEST_SEEDS:
        del seeds[min(reversed(seeds), key=lambda augment: len(seeds[augment]))]
    return design.only(seeds) if seeds else None


def _layouts(
    design: StrengthDesign, baseline: Condition, own: GroupMaps
) -> Sequence[NDArray[np.int64]]:
    """Places of the runs of each shared seed, the baseline first."""
    rows = [
        [by_seed(own.of(one).runs) for one in (baseline, *conditions)]
        for conditions in design.conditions
    ]
    shared = sorted(set.intersection(*(set(runs) for row in rows for runs in row)))
    return [np.array([own.places([runs[seed] for runs in row]) for seed in shared]) for row in rows]
