"""What a group's runs were not measured for, and the command that adds it. Sentences only."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from auglens.records.identity import digest, reference_inputs
from auglens.study.conditions import is_baseline
from auglens.study.evidence import Evidence
from auglens.study.figure_data import seed_of
from auglens.study.measured import runs_without
from auglens.study.methods import NULL_METHODS, explain_command, twins_command

__all__ = ["Note", "missing_affinity", "missing_measure", "missing_methods"]

FURTHER_METHODS = ("gradient", "integrated_gradients", "gradcam", *NULL_METHODS)
# As many runs are named; more are counted.
MOST_NAMED = 3


@dataclass(frozen=True)
class Note:
    """A sentence, and the command it names, if any."""

    text: str
    command: str = ""


def missing_measure(evidence: Evidence, sweeps: Sequence[Path], measure: str) -> list[Note]:
    """A note for all methods that lack a measure in the same runs."""
    methods: dict[tuple[str, ...], list[str]] = {}
    for method in evidence.methods:
        lacking = tuple(runs_without(evidence.results, measure, method))
        if lacking:
            methods.setdefault(lacking, []).append(method)
    return [_missing(evidence, sweeps, measure, *gap) for gap in methods.items()]


def missing_affinity(evidence: Evidence, sweeps: Sequence[Path]) -> list[Note]:
    """The same of affinity and diversity, which need a baseline of the same seeds and settings."""
    lacking = runs_without(evidence.results, "affinity_diversity", None)
    runs = [run for run in evidence.group.runs if run.name in lacking]
    baselines = {
        digest(reference_inputs(run.record.inputs))
        for run in filter(is_baseline, evidence.group.runs)
    }
    able = [run for run in runs if digest(reference_inputs(run.record.inputs)) in baselines]
    unable = [run.name for run in runs if run not in able]
    notes = []
    if able:
        where = _where(evidence, [run.name for run in able])
        said = f"Affinity and diversity were not measured{where}. This takes them:"
        notes.append(Note(said, explain_command(sweeps, measures=["affinity_diversity"])))
    if unable:
        need = "need a baseline (none) of the same seeds and settings, and there is no such run"
        notes.append(Note(f"Affinity and diversity{_where(evidence, unable)} {need}."))
    return notes


def missing_methods(
    evidence: Evidence, sweeps: Sequence[Path], measures: Sequence[str] = ()
) -> Note:
    """Methods that have no maps yet, at least one.

    Args:
        evidence: Of one group.
        sweeps: Its folders.
        measures: What their maps are to be measured with; then they are the nulls, and otherwise
            all that a comparison of methods should have.
    """
    wanted: Sequence[str] = NULL_METHODS if measures else FURTHER_METHODS
    if not evidence.group.config["model"].get("cam_layer"):
        wanted = [name for name in wanted if name != "gradcam"]
    absent = [name for name in wanted if name not in evidence.methods]
    command = explain_command(sweeps, methods=absent, measures=measures)
    return Note(f"There are no maps of {', '.join(absent)}. This adds them:", command)


def _missing(
    evidence: Evidence,
    sweeps: Sequence[Path],
    measure: str,
    lacking: Sequence[str],
    methods: Sequence[str],
) -> Note:
    what = measure.replace("_", " ")
    said = f"{what} was not measured for {', '.join(methods)}{_where(evidence, lacking)}."
    command = explain_command(sweeps, methods=methods, measures=[measure])
    if measure == "equivariance" and not _strengths(evidence):
        return Note(f"{said} It needs a run with an augmentation that has a strength.")
    if measure == "label_randomization" and not evidence.has_permuted:
        more = "It needs twins trained on permuted labels, with the settings of these runs. "
        return Note(f"{said} {more}This takes both:", f"{_twins(evidence, sweeps)} && {command}")
    return Note(f"{said} This takes it:", command)


def _twins(evidence: Evidence, sweeps: Sequence[Path]) -> str:
    augments = list(dict.fromkeys(one.augment for one in evidence.group.conditions))
    strengths = _strengths(evidence)
    seeds = sorted({seed_of(run) for run in evidence.group.runs})
    return twins_command(
        sweeps,
        augments=augments,
        strengths=[] if strengths == [1] else strengths,
        seeds=[] if seeds == [0] else seeds,
    )


def _strengths(evidence: Evidence) -> list[float]:
    return sorted({one.strength for one in evidence.group.conditions if one.strength is not None})


def _where(evidence: Evidence, lacking: Sequence[str]) -> str:
    """In which runs; nothing if it is all of them."""
    if len(lacking) == len(evidence.results):
        return ""
    if len(lacking) <= MOST_NAMED:
        return f" in {', '.join(lacking)}"
    return f" in {len(lacking)} of {len(evidence.results)} runs"
