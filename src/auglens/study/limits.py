"""What a group's numbers cannot carry, and how they were made. Sentences only."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from auglens.study.analyses.sampling import sampled
from auglens.study.condition_means import bound_methods, explaining_methods, zero_methods
from auglens.study.evidence import Evidence, correlate
from auglens.study.measured import distinct_settings
from auglens.study.method_settings import say_target
from auglens.study.verdicts.verdict import FEWEST_SEEDS

__all__ = ["describe_limits", "describe_making"]

NO_SEED_FLOOR = (
    "How alike two baselines are that differ in their seed only is not measured here, so no part "
    "of a low similarity can be put down to an augmentation."
)
SEED_FLOOR = (
    "A same-seed value may be read against a same-seed floor alone, a cross-seed value against "
    "the similarity of baselines of different seeds alone: the pairings are not mixed here, and "
    "must not be."
)
ONE_DATA_SET = (
    "All seeds share the query images, the validation and the test images: intervals are over "
    "training sets, first weights and order on this data set and network, and speak of no other."
)


def describe_limits(evidence: Evidence) -> list[str]:
    """What must be kept in mind when reading one group's part of the report."""
    return [
        _seed_limit(evidence.num_seeds),
        *_correlation_limits(evidence),
        _selection_limit(evidence.group.config),
        *_method_limits(evidence),
        NO_SEED_FLOOR if evidence.tables["shifts"].empty else SEED_FLOOR,
        *_sample_limits(evidence),
        ONE_DATA_SET,
    ]


def describe_making(
    evidence: Evidence, *, kl_eps: Sequence[float], foreground_threshold: float
) -> dict[str, str]:
    """Settings, versions and origin, by name.

    Args:
        evidence: Of one group.
        kl_eps: Values that keep KL finite.
        foreground_threshold: Brightness above which a pixel is foreground.
    """
    config, record = evidence.group.config, evidence.group.runs[0].record
    runs = [run.record for run in evidence.group.runs]
    commits = sorted({str(run.git_commit or "unknown") for run in runs})
    data = config["data"]
    return {
        "data set": f"{config['dataset']['name']}, {data['train_size']} training images",
        "training": f"{config['trainer']['max_epochs']} epochs of {data['steps_per_epoch']} steps "
        f"of {data['batch_size']} images",
        "model": f"{config['model']['name']} ({_settings(config['model'].get('net', {}))})",
        "optimizer": _settings(config["optimizer"]),
        "seeds": ", ".join(sorted({str(run.config["seed"]) for run in runs}, key=_as_number)),
        "query images": f"{config['probe']['size']} test images, logit of the "
        f"{say_target(way for ways in evidence.settings.values() for way in ways)}",
        **{
            f"saliency: {name}": "; or ".join(map(_settings, ways))
            for name, ways in evidence.settings.items()
        },
        "map measures": f"KL with eps {', '.join(f'{eps:.2g}' for eps in kl_eps)}; foreground "
        f"brighter than {foreground_threshold:g}",
        **{
            f"measure: {name}": "; or ".join(map(_settings, ways))
            for name, ways in distinct_settings(evidence.results).items()
        },
        "versions": ", ".join(f"{name} {version}" for name, version in record.versions.items()),
        "hardware": ", ".join(sorted({_settings(run.hardware) for run in runs})),
        "git commit": ", ".join(commits),
        "comparison group": evidence.group.name,
    }


def _seed_limit(num_seeds: int) -> str:
    if num_seeds == 1:
        return (
            "There is one seed. How much results change with the seed alone is not known here, so "
            "no difference below that noise can be claimed, and none is."
        )
    return (
        f"There are {num_seeds} seeds. Tests pair the runs of a seed; below {FEWEST_SEEDS} pairs no "
        "verdict rests on them."
    )


def _correlation_limits(evidence: Evidence) -> list[str]:
    """One line for all methods that have as many points."""
    methods: dict[tuple[int, float], list[str]] = {}
    for method in explaining_methods(evidence):
        points, correlation = correlate(evidence, method)["cc"]
        if correlation.critical is not None and len(points):
            methods.setdefault((correlation.n, correlation.critical), []).append(method)
    said = []
    for (n, critical), names in methods.items():
        needed = (
            f"|rho| must be {critical:.3f} or more" if critical <= 1 else "no |rho| is large enough"
        )
        said.append(
            f"CC and KL against accuracy ({', '.join(names)}): with {n} points {needed} before 5 % "
            "two-sided could call it a correlation. That none is seen does not mean there is none."
        )
    return said


def _sample_limits(evidence: Evidence) -> list[str]:
    """What rests on some of the runs only, for all methods together."""
    said = sampled(evidence.tables["floors"]) or sampled(evidence.tables["scaling"])
    if not said:
        return []
    line = (
        f"All pairs of runs are compared of {said}: whole seeds, every training set in its share. "
        "Noise floors, shifts and their trends, PERMANOVA, the classifier and the plane of runs rest "
        "on these alone; everything else rests on all runs."
    )
    return [line]


def _selection_limit(config: Mapping[str, Any]) -> str:
    num_val = config["dataset"].get("num_val", "the")
    return (
        f"The epoch is chosen by the accuracy on {num_val} validation labels, beside "
        f"{config['data']['train_size']} training labels: whoever has so many labels would train on "
        "them. The last epoch's accuracy, which needs none, stands beside it."
    )


def _method_limits(evidence: Evidence) -> list[str]:
    said = _target_limits(evidence)
    zero, bound = zero_methods(evidence), bound_methods(evidence)
    if zero:
        said.append(
            f"{', '.join(zero)}: no background bias by construction. They multiply by what a pixel "
            f"differs from black, so that black pixels hold nothing."
        )
    if bound:
        said.append(
            f"{', '.join(bound)}: no bias far from the ink by construction. Covering or blurring "
            "changes nothing where all is black, so that only pixels within reach of their window "
            "and stride hold heat; black ones beside the ink do."
        )
    if evidence.nulls.get("foreground_mass", math.nan) > 0:
        said.append(
            "The foreground is what is bright. It is not the object's whole: pixels beside an edge, "
            "on which gradients lie, are background; the dilated measures count them in."
        )
    return said


def _target_limits(evidence: Evidence) -> list[str]:
    """One line for all methods that explain the same class."""
    methods: dict[str, list[str]] = {}
    for method in explaining_methods(evidence):
        methods.setdefault(say_target(evidence.settings.get(method, ())), []).append(method)
    return [
        f"The maps of {', '.join(names)} explain the logit of the {target}, for right and wrong "
        "predictions alike."
        for target, names in methods.items()
    ]


def _settings(settings: Mapping[str, Any]) -> str:
    target = str(settings.get("_target_", "")).rsplit(".", 1)[-1]
    values = [
        f"{key} {value}" for key, value in settings.items() if key not in ("_target_", "_partial_")
    ]
    return ", ".join([target, *values] if target else values)


def _as_number(text: str) -> tuple[int, str]:
    return (int(text), "") if text.isdigit() else (-1, text)
