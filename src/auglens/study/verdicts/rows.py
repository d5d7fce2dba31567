"""Picks the rows of analysis tables that verdicts rest on. Judges nothing."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from auglens.study.analyses.sampling import sampled
from auglens.study.evidence import Evidence
from auglens.study.verdicts.verdict import Outcome

__all__ = ["first_of", "listed", "points", "rows_of", "smallest_of", "tell"]


def rows_of(evidence: Evidence, table: str, **where: object) -> pd.DataFrame:
    """Rows of a table whose columns have the given values; empty where the table is."""
    found = evidence.tables[table]
    for column, value in where.items():
        if column not in found:
            return found.iloc[:0]
        found = found[found[column] == value]
    return found


def first_of(rows: pd.DataFrame) -> dict[str, Any]:
    """The first row as a mapping from columns to values."""
    return dict(rows.iloc[0])


def smallest_of(rows: pd.DataFrame, column: str) -> dict[str, Any]:
    """The row with the smallest value of a column."""
    return first_of(rows.sort_values(column, kind="stable"))


def tell(
    row: Mapping[str, Any],
    word: str,
    sentence: str,
    *,
    test: str,
    n: str,
    unit: str,
    p: float,
    estimate: str = "mean",
    ends: tuple[str, str] = ("low", "high"),
    times: float = 1,
    beside: Iterable[str] = (),
) -> Outcome:
    """An outcome whose estimate and interval are columns of a row, with the sample they rest on.

    Args:
        row: A row of an analysis table.
        word: One of the four words.
        sentence: The result with its numbers.
        test: The test in a few words.
        n: What was counted.
        unit: Of estimate and interval.
        p: Of the test.
        estimate: Column of the estimate.
        ends: Columns of the interval's ends; those that are not there are NaN.
        times: What the three are multiplied with, such as 100 for percentage points.
        beside: Further sentences; empty ones are left out.
    """
    low, high = (times * row.get(end, math.nan) for end in ends)
    said = sampled(row)
    return Outcome(
        word=word,
        sentence=f"{sentence} This rests on {said}." if said else sentence,
        test=test,
        n=f"{n} ({said})" if said else n,
        estimate=times * row[estimate],
        low=low,
        high=high,
        unit=unit,
        p=p,
        beside=tuple(filter(None, beside)),
    )


def listed(names: list[str]) -> str:
    """Names with commas and a last ``and``.

    >>> listed(["crop"]), listed(["crop", "blur", "none"])
    ('crop', 'crop, blur and none')
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def points(fraction: float) -> str:
    """A difference of accuracies in percentage points, with its sign.

    >>> points(0.0812), points(-0.0049)
    ('+8.1 points', '-0.5 points')
    """
    return f"{round(100 * fraction, 1) + 0.0:+.1f} points"
