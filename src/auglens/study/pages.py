"""Renders the report's HTML pages from what was drawn and said. Reads and writes no files."""

import base64
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from auglens.metrics.catalogue import MEASURES, RUN_MEASURES
from auglens.study.claims import Claim
from auglens.study.evidence import Evidence
from auglens.study.illustrations import Illustration
from auglens.study.map_browser import MapBrowser
from auglens.study.method_settings import describe_settings
from auglens.study.next_steps import next_steps
from auglens.study.page_tables import (
    PageTable,
    appendix_tables,
    measure_facts,
    number,
    primary_table,
    spread,
)
from auglens.study.palette import hex_colour
from auglens.study.trust_sections import TrustSection, describe_trust
from auglens.study.verdicts.verdict import SIGNIFICANCE, WORDS, Outcome, Verdict, say_p

__all__ = [
    "Findings",
    "Part",
    "all_methods",
    "render_method",
    "render_report",
    "render_results",
    "say_estimate",
    "say_multiplicity",
]

# Whatever Markdown, its tables or its formulas could take for a mark, and an "&" before an entity.
# An underscore within a word and a "<" before a space or a number are none.
MARKS = re.compile(r"[\\`*\[\]>|~$]|(?<!\w)_|_(?!\w)|<(?! [.\d])|&(?=#?\w+;)")


@dataclass(frozen=True)
class Findings:
    """All that a report says.

    Attributes:
        sweeps: The folders it was made from.
        reuse: Folders that reused runs were read from.
        groups: One part of the report each.
        tables: By file name, without ending.
        absences: What is missing, by topic.
        kl_eps: Values that keep KL finite; the first is the main one.
        foreground_threshold: Brightness above which a pixel is foreground.
    """

    sweeps: Sequence[Path]
    reuse: Sequence[Path]
    groups: Sequence[Evidence]
    tables: Mapping[str, pd.DataFrame]
    absences: Mapping[str, Sequence[str]]
    kl_eps: Sequence[float]
    foreground_threshold: float


@dataclass(frozen=True)
class Part:
    """One comparison group with all that was drawn and said of it.

    Attributes:
        evidence: Its numbers.
        verdicts: On every claim and hypothesis.
        further: What the same analyses give for the other methods, not primary.
        browser: Its maps to look at; None without maps.
        training: Figures 1 and 2.
        of_maps: Figures 3 to 6 by method, in the order of the report.
        of_methods: Further figures of single methods, by method.
        of_analyses: Figures of the statistics, in the order of their numbers.
        trust: Whether its maps can be trusted.
        claims: The poster's claims in numbers, by name.
        analyses: All statistics as tables.
        limits: What its numbers cannot carry.
        making: How it was made, by name.
    """

    evidence: Evidence
    verdicts: Sequence[Verdict]
    further: Mapping[str, Sequence[Verdict]]
    browser: MapBrowser | None
    training: Sequence[Illustration]
    of_maps: Mapping[str, Sequence[Illustration]]
    of_methods: Mapping[str, Sequence[Illustration]]
    of_analyses: Sequence[Illustration]
    trust: Sequence[TrustSection]
    claims: Mapping[str, Claim]
    analyses: Sequence[PageTable]
    limits: Sequence[str]
    making: Mapping[str, str]

    @property
    def illustrations(self) -> list[Illustration]:
        """All figures; one that is shown twice is there once."""
        drawn = [*self.training, *self.of_analyses]
        for by_method in (self.of_maps, self.of_methods):
            drawn += [one for figures in by_method.values() for one in figures]
        drawn += [one for section in self.trust for one in section.illustrations]
        return list({one.name: one for one in drawn}.values())


def all_methods(parts: Sequence[Part]) -> list[str]:
    """Methods of all groups, each once."""
    return list(dict.fromkeys(name for part in parts for name in part.of_maps))


def render_report(findings: Findings, parts: Sequence[Part], *, command: str) -> str:
    """The page ``report.html``.

    Args:
        findings: What to say.
        parts: One a group.
        command: Builds it again.
    """
    return (
        _environment(findings)
        .get_template("report.html.j2")
        .render(
            findings=findings,
            parts=parts,
            methods=all_methods(parts),
            measures=[*MEASURES.values(), *RUN_MEASURES.values()],
            command=command,
        )
    )


