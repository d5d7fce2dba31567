"""How alike the maps of different methods are that explain one network. Reads no files."""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from auglens.metrics.similarity import centred_ranks, correlation
from auglens.study.explained import Explained

__all__ = ["agreement_rows"]


def agreement_rows(methods: Mapping[str, Explained]) -> list[dict[str, Any]]:
    """Spearman's correlation between the maps of every two methods on the same images.

    Maps are taken as they are stored: without sign where their reduction took it.

    Args:
        methods: The maps of one network.

    Returns:
        One row a pair: ``method, other_method, spearman`` (mean over the images where
        both maps have an order), ``n`` of them, and ``n_undefined`` of the others.
    """
    if len(methods) < 2:
        return []
    ranks = {name: centred_ranks(one.maps) for name, one in methods.items()}
    rows = []
    for first, second in combinations(ranks, 2):
        if not np.array_equal(methods[first].probe_ids, methods[second].probe_ids):
            continue
        correlations = correlation(ranks[first], ranks[second])
        defined = correlations[~correlations.isnan()]
        rows.append(
            {
                "method": first,
                "other_method": second,
                "spearman": float(defined.mean()) if len(defined) else np.nan,
                "n": len(defined),
                "n_undefined": len(correlations) - len(defined),
            }
        )
    return rows
