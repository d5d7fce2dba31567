"""Tables of what the explain stage measured on whole runs. Reads no files and judges nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auglens.metrics.faithfulness import Curves
from auglens.records.measures import MeasureResult
from auglens.study.comparison import Comparison
from auglens.study.conditions import Group, labelled_runs
from auglens.study.sidecar_values import mapping, names, number, numbers
from auglens.study.statistics.intervals import mean_interval

__all__ = ["TRUST_COLUMNS", "UNTRAINED", "trust_tables"]

PLACE = ("group", "label", "run")
MODES = ("absolute", "signed")
ORDERS = tuple(field.name for field in fields(Curves))
AGAINST_NULL = (
    *("similarity", "low", "high", "null"),
    *("difference", "difference_low", "difference_high", "n"),
)
AFFINITY_DIVERSITY = (
    *("affinity", "affinity_gap", "clean_accuracy", "augmented_accuracy", "num_draws"),
    *("diversity", "diversity_ratio", "train_loss", "reference_train_loss"),
    *("prediction_entropy", "reference_prediction_entropy"),
)
UNTRAINED = (
    *("foreground_auc", "foreground_auc_inner", "far_background_mass", "foreground_lift"),
    *("largest_component_share", "num_components", "spread_px", "moran", "entropy"),
    "n",
)
TRUST_COLUMNS = {
    "parameter_randomization": (*PLACE, "method", "mode", "step", "layer", *AGAINST_NULL),
    "label_randomization": (*PLACE, "method", "mode", *AGAINST_NULL, "train_loss", "epochs"),
    "affinity_diversity": (*PLACE, *AFFINITY_DIVERSITY),
    "untrained": (*PLACE, "method", *UNTRAINED),
    "equivariance": (*PLACE, "augment", "method", "map", "model", "n"),
    "agreement": (*PLACE, "method", "other_method", "spearman", "n", "n_undefined"),
    "faithfulness_curves": (
        *(*PLACE, "method", "substrate", "order"),
        *("step", "fraction", "probability"),
    ),
}
"""Columns of every table, whether or not it has rows."""

Row = dict[str, Any]


def trust_tables(
    groups: Sequence[Group], comparison: Comparison
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Sanity checks, affinity and diversity, equivariance, agreement, faithfulness curves.

    Similarities are means over the images where both the similarity and its null are defined;
    ``n`` counts them; ``difference`` is the similarity minus the null, paired by image.

    Returns:
        Tables with :data:`TRUST_COLUMNS`, by name, and a line for every sidecar whose values are
        not what its measure needs.
    """
    rows: dict[str, list[Row]] = {name: [] for name in TRUST_COLUMNS}
    damage = []
    for place, run in labelled_runs(groups):
        for result in comparison.results.get(run.name, ()):
            name, read = READERS.get(result.measure, (None, None))
            if name is None or read is None:
                continue
            try:
                rows[name] += [{**place, **row} for row in read(result)]
            except (KeyError, TypeError, ValueError) as error:
                damage.append(f"{run.name}: {_name(result)} does not hold its values: {error!r}")
    tables = {
        name: pd.DataFrame(rows[name], columns=list(columns))
        for name, columns in TRUST_COLUMNS.items()
    }
    return tables | {"agreement": _agreement(groups, comparison)}, damage


def _agreement(groups: Sequence[Group], comparison: Comparison) -> pd.DataFrame:
    places = pd.DataFrame([place for place, _ in labelled_runs(groups)], columns=list(PLACE))
    return places.merge(comparison.agreement, on="run")[list(TRUST_COLUMNS["agreement"])]


def _name(result: MeasureResult) -> str:
    return f"{result.measure} of {result.method}" if result.method else result.measure


def _parameter_randomization(result: MeasureResult) -> Iterator[Row]:
    method, n = _method(result), len(result.probe_ids)
    layers = names(result.values["layers"])
    for mode in MODES:
        values = mapping(result.values[mode])
        null = numbers(values["null"], n)
        for step, (layer, found) in enumerate(zip(layers, values["similarity"], strict=True), 1):
            place = {"method": method, "mode": mode, "step": step, "layer": layer}
            yield {**place, **_against_null(numbers(found, n), null)}


def _label_randomization(result: MeasureResult) -> Iterator[Row]:
    method, n = _method(result), len(result.probe_ids)
    trained = {name: number(result.values[name]) for name in ("train_loss", "epochs")}
    for mode in MODES:
        values = mapping(result.values[mode])
        compared = _against_null(*(numbers(values[name], n) for name in ("similarity", "null")))
        yield {"method": method, "mode": mode, **compared, **trained}


def _method(result: MeasureResult) -> str:
    if result.method is None:
        raise ValueError("it names no method")
    return result.method


def _against_null(similarity: NDArray[np.float64], null: NDArray[np.float64]) -> Row:
    both = np.isfinite(similarity) & np.isfinite(null)
    own = mean_interval(similarity[both])
    difference = mean_interval((similarity - null)[both])
    return {
        "similarity": own.mean,
        "low": own.low,
        "high": own.high,
        "null": mean_interval(null[both]).mean,
        "difference": difference.mean,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "n": own.n,
    }


def _affinity_diversity(result: MeasureResult) -> Iterator[Row]:
    yield {name: number(result.values[name]) for name in AFFINITY_DIVERSITY}


def _untrained(result: MeasureResult) -> Iterator[Row]:
    values = {name: number(result.values[name]) for name in UNTRAINED}
    if values["n"] not in range(len(result.probe_ids) + 1):
        raise ValueError(f"n={values['n']} counts none of {len(result.probe_ids)} images")
    yield {"method": _method(result), **values, "n": int(values["n"])}


def _equivariance(result: MeasureResult) -> Iterator[Row]:
    method, n = _method(result), len(result.probe_ids)
    for augment, found in mapping(result.values["augments"]).items():
        values = mapping(found)
        maps, model = (mean_interval(numbers(values[name], n)) for name in ("map", "model"))
        place = {"augment": augment, "method": method}
        yield {**place, "map": maps.mean, "model": model.mean, "n": maps.n}


def _faithfulness_curves(result: MeasureResult) -> Iterator[Row]:
    method = _method(result)
    for substrate, curves in mapping(result.values["curves"]).items():
        by_order = mapping(curves)
        num_points = len(by_order[ORDERS[0]])
        if num_points < 2:
            raise ValueError(f"the curve of {substrate} has {num_points} points")
        for order in ORDERS:
            place = {"method": method, "substrate": substrate, "order": order}
            for step, probability in enumerate(numbers(by_order[order], num_points).tolist()):
                fraction = step / (num_points - 1)
                yield {**place, "step": step, "fraction": fraction, "probability": probability}


READERS: Mapping[str, tuple[str, Callable[[MeasureResult], Iterable[Row]]]] = {
    "parameter_randomization": ("parameter_randomization", _parameter_randomization),
    "label_randomization": ("label_randomization", _label_randomization),
    "affinity_diversity": ("affinity_diversity", _affinity_diversity),
    "untrained": ("untrained", _untrained),
    "equivariance": ("equivariance", _equivariance),
    "faithfulness": ("faithfulness_curves", _faithfulness_curves),
}
