"""Which runs hold which measure of the explain stage, and taken how. Reads and draws nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from auglens.records.measures import MeasureResult
from auglens.study.comparison import Comparison
from auglens.study.conditions import Group

__all__ = ["Results", "alike_only", "distinct_settings", "runs_without"]

Results = Mapping[str, Sequence[MeasureResult]]
"""Sidecars by the name of their run."""

# It changes no value.
IMMATERIAL = frozenset({"batch_size"})


def alike_only(comparison: Comparison, groups: Iterable[Group]) -> tuple[Comparison, list[str]]:
    """Leave out what was measured with other settings than in a group's first run that has it.

    Args:
        comparison: As it was read; it is not changed.
        groups: Whose runs are averaged together.

    Returns:
        The same without the sidecars that differ and without their values, and a line for each
        run and measure that lost some.
    """
    frame, results = comparison.frame.copy(), dict(comparison.results)
    said: dict[str, list[str]] = {}
    for group in groups:
        names = [run.name for run in group.runs]
        for run, result, reason in _unlike({name: results.get(name, ()) for name in names}):
            results[run] = tuple(one for one in results[run] if one is not result)
            if result.columns and len(frame):
                rows = (frame["run"] == run) & (frame["method"] == result.method)
                frame.loc[rows, list(result.columns)] = np.nan
            methods = said.setdefault(f"{run}: {result.measure} {reason}", [])
            methods += [result.method] if result.method else []
    lines = [f"{line} ({', '.join(names)})" if names else line for line, names in said.items()]
    return replace(comparison, frame=frame, results=results), lines


def distinct_settings(results: Results) -> dict[str, list[dict[str, Any]]]:
    """The different settings that each measure was taken with, by its name."""
    ways: dict[str, list[dict[str, Any]]] = {}
    for result in (one for run in results.values() for one in run):
        known = ways.setdefault(result.measure, [])
        if all(_differences(result.settings, other) for other in known):
            known.append(dict(result.settings))
    return ways


def runs_without(results: Results, measure: str, method: str | None) -> list[str]:
    """Runs for which a measure was not taken, of the maps of one method if it needs maps."""
    return [
        run
        for run, own in results.items()
        if not any((one.measure, one.method) == (measure, method) for one in own)
    ]


def _unlike(results: Results) -> Iterator[tuple[str, MeasureResult, str]]:
    first: dict[tuple[str, str | None], tuple[str, Mapping[str, Any]]] = {}
    for run, own in results.items():
        for result in own:
            place = (result.measure, result.method)
            other, settings = first.setdefault(place, (run, result.settings))
            differences = _differences(result.settings, settings)
            if differences:
                here = ", ".join(f"{key} {result.settings.get(key)}" for key in differences)
                there = ", ".join(f"{key} {settings.get(key)}" for key in differences)
                yield run, result, f"was taken with {here}, that of {other} with {there}"


def _differences(settings: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    """Keys whose values differ, sorted."""
    keys = sorted({*settings, *others} - IMMATERIAL)
    return [key for key in keys if settings.get(key) != others.get(key)]
