"""Says in words how the maps of a method were made. Reads recorded settings only."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["describe_settings", "say_target"]

REDUCTIONS = {
    "max_abs": "largest absolute value over the channels, without sign",
    "sum_abs": "sum of absolute values over the channels, without sign",
    "sum": "sum over the channels, with its sign",
}
TARGETS = {"true_class": "true class", "predicted_class": "predicted class"}
BASELINES = {"0": "a black image", "0.0": "a black image", "None": "none"}
# They change nothing, or are said elsewhere.
UNSAID = frozenset({"_target_", "_partial_", "batch_size", "seed", "target", "reduce", "baseline"})


def describe_settings(ways: Sequence[Mapping[str, Any]]) -> str:
    """One clause a way in which the maps were made; nothing where none is known.

    >>> describe_settings([{"reduce": "sum", "target": "true_class", "num_steps": 32}])
    'logit of the true class; sum over the channels, with its sign; num steps 32'
    """
    return "; or ".join(dict.fromkeys(filter(None, map(_describe, ways))))


def say_target(ways: Iterable[Mapping[str, Any]]) -> str:
    """Of which class the maps made in these ways are; "target class" where none is recorded.

    >>> say_target([{"target": "true_class"}, {"target": "predicted_class"}])
    'true class or predicted class'
    """
    said = dict.fromkeys(_target(way) for way in ways if "target" in way)
    return " or ".join(said) or "target class"


def _target(settings: Mapping[str, Any]) -> str:
    target = str(settings["target"])
    return TARGETS.get(target, target.replace("_", " "))


def _describe(settings: Mapping[str, Any]) -> str:
    said = []
    if "target" in settings:
        said.append(f"logit of the {_target(settings)}")
    if "reduce" in settings:
        reduction = str(settings["reduce"])
        said.append(REDUCTIONS.get(reduction, f"reduced by {reduction}"))
    if "baseline" in settings:
        baseline = str(settings["baseline"])
        said.append(f"baseline {BASELINES.get(baseline, baseline)}")
    said += [
        f"{str(key).replace('_', ' ')} {value}"
        for key, value in settings.items()
        if key not in UNSAID
    ]
    return "; ".join(said)
