"""Names and colours of conditions, the same in every table and figure. Draws nothing."""

import hashlib

__all__ = ["REPORT_ORDER", "condition_label", "condition_order", "hex_colour", "line_style"]

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
REPORT_ORDER = ("scale", "crop", "distort", "blur", "erase", "duplicate")
BASELINE = "none"
LINE_STYLES = ("-", "--", "-.", ":")


def hex_colour(augment: str) -> str:
    """The colour of an augmentation, ``#RRGGBB``; an unknown name always gets the same one."""
    if augment in COLOURS:
        return COLOURS[augment]
    number = int(hashlib.sha256(augment.encode()).hexdigest(), 16)
    return FURTHER_COLOURS[number % len(FURTHER_COLOURS)]


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
