"""Names and colours of conditions and methods, the same everywhere. Draws nothing."""

import hashlib

__all__ = [
    "BASELINE",
    "FLOOR",
    "REPORT_ORDER",
    "condition_label",
    "condition_order",
    "hex_colour",
    "line_style",
    "method_colour",
    "method_marker",
]

# Each has a contrast of at least 3 with white and with near-black.
COLOURS = {
    "scale": "#1F77C9",
    "crop": "#D55E00",
    "erase": "#009E73",
    "distort": "#C4549C",
    "blur": "#A87900",
    "none": "#7F7F7F",
    "duplicate": "#7B61D8",
}
FURTHER_COLOURS = ("#5E8C1F", "#B5524A", "#2A8C9E", "#9A6B4F")
METHOD_COLOURS = {
    "gradient": "#1F77C9",
    "input_x_gradient": "#D55E00",
    "integrated_gradients": "#009E73",
    "smoothgrad": "#C4549C",
    "guided_backprop": "#A87900",
    "deeplift": "#7B61D8",
    "gradient_shap": "#5E8C1F",
    "occlusion": "#B5524A",
    "gradcam": "#2A8C9E",
    "guided_gradcam": "#9A6B4F",
    "blur_perturbation": "#4C6A92",
    "random": "#7F7F7F",
    "edge": "#111111",
}
MARKERS = "osD^v<>PXdph8"
REPORT_ORDER = ("scale", "crop", "distort", "blur", "erase", "duplicate")
BASELINE = "none"
# Untouched copies: the same images in another order.
FLOOR = "duplicate"
LINE_STYLES = ("-", "--", "-.", ":")


def hex_colour(augment: str) -> str:
    """The colour of an augmentation, ``#RRGGBB``; an unknown name always gets the same one."""
    return COLOURS.get(augment) or FURTHER_COLOURS[_number(augment) % len(FURTHER_COLOURS)]


def method_colour(method: str) -> str:
    """The colour of a saliency method, ``#RRGGBB``; an unknown name always gets the same one."""
    return METHOD_COLOURS.get(method) or FURTHER_COLOURS[_number(method) % len(FURTHER_COLOURS)]


def method_marker(method: str) -> str:
    """The marker of a saliency method, which tells it apart without its colour."""
    known = list(METHOD_COLOURS)
    place = known.index(method) if method in known else _number(method)
    return MARKERS[place % len(MARKERS)]


def line_style(rank: int) -> str:
    """Line style of the ``rank``-th strength of one augmentation, counted from 0."""
    return LINE_STYLES[rank % len(LINE_STYLES)]


def condition_label(augment: str, strength: float | None) -> str:
    """An augmentation with its strength, where that is not the usual 1.

    >>> condition_label("crop", 1.0), condition_label("crop", 0.5), condition_label("none", None)
    ('crop', 'crop s0.5', 'none')
    """
    return augment if strength is None or strength == 1 else f"{augment} s{strength:g}"


def condition_order(augment: str, strength: float | None) -> tuple[int, str, float]:
    """Sort key: the poster's order, then other augmentations by name, ``none`` last; strength."""
    if augment in REPORT_ORDER:
        place = REPORT_ORDER.index(augment)
    else:
        place = len(REPORT_ORDER) + (augment == BASELINE)
    return place, augment, -1.0 if strength is None else strength


def _number(name: str) -> int:
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)
