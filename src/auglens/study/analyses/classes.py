"""Accuracy and saliency by class: what helps on average may harm one class."""

import numpy as np
import pandas as pd

from auglens.study.conditions import Group

__all__ = ["class_accuracy_table", "class_map_table"]

MAP_MEASURES = ("cc", "entropy")


def class_accuracy_table(group: Group) -> pd.DataFrame:
    """Test accuracy of every condition and class: mean and standard deviation over runs.

    Reference:
        Balestriero et al., "The effects of regularization and data augmentation are class
        dependent", NeurIPS 2022, arXiv:2204.03632.
    """
    names = [str(name) for name in group.config["dataset"]["class_names"]]
    rows = []
    for condition in group.conditions:
        confusions = np.array([run.record.test_confusion for run in condition.runs], np.float64)
        counts = confusions.sum(axis=2)
        recalls = np.divide(
            confusions.diagonal(axis1=1, axis2=2),
            counts,
            out=np.full_like(counts, np.nan),
            where=counts > 0,
        )
        for place, recall in enumerate(recalls.T):
            several = len(recall) > 1
            rows.append(
                {
                    "group": group.name,
                    "label": condition.label,
                    "class": names[place],
                    "n": len(recall),
                    "accuracy_mean": float(recall.mean()),
                    "accuracy_sd": float(recall.std(ddof=1)) if several else np.nan,
                }
            )
    return pd.DataFrame(rows)


def class_map_table(group: Group, maps: pd.DataFrame) -> pd.DataFrame:
    """CC to the baseline and entropy of the maps, by condition and class of the query image.

    Args:
        group: The comparison group.
        maps: Rows of :attr:`Comparison.frame`.
    """
    labels = {run.name: one.label for one in group.conditions for run in one.runs}
    if maps.empty or not labels:
        return pd.DataFrame()
    own = maps[maps["run"].isin(list(labels))]
    names = [str(name) for name in group.config["dataset"]["class_names"]]
    keyed = own.assign(
        condition=own["run"].map(labels), **{"class": own["label"].map(dict(enumerate(names)))}
    )
    by_run = keyed.groupby(["condition", "method", "class", "run"], sort=False)[[*MAP_MEASURES]]
    grouped = by_run.mean().groupby(level=["condition", "method", "class"], sort=False)
    table = grouped.agg(["mean", "std"]).rename(columns={"std": "sd"}, level=1)
    table.columns = table.columns.map("_".join)
    table = table.reset_index().rename(columns={"condition": "label"})
    table.insert(0, "group", group.name)
    return table
