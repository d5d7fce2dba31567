"""Tables of runs, accuracies, maps and measures. Reads no files and draws nothing."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from auglens.metrics.catalogue import MEASURES, of_family
from auglens.records.names import visible_name
from auglens.study.comparison import Comparison, measure_names
from auglens.study.conditions import Condition, Group
from auglens.study.load import Loaded, Run, Unfinished
from auglens.study.null_values import null_column
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
    "folder": "str",
}
LEADING_COLUMNS = (
    *("run", "augment", "strength", "seed", "method", "probe_id", "label", "prediction"),
    *("cc", "kl", "kl_reverse", "sim", "js", "entropy", "effective_area", "entropy_histogram"),
)
MAPS_COLUMNS = (*LEADING_COLUMNS, *(name for name in MEASURES if name not in LEADING_COLUMNS))
PLACE = ("group", "dataset", "label", "augment", "strength", "method")
MEASURED = ("measure", "mean", "sd", "median", "n_runs", "n_maps", "n_undefined")
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


def runs_table(loaded: Loaded, out: Path) -> pd.DataFrame:
    """One row a run, finished or not, in the order of the folders.

    Args:
        loaded: The runs.
        out: Where the table will lie; its column ``folder`` leads from there to each run.
    """
    rows = [{**_run_row(entry), "folder": _way(out, entry.folder)} for entry in loaded.entries]
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
    groups: Iterable[Group],
    comparison: Comparison,
    *,
    kl_eps: Sequence[float],
    nulls: Mapping[str, Mapping[str, float]],
) -> pd.DataFrame:
    """Every measure of every condition and method for which there are values or maps.

    ``mean`` and ``sd`` are over the runs' own means over images, ``median`` is over all maps;
    ``n_maps`` counts the maps that were measured, ``n_undefined`` those of them without a value.

    Args:
        groups: Comparison groups.
        comparison: The measured maps.
        kl_eps: The values of eps they were measured with.
        nulls: What unrelated maps score, by group and measure.
    """
    if comparison.frame.empty:
        return pd.DataFrame()
    names = measure_names(kl_eps)
    tables = []
    for group in groups:
        table = _group_metrics(group, comparison, names)
        tables.append(table.assign(null=null_column(table, nulls[group.name])))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def similarity_means(
    runs: Iterable[Run], measured: pd.DataFrame
) -> dict[Path, dict[str, dict[str, float]]]:
    """Mean similarity to the baseline, by run folder, method and measure."""
    if measured.empty:
        return {}
    similarities = of_family("similarity")
    folders = {run.name: run.folder for run in runs}
    means: dict[Path, dict[str, dict[str, float]]] = {}
    compared = measured[measured["compared"]]
    for (name, method), maps in compared.groupby(["run", "method"], sort=False):
        values = {measure: float(maps[measure].mean()) for measure in similarities}
        means.setdefault(folders[str(name)], {})[str(method)] = values
    return means


def _way(start: Path, folder: Path) -> str:
    way = Path(os.path.relpath(folder.resolve(), start.resolve())).as_posix()
    # No table can hold a name that is no text, nor should one steer a terminal.
    return way if way.isprintable() else visible_name(way)


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


def _group_metrics(group: Group, comparison: Comparison, names: Sequence[str]) -> pd.DataFrame:
    frame = comparison.frame[comparison.frame["run"].isin([run.name for run in group.runs])]
    # Without a foreground in the images no map is measured against one.
    absent = {name for name in of_family("focus") if frame[name].isna().all()}
    taken = [name for name in names if name not in absent]
    tables = [pd.DataFrame(columns=[*PLACE, *MEASURED])]
    for condition in group.conditions:
        maps = frame[frame["run"].isin([run.name for run in condition.runs])]
        for method, own in maps.groupby("method"):
            place = {**_place(group, condition), "method": str(method)}
            rows = _measure_rows(own, taken, _num_measured(own, taken, comparison))
            tables.append(rows.assign(**place)[[*PLACE, *MEASURED]])
    return pd.concat([one for one in tables if len(one)] or tables, ignore_index=True)


def _num_measured(
    maps: pd.DataFrame, names: Sequence[str], comparison: Comparison
) -> dict[str, int]:
    """How many of one method's maps each measure was taken of."""
    faithfulness, complexity = of_family("faithfulness"), of_family("complexity")
    unconditional = {*complexity, *of_family("focus")}
    counts = {
        name: len(maps) if name in unconditional else int(maps["compared"].sum()) for name in names
    }
    method = maps["method"].iloc[0]
    results = [one for run in maps["run"].unique() for one in comparison.results.get(run, ())]
    for name in faithfulness:
        counts[name] = sum(
            len(one.probe_ids) for one in results if one.method == method and name in one.columns
        )
    return counts


def _measure_rows(
    maps: pd.DataFrame, names: Sequence[str], num_measured: Mapping[str, int]
) -> pd.DataFrame:
    values = maps[list(names)]
    run_means = values.groupby(maps["run"]).mean()
    num_maps = pd.Series({name: num_measured[name] for name in names})
    rows = pd.DataFrame(
        {
            "measure": names,
            "mean": run_means.mean(),
            "sd": run_means.std(ddof=1),
            "median": values.median(),
            "n_runs": run_means.notna().sum(),
            "n_maps": num_maps,
            "n_undefined": num_maps - values.notna().sum(),
        }
    )
    return rows[rows["n_maps"] > 0]
