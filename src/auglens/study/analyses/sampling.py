"""Which runs take part where all pairs of runs are compared, and how it is said. Reads no maps.

Time grows with the square of the number of runs there, so of a large group whole seeds are drawn:
runs of one seed stay together, since statistics pair them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from auglens.study.analyses.pairing import rng_for
from auglens.study.conditions import Group, seeds_of
from auglens.study.load import Run

__all__ = ["FEWEST_SEEDS", "MOST_RUNS", "SAMPLED", "sample_runs", "sampled", "say_sampled"]

MOST_RUNS = 1000
"""Runs of which all pairs are compared: half a million, which take some 20 s on 50 images."""
FEWEST_SEEDS = 6
"""Seeds that a sample keeps, whatever their number of runs: no exact test of fewer reaches 5 %."""
SAMPLED = "sampled"
"""Column of the tables that rest on a sample; there is none where all runs took part."""

Seeds = tuple[int, ...]


def sample_runs(group: Group, runs: Sequence[Run]) -> tuple[Run, ...]:
    """Some of a group's runs, every training set in its share; all of them up to the limit.

    Seeds are put in order by the training sets that have them, those of the same sets at random,
    and are taken at even distances. The draw depends on nothing but the seeds and their sets.

    Args:
        group: The comparison group.
        runs: Of the group and its floor runs.

    Returns:
        In the given order: at most :data:`MOST_RUNS`, or the runs of :data:`FEWEST_SEEDS` seeds
        if these are more; of each seed all runs or none.
    """
    if len(runs) <= MOST_RUNS:
        return tuple(runs)
    by_seed = _by_seed(group, runs)
    # A share of the runs as a fraction of whole numbers, so that nothing is rounded.
    wanted, out_of = MOST_RUNS, len(runs)
    if wanted * len(by_seed) < FEWEST_SEEDS * out_of:
        wanted, out_of = FEWEST_SEEDS, len(by_seed)
    kept: set[str] = set()
    passed = 0
    for own in by_seed:
        passed += len(own)
        if (len(kept) + len(own)) * out_of <= passed * wanted:
            kept.update(run.name for run in own)
    return tuple(run for run in runs if run.name in kept)


def say_sampled(num_sampled: int, num_runs: int) -> str:
    """Such as ``994 of 2000 runs, sampled``; nothing where all took part."""
    return "" if num_sampled == num_runs else f"{num_sampled} of {num_runs} runs, sampled"


def sampled(rows: pd.DataFrame | Mapping[Any, Any]) -> str:
    """What rows of a table, or one row, say of the sample they rest on; nothing without one."""
    if SAMPLED not in rows:
        return ""
    found = pd.Series(rows[SAMPLED]).dropna().unique()
    return "; ".join(map(str, found))


def _by_seed(group: Group, runs: Sequence[Run]) -> list[list[Run]]:
    """Runs of each seed in the order in which seeds are drawn."""
    labels = {run.name: one.label for one in group.conditions for run in one.runs}
    found: dict[Seeds, list[Run]] = {}
    for run in runs:
        found.setdefault(seeds_of(run), []).append(run)
    keys = rng_for("sampled seeds").permutation(len(found)).tolist()
    places = dict(zip(sorted(found), keys, strict=True))

    def stratum(seeds: Seeds) -> tuple[list[str], list[int], int]:
        # Runs of the floors belong to no set; which of their seeds differ tells the floors apart.
        sets = sorted(labels.get(run.name, "") for run in found[seeds])
        return sets, [seeds.index(seed) for seed in seeds], places[seeds]

    return [found[seeds] for seeds in sorted(found, key=stratum)]
