"""Renders the report's HTML pages from what was drawn and said. Reads and writes no files."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from auglens.metrics.catalogue import MEASURES, RUN_MEASURES
from auglens.study.claims import Claim
from auglens.study.evidence import Evidence
from auglens.study.illustrations import Illustration
from auglens.study.method_settings import describe_settings
from auglens.study.page_tables import (
    appendix_tables,
    measure_facts,
    number,
    primary_table,
    spread,
)
from auglens.study.palette import hex_colour
from auglens.study.trust_sections import TrustSection, describe_trust

__all__ = ["Findings", "Part", "all_methods", "render_method", "render_report"]


@dataclass(frozen=True)
class Findings:
    """All that a report says.

    Attributes:
        sweeps: The folders it was made from.
        groups: One part of the report each.
        tables: By file name, without ending.
        absences: What is missing, by topic.
        kl_eps: Values that keep KL finite; the first is the main one.
        foreground_threshold: Brightness above which a pixel is foreground.
    """

    sweeps: Sequence[Path]
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
        training: Figures 1 and 2.
        of_maps: Figures 3 to 6 by method, in the order of the report.
        of_methods: Further figures of single methods, by method.
        trust: Whether its maps can be trusted.
        claims: The poster's claims in it.
        limits: What its numbers cannot carry.
        making: How it was made, by name.
    """

    evidence: Evidence
    training: Sequence[Illustration]
    of_maps: Mapping[str, Sequence[Illustration]]
    of_methods: Mapping[str, Sequence[Illustration]]
    trust: Sequence[TrustSection]
    claims: Sequence[Claim]
    limits: Sequence[str]
    making: Mapping[str, str]

    @property
    def illustrations(self) -> list[Illustration]:
        """All figures; one that is shown twice is there once."""
        drawn = [*self.training]
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
        facts=measure_facts,
        embedded=lambda png: base64.b64encode(png).decode(),
        colour=hex_colour,
        page=lambda method: f"{quote(method)}.html",
    )
    environment.globals.update(
        primary_table=primary_table,
        describe_trust=describe_trust,
        appendix_tables=lambda evidence, method: appendix_tables(evidence, method, findings.kl_eps),
        settings_of=lambda evidence, method: describe_settings(evidence.settings.get(method, ())),
    )
    return environment
