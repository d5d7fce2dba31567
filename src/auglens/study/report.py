"""Writes the report folder: HTML pages, figures, tables and a summary. Computes no measure."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from auglens.records.files import write_bytes, write_json, write_text
from auglens.study.analysis_illustrations import (
    illustrate_classes,
    illustrate_differences,
    illustrate_runs,
    illustrate_seed_means,
    illustrate_shifts,
    illustrate_strengths,
)
from auglens.study.analysis_tables import describe_analyses
from auglens.study.claims import describe_claims
from auglens.study.condition_means import explaining_methods
from auglens.study.csv_files import write_csv
from auglens.study.evidence import Evidence, correlate
from auglens.study.illustrations import Illustration, illustrate_training
from auglens.study.limits import describe_limits, describe_making
from auglens.study.map_browser import map_browser
from auglens.study.map_illustrations import illustrate_maps
from auglens.study.methods import explain_command
from auglens.study.pages import (
    Findings,
    Part,
    all_methods,
    render_method,
    render_report,
    render_results,
)
from auglens.study.progress import Track, untracked
from auglens.study.rebuilding import rebuild_command, training_commands
from auglens.study.trust_illustrations import illustrate_equivariance, illustrate_perturbation
from auglens.study.trust_sections import describe_trust, sections_of_trust
from auglens.study.verdicts.primary import further_verdicts, verdicts

__all__ = ["Findings", "write_report"]

# One row a step of every curve, or a run and class: too long for a summary.
LONG_TABLES = frozenset({"faithfulness_curves", "consensus", "scaling", "class_maps"})
# Of all map browsers of the page, which stays below 10 MB.
MAP_BYTES = 5_000_000


def write_report(findings: Findings, folder: Path, track: Track = untracked) -> Path:
    """Write everything below ``folder``.

    Args:
        findings: What to say.
        folder: The report folder; files of an earlier report are replaced.
        track: Shows how many comparison groups are drawn.

    Returns:
        The HTML page.
    """
    groups = track(findings.groups, "Drawing the report")
    parts = [_part(evidence, findings) for evidence in groups]
    for name, table in findings.tables.items():
        write_csv(folder / "tables" / f"{name}.csv", table)
    _write_figures(parts, folder / "figures")
    _write_method_pages(findings, parts, folder / "methods")
    write_json(folder / "summary.json", _summary(findings, parts))
    page = folder / "report.html"
    measured = _measured(findings)
    command = rebuild_command(findings.sweeps, folder.parent, reuse=findings.reuse, **measured)
    write_text(page, render_report(findings, parts, command=command))
    commands = [*training_commands(findings.sweeps), *_explaining(findings), command]
    results = render_results(
        findings, parts, commands=commands, file_name=lambda part, one: _file_name(part, one, parts)
    )
    write_text(folder / "results.md", results)
    return page


class Measured(TypedDict):
    """How all maps were measured."""

    kl_eps: list[float]
    foreground_threshold: float


def _measured(findings: Findings) -> Measured:
    return Measured(
        kl_eps=list(findings.kl_eps), foreground_threshold=findings.foreground_threshold
    )


def _explaining(findings: Findings) -> list[str]:
    """What takes the measures that these runs have."""
    results = [
        one for evidence in findings.groups for own in evidence.results.values() for one in own
    ]
    if not results:
        return []
    methods = sorted({one.method for one in results if one.method})
    measures = sorted({one.measure for one in results})
    return [explain_command(findings.sweeps, methods=methods, measures=measures)]


def _part(evidence: Evidence, findings: Findings) -> Part:
    others = [one for one in explaining_methods(evidence) if one != evidence.main_method]
    return Part(
        evidence=evidence,
        verdicts=verdicts(evidence),
        further={method: further_verdicts(evidence, method) for method in others},
        browser=map_browser(evidence, max_bytes=MAP_BYTES // len(findings.groups)),
        training=list(illustrate_training(evidence)),
        of_maps={method: list(illustrate_maps(evidence, method)) for method in evidence.methods},
        of_methods={method: _further_figures(evidence, method) for method in evidence.methods},
        of_analyses=list(_analysis_figures(evidence)),
        trust=sections_of_trust(evidence, findings.sweeps),
        claims={claim.name: claim for claim in describe_claims(evidence)},
        analyses=describe_analyses(evidence),
        limits=describe_limits(evidence),
        making=describe_making(evidence, **_measured(findings)),
    )


def _analysis_figures(evidence: Evidence) -> Iterator[Illustration]:
    """Figures 13 to 18 in this order, of the main method where they are about maps."""
    method = evidence.main_method
    yield from illustrate_differences(evidence)
    if method is not None:
        for illustrate in (illustrate_shifts, illustrate_strengths, illustrate_runs):
            yield from illustrate(evidence, method)
    yield from illustrate_classes(evidence)
    if method is not None:
        yield from illustrate_seed_means(evidence, method)


def _further_figures(evidence: Evidence, method: str) -> list[Illustration]:
    makers = (illustrate_perturbation, illustrate_equivariance)
    return [figure for make in makers for figure in make(evidence, method)]


def _write_figures(parts: Sequence[Part], folder: Path) -> None:
    """Write all figures and remove those of an earlier report that are no longer drawn."""
    drawn = {_file_name(part, one, parts): one.png for part in parts for one in part.illustrations}
    for name, png in drawn.items():
        write_bytes(folder / name, _writer(png))
    _remove_others(folder, "*.png", set(drawn))


def _write_method_pages(findings: Findings, parts: Sequence[Part], folder: Path) -> None:
    """Write a page a method and remove those of methods that are no longer there."""
    methods = all_methods(parts)
    for method in methods:
        write_text(folder / f"{method}.html", render_method(findings, parts, method))
    _remove_others(folder, "*.html", {f"{method}.html" for method in methods})


def _remove_others(folder: Path, pattern: str, kept: set[str]) -> None:
    for path in folder.glob(pattern):
        if path.name not in kept:
            path.unlink()


def _file_name(part: Part, illustration: Illustration, parts: Sequence[Part]) -> str:
    group = f"{part.evidence.group.name}_" if len(parts) > 1 else ""
    return f"{group}{illustration.name}.png"


def _writer(content: bytes) -> Callable[[Any], int]:
    return lambda file: int(file.write(content))


def _summary(findings: Findings, parts: Sequence[Part]) -> dict[str, Any]:
    return {
        **_measured(findings),
        "absences": {topic: list(lines) for topic, lines in findings.absences.items()},
        "groups": [_group_summary(part) for part in parts],
    }


def _group_summary(part: Part) -> dict[str, Any]:
    evidence = part.evidence
    correlations = {
        method: {
            measure: _finite(asdict(correlation))
            for measure, (_, correlation) in correlate(evidence, method).items()
        }
        for method in evidence.methods
    }
    return {
        "group": evidence.group.name,
        "dataset": evidence.group.dataset,
        "methods": evidence.methods,
        "accuracies": _rows(evidence.accuracies),
        "measures": _rows(evidence.measures),
        "nulls": _finite(evidence.nulls),
        "spearman_with_test_accuracy": correlations,
        "epochs_to_95_percent_of_best": _rows(evidence.epochs),
        "parameter_randomization_verdicts": describe_trust(evidence),
        "tables": {
            name: _rows(table) for name, table in evidence.tables.items() if name not in LONG_TABLES
        },
        "verdicts": [
            {**asdict(one.primary), **_finite(asdict(one.outcome))} for one in part.verdicts
        ],
        "claims": {name: asdict(claim) for name, claim in part.claims.items()},
        "limits": list(part.limits),
        "making": dict(part.making),
    }


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain numbers and strings; NaN becomes None."""
    content: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return content


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values; those no JSON can hold become None."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in values.items()
    }
