"""All analyses of all comparison groups as tables, one pass over the maps of each method."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import pandas as pd

from auglens.study.analyses.classes import class_accuracy_table, class_map_table
from auglens.study.analyses.differences import (
    contrast_rows,
    difference_tables,
    friedman_table,
    interval_table,
    run_values,
)
from auglens.study.analyses.exploratory import exploratory_rows
from auglens.study.analyses.levels import diagonal_row, level_rows
from auglens.study.analyses.map_similarity import (
    PAIRWISE,
    GroupMaps,
    MapSimilarity,
    map_similarity,
    read_group_maps,
    sample_maps,
)
from auglens.study.analyses.pairing import seeds_left_out
from auglens.study.analyses.sampling import SAMPLED
from auglens.study.analyses.shifts import floor_rows, shift_rows
from auglens.study.analyses.strengths import (
    StrengthDesign,
    association_rows,
    incremental_row,
    left_out_augments,
    repeated_rows,
    shift_trend_rows,
    strength_design,
    trend_rows,
)
from auglens.study.analyses.untrained import untrained_rows
from auglens.study.analyses.variation import (
    classifier_row,
    consensus_rows,
    permanova_row,
    scaling_rows,
    without_maps,
)
from auglens.study.conditions import Group
from auglens.study.methods import NULL_METHODS, ordered_methods
from auglens.study.progress import Track, untracked

__all__ = ["ANALYSES", "analysis_tables"]

ANALYSES = (
    *("accuracy_intervals", "differences", "contrasts", "friedman"),
    *("class_accuracy", "class_maps", "levels", "equivariance_diagonal", "exploratory"),
    "untrained_contrasts",
    *("floors", "shifts", "permanova", "classifier", "scaling", "consensus"),
    *("strength_trends", "shift_trends", "associations", "incremental", "repeated_measures"),
    "left_out",
)
"""Names of all tables."""

LACKED_SEEDS = "Seeds that some training sets lack, left out of tests over all sets"
OTHER_STRENGTHS = "Augmentations without the strengths of most, left out of analyses over strengths"
OTHERWISE_MADE = "Maps made otherwise than most, left out of comparisons across seeds"
UNDEFINED_MAPS = "Training sets without a defined map, left out of comparisons across seeds"
SAMPLED_RUNS = (
    "Runs whose maps are compared pair by pair (noise floors, shifts and their trends, PERMANOVA, "
    "classifier, plane of runs): whole seeds, every training set in its share"
)
UNSHARED_SEEDS = "Augmentations with too few seeds of the others, left out of trends over strengths"

Rows = Iterable[Mapping[str, object]]
Tables = Mapping[str, pd.DataFrame]


def analysis_tables(
    groups: Sequence[Group],
    maps: pd.DataFrame,
    tables: Tables,
    nulls: Mapping[str, Mapping[str, float]],
    track: Track = untracked,
) -> dict[str, pd.DataFrame]:
    """Every table of :data:`ANALYSES`, with a column ``group``; those without rows are empty.

    ``left_out`` has a row for everything that an analysis could not use: ``method`` (nothing if it
    needs no maps), ``topic`` and ``name``.

    Args:
        groups: Comparison groups.
        maps: The frame of the measured maps.
        tables: ``convergence``, ``affinity_diversity`` and ``equivariance`` of the same groups.
        nulls: What unrelated maps score, by group and measure.
        track: Shows how far the longest analyses are.
    """
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in ANALYSES}
    for group in groups:
        for name, table in _group_tables(group, maps, tables, nulls[group.name], track):
            if len(table):
                found[name].append(table)
    return {
        name: pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["group"])
        for name, parts in found.items()
    }


def _group_tables(
    group: Group, maps: pd.DataFrame, tables: Tables, nulls: Mapping[str, float], track: Track
) -> Iterator[tuple[str, pd.DataFrame]]:
    values = run_values(group, maps, tables["convergence"])
    yield "accuracy_intervals", interval_table(group)
    yield "differences", difference_tables(group, values)
    contrasts = pd.DataFrame(contrast_rows(group, values))
    yield "contrasts", contrasts.assign(group=group.name)
    yield "friedman", friedman_table(group, values["test_accuracy", ""])
    yield "class_accuracy", class_accuracy_table(group)
    yield "class_maps", class_map_table(group, maps)
    design = strength_design(group)
    unlike = [] if design is None else left_out_augments(group, design)
    for topic, names in ((LACKED_SEEDS, seeds_left_out(group)), (OTHER_STRENGTHS, unlike)):
        rows = _left_out(topic, names)
        yield "left_out", pd.DataFrame(rows).assign(group=group.name, method="")
    for method in _methods(group, maps):
        diagonal = diagonal_row(group, tables["equivariance"], method)
        found = chain(
            [("levels", level_rows(group, maps, method, nulls))],
            [("untrained_contrasts", untrained_rows(group, maps, tables["untrained"], method))],
            [("exploratory", exploratory_rows(group, maps, method, track))],
            [("equivariance_diagonal", [] if diagonal is None else [diagonal])],
            _method_rows(group, method, values, tables["affinity_diversity"], track),
        )
        for name, content in found:
            placed = [{"group": group.name, "method": method, **row} for row in content]
            yield name, pd.DataFrame(placed)


def _methods(group: Group, maps: pd.DataFrame) -> list[str]:
    """Methods that explain and have maps in the group."""
    if maps.empty:
        return []
    own = maps[maps["run"].isin([run.name for run in group.runs])]
    configured = list(group.config["saliency"]["methods"])
    ordered = ordered_methods(own["method"].unique(), configured)
    return [method for method in ordered if method not in NULL_METHODS]


def _method_rows(
    group: Group,
    method: str,
    values: Mapping[tuple[str, str], Any],
    affinity: pd.DataFrame,
    track: Track,
) -> Iterator[tuple[str, Rows]]:
    own = read_group_maps(group, method)
    consensus = list(consensus_rows(group, own, track))
    yield "left_out", _left_out(OTHERWISE_MADE, own.left_out)
    yield "consensus", consensus
    design = strength_design(group)
    own = sample_maps(group, own)
    cross: dict[str, MapSimilarity] = {}
    if len(own.runs) > 1:
        yield from _cross_seed_rows(group, own, cross, track)
    yield "repeated_measures", repeated_rows(group, values, method)
    if design is not None:
        similarities = {measure: values[measure, method] for measure in ("cc", "kl")}
        of_run = {str(row["run"]): float(str(row["consensus"])) for row in consensus}
        similarities["consensus"] = pd.Series(of_run, dtype=float)
        trends = trend_rows(design, values["cc", method])
        yield "strength_trends", trends
        with_trend = {row["augment"] for row in trends}
        without = [augment for augment in design.augments if augment not in with_trend]
        yield "left_out", _left_out(UNSHARED_SEEDS, without)
        yield "associations", association_rows(design, similarities, values)
        yield from _design_rows(design, group, own, cross, values, affinity)


def _cross_seed_rows(
    group: Group, own: GroupMaps, cross: dict[str, MapSimilarity], track: Track
) -> Iterator[tuple[str, Rows]]:
    """What all pairs of runs tell; ``cross`` is filled with the means of each similarity."""
    for measure in PAIRWISE:
        similarity = map_similarity(group, own, measure, track)
        for name, rows in (
            ("floors", floor_rows(group, own, similarity)),
            ("shifts", shift_rows(group, own, similarity, measure)),
        ):
            yield name, _stated(own, [{"measure": measure, **row} for row in rows])
        # Every image of every pair takes as much memory as the maps.
        cross[measure] = replace(similarity, paired={})
    for name, row in (
        ("permanova", permanova_row(group, own, cross["cc"])),
        ("classifier", classifier_row(group, own, cross["cc"])),
    ):
        yield name, [] if row is None else _stated(own, [row])
    yield "left_out", _left_out(UNDEFINED_MAPS, without_maps(group, own, cross["cc"]))
    yield "scaling", _stated(own, scaling_rows(group, own, cross["cc"]))
    yield "left_out", _left_out(SAMPLED_RUNS, [own.sampled] if own.sampled else [])


def _stated(own: GroupMaps, rows: Rows) -> Rows:
    """The same rows with the sample they rest on, where it is one."""
    return [{**row, SAMPLED: own.sampled} for row in rows] if own.sampled else rows


def _left_out(topic: str, names: Iterable[str]) -> list[dict[str, object]]:
    return [{"topic": topic, "name": name} for name in names]


def _design_rows(
    design: StrengthDesign,
    group: Group,
    own: GroupMaps,
    cross: Mapping[str, MapSimilarity],
    values: Mapping[tuple[str, str], Any],
    affinity: pd.DataFrame,
) -> Iterator[tuple[str, Rows]]:
    if cross:
        yield "shift_trends", _stated(own, shift_trend_rows(design, group, own, cross["cc"]))
    row = incremental_row(design, values, own.method, affinity)
    yield "incremental", [] if row is None else [row]
