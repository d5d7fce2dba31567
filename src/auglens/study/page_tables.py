"""Tables of the report as rows of text, with heads from the catalogue. Computes no measure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auglens.metrics.catalogue import MEASURES, PRIMARY, Family, Measure, of_family
from auglens.study.comparison import kl_column
from auglens.study.evidence import Evidence
from auglens.study.palette import hex_colour

__all__ = [
    "PageRow",
    "PageTable",
    "RowGroup",
    "appendix_tables",
    "bare_p",
    "measure_facts",
    "measure_head",
    "number",
    "primary_table",
    "spread",
]

FAMILIES: Mapping[Family, str] = {
    "similarity": "Similarity to the baseline of the same seed",
    "complexity": "Complexity",
    "focus": "Place and shape",
    "faithfulness": "Faithfulness",
}
NULLS: Mapping[str | None, str] = {
    None: "null: the method random",
    "same_class": "null: another image of the class",
    "absent": "no null",
}
SPREAD_SAID = (
    "mean ± standard deviation over runs of their means over query images; below it the median "
    "over all maps, and how many maps have no value where some have none"
)


@dataclass(frozen=True)
class PageRow:
    """One row: its name, its cells, each of one or more lines, and a colour key if it has one."""

    label: str
    cells: Sequence[str]
    colour: str = ""


@dataclass(frozen=True)
class RowGroup:
    """Rows that belong together; ``title`` may be empty."""

    title: str
    rows: Sequence[PageRow]


@dataclass(frozen=True)
class PageTable:
    """A table as the page shows it.

    Attributes:
        caption: What it says.
        corner: Head of the rows' names.
        heads: One a column, each of one or more lines.
        groups: The rows.
        title: A few words to find it by; empty where what it stands below names it.
    """

    caption: str
    corner: str
    heads: Sequence[str]
    groups: Sequence[RowGroup]
    title: str = ""

    @property
    def name(self) -> str:
        """The title, or the first sentence of the caption where there is none."""
        return self.title or self.caption.split(". ")[0].removesuffix(".")


def number(value: float, digits: int = 3) -> str:
    """A number for people; a dash where there is none."""
    # Adding 0 turns -0.000 into 0.000.
    return "-" if math.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}"


def bare_p(p: float) -> str:
    """A p-value below a head that says so; a dash where there is none.

    >>> bare_p(0.0123), bare_p(1e-9), bare_p(1.0), bare_p(math.nan)
    ('.012', '< .001', '1.000', '-')
    """
    if math.isnan(p):
        return "-"
    return "< .001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def spread(mean: float, sd: float) -> str:
    """A mean with its standard deviation, where there is one."""
    return number(mean) if math.isnan(sd) else f"{number(mean)} ± {number(sd)}"


def measure_head(measure: Measure, nulls: Mapping[str, float]) -> str:
    """Title and unit, direction, and what a map that knows nothing scores, one a line."""
    unit = f", {measure.unit}" if measure.unit else ""
    return f"{measure.title}{unit}\n{_direction(measure)}\n{_null(measure, nulls)}"


def measure_facts(measure: Measure) -> str:
    """Range, direction and null in words, for where the measure is defined.

    >>> measure_facts(MEASURES["foreground_auc"])
    'from 0 to 1; higher is better; null 0.5'
    """
    low, high = (f"{end:.3g}".replace("inf", "infinity") for end in (measure.low, measure.high))
    null = "null: unrelated maps" if measure.null == "unrelated" else _null(measure, {})
    return f"from {low} to {high}; {_direction(measure)}; {null}"


def primary_table(evidence: Evidence, methods: Sequence[str]) -> PageTable:
    """The five primary measures: a row a condition, a group of rows a method."""
    groups = []
    for method in methods:
        cells = _cells(evidence, method)
        rows = [
            PageRow(
                condition.label,
                [cells.get((condition.label, name), "-") for name in PRIMARY],
                hex_colour(condition.augment),
            )
            for condition in evidence.group.conditions
        ]
        groups.append(RowGroup(method, rows))
    heads = [measure_head(MEASURES[name], evidence.nulls) for name in PRIMARY]
    caption = f"The five primary measures: {SPREAD_SAID}."
    title = f"Five primary measures ({', '.join(methods)})"
    return PageTable(caption, "training set", heads, groups, title)


def appendix_tables(evidence: Evidence, method: str, kl_eps: Sequence[float]) -> list[PageTable]:
    """All measures of one method, a column a condition, and KL by its eps."""
    cells = _cells(evidence, method)
    labels = list(dict.fromkeys(label for label, _ in cells))
    if not labels:
        return []
    measures = []
    for family, title in FAMILIES.items():
        names = [name for name in of_family(family) if _any_value(cells, labels, name)]
        rows = [
            PageRow(_one_line(MEASURES[name], evidence.nulls), _row(cells, labels, name))
            for name in names
        ]
        measures.append(RowGroup(title, rows))
    by_eps = [
        PageRow(f"eps {eps:.2g}", _row(cells, labels, kl_column(eps)))
        for eps in kl_eps
        if _any_value(cells, labels, kl_column(eps))
    ]
    shown = [group for group in measures if group.rows]
    title = f"All measures ({method})"
    tables = [PageTable(f"{title}: {SPREAD_SAID}.", "measure", labels, shown, title)]
    if by_eps:
        title = f"KL(baseline || model) in nats ({method}), by the eps that keeps it finite"
        tables.append(PageTable(f"{title}.", "eps", labels, [RowGroup("", by_eps)], title))
    return tables


def _cells(evidence: Evidence, method: str) -> dict[tuple[str, str], str]:
    own = evidence.measures
    if own.empty:
        return {}
    own = own[own["method"] == method]
    columns = own[["label", "measure", "mean", "sd", "median", "n_maps", "n_undefined"]]
    return {
        (label, name): _cell(mean, sd, median, int(undefined))
        for label, name, mean, sd, median, _, undefined in columns.itertuples(index=False)
    }


def _cell(mean: float, sd: float, median: float, undefined: int) -> str:
    if math.isnan(mean):
        return "-"
    counted = f", {undefined} undefined" if undefined else ""
    return f"{spread(mean, sd)}\n{number(median)}{counted}"


def _row(cells: Mapping[tuple[str, str], str], labels: Sequence[str], name: str) -> list[str]:
    return [cells.get((label, name), "-") for label in labels]


def _any_value(cells: Mapping[tuple[str, str], str], labels: Sequence[str], name: str) -> bool:
    return any(cell != "-" for cell in _row(cells, labels, name))


def _one_line(measure: Measure, nulls: Mapping[str, float]) -> str:
    title, *rest = measure_head(measure, nulls).split("\n")
    return f"{title}\n{'; '.join(rest)}"


def _direction(measure: Measure) -> str:
    if measure.higher_is_better is None:
        return "descriptive"
    good = "closer" if measure.family == "similarity" else "better"
    return f"{'higher' if measure.higher_is_better else 'lower'} is {good}"


def _null(measure: Measure, nulls: Mapping[str, float]) -> str:
    if isinstance(measure.null, float):
        return f"null {measure.null:g}"
    if measure.null in NULLS:
        return NULLS[measure.null]
    value = nulls.get(measure.name, math.nan)
    return f"unrelated maps {number(value)}"
