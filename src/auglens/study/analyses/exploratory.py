"""Every measure of single maps against the baseline's: a search, with the false discoveries held."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from auglens.metrics.catalogue import Family, of_family
from auglens.study.analyses.pairing import augmented_conditions, paired_runs, rng_for
from auglens.study.conditions import Group
from auglens.study.progress import Track, untracked
from auglens.study.statistics.correction import benjamini_hochberg
from auglens.study.statistics.paired import paired_difference

__all__ = ["exploratory_rows"]

FAMILIES: tuple[Family, ...] = ("complexity", "focus")

Row = dict[str, object]


def exploratory_rows(
    group: Group, maps: pd.DataFrame, method: str, track: Track = untracked
) -> Iterator[Row]:
    """Paired differences to none of all measures of complexity, place and shape.

    ``q`` is p after Benjamini and Hochberg over all measures and augmentations of the method: of
    what is called a difference at q < .05, one in twenty is expected to be none.

    Args:
        group: The comparison group.
        maps: Rows of :attr:`Comparison.frame`.
        method: Saliency method.
        track: Shows how many measures are compared.

    Yields:
        ``measure``, ``label``, n seeds, mean difference of the runs' means, its 95 % t-interval,
        ``d_z``, ``p`` and ``q``; nothing for what is undefined in every pair.
    """
    own = maps[maps["method"] == method]
    # What is of the image alone is the same for every run.
    names = [
        name for family in FAMILIES for name in of_family(family) if not name.startswith("image_")
    ]
    means = own.groupby("run")[names].mean()
    searched = track(names, f"Searching all measures ({method})")
    rows = [
        row
        for name in searched
        for row in _differences(group, means[name])
        if not np.isnan(row["p"])
    ]
    corrected = benjamini_hochberg([row["p"] for row in rows])
    for row, q in zip(rows, corrected.tolist(), strict=True):
        yield {**row, "q": q}


def _differences(group: Group, means: pd.Series) -> Iterator[dict[str, Any]]:
    if group.baseline is None:
        return
    for condition in augmented_conditions(group):
        pairs = paired_runs(condition, group.baseline)
        first, second = ([means.get(pair[side].name, np.nan) for pair in pairs] for side in (0, 1))
        found = paired_difference(first, second, rng=rng_for("exploratory"))
        kept = {name: getattr(found, name) for name in ("n", "mean", "low", "high", "d_z", "p")}
        yield {"measure": str(means.name), "label": condition.label, **kept}
