"""Writes and reads the CSV tables of a report: text that a spreadsheet would run is quoted.

A cell of text that begins with ``=``, ``+``, ``-``, ``@``, a tab, a carriage return or ``'`` gets a
``'`` before it, which :func:`read_csv` takes away again; numbers are left as they are.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

from auglens.records.files import write_bytes

__all__ = ["read_csv", "write_csv"]

# Rows whose text is in memory at a time.
CHUNK = 10_000
QUOTE = "'"
QUOTED = tuple("=+-@\t\r'")


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table with every float to its last digit."""
    write_bytes(path, lambda file: file.writelines(map(str.encode, _parts(table))))


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


def _parts(table: pd.DataFrame) -> Iterator[str]:
    texts = _texts(table)
    for start in range(0, max(len(table), 1), CHUNK):
        part = table.iloc[start : start + CHUNK]
        shown = part.assign(**{name: part[name].map(_quoted) for name in texts})
        yield shown.to_csv(index=False, header=start == 0, lineterminator="\n")


def _texts(table: pd.DataFrame) -> list[str]:
    """Columns that can hold text."""
    numeric = table.select_dtypes(["number", "bool"]).columns
    return [name for name in table.columns if name not in set(numeric)]


def _quoted(cell: object) -> object:
    return f"{QUOTE}{cell}" if isinstance(cell, str) and cell.startswith(QUOTED) else cell


def _unquoted(cell: object) -> object:
    return cell.removeprefix(QUOTE) if isinstance(cell, str) else cell
