"""Tables of what the explain stage measured on whole runs. Reads no files and judges nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from auglens.records.measures import MeasureResult
from auglens.study.comparison import Comparison
from auglens.study.conditions import Group, labelled_runs
from auglens.study.statistics import mean_interval

__all__ = ["TRUST_COLUMNS", "trust_tables"]

PLACE = ("group", "label", "run")
MODES = ("absolute", "signed")
AGAINST_NULL = (
    *("similarity", "low", "high", "null"),
    *("difference", "difference_low", "difference_high", "n"),
)
AFFINITY_DIVERSITY = (
    *("affinity", "affinity_gap", "clean_accuracy", "augmented_accuracy", "num_draws"),
    *("diversity", "diversity_ratio", "train_loss", "reference_train_loss"),
    *("prediction_entropy", "reference_prediction_entropy"),
)
TRUST_COLUMNS = {
    "parameter_randomization": (*PLACE, "method", "mode", "step", "layer", *AGAINST_NULL),
    "label_randomization": (*PLACE, "method", "mode", *AGAINST_NULL, "train_loss", "epochs"),
    "affinity_diversity": (*PLACE, *AFFINITY_DIVERSITY),
    "equivariance": (*PLACE, "augment", "method", "map", "model", "n"),
    "agreement": (*PLACE, "method", "other_method", "spearman", "n", "n_undefined"),
    "faithfulness_curves": (*(*PLACE, "method", "substrate", "order", "step", "probability"),),
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
            except (KeyError, TypeError, ValueError, AttributeError) as error:
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
    for mode in MODES:
        values = result.values[mode]
        layers = enumerate(zip(result.values["layers"], values["similarity"], strict=True), 1)
        for step, (layer, similarity) in layers:
            place = {"method": result.method, "mode": mode, "step": step, "layer": layer}
            yield {**place, **_against_null(similarity, values["null"])}


def _label_randomization(result: MeasureResult) -> Iterator[Row]:
    trained = {name: result.values[name] for name in ("train_loss", "epochs")}
    for mode in MODES:
        compared = _against_null(**result.values[mode])
        yield {"method": result.method, "mode": mode, **compared, **trained}


def _against_null(similarity: ArrayLike, null: ArrayLike) -> Row:
    first, second = np.asarray(similarity, np.float64), np.asarray(null, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"{first.shape} similarities have {second.shape} nulls")
    both = np.isfinite(first) & np.isfinite(second)
    own, difference = mean_interval(first[both]), mean_interval((first - second)[both])
    return {
        "similarity": own.mean,
        "low": own.low,
        "high": own.high,
        "null": mean_interval(second[both]).mean,
        "difference": difference.mean,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "n": own.n,
    }


def _affinity_diversity(result: MeasureResult) -> Iterator[Row]:
    values = [result.values[name] for name in AFFINITY_DIVERSITY]
    yield dict(zip(AFFINITY_DIVERSITY, np.asarray(values, np.float64).tolist(), strict=True))


def _equivariance(result: MeasureResult) -> Iterator[Row]:
    for augment, values in result.values["augments"].items():
        maps, model = mean_interval(values["map"]), mean_interval(values["model"])
        place = {"augment": augment, "method": result.method}
        yield {**place, "map": maps.mean, "model": model.mean, "n": maps.n}


def _faithfulness_curves(result: MeasureResult) -> Iterator[Row]:
    for substrate, orders in result.values["curves"].items():
        for order, probabilities in orders.items():
            place = {"method": result.method, "substrate": substrate, "order": order}
            for step, probability in enumerate(np.asarray(probabilities, np.float64).tolist()):
                yield {**place, "step": step, "probability": probability}


READERS: Mapping[str, tuple[str, Callable[[MeasureResult], Iterable[Row]]]] = {
    "parameter_randomization": ("parameter_randomization", _parameter_randomization),
    "label_randomization": ("label_randomization", _label_randomization),
    "affinity_diversity": ("affinity_diversity", _affinity_diversity),
    "equivariance": ("equivariance", _equivariance),
    "faithfulness": ("faithfulness_curves", _faithfulness_curves),
}
