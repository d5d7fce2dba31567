"""Goes from sweep folders to a report: loads, measures, tabulates, writes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from auglens.metrics.threads import one_thread
from auglens.records.files import check_no_link
from auglens.records.names import visible
from auglens.records.run import RecordError
from auglens.study import Study
from auglens.study.analyses.tables import ANALYSES, analysis_tables
from auglens.study.comparison import Comparison, compare_maps
from auglens.study.conditions import Group, find_groups, is_baseline
from auglens.study.csv_files import write_csv
from auglens.study.curves import convergence, read_histories, summarise_curves
from auglens.study.evidence import Evidence
from auglens.study.figure_data import first_seed_runs
from auglens.study.load import Loaded, StudyError, load_sweeps
from auglens.study.measured import Results, alike_only
from auglens.study.null_values import group_nulls
from auglens.study.progress import Track, untracked
from auglens.study.report import Findings, write_report
from auglens.study.tables import (
    accuracy_table,
    maps_table,
    metric_table,
    runs_table,
    similarity_means,
)
from auglens.study.trust import TRUST_COLUMNS, trust_tables

__all__ = ["build"]

UNREAD = "Files that could not be read"


class Measuring(TypedDict):
    """Arguments of all that measures maps."""

    kl_eps: Sequence[float]
    foreground_threshold: float


def build(
    sweeps: Sequence[Path],
    *,
    out: Path,
    kl_eps: Sequence[float],
    foreground_threshold: float,
    reuse: Sequence[Path] = (),
    track: Track = untracked,
) -> Study:
    """See :func:`auglens.study.build_study`."""
    _check_out(out)
    loaded = load_sweeps(sweeps, reuse, track)
    groups = find_groups(loaded.results)
    measuring = Measuring(kl_eps=kl_eps, foreground_threshold=foreground_threshold)
    with one_thread():
        comparison = compare_maps(loaded.results, **measuring, track=track)
        nulls = {group.name: group_nulls(group, **measuring) for group in groups}
    histories, unread = read_histories(groups)
    alike, unlike = alike_only(comparison, groups)
    tables = {
        "table1": accuracy_table(groups),
        "metrics": metric_table(groups, alike, kl_eps=kl_eps, nulls=nulls),
        "curves": summarise_curves(histories),
        "convergence": convergence(histories),
    }
    trust, unfit = trust_tables(groups, alike)
    with one_thread():
        analyses = analysis_tables(groups, alike.frame, {**tables, **trust}, nulls, track)
    further = {**trust, **analyses}
    evidence = [
        _evidence(
            group, {**tables, **further}, alike, loaded, comparison.results, nulls[group.name]
        )
        for group in groups
    ]
    unread = [*unread, *unfit, *_unread_samples(groups)]
    findings = Findings(
        sweeps=sweeps,
        reuse=reuse,
        groups=evidence,
        tables={**tables, **{name: table for name, table in further.items() if len(table)}},
        absences={
            **_absences(loaded, comparison, unread=unread, unlike=unlike),
            **_left_out(analyses["left_out"]),
        },
        **measuring,
    )
    return _written(findings, loaded, comparison, out, track)


def _written(
    findings: Findings, loaded: Loaded, comparison: Comparison, out: Path, track: Track
) -> Study:
    """Write tables and report, and hand both over."""
    runs, maps = runs_table(loaded, out), maps_table(comparison.frame)
    write_csv(out / "runs.csv", runs)
    write_csv(out / "maps.csv", maps)
    report = write_report(findings, out / "report", track)
    return Study(
        report=report,
        runs=runs,
        maps=maps,
        table1=findings.tables["table1"],
        metrics=findings.tables["metrics"],
        failed=[entry.name for entry in loaded.unfinished],
        missing=list(loaded.missing),
        similarity=similarity_means(loaded.results, comparison.frame),
        unread=findings.absences.get(UNREAD, []),
    )


def _check_out(out: Path) -> None:
    """Refuse to write where a link leads elsewhere.

    Raises:
        StudyError: Naming it.
    """
    try:
        for name in ("tables", "figures", "methods"):
            check_no_link(out, "report", name)
    except ValueError as error:
        raise StudyError(str(error)) from error


def _evidence(
    group: Group,
    tables: Mapping[str, pd.DataFrame],
    comparison: Comparison,
    loaded: Loaded,
    results: Results,
    nulls: Mapping[str, float],
) -> Evidence:
    names = [run.name for run in group.runs]
    measured = comparison.frame
    return Evidence(
        group=group,
        accuracies=_own(tables["table1"], group),
        measures=_own(tables["metrics"], group),
        maps=measured if measured.empty else measured[measured["run"].isin(names)],
        curves=_own(tables["curves"], group),
        epochs=_own(tables["convergence"], group),
        settings=_ways(names, comparison),
        tables={name: _own(tables[name], group) for name in (*TRUST_COLUMNS, *ANALYSES)},
        nulls=nulls,
        results={name: results.get(name, ()) for name in names},
        has_permuted=any(run.permuted for run in loaded.runs),
    )


def _ways(names: Sequence[str], comparison: Comparison) -> dict[str, list[dict[str, Any]]]:
    """The different ways in which the maps of some runs were made, by method."""
    ways: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        for method, settings in comparison.settings.get(name, {}).items():
            known = ways.setdefault(method, [])
            if settings not in known:
                known.append(settings)
    return ways


def _unread_samples(groups: Sequence[Group]) -> list[str]:
    """Samples that Figure 1 needs and that are absent or damaged."""
    said = []
    for group in groups:
        for label, run in first_seed_runs(group).items():
            try:
                run.samples()
            except RecordError as error:
                said.append(visible(f"{label}: {error}"))
    return said


def _own(table: pd.DataFrame, group: Group) -> pd.DataFrame:
    return table if table.empty else table[table["group"] == group.name]


def _absences(
    loaded: Loaded, comparison: Comparison, *, unread: Sequence[str], unlike: Sequence[str]
) -> dict[str, list[str]]:
    """What the report lacks, by topic; topics without a line are left out."""
    topics = {
        "Jobs of the latest command": list(loaded.missing),
        "Runs that did not finish": [
            f"{entry.name}: {entry.status}, {entry.error}" for entry in loaded.unfinished
        ],
        "Runs without similarity": [
            f"{name}: {reason}" for name, reason in comparison.reasons.items()
        ],
        UNREAD: [*comparison.damage, *unread],
        "Measures taken with other settings than in other runs, left out of all means": [*unlike],
        "Maps with an undefined measure": _undefined(comparison.frame),
        "Runs on permuted labels, in runs.csv only": [
            run.name for run in loaded.runs if run.permuted
        ],
        "Folders that hold or point to the same run as another": list(loaded.repeated),
    }
    if not any(map(is_baseline, loaded.results)):
        topics["Baseline"] = ["There is no run of none, so nothing is compared."]
    return {topic: lines for topic, lines in topics.items() if lines}


def _left_out(table: pd.DataFrame) -> dict[str, list[str]]:
    """What single analyses could not use, by topic, with the method where it is of maps."""
    lines: dict[str, list[str]] = {}
    for row in table.to_dict("records"):
        name = f"{row['name']} ({row['method']})" if row["method"] else row["name"]
        lines.setdefault(row["topic"], []).append(name)
    return lines


def _undefined(measured: pd.DataFrame) -> list[str]:
    if measured.empty:
        return ["No run has saliency maps."]
    similarity = measured["compared"] & measured[["cc", "kl"]].isna().any(axis=1)
    undefined = measured[similarity | measured["entropy"].isna()]
    counts = undefined.groupby(["run", "method"], sort=False).size()
    return [
        f"{run}: {count} maps of {method}"
        for (run, method), count in zip(counts.index, counts, strict=True)
    ]
