"""Writes docs/benchmarks.md from the figures. Measures nothing and knows no number."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from auglens.records.files import write_text

__all__ = ["HEADLINES", "headline", "render_page", "write_headline", "write_page"]

Row = Mapping[str, Any]
# Rows of the README: benchmark, words in the work and in the peer, and what a reader is told.
HEADLINES = (
    ("sweep", "six", "plain", "six networks, from typing to report", "a plain script, no report"),
    ("sweep", "six", "tuned", "the same", "a tuned script, no report"),
    (
        "sweep",
        "one network",
        "usual",
        "one network and its maps",
        "a usual Lightning script, no maps",
    ),
    ("training", "epoch", "tuned", "an epoch with validation and checkpoint", "a tuned loop"),
    ("precision", "epoch", "32-true", "an epoch in bf16-mixed", "the same in float32"),
    ("augmentation", "", "torchvision", "copies of 1,000 images", "torchvision v2, image by image"),
    ("augmentation", "", "kornia", "the same", "kornia, the whole batch"),
    (
        "attribution",
        "",
        "default memory format",
        "maps of 1,000 images",
        "Captum, called as its tutorials do",
    ),
    ("metrics", "", "a loop with SciPy", "measures of 1,000 pairs of maps", "a loop with SciPy"),
)
BEGIN, END = "<!-- benchmarks -->\n", "<!-- /benchmarks -->"


def write_page(figures: Mapping[str, Any], path: Path) -> None:
    """Write the page.

    Args:
        figures: Content of docs/benchmarks.json: machine and rows by benchmark.
        path: The Markdown file.
    """
    write_text(path, render_page(figures))


def headline(figures: Mapping[str, Any]) -> str:
    """The README's table: one ratio, or the range of several, for each line that was measured."""
    lines = []
    for name, work, peer, our_words, their_words in HEADLINES:
        if name not in figures:
            continue
        rows = [
            row
            for row in figures[name]["rows"]
            if row["kind"] == "Comparison" and work in row["work"] and peer in row["peer"]
        ]
        lines.append([our_words, their_words, _range(rows)])
    return _markdown(["AugLens", "beside", "ratio of times"], lines) + "\n"


def _range(rows: list[Row]) -> str:
    if len(rows) == 1:
        [row] = rows
        return f"**{_ratio(row['ratio'])}** ({_ratio(row['low'])} to {_ratio(row['high'])})"
    ratios = sorted(row["ratio"] for row in rows)
    return f"**{_ratio(ratios[0])} to {_ratio(ratios[-1])}** ({len(rows)} kinds)"


def write_headline(figures: Mapping[str, Any], readme: Path) -> None:
    """Put :func:`headline` between its marks in the README."""
    text = readme.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    write_text(readme, before + BEGIN + headline(figures) + END + rest.split(END, 1)[1])


def render_page(figures: Mapping[str, Any]) -> str:
    """The page as Markdown; a benchmark that was never run is said to be missing."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"table": _table, "growth": _growth_table, "seconds": _seconds}
    return environment.get_template("page.md.j2").render(figures=figures)


def _table(rows: list[Row]) -> str:
    """Comparisons, then single numbers."""
    comparisons = [_comparison(row) for row in rows if row["kind"] == "Comparison"]
    quantities = [_quantity(row) for row in rows if row["kind"] == "Quantity"]
    parts = []
    if comparisons:
        titles = ["work", "AugLens", "beside", "ratio", "90 % interval", "pairs", "bar"]
        parts.append(_markdown(titles, comparisons))
    if quantities:
        titles = ["what", "median", "lowest to highest", "n", "bar"]
        parts.append(_markdown(titles, quantities))
    return "\n\n".join(parts)


def _comparison(row: Row) -> list[str]:
    ours, peer = _median(row["ours_s"]), _median(row["peer_s"])
    return [
        row["work"],
        _seconds(ours),
        f"{row['peer']}: {_seconds(peer)}",
        f"**{_ratio(row['ratio'])}**",
        f"{_ratio(row['low'])} to {_ratio(row['high'])}",
        str(row["pairs"]),
        _bar(row["bar"], row["ratio"], row["high"]),
    ]


def _quantity(row: Row) -> list[str]:
    values, unit = row["values"], row["unit"]
    return [
        row["what"],
        f"**{row['median']:.3g} {unit}**",
        f"{min(values):.3g} to {max(values):.3g}",
        str(len(values)),
        _bar(row["bar"], row["median"], row["median"]),
    ]


def _growth_table(row: Row) -> str:
    points = [
        [f"{point['size']:,}", _seconds(point["seconds"]), f"{point['memory_mb']:,.0f} MiB"]
        for point in row["points"]
    ]
    table = _markdown([row["unit"], "time", "peak memory"], points)
    before, last = (point["size"] for point in row["points"][-2:])
    exponents = (
        f"Over all sizes, time grows as size to the power {row['time_exponent']:.2f} and peak "
        f"memory to the power {row['memory_exponent']:.2f}; from {before:,} to {last:,} to the "
        f"powers {row['late_time_exponent']:.2f} and {row['late_memory_exponent']:.2f}, "
        f"{_signed_seconds(row['seconds_each'])} and {row['memory_mb_each'] * 2**10:.3g} KiB for "
        "one more."
    )
    return f"{row['work']}\n\n{table}\n\n{exponents}"


def _bar(bar: float | None, median: float, high: float) -> str:
    if bar is None:
        return ""
    by_median = "met by the median only" if median <= bar else "**missed**"
    return f"≤ {_ratio(bar)} {'met' if max(median, high) <= bar else by_median}"


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _signed_seconds(value: float) -> str:
    return f"-{_seconds(-value)}" if value < 0 else _seconds(value)


def _seconds(value: float) -> str:
    if value >= 1:
        return f"{value:.3g} s"
    return f"{1e3 * value:.3g} ms" if value >= 1e-3 else f"{1e6 * value:.3g} µs"


def _median(values: list[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _markdown(titles: list[str], rows: list[list[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
