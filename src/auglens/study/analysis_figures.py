"""Draws the statistics (Figures 13 to 17). Computes no statistics and reads no files."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from auglens.study.figures import Floor, draw_floor, plain, set_margins
from auglens.study.palette import hex_colour
from auglens.study.trust_figures import add_scale, draw_matrix

__all__ = [
    "QUANTITIES",
    "classes_figure",
    "differences_figure",
    "doses_figure",
    "draw_delta",
    "draw_differences",
    "draw_dose",
    "draw_floors",
    "draw_runs",
    "runs_figure",
    "say_p",
    "shifts_figure",
]

QUANTITIES = {
    "accuracy": "test accuracy",
    "cc": "CC to the baseline of the same seed",
    "delta": "shift Δ of CC beyond seed noise",
}
ROW_INCHES = 0.36
SLOT_INCHES = 0.62
FEW_POINTS = 300
MARKERS = "osD^v<>PXd"


def say_p(p: float) -> str:
    """A p for people; a dash where there is none.

    >>> say_p(0.0312), say_p(0.00001), say_p(float("nan"))
    ('0.031', '< 0.001', '-')
    """
    if np.isnan(p):
        return "-"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def differences_figure(differences: pd.DataFrame, *, against: str, note: str) -> Figure:
    """Figure 13: differences in test accuracy with their intervals.

    Args:
        differences: As :func:`draw_differences` takes them.
        against: What they are to.
        note: For the title.
    """
    longest = max(map(len, differences["label"]))
    left, right = 0.35 + 0.075 * longest, 2.05
    figure = Figure(figsize=(left + right + 5.2, ROW_INCHES * len(differences) + 1.2))
    ax = figure.subplots()
    set_margins(figure, left=left, right=right, bottom=0.55, top=0.65, wspace=0)
    draw_differences(differences, ax)
    ax.set_xlabel(f"test accuracy minus that of {against}, percentage points", fontsize=9)
    _add_reference_legend(ax)
    figure.suptitle(f"Differences in test accuracy to {against}{note}", fontsize=10)
    return figure


def draw_differences(differences: pd.DataFrame, ax: Axes) -> Axes:
    """A row a condition: mean, interval, and what could have been found, with n and p beside it.

    Args:
        differences: Columns ``label, augment, n, mean, low, high, p, p_holm, smallest, tested``;
            a missing interval draws none.
        ax: Where to draw.
    """
    beside = ax.get_yaxis_transform()
    ax.use_sticky_edges = False
    ax.text(1.03, -0.85, "n", transform=beside, fontsize=8, ha="left", va="center")
    ax.text(1.12, -0.85, "p (Holm)", transform=beside, fontsize=8, ha="left", va="center")
    for place, one in enumerate(differences.to_dict("records")):
        smallest = one["smallest"]
        if np.isfinite(smallest):
            ax.barh(place, 2 * smallest, left=-smallest, height=0.62, color="#E4E4E4")
            ax.vlines([-smallest, smallest], place - 0.31, place + 0.31, color="#8A8A8A", lw=1)
        errors = np.nan_to_num([[one["mean"] - one["low"]], [one["high"] - one["mean"]]])
        colour = hex_colour(one["augment"])
        ax.errorbar(one["mean"], place, xerr=errors, fmt="o", color=colour, capsize=3)
        p = say_p(one["p_holm"]) if one["tested"] else f"{say_p(one['p'])} (control)"
        ax.text(1.03, place, f"{one['n']:.0f}", transform=beside, fontsize=8, va="center")
        ax.text(1.12, place, p, transform=beside, fontsize=8, va="center")
    if differences["smallest"].notna().any():
        ax.barh([np.nan], [np.nan], color="#E4E4E4", label="too small to be found with 80 % power")
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(range(len(differences)), differences["label"].tolist())
    ax.set_ylim(len(differences) - 0.5, -0.5)
    return plain(ax)


def shifts_figure(shifts: pd.DataFrame, *, note: str) -> Figure:
    """Figure 14: similarity across seeds beside its floors, and the shift beyond seed noise.

    Args:
        shifts: As :func:`draw_floors` and :func:`draw_delta` take them.
        note: Method, pairing and seeds, for the title.
    """
    longest = max(map(len, shifts["label"]))
    bottom = 0.25 + 0.05 * longest
    size = max(9.2, 2 * SLOT_INCHES * len(shifts) + 2.0), 3.4 + bottom
    figure = Figure(figsize=size)
    left, right = figure.subplots(1, 2)
    set_margins(figure, left=0.85, right=0.2, bottom=bottom, top=0.8, wspace=0.22)
    draw_floors(shifts, left)
    draw_delta(shifts, right)
    for ax in (left, right):
        names = shifts["label"].tolist()
        ax.set_xticks(range(len(shifts)), names, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_xlim(-0.6, len(shifts) - 0.4)
    left.legend(loc="lower left", bbox_to_anchor=(0, 1), fontsize=7.5, frameon=False, ncols=3)
    figure.suptitle(f"Maps of different seeds, CC{note}", fontsize=10)
    return figure


def draw_floors(shifts: pd.DataFrame, ax: Axes) -> Axes:
    """A slot a condition: its similarity to the baseline, its own floor, and the baseline's.

    Args:
        shifts: Columns ``augment, across, floor_a, floor_b``.
        ax: Where to draw.
    """
    places = np.arange(len(shifts))
    own, base = shifts["floor_a"].to_numpy(), shifts["floor_b"].to_numpy()
    ax.hlines(base, places - 0.5, places + 0.5, color="black", lw=1.2, label="floor of none")
    ax.plot([], [], "o", color="black", markersize=6, label="to none")
    ax.plot([], [], "_", color="black", markersize=11, markeredgewidth=2, label="own floor")
    for place, augment, across, floor in zip(
        places, shifts["augment"], shifts["across"], own, strict=True
    ):
        colour = hex_colour(str(augment))
        ax.plot([place, place], [across, floor], color=colour, linewidth=0.8)
        ax.plot(place, floor, "_", color=colour, markersize=13, markeredgewidth=2)
        ax.plot(place, across, "o", color=colour, markersize=6)
    ax.set_ylabel("mean CC of runs of different seeds", fontsize=9)
    return plain(ax)


def draw_delta(shifts: pd.DataFrame, ax: Axes) -> Axes:
    """A slot a condition: the shift with its interval, above it the corrected p.

    Args:
        shifts: Columns ``augment, delta, low, high, p, p_holm, tested``.
        ax: Where to draw.
    """
    above = ax.get_xaxis_transform()
    ax.text(
        -0.6, 1.09, "p (Holm; in brackets: control, uncorrected)", transform=above, fontsize=7.5
    )
    for place, one in enumerate(shifts.to_dict("records")):
        errors = np.nan_to_num([[one["delta"] - one["low"]], [one["high"] - one["delta"]]])
        colour = hex_colour(one["augment"])
        # A percentile interval need not hold the estimate.
        errors = np.maximum(errors, 0)
        ax.errorbar(place, one["delta"], yerr=errors, fmt="o", color=colour, capsize=3)
        p = say_p(one["p_holm"]) if one["tested"] else f"({say_p(one['p'])})"
        ax.text(place, 1.03, p, transform=above, fontsize=7.5, ha="center")
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_ylabel(QUANTITIES["delta"], fontsize=9)
    return plain(ax)


def doses_figure(lines: pd.DataFrame, *, baseline: float, floor: Floor | None, note: str) -> Figure:
    """Figure 15: what grows with the strength of an augmentation.

    Args:
        lines: As :func:`draw_dose` takes them, with ``quantity``.
        baseline: Mean test accuracy of the baseline; NaN without one.
        floor: The same-seed floor of CC, if there is one.
        note: Method and seeds, for the title.
    """
    quantities = [name for name in QUANTITIES if name in set(lines["quantity"])]
    longest = max(map(len, lines["augment"]))
    right = 0.85 + 0.065 * longest
    figure = Figure(figsize=(3.5 * len(quantities) + right, 3.7))
    panels = figure.subplots(1, len(quantities), squeeze=False)[0]
    set_margins(figure, left=0.7, right=right, bottom=0.55, top=0.65, wspace=0.28)
    for ax, quantity in zip(panels, quantities, strict=True):
        draw_dose(lines[lines["quantity"] == quantity], ax, title=QUANTITIES[quantity])
        if quantity == "accuracy" and np.isfinite(baseline):
            ax.axhline(baseline, color="grey", linewidth=1.2, label="baseline (none)")
        if quantity == "cc" and floor is not None:
            draw_floor(floor, ax)
        if quantity == "delta":
            ax.axhline(0, color="black", linewidth=0.8)
        _add_reference_legend(ax)
    handles = panels[0].get_lines()[: lines["augment"].nunique()]
    names = list(dict.fromkeys(lines["augment"]))
    figure.legend(handles, names, loc="center right", fontsize=8, frameon=False)
    figure.suptitle(f"By strength of the augmentation{note}", fontsize=10)
    return figure


def draw_dose(lines: pd.DataFrame, ax: Axes, *, title: str) -> Axes:
    """One line an augmentation over its strengths, its interval as a band.

    Args:
        lines: Columns ``augment, strength, mean, low, high``, strengths ascending; a missing
            interval draws no band.
        ax: Where to draw.
        title: Of the axis.
    """
    for number, (augment, own) in enumerate(lines.groupby("augment", sort=False)):
        colour, strengths = hex_colour(str(augment)), own["strength"].to_numpy(np.float64)
        marker = MARKERS[number % len(MARKERS)]
        ax.plot(strengths, own["mean"].to_numpy(), marker=marker, ms=4, color=colour, lw=1.4)
        low, high = own["low"].to_numpy(np.float64), own["high"].to_numpy(np.float64)
        ax.fill_between(strengths, low, high, color=colour, alpha=0.12, linewidth=0)
    ax.set_xticks(sorted(set(lines["strength"])))
    ax.set_xlabel("strength", fontsize=9)
    ax.set_ylabel(title, fontsize=9)
    return plain(ax)


def _add_reference_legend(ax: Axes) -> None:
    handles, names = ax.get_legend_handles_labels()
    if handles:
        ax.legend(
            handles, names, loc="lower left", bbox_to_anchor=(0, 1), fontsize=8, frameon=False
        )


def runs_figure(
    runs: pd.DataFrame, *, augments: Mapping[str, str], shown: float, note: str
) -> Figure:
    """Figure 16: every run as a point, near others with like maps.

    Args:
        runs: Columns ``label, x, y``.
        augments: By label.
        shown: Share of the squared distances that the plane shows; NaN where all are 0.
        note: Method and seeds, for the title.
    """
    right = 0.9 + 0.065 * max(map(len, runs["label"]))
    figure = Figure(figsize=(5.2 + right, 4.9))
    ax = figure.subplots()
    set_margins(figure, left=0.75, right=right, bottom=0.6, top=0.5, wspace=0)
    draw_runs(runs, ax, augments=augments)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    said = f", {100 * shown:.0f} % of their squared distances shown" if np.isfinite(shown) else ""
    figure.suptitle(f"Runs in the plane{said}{note}", fontsize=10)
    return figure


def draw_runs(runs: pd.DataFrame, ax: Axes, *, augments: Mapping[str, str]) -> Axes:
    """One point a run, one colour an augmentation; both axes have one scale."""
    for number, (label, own) in enumerate(runs.groupby("label", sort=False)):
        ax.plot(
            own["x"].to_numpy(),
            own["y"].to_numpy(),
            MARKERS[number % len(MARKERS)],
            color=hex_colour(augments[str(label)]),
            markersize=5.5 if len(runs) <= FEW_POINTS else 3.5,
            alpha=0.85,
            label=str(label),
        )
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel("first axis, in √(1 - mean CC)", fontsize=9)
    ax.set_ylabel("second axis, in √(1 - mean CC)", fontsize=9)
    return plain(ax)


def classes_figure(differences: pd.DataFrame, *, against: str, note: str) -> Figure:
    """Figure 17: differences in test accuracy by class, on a scale with 0 in its middle.

    Args:
        differences: In percentage points, a row a condition, a column a class.
        against: What they are to.
        note: For the title.
    """
    rows, columns = differences.shape
    left = 0.35 + 0.075 * max(map(len, differences.index))
    bottom = 0.2 + 0.05 * max(map(len, differences.columns))
    size = (max(5.5, 0.52 * columns + left + 1.1), 0.36 * rows + bottom + 0.6)
    figure = Figure(figsize=size)
    ax = figure.subplots()
    set_margins(figure, left=left, right=0.85, bottom=bottom, top=0.5, wspace=0)
    values = differences.to_numpy(np.float64)
    limit = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    draw_matrix(differences, ax, low=-limit, high=limit, colours="RdBu", digits=1)
    ax.set_aspect("auto")
    add_scale(figure, ax, "percentage points")
    figure.suptitle(f"Test accuracy minus that of {against}, by class{note}", fontsize=10)
    return figure
