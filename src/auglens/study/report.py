"""Writes the report folder: one HTML page, figures, tables and a summary. Computes no measure."""

import base64
import json
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from auglens.records.files import write_bytes, write_json, write_text
from auglens.study.claims import Claim, describe_claims
from auglens.study.comparison import ENTROPIES, SIMILARITIES, kl_column
from auglens.study.illustrations import Evidence, Illustration, correlate, illustrate
from auglens.study.limits import describe_limits, describe_making
from auglens.study.palette import hex_colour

__all__ = ["Findings", "write_csv", "write_report"]

TEMPLATE = "report.html.j2"
MEASURE_TITLES = {
    "cc": "CC",
    "kl": "KL",
    "kl_reverse": "KL reversed",
    "sim": "SIM",
    "js": "JS",
    "entropy": "entropy, nats",
    "effective_area": "effective area",
    "entropy_histogram": "histogram entropy, bits",
}


@dataclass(frozen=True)
class Findings:
    """All that a report says.

    Attributes:
        sweeps: The folders it was made from.
        groups: One part of the report each.
        tables: By file name, without ending.
        absences: What is missing, by topic.
        kl_eps: Values that keep KL finite; the first is the main one.
    """

    sweeps: Sequence[Path]
    groups: Sequence[Evidence]
    tables: Mapping[str, pd.DataFrame]
    absences: Mapping[str, Sequence[str]]
    kl_eps: Sequence[float]


@dataclass(frozen=True)
class Part:
    """One comparison group as the template takes it."""

    evidence: Evidence
    illustrations: Sequence[Illustration]
    claims: Sequence[Claim]
    limits: Sequence[str]
    making: Mapping[str, str]


def write_report(findings: Findings, folder: Path) -> Path:
    """Write everything below ``folder``.

    Args:
        findings: What to say.
        folder: The report folder; files of an earlier report are replaced.

    Returns:
        The HTML page.
    """
    parts = [_part(evidence) for evidence in findings.groups]
    for name, table in findings.tables.items():
        write_csv(folder / "tables" / f"{name}.csv", table)
    _write_figures(parts, folder / "figures")
    write_json(folder / "summary.json", _summary(findings, parts))
    page = folder / "report.html"
    write_text(page, _render(findings, parts, folder.parent))
    return page


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table with every float to its last digit."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def _part(evidence: Evidence) -> Part:
    return Part(
        evidence,
        list(illustrate(evidence)),
        describe_claims(evidence),
        describe_limits(evidence),
        describe_making(evidence),
    )


def _write_figures(parts: Sequence[Part], folder: Path) -> None:
    """Write all figures and remove those of an earlier report that are no longer drawn."""
    drawn = {_file_name(part, one, parts): one.png for part in parts for one in part.illustrations}
    for name, png in drawn.items():
        write_bytes(folder / name, _writer(png))
    for path in folder.glob("*.png"):
        if path.name not in drawn:
            path.unlink()


def _file_name(part: Part, illustration: Illustration, parts: Sequence[Part]) -> str:
    group = f"{part.evidence.group.name}_" if len(parts) > 1 else ""
    return f"{group}{illustration.name}.png"


def _writer(content: bytes) -> Callable[[Any], int]:
    return lambda file: int(file.write(content))


def _render(findings: Findings, parts: Sequence[Part], out: Path) -> str:
    environment = Environment(
        loader=PackageLoader("auglens.study"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_number,
        spread=_spread,
        eps=lambda value: f"{value:.2g}",
        embedded=lambda png: base64.b64encode(png).decode(),
        colour=hex_colour,
    )
    return environment.get_template(TEMPLATE).render(
        findings=findings,
        parts=parts,
        measures=MEASURE_TITLES,
        eps_columns={kl_column(eps): eps for eps in findings.kl_eps},
        similarities=SIMILARITIES,
        entropies=ENTROPIES,
        command=_command(findings.sweeps, out),
    )


def _command(sweeps: Sequence[Path], out: Path) -> str:
    if len(sweeps) == 1:
        command = ["python", "-m", "auglens.study", f"sweep={sweeps[0]}"]
        return shlex.join(command if out == sweeps[0] else [*command, f"out={out}"])
    joined = ",".join(map(str, sweeps))
    return shlex.join(["python", "-m", "auglens.study", f"sweep=[{joined}]", f"out={out}"])


def _number(value: float, digits: int = 3) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _spread(mean: float, sd: float) -> str:
    return _number(mean) if math.isnan(sd) else f"{mean:.3f} ± {sd:.3f}"


def _summary(findings: Findings, parts: Sequence[Part]) -> dict[str, Any]:
    return {
        "kl_eps": list(findings.kl_eps),
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
        "accuracies": _rows(evidence.accuracies),
        "measures": _rows(evidence.measures),
        "spearman_with_test_accuracy": correlations,
        "epochs_to_95_percent_of_best": _rows(evidence.epochs),
        "claims": {claim.name: asdict(claim) for claim in part.claims},
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