def render_method(findings: Findings, parts: Sequence[Part], method: str) -> str:
    """The page ``methods/<method>.html``.

    Args:
        findings: What to say.
        parts: One a group; those without the method are left out.
        method: Name of the saliency method.
    """
    return (
        _environment(findings)
        .get_template("method.html.j2")
        .render(
            method=method,
            parts=[part for part in parts if method in part.of_maps],
            methods=all_methods(parts),
            measures=[*MEASURES.values(), *RUN_MEASURES.values()],
        )
    )


def render_results(
    findings: Findings,
    parts: Sequence[Part],
    *,
    commands: Sequence[str],
    file_name: Callable[[Part, Illustration], str],
) -> str:
    """The page ``results.md``: verdicts and tables for papers and repositories, in Markdown.

    Args:
        findings: What to say.
        parts: One a group.
        commands: Make every number again.
        file_name: Of a figure of a part.
    """
    environment = _environment(findings).overlay(autoescape=False, finalize=_markdown)
    return environment.get_template("results.md.j2").render(
        findings=findings,
        parts=parts,
        commands=commands,
        file_name=file_name,
        results_figures=results_figures,
    )


def results_figures(part: Part) -> list[Illustration]:
    """The figures that results are told with: those of the statistics, and similarity to accuracy."""
    of_maps = part.of_maps.get(part.evidence.main_method or "", [])
    return [*(one for one in of_maps if one.name.startswith("fig6_")), *part.of_analyses]


def _markdown(value: object) -> object:
    """Text on one line, to be shown as it is; what is marked as safe is Markdown already."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return Markup(MARKS.sub(r"\\\g<0>", re.sub(r"\s*\n\s*", " ", value)))


def _markdown_row(cells: Iterable[object]) -> Markup:
    """A row of a Markdown table; the lines of a cell stand side by side."""
    shown = [
        cell if isinstance(cell, Markup) else _markdown(" / ".join(str(cell).splitlines()))
        for cell in cells
    ]
    return Markup(f"| {' | '.join(map(str, shown))} |")


def say_estimate(outcome: Outcome) -> str:
    """Estimate, unit and interval of a verdict on a line; nothing where there is no estimate.

    >>> say_estimate(Outcome("shown", "", estimate=8.2, low=6.1, high=10.3, unit="points"))
    '8.200 points (6.100 to 10.300)'
    """
    if math.isnan(outcome.estimate):
        return ""
    said = f"{number(outcome.estimate)} {outcome.unit}"
    if math.isnan(outcome.low):
        return said
    return f"{said} ({number(outcome.low)} to {number(outcome.high)})"


def say_multiplicity(verdicts: Sequence[Verdict]) -> str:
    """How many of the verdicts rest on a test, and how many would be significant by chance."""
    num_tested = sum(bool(one.outcome.test) for one in verdicts)
    if not num_tested:
        return "These runs allow none of their tests."
    return (
        f"Each is tested at {100 * SIGNIFICANCE:g} % by itself and nothing is corrected across "
        f"claims: of {num_tested} tests without any effect {SIGNIFICANCE * num_tested:.2g} are "
        "expected to be significant."
    )


def by_word(verdicts: Sequence[Verdict]) -> list[tuple[str, list[Verdict]]]:
    """Verdicts by their word, in the order of :data:`WORDS`; words without any are left out."""
    found = [(word, [one for one in verdicts if one.outcome.word == word]) for word in WORDS]
    return [(word, those) for word, those in found if those]


def _environment(findings: Findings) -> Environment:
    environment = Environment(
        loader=PackageLoader("auglens.study"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number,
        spread=spread,
        p=say_p,
        row=_markdown_row,
        facts=measure_facts,
        embedded=lambda png: base64.b64encode(png).decode(),
        colour=hex_colour,
        page=lambda method: f"{quote(method)}.html",
        address=lambda name: Markup(quote(name)),
    )
    environment.globals.update(
        primary_table=primary_table,
        describe_trust=describe_trust,
        say_estimate=say_estimate,
        say_multiplicity=say_multiplicity,
        by_word=by_word,
        next_steps=lambda evidence: next_steps(evidence, findings.sweeps),
        appendix_tables=lambda evidence, method: appendix_tables(evidence, method, findings.kl_eps),
        settings_of=lambda evidence, method: describe_settings(evidence.settings.get(method, ())),
    )
    return environment
