"""Writes and reads the CSV tables of a report: text that a spreadsheet would run is quoted.

A cell of text that begins with ``=``, ``+``, ``-``, ``@``, a tab, a carriage return or ``'`` gets a
``'`` before it, which :func:`read_csv` takes away again; numbers are left as they are.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from auglens.records.files import write_text

__all__ = ["read_csv", "write_csv"]

QUOTE = "'"
QUOTED = tuple("=+-@\t\r'")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table with every float to its last digit."""
    shown = table.copy()
    for name in _texts(shown):
        shown[name] = shown[name].map(_quoted)
    write_text(path, shown.to_csv(index=False, lineterminator="\n"))


def read_csv(
    path: Path, types: Mapping[str, str] | None = None, num_rows: int | None = None
) -> pd.DataFrame:
    """A written table; without columns, an empty one.

    Args:
        path: Of the file.
        types: Of its columns; None for what the values look like.
        num_rows: Rows to read; None for all.
    """
    try:
        table = pd.read_csv(
            path,
            dtype=None if types is None else dict(types),
            nrows=num_rows,
            # A run or an augmentation may be called "None" or "NA".
            keep_default_na=False,
            na_values=[""],
        )
    except pd.errors.EmptyDataError:
        return pd.DataFrame()
    for name in _texts(table):
        table[name] = table[name].map(_unquoted)
    return table


def _texts(table: pd.DataFrame) -> list[str]:
    """Columns that can hold text."""
    numeric = table.select_dtypes(["number", "bool"]).columns
    return [name for name in table.columns if name not in set(numeric)]


def _quoted(cell: object) -> object:
    return f"{QUOTE}{cell}" if isinstance(cell, str) and cell.startswith(QUOTED) else cell


def _unquoted(cell: object) -> object:
    return cell.removeprefix(QUOTE) if isinstance(cell, str) else cell
