"""Tables of runs, accuracies, maps and measures. Reads no files and draws nothing."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from auglens.study.comparison import ENTROPIES, SIMILARITIES, kl_column
from auglens.study.conditions import Condition, Group
from auglens.study.load import Loaded, Run, Unfinished
from auglens.study.palette import BASELINE

__all__ = [
    "MAPS_COLUMNS",
    "POSTER",
    "RUNS_COLUMNS",
    "accuracy_table",
    "maps_table",
    "metric_table",
    "runs_table",
    "similarity_means",
]

RUNS_COLUMNS = {
    "run": "str",
    "status": "str",
    "identity": "str",
    "group": "str",
    "dataset": "str",
    "model": "str",
    "augment": "str",
    "strength": "Float64",
    "seed": "Int64",
    "seed_data": "Int64",
    "seed_init": "Int64",
    "seed_order": "Int64",
    "best_epoch": "Int64",
    "val_accuracy": "Float64",
    "test_accuracy": "Float64",
    "test_accuracy_last_epoch": "Float64",
    "test_balanced_accuracy": "Float64",
    "seconds": "Float64",
    "error": "str",
}
MAPS_COLUMNS = (
    *("run", "augment", "strength", "seed", "method", "probe_id", "label", "prediction"),
    *SIMILARITIES,
    *ENTROPIES,
)
ACCURACIES = (
    "val_accuracy",
    "test_accuracy",
    "test_accuracy_last_epoch",
    "test_balanced_accuracy",
)
# Best validation and test accuracy of the poster's Table 1.
POSTER = {
    "scale": (0.71, 0.67),
    "crop": (0.88, 0.87),
    "distort": (0.85, 0.79),
    "blur": (0.74, 0.73),
    "erase": (0.79, 0.79),
    "none": (0.81, 0.78),
}


def runs_table(loaded: Loaded) -> pd.DataFrame:
    """One row a run, finished or not, in the order of the folders."""
    rows = [_run_row(entry) for entry in loaded.entries]
    frame = pd.DataFrame(rows, columns=list(RUNS_COLUMNS), dtype=object)
    return frame.astype(RUNS_COLUMNS)


def maps_table(measured: pd.DataFrame) -> pd.DataFrame:
    """The published columns of :attr:`Comparison.frame`; empty if nothing was explained."""
    return measured.reindex(columns=list(MAPS_COLUMNS))


def accuracy_table(groups: Iterable[Group]) -> pd.DataFrame:
    """Table 1 of all groups: one row a condition, mean and standard deviation over its runs."""
    rows = [
        _accuracy_row(group, condition)
        for group in groups
        for condition in (*group.conditions, *group.other_batches)
    ]
    return pd.DataFrame(rows)


def metric_table(
    groups: Iterable[Group], measured: pd.DataFrame, *, kl_eps: Sequence[float]
) -> pd.DataFrame:
    """Every measure of every condition and method.

    ``mean`` and ``sd`` are over the runs' own means over images, ``median`` is over all maps.

    Args:
        groups: Comparison groups.
        measured: :attr:`Comparison.frame`.
        kl_eps: The values of eps it was made with.
    """
    if measured.empty:
        return pd.DataFrame()
    measures = (*SIMILARITIES, *map(kl_column, kl_eps), *ENTROPIES)
    rows = []
    for group in groups:
        for condition in group.conditions:
            maps = measured[measured["run"].isin([run.name for run in condition.runs])]
            for method, of_method in maps.groupby("method"):
                place = {**_place(group, condition), "method": str(method)}
                rows += [{**place, **_measure_row(of_method, name)} for name in measures]
    table = pd.DataFrame(rows)
    return table[table["n_maps"] > 0].reset_index(drop=True)


def similarity_means(
    runs: Iterable[Run], measured: pd.DataFrame
) -> dict[Path, dict[str, dict[str, float]]]:
    """Mean similarity to the baseline, by run folder, method and measure."""
    if measured.empty:
        return {}
    folders = {run.name: run.folder for run in runs}
    means: dict[Path, dict[str, dict[str, float]]] = {}
    compared = measured[measured["compared"]]
    for (name, method), maps in compared.groupby(["run", "method"], sort=False):
        values = {measure: float(maps[measure].mean()) for measure in SIMILARITIES}
        means.setdefault(folders[str(name)], {})[str(method)] = values
    return means


def _run_row(entry: Run | Unfinished) -> dict[str, Any]:
    if isinstance(entry, Unfinished):
        return {
            "run": entry.name,
            "status": entry.status,
            "identity": entry.identity,
            "error": entry.error,
        }
    record = entry.record
    return {
        "run": entry.name,
        "status": "COMPLETED",
        "identity": record.identity,
        "group": record.group,
        "dataset": record.config["dataset"]["name"],
        "model": record.config["model"]["name"],
        "augment": record.augment,
        "strength": record.strength,
        "seed": record.config["seed"],
        **{f"seed_{role}": record.inputs["seeds"][role] for role in ("data", "init", "order")},
        "best_epoch": record.best_epoch,
        **{name: getattr(record, name) for name in ACCURACIES},
        "seconds": record.seconds.get("total"),
    }


def _place(group: Group, condition: Condition) -> dict[str, Any]:
    return {
        "group": group.name,
        "dataset": group.dataset,
        "label": condition.label,
        "augment": condition.augment,
        "strength": np.nan if condition.strength is None else condition.strength,
    }


def _accuracy_row(group: Group, condition: Condition) -> dict[str, Any]:
    records = [run.record for run in condition.runs]
    row: dict[str, Any] = {**_place(group, condition), "n": len(records)}
    for name in ACCURACIES:
        values = np.array([getattr(record, name) for record in records], np.float64)
        row[f"{name}_mean"] = float(values.mean())
        row[f"{name}_sd"] = float(values.std(ddof=1)) if len(values) > 1 else np.nan
    class_counts = np.array(records[0].test_confusion).sum(axis=1)
    row["num_test_images"] = int(class_counts.sum())
    row["unequal_test_classes"] = bool((class_counts != class_counts[0]).any())
    row["poster_val"], row["poster_test"] = _poster_values(condition)
    return row


def _poster_values(condition: Condition) -> tuple[float, float]:
    own_label = condition.label in (condition.augment, BASELINE)
    usual = condition.strength in (None, 1) and own_label
    return POSTER.get(condition.augment, (np.nan, np.nan)) if usual else (np.nan, np.nan)


def _measure_row(maps: pd.DataFrame, measure: str) -> Mapping[str, Any]:
    if measure not in ENTROPIES:
        maps = maps[maps["compared"]]
    values = maps[measure]
    run_means = values.groupby(maps["run"]).mean()
    return {
        "measure": measure,
        "mean": float(run_means.mean()),
        "sd": float(run_means.std(ddof=1)),
        "median": float(values.median()),
        "n_runs": int(run_means.notna().sum()),
        "n_maps": len(values),
        "n_undefined": int(values.isna().sum()),
    }
