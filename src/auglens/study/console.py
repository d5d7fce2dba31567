"""Prints how far a study is, and a finished one, to a terminal or a pipe. Computes nothing."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import pandas as pd
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from auglens.study import Study
from auglens.study.progress import Track

__all__ = ["print_study", "step_progress"]

T = TypeVar("T")
MOST_LINES = 10
# Without a terminal, a step that is not over by then says once how far it is.
LONG_S = 15


def print_study(study: Study, console: Console) -> None:
    """Table 1 beside the poster's, what failed, and where the report is."""
    if study.table1.empty:
        console.print("No run was trained on true labels, so there is no Table 1.")
    for _, rows in _by_group(study.table1):
        console.print(_accuracy_table(rows))
    for name in study.failed:
        console.print(Text(f"not finished: {name}"), soft_wrap=True)
    for line in study.missing:
        console.print(Text(line), soft_wrap=True)
    for line in study.unread[:MOST_LINES]:
        console.print(Text(f"left out: {line}"), soft_wrap=True)
    if len(study.unread) > MOST_LINES:
        console.print(f"left out: {len(study.unread) - MOST_LINES} more files, named in the report")
    console.print(Text(f"Report: {study.report}"), soft_wrap=True)


@contextmanager
def step_progress(console: Console) -> Iterator[Track]:
    """A bar for each long step of a study; without a terminal, one line for a step that takes long.

    Args:
        console: Where to draw.

    Yields:
        What :func:`auglens.study.build_study` takes.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )

    def draw(items: Sequence[T], label: str) -> Iterator[T]:
        task = bar.add_task(label, total=len(items))
        for item in items:
            yield item
            bar.advance(task)
        bar.remove_task(task)

    def say(items: Sequence[T], label: str) -> Iterator[T]:
        return _said_once(console, items, label)

    with bar:
        yield draw if console.is_terminal else say


def _said_once(console: Console, items: Sequence[T], label: str) -> Iterator[T]:
    started, said = time.monotonic(), False
    for number, item in enumerate(items, start=1):
        yield item
        passed = time.monotonic() - started
        if not said and passed > LONG_S and number < len(items):
            left_s = passed / number * (len(items) - number)
            line = f"{label}: {number} of {len(items)}, about {left_s:.0f} s left"
            console.print(Text(line), soft_wrap=True)
            said = True


def _by_group(table: pd.DataFrame) -> list[tuple[object, pd.DataFrame]]:
    return [] if table.empty else list(table.groupby("group", sort=False))


def _accuracy_table(rows: pd.DataFrame) -> Table:
    first = rows.iloc[0]
    title = (
        f"Table 1: {first['dataset']}, {first['num_test_images']} test images (poster: val / test)"
    )
    table = Table(title=Text(title), box=box.ASCII2, title_justify="left")
    table.add_column("training set", overflow="fold")
    for name in ("runs", "best val", "test", "poster"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows.to_dict("records"):
        table.add_row(
            Text(row["label"]),
            str(row["n"]),
            _spread(row["val_accuracy_mean"], row["val_accuracy_sd"]),
            _spread(row["test_accuracy_mean"], row["test_accuracy_sd"]),
            _poster(row["poster_val"], row["poster_test"]),
        )
    return table


def _spread(mean: float, sd: float) -> str:
    return f"{mean:.3f}" if math.isnan(sd) else f"{mean:.3f} ± {sd:.3f}"


def _poster(val: float, test: float) -> str:
    return "" if math.isnan(test) else f"{val:.2f} / {test:.2f}"
