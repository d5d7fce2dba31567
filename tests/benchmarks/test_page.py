"""docs/benchmarks.md and the README say what docs/benchmarks.json holds."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.__main__ import BENCHMARKS, FIGURES, PAGE
from benchmarks.measuring import Comparison, Growth, Point, Quantity
from benchmarks.page import BEGIN, END, headline, render_page
from benchmarks.process import REPOSITORY


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    return dict(json.loads(FIGURES.read_text(encoding="utf-8")))


def test_every_benchmark_was_measured_and_no_other(figures: dict[str, Any]) -> None:
    assert set(figures) == set(BENCHMARKS)


def test_the_page_is_what_the_figures_give(figures: dict[str, Any]) -> None:
    assert PAGE.read_text(encoding="utf-8") == render_page(figures)


def test_the_readme_is_what_the_figures_give(figures: dict[str, Any]) -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert readme.split(BEGIN)[1].split(END)[0] == headline(figures)


def test_derived_figures_follow_from_the_measured_ones(figures: dict[str, Any]) -> None:
    made: dict[str, Callable[[dict[str, Any]], Comparison | Growth | Quantity]] = {
        "Comparison": comparison,
        "Growth": growth,
        "Quantity": quantity,
    }
    for measured in figures.values():
        for row in measured["rows"]:
            again = made[row["kind"]](row).as_json()
            assert {name: row[name] for name in again} == again


def comparison(row: dict[str, Any]) -> Comparison:
    return Comparison(row["work"], row["peer"], row["ours_s"], row["peer_s"], row["bar"])


def growth(row: dict[str, Any]) -> Growth:
    return Growth(row["work"], row["unit"], [Point(**point) for point in row["points"]])


def quantity(row: dict[str, Any]) -> Quantity:
    return Quantity(row["what"], row["values"], row["unit"], row["bar"])


def test_a_bar_within_the_interval_is_met_by_the_median_only() -> None:
    machine = json.loads(FIGURES.read_text(encoding="utf-8"))["startup"]["machine"]
    bars = {0.9: "≤ 0.90 met |", 0.8: "≤ 0.80 met by the median only |", 0.7: "≤ 0.70 **missed** |"}
    rows = [
        {"kind": "Comparison", **Comparison("w", "p", [0.7, 0.75, 0.8], [1.0] * 3, bar).as_json()}
        for bar in bars
    ]
    page = render_page({"sweep": {"machine": machine, "rows": rows}})
    assert [words in page for words in bars.values()] == [True] * 3


def test_a_missed_bar_is_said() -> None:
    machine = json.loads(FIGURES.read_text(encoding="utf-8"))["startup"]["machine"]
    slow = {"kind": "Quantity", **Quantity("start", [3.0, 2.0, 4.0], "s", bar=1.5).as_json()}
    page = render_page({"startup": {"machine": machine, "rows": [slow]}})
    assert "| start | **3 s** | 2 to 4 | 3 | ≤ 1.50 **missed** |" in page
    assert "Not measured yet: `python -m benchmarks sweep`." in page
