"""Reads what was measured after every epoch and averages it over seeds. Draws nothing."""

import io
from collections.abc import Sequence

import pandas as pd

from auglens.records.names import visible
from auglens.records.reading import read_bytes
from auglens.study.conditions import Group, labelled_runs
from auglens.study.load import Run

__all__ = ["CURVES", "convergence", "read_histories", "summarise_curves"]

CURVES = ("train_loss", "val_accuracy")
SHARE_OF_BEST = 0.95
HISTORY = "history.csv"
MOST_BYTES = 2**26


def read_histories(groups: Sequence[Group]) -> tuple[pd.DataFrame, list[str]]:
    """Every epoch of every run.

    Returns:
        One row an epoch with ``group, label, run, epoch, train_loss, val_accuracy``, and a line
        for every history that cannot be read.
    """
    frames, damage = [], []
    for place, run in labelled_runs(groups):
        try:
            history = _read_history(run)
        except (ValueError, LookupError) as error:
            damage.append(visible(f"{run.name}: history.csv cannot be read: {error}"))
            continue
        frames.append(history.assign(**place))
    columns = ["group", "label", "run", "epoch", *CURVES]
    whole = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    return whole[columns], damage


def summarise_curves(histories: pd.DataFrame) -> pd.DataFrame:
    """Mean, smallest and largest value over seeds, one row a group, condition and epoch."""
    grouped = histories.groupby(["group", "label", "epoch"], sort=False)
    summary = grouped.agg(
        n=("run", "size"),
        **{f"{curve}_{how}": (curve, how) for curve in CURVES for how in ("mean", "min", "max")},
    )
    return summary.reset_index()


def convergence(histories: pd.DataFrame) -> pd.DataFrame:
    """How fast a run learned.

    Returns:
        One row a run: ``group, label, run``; ``epochs`` until it first has 95 % of its own best
        validation accuracy; ``mean_val_accuracy`` over all epochs, the area under its curve.
    """
    best = histories.groupby("run")["val_accuracy"].transform("max")
    reached = histories[histories["val_accuracy"] >= SHARE_OF_BEST * best]
    place = ["group", "label", "run"]
    first = reached.groupby(place, sort=False)["epoch"].min().rename("epochs")
    area = histories.groupby(place, sort=False)["val_accuracy"].mean().rename("mean_val_accuracy")
    return pd.concat([first, area], axis=1).reset_index()


def _read_history(run: Run) -> pd.DataFrame:
    run.check(HISTORY)
    content = read_bytes(run.folder, HISTORY, most_bytes=MOST_BYTES)
    history = pd.read_csv(io.BytesIO(content))[["epoch", *CURVES]]
    counted = [*range(1, len(history) + 1)]
    if not len(history) or history["epoch"].tolist() != counted:
        raise ValueError("its epochs are not 1, 2, 3 and so on")
    if not all(pd.api.types.is_numeric_dtype(history[curve]) for curve in CURVES):
        raise ValueError("it holds something that is no number")
    if not history["val_accuracy"].between(0, 1).all():
        raise ValueError("it holds an accuracy that is not from 0 to 1")
    return history
