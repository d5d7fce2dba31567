"""Draws curves, distributions and correlations (Figures 2, 3, 5 and 6). Computes no statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from auglens.metrics.catalogue import MEASURES, Measure
from auglens.study.palette import hex_colour, line_style
from auglens.study.statistics.ranks import RankCorrelation

__all__ = [
    "Distribution",
    "Style",
    "axis_title",
    "correlation_figure",
    "draw_curves",
    "draw_distributions",
    "draw_points",
    "entropy_figure",
    "plain",
    "similarity_figure",
    "training_figure",
]

PERCENTILES = (5, 95)
TRAINING_TITLES = {
    "train_loss": "training loss, nats",
    "val_accuracy": "validation accuracy",
    "test_accuracy": "test accuracy",
}


@dataclass(frozen=True)
class Style:
    """How a condition looks: its colour is the augmentation's, its line tells strengths apart."""

    colour: str
    line: str

    @classmethod
    def of(cls, augment: str, rank: int) -> "Style":
        """Style of the ``rank``-th strength of an augmentation, counted from 0."""
        return cls(hex_colour(augment), line_style(rank))


@dataclass(frozen=True)
class Distribution:
    """One measure of one condition.

    Attributes:
        values: One a map, all runs together, finite.
        run_means: One a run.
    """

    values: NDArray[np.float64]
    run_means: NDArray[np.float64]


def axis_title(measure: Measure) -> str:
    """Title and unit, and for a similarity to what.

    >>> axis_title(MEASURES["kl"]), axis_title(MEASURES["entropy"])
    ('KL to the baseline, nats', 'Entropy, nats')
    """
    other = " to the baseline" if measure.family == "similarity" else ""
    return f"{measure.title}{other}{f', {measure.unit}' if measure.unit else ''}"


def training_figure(summary: pd.DataFrame, styles: Mapping[str, Style]) -> Figure:
    """Figure 2: training loss and validation accuracy over the epochs."""
    figure, (left, right) = _pair(0, right_inches=1.5)
    draw_curves(summary, left, quantity="train_loss", styles=styles)
    draw_curves(summary, right, quantity="val_accuracy", styles=styles)
    several = int(summary["n"].max()) > 1
    spread = " (line: mean over seeds, band: range)" if several else " (one seed)"
    figure.suptitle(f"Training loss and validation accuracy{spread}", fontsize=10)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="center right", fontsize=8, frameon=False)
    return figure


def entropy_figure(
    entropies: Mapping[str, Distribution],
    areas: Mapping[str, Distribution],
    *,
    styles: Mapping[str, Style],
    note: str,
    unrelated: Mapping[str, float],
) -> Figure:
    """Figure 3: how spread out the maps of each model are.

    Args:
        entropies: By condition.
        areas: Effective areas, by condition.
        styles: By condition.
        note: Method and seeds, for the title.
        unrelated: What unrelated maps score, by measure; a measure without it gets no line.
    """
    figure, axes = _pair(len(entropies))
    shown = {"entropy": entropies, "effective_area": areas}
    for ax, (measure, by_label) in zip(axes, shown.items(), strict=True):
        draw_distributions(by_label, ax, title=axis_title(MEASURES[measure]), styles=styles)
        _draw_unrelated(unrelated.get(measure), ax)
    figure.suptitle(f"Entropy of the saliency maps{note}", fontsize=10)
    return figure


def similarity_figure(
    similarities: Mapping[str, Mapping[str, Distribution]],
    floors: Mapping[str, Distribution],
    *,
    styles: Mapping[str, Style],
    note: str,
    unrelated: Mapping[str, float],
) -> Figure:
    """Figure 5: CC and KL against the baseline of the same seed.

    Args:
        similarities: By measure, at most two, then by condition.
        floors: By measure: the order-only floor, if there are such runs.
        styles: By condition.
        note: Method, pairing, seeds and floor, for the title.
        unrelated: What unrelated maps score, by measure; a measure without it gets no line.
    """
    figure, axes = _pair(len(next(iter(similarities.values()))))
    for ax, (measure, by_label) in zip(
        _hide_unused(axes, len(similarities)), similarities.items(), strict=True
    ):
        draw_distributions(by_label, ax, title=axis_title(MEASURES[measure]), styles=styles)
        _draw_unrelated(unrelated.get(measure), ax)
        if measure in floors:
            _draw_floor(floors[measure], ax)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(fontsize=7, frameon=False)
    figure.suptitle(f"Maps compared with the baseline's (none){note}", fontsize=10)
    return figure


def correlation_figure(
    points: Mapping[str, pd.DataFrame],
    correlations: Mapping[str, RankCorrelation],
    *,
    styles: Mapping[str, Style],
    note: str,
) -> Figure:
    """Figure 6: similarity to the baseline against test accuracy.

    Args:
        points: By measure, at most two: one row a condition, as :func:`draw_points` takes them.
        correlations: By measure.
        styles: By condition.
        note: What the reader must know about the points.
    """
    figure, axes = _pair(0, top_inches=0.85)
    for ax, (measure, frame) in zip(_hide_unused(axes, len(points)), points.items(), strict=True):
        draw_points(frame, ax, measure=measure, styles=styles)
        ax.set_title(_describe(correlations[measure]), fontsize=9)
    figure.suptitle(f"Similarity to the baseline against test accuracy{note}", fontsize=10)
    return figure


