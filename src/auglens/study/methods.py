"""What the study knows of saliency methods by name, and the command that adds what is missing."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = [
    "NULL_METHODS",
    "explain_command",
    "is_blind_to_background",
    "ordered_methods",
]

# Maps that no network decides: noise, and the edges of the image.
NULL_METHODS = ("random", "edge")
# Blurring changes nothing where an image is constant; a black pixel times its gradient is 0.
ALWAYS_BLIND = frozenset({"blur_perturbation", "input_x_gradient"})
# These weigh a pixel by how far it lies from the baseline.
BLIND_WITH_BLACK_BASELINE = frozenset(
    {"integrated_gradients", "deeplift", "gradient_shap", "occlusion"}
)


def is_blind_to_background(method: str, settings: Mapping[str, Any]) -> bool:
    """Whether a method gives a black background next to nothing whatever the network does.

    Such maps cannot show a background bias, so that its absence in them says nothing.

    Args:
        method: Name of the saliency method.
        settings: How its maps were made, as recorded with them.
    """
    black = settings.get("baseline") == 0
    return method in ALWAYS_BLIND or (method in BLIND_WITH_BLACK_BASELINE and black)


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
