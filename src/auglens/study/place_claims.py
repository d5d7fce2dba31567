"""Where the heat lies and how it hangs together, in sentences about numbers: C4 and C5. No tests."""

from auglens.study.condition_means import (
    bound_methods,
    condition_means,
    explaining_methods,
    say_span,
    zero_methods,
)
from auglens.study.evidence import Evidence
from auglens.study.methods import is_coarse

__all__ = ["say_background", "say_connected"]


def say_background(evidence: Evidence) -> tuple[list[str], str]:
    """C4: heat on the foreground and far from it.

    Returns:
        A sentence a method that can show a background bias and whose images have a foreground;
        and what to say of the other methods, if anything.
    """
    zero, bound = zero_methods(evidence), bound_methods(evidence)
    able = [method for method in explaining_methods(evidence) if method not in {*zero, *bound}]
    sentences = [_background(evidence, method) for method in able]
    notes = []
    if zero:
        notes.append(
            f"Maps of {', '.join(zero)} could not show such a bias: by construction they hold "
            f"nothing where the image is black."
        )
    if bound:
        notes.append(
            f"Maps of {', '.join(bound)} could not show such a bias far from the ink: by "
            "construction they hold nothing farther from it than their window and stride reach."
        )
    return list(filter(None, sentences)), " ".join(notes)


def say_connected(evidence: Evidence) -> tuple[list[str], str]:
    """C5: parts of the hottest tenth of the pixels, spread, likeness of neighbours.

    Returns:
        As for :func:`say_background`.
    """
    sentences = [_connected(evidence, method) for method in explaining_methods(evidence)]
    coarse = [method for method in explaining_methods(evidence) if is_coarse(method)]
    note = (
        f"Maps of {', '.join(coarse)} are made on a coarse grid or by windows: they hang together "
        "by construction."
        if coarse
        else ""
    )
    return list(filter(None, sentences)), note


def _background(evidence: Evidence, method: str) -> str:
    def span(measure: str) -> str:
        return say_span(condition_means(evidence, method, measure))

    if not condition_means(evidence, method, "foreground_auc"):
        return ""
    far = evidence.nulls.get("far_background_mass", float("nan"))
    return (
        f"With {method}, the heat finds the foreground with an AUC of {span('foreground_auc')}, "
        f"without the 2-px frame {span('foreground_auc_inner')} (chance 0.5). Its share on the "
        f"foreground is {span('foreground_lift')} times the foreground's share of the area, without "
        f"the frame {span('foreground_lift_inner')} times (no bias either way: 1). The far "
        f"background, more than 2 px from the foreground, holds {span('far_background_mass')} of "
        f"the heat; of unrelated heat it holds {far:.3f}, its share of the area."
    )


def _connected(evidence: Evidence, method: str) -> str:
    def span(measure: str) -> str:
        return say_span(condition_means(evidence, method, measure))

    def null(measure: str, more: str = "") -> str:
        return f"(unrelated heat: {evidence.nulls.get(measure, float('nan')):.3f}{more})"

    if not condition_means(evidence, method, "num_components"):
        return ""
    parts, largest = "num_components", "largest_component_share"
    return (
        f"With {method}, the hottest tenth of the pixels falls into {span(parts)} connected parts "
        f"{null(parts, _own_parts(evidence, method))}, of which the largest holds a share of "
        f"{span(largest)} {null(largest)}; the heat spreads over {span('spread_px')} px "
        f"{null('spread_px')}; Moran's I, the likeness of neighbouring pixels, is {span('moran')} "
        f"{null('moran')}."
    )


def _own_parts(evidence: Evidence, method: str) -> str:
    own = condition_means(evidence, method, "image_num_components")
    return f"; the images' own brightest tenth: {own[0].mean:.3f}" if own else ""