def draw_curves(
    summary: pd.DataFrame, ax: Axes, *, quantity: str, styles: Mapping[str, Style]
) -> Axes:
    """One line a condition, with the range over its seeds as a band.

    Args:
        summary: Columns ``label, epoch, n`` and ``<quantity>_mean``, ``_min`` and ``_max``.
        ax: Where to draw.
        quantity: ``train_loss`` or ``val_accuracy``.
        styles: By condition; only these are drawn, in this order.
    """
    for label, style in styles.items():
        line = summary[summary["label"] == label]
        if line.empty:
            continue
        epochs, n = line["epoch"].to_numpy(), int(line["n"].max())
        ax.plot(
            epochs,
            line[f"{quantity}_mean"].to_numpy(),
            color=style.colour,
            linestyle=style.line,
            linewidth=1.4,
            label=f"{label} (n = {n})",
        )
        if n > 1:
            low, high = line[f"{quantity}_min"].to_numpy(), line[f"{quantity}_max"].to_numpy()
            ax.fill_between(epochs, low, high, color=style.colour, alpha=0.15, linewidth=0)
    ax.set_xlabel("epoch")
    ax.set_ylabel(TRAINING_TITLES[quantity])
    return plain(ax)


def draw_distributions(
    distributions: Mapping[str, Distribution],
    ax: Axes,
    *,
    title: str,
    styles: Mapping[str, Style],
) -> Axes:
    """A box a label over its maps (quartiles; whiskers 5 to 95 %), a dot a run's mean."""
    labels = list(distributions)
    boxes = ax.boxplot(
        [one.values for one in distributions.values()],
        tick_labels=labels,
        whis=PERCENTILES,
        showfliers=False,
        patch_artist=True,
        widths=0.6,
        medianprops={"color": "black"},
    )
    for box, label in zip(boxes["boxes"], labels, strict=True):
        box.set(facecolor=styles[label].colour, alpha=0.55)
    for place, one in enumerate(distributions.values(), start=1):
        ax.plot(np.full(len(one.run_means), place), one.run_means, "k.", markersize=5)
    ax.set_ylabel(title)
    ax.tick_params(axis="x", labelrotation=45 if len(labels) > 4 else 0)
    return plain(ax)


def draw_points(
    frame: pd.DataFrame, ax: Axes, *, measure: str, styles: Mapping[str, Style]
) -> Axes:
    """One point a condition, with bars of one standard deviation over seeds.

    Args:
        frame: Columns ``label, x, x_sd, y, y_sd``; a missing deviation draws no bar.
        ax: Where to draw.
        measure: ``cc`` or ``kl``.
        styles: By condition.
    """
    numbers = frame[["x", "y", "x_sd", "y_sd"]].fillna(0.0).to_numpy(np.float64)
    for label, (x, y, x_sd, y_sd) in zip(frame["label"], numbers, strict=True):
        ax.errorbar(x, y, xerr=x_sd, yerr=y_sd, fmt="o", color=styles[label].colour, elinewidth=1)
        ax.annotate(label, (x, y), xytext=(5, 4), textcoords="offset points", fontsize=8)
    ax.set_xlabel(f"mean {axis_title(MEASURES[measure])}")
    ax.set_ylabel(TRAINING_TITLES["test_accuracy"])
    ax.margins(0.15)
    return plain(ax)


def _hide_unused(axes: Sequence[Axes], num_used: int) -> Sequence[Axes]:
    for ax in axes[num_used:]:
        ax.set_visible(False)
    return axes[:num_used]


def _draw_unrelated(value: float | None, ax: Axes) -> None:
    if value is not None and np.isfinite(value):
        ax.axhline(value, color="grey", linewidth=1, label="unrelated maps")


def _draw_floor(floor: Distribution, ax: Axes) -> None:
    middle = float(floor.run_means.mean())
    ax.axhline(middle, color=hex_colour("duplicate"), linestyle="--", label="order-only floor")
    if len(floor.run_means) > 1:
        low, high = floor.run_means.min(), floor.run_means.max()
        ax.axhspan(low, high, color=hex_colour("duplicate"), alpha=0.15, linewidth=0)


def _describe(correlation: RankCorrelation) -> str:
    if correlation.critical is None:
        needed = "(critical value not worked out for n > 8)"
    elif correlation.critical > 1:
        needed = "(too few points for any value to be significant)"
    else:
        needed = f"(5 % two-sided needs |rho| of {correlation.critical:.3f})"
    rho = "undefined" if np.isnan(correlation.rho) else f"{correlation.rho:.3f}"
    return f"Spearman rho {rho}, n = {correlation.n}\n{needed}"


def _pair(
    num_labels: int, *, right_inches: float = 0.15, top_inches: float = 0.45
) -> tuple[Figure, Sequence[Axes]]:
    """Two Axes side by side; fixed margins, since a layout engine doubles the time of drawing."""
    width, height = max(9.0, 0.9 * num_labels + 3), 3.8
    figure = Figure(figsize=(width, height))
    left, right = figure.subplots(1, 2)
    figure.subplots_adjust(
        left=0.65 / width,
        right=1 - right_inches / width,
        bottom=0.6 / height,
        top=1 - top_inches / height,
        wspace=0.25,
    )
    return figure, (left, right)


def plain(ax: Axes) -> Axes:
    """Take away what carries no number."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.5)
    ax.tick_params(labelsize=8)
    return ax
