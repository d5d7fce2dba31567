"""Which runs belong together: those of one seed, and the augmentations that are tested together."""

import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auglens.study.conditions import Condition, Group, seeds_of
from auglens.study.load import Run
from auglens.study.palette import BASELINE, FLOOR

__all__ = [
    "augmented_conditions",
    "by_seed",
    "paired_runs",
    "rng_for",
    "seed_grid",
    "seeds_left_out",
]


def by_seed(runs: Sequence[Run]) -> dict[tuple[int, ...], Run]:
    """Runs by their seeds, sorted by them."""
    return {seeds_of(run): run for run in sorted(runs, key=seeds_of)}


def paired_runs(first: Condition, second: Condition) -> list[tuple[Run, Run]]:
    """Pairs of runs with the same seeds, sorted by them; a run without its like is left out."""
    others = by_seed(second.runs)
    return [(run, others[seed]) for seed, run in by_seed(first.runs).items() if seed in others]


def augmented_conditions(group: Group) -> list[Condition]:
    """The augmentations at their usual strength: the family that Holm's correction is over.

    The baseline is what they are compared with, and untouched copies are a control.
    """
    return [one for one in group.usual if one.augment not in (BASELINE, FLOOR)]


def seed_grid(conditions: Sequence[Condition], values: pd.Series) -> NDArray[np.float64]:
    """One value a run, ``(seeds, conditions)``, of the seeds that all conditions have.

    Args:
        conditions: The columns.
        values: By run name; a run without one is NaN.
    """
    runs = [by_seed(one.runs) for one in conditions]
    shared = sorted(set.intersection(*(set(one) for one in runs))) if runs else []
    rows = [[float(values.get(one[seed].name, np.nan)) for one in runs] for seed in shared]
    return np.array(rows, np.float64).reshape(len(shared), len(conditions))


def seeds_left_out(group: Group) -> list[str]:
    """What tests over all conditions of usual strength leave out: seeds that not all of them have.

    Untouched copies are in no such test, and runs of the floors are of no condition.

    Returns:
        Lines such as ``crop: seeds 9 not in none, blur``, one a condition and set of others that
        lack its seeds; four numbers in brackets (data, first weights, order, augmentation) where
        the seeds of a run differ.
    """
    own = {one.label: by_seed(one.runs) for one in group.usual if one.augment != FLOOR}
    lines = []
    for label, seeds in own.items():
        lacking: dict[str, list[str]] = {}
        for seed in seeds:
            others = [other for other, theirs in own.items() if seed not in theirs]
            if others:
                said = str(seed[0]) if len(set(seed)) == 1 else f"({', '.join(map(str, seed))})"
                lacking.setdefault(", ".join(others), []).append(said)
        lines += [
            f"{label}: seeds {', '.join(said)} not in {others}" for others, said in lacking.items()
        ]
    return lines


def rng_for(*names: str) -> np.random.Generator:
    """A generator that depends on what it is for and on nothing else."""
    return np.random.default_rng([zlib.crc32(name.encode()) for name in names])
