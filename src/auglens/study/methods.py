"""What the study knows of saliency methods by name, and the command that adds what is missing."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "NULL_METHODS",
    "explain_command",
    "is_bound_to_ink",
    "is_coarse",
    "is_zero_on_black",
    "ordered_methods",
    "twins_command",
]

# Maps that no network decides: noise, and the edges of the image.
NULL_METHODS = ("random", "edge")
COARSE_METHODS = frozenset({"blur_perturbation", "gradcam", "occlusion"})
# These weigh a pixel by how far it lies from the baseline.
ZERO_WITH_BLACK_BASELINE = frozenset({"integrated_gradients", "deeplift"})


def is_zero_on_black(method: str, settings: Mapping[str, Any]) -> bool:
    """Whether a method gives every black pixel 0, whatever the network does.

    ``input_x_gradient`` multiplies by the pixel, others by its way from a black baseline; not so
    ``gradient_shap``, whose noise leaves something there. Such maps cannot show a bias towards a
    black background, so that its absence in them says nothing.

    Args:
        method: Name of the saliency method.
        settings: How its maps were made, as recorded with them.
    """
    if method == "input_x_gradient":
        return True
    return method in ZERO_WITH_BLACK_BASELINE and settings.get("baseline") == 0


def is_bound_to_ink(method: str, settings: Mapping[str, Any]) -> bool:
    """Whether a method gives 0 to all that lies farther from the ink than its window reaches.

    Covering black with black, or blurring where all is black, changes nothing. Beside the ink such
    maps are not 0, on black pixels neither.

    Args:
        method: Name of the saliency method.
        settings: How its maps were made, as recorded with them.
    """
    if method == "blur_perturbation":
        return True
    return method == "occlusion" and settings.get("baseline") == 0


def is_coarse(method: str) -> bool:
    """Whether maps are coarser than the image, so that neighbours are alike whatever was learned."""
    return method in COARSE_METHODS


def ordered_methods(names: Iterable[str], first: Sequence[str]) -> list[str]:
    """Methods in the order of a report, each once.

    Args:
        names: The methods to order.
        first: Those that come first, in this order, such as the methods of a run's config. The
            others follow by name, the nulls last.
    """

    def place(name: str) -> tuple[bool, int, str]:
        null = name in NULL_METHODS
        if null:
            return True, NULL_METHODS.index(name), name
        return False, first.index(name) if name in first else len(first), name

    return sorted(set(names), key=place)


def explain_command(
    sweeps: Sequence[Path], *, methods: Sequence[str] = (), measures: Sequence[str] = ()
) -> str:
    """What adds maps and measures to finished runs: one command a sweep, joined by ``&&``.

    Args:
        sweeps: Sweep folders, at least one.
        methods: Saliency methods to explain with, and to measure.
        measures: By the names of ``conf/measures/``.
    """
    listed = (("saliency", methods), ("measures", measures))
    lists = [f"{key}=[{','.join(names)}]" for key, names in listed if names]
    return " && ".join(
        shlex.join(["python", "-m", "auglens.explain", f"sweep={sweep}", *lists])
        for sweep in sweeps
    )


def twins_command(
    sweeps: Sequence[Path],
    *,
    augments: Sequence[str],
    strengths: Sequence[float],
    seeds: Sequence[int],
) -> str:
    """What trains twins on permuted labels into the sweeps: one command a sweep.

    Args:
        sweeps: Sweep folders, at least one.
        augments: Of the runs that need a twin.
        strengths: Theirs, where they have one.
        seeds: Theirs.
    """
    listed = {"augment": augments, "augment.strength": strengths, "seed": seeds}
    words = [f"{key}={','.join(map(str, values))}" for key, values in listed.items() if values]
    start = ["python", "train.py", "-m", "experiment=label_randomization", *words]
    return " && ".join(shlex.join([*start, f"hydra.sweep.dir={sweep}"]) for sweep in sweeps)
