"""Draws curves, distributions and correlations (Figures 2, 3, 5 and 6). Computes no statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from auglens.metrics.catalogue import MEASURES, Measure
from auglens.study.palette import hex_colour, line_style
from auglens.study.statistics.ranks import RankCorrelation

__all__ = [
    "MOST_DOTS",
    "Distribution",
    "Floor",
    "Style",
    "axis_title",
    "correlation_figure",
    "draw_curves",
    "draw_distributions",
    "draw_floor",
    "draw_points",
    "entropy_figure",
    "hide_unused",
    "plain",
    "set_margins",
    "similarity_figure",
    "training_figure",
]

PERCENTILES = (5, 95)
MOST_DOTS = 50
"""Runs of a condition whose means are drawn one by one."""
# Of a name in Figure 6, in parts of the axes.
NAME_OFFSET, NAME_WIDTH, NAME_HEIGHT = 0.015, 0.018, 0.045
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


@dataclass(frozen=True)
class Floor:
    """What noise alone does to a similarity.

    Attributes:
        name: Which runs show it.
        made: What differs between them, in words.
        mean: Of the runs, or of the pairs of runs.
        low: Smallest of them.
        high: Largest of them.
        said: How many there are, in words.
    """

    name: str
    made: str
    mean: float
    low: float
    high: float
    said: str


def axis_title(measure: Measure) -> str:
    """Title and unit, and for a similarity to what.

    >>> axis_title(MEASURES["kl"]), axis_title(MEASURES["entropy"])
    ('KL to the baseline, nats', 'Entropy, nats')
    """
    other = " to the baseline" if measure.family == "similarity" else ""
    return f"{measure.title}{other}{f', {measure.unit}' if measure.unit else ''}"


def training_figure(summary: pd.DataFrame, styles: Mapping[str, Style]) -> Figure:
    """Figure 2: training loss and validation accuracy over the epochs."""
    longest = max(map(len, styles), default=0)
    figure, (left, right) = _pair(0, right_inches=1.1 + 0.065 * longest)
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
    floors: Mapping[str, Floor],
    *,
    styles: Mapping[str, Style],
    note: str,
    unrelated: Mapping[str, float],
) -> Figure:
    """Figure 5: CC and KL against the baseline of the same seed.

    Args:
        similarities: By measure, at most two, then by condition.
        floors: By measure: the same-seed floor; a measure without it gets no line.
        styles: By condition.
        note: Method, pairing, seeds and floor, for the title.
        unrelated: What unrelated maps score, by measure; a measure without it gets no line.
    """
    figure, axes = _pair(len(next(iter(similarities.values()))))
    for ax, (measure, by_label) in zip(
        hide_unused(axes, len(similarities)), similarities.items(), strict=True
    ):
        draw_distributions(by_label, ax, title=axis_title(MEASURES[measure]), styles=styles)
        _draw_unrelated(unrelated.get(measure), ax)
        if measure in floors:
            draw_floor(floors[measure], ax)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=7, frameon=False, ncols=2)
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
    figure, axes = _pair(0, top_inches=0.85, height=4.2)
    for ax, (measure, frame) in zip(hide_unused(axes, len(points)), points.items(), strict=True):
        draw_points(frame, ax, measure=measure, styles=styles)
        dependent = bool((frame["ranks"] > 1).any())
        ax.set_title(_describe(correlations[measure], dependent=dependent), fontsize=9)
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
    """A box a label over its maps (quartiles; whiskers 5 to 95 %), a dot a run's mean.

    Above :data:`MOST_DOTS` runs a bar over the middle 90 % of their means stands for the dots.
    """
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
        if len(one.run_means) > MOST_DOTS:
            ax.vlines(place, *np.percentile(one.run_means, PERCENTILES), color="black", linewidth=3)
        else:
            ax.plot(np.full(len(one.run_means), place), one.run_means, "k.", markersize=5)
    ax.set_ylabel(title)
    ax.tick_params(axis="x", labelrotation=45 if len(labels) > 4 else 0)
    return plain(ax)


def draw_points(
    frame: pd.DataFrame, ax: Axes, *, measure: str, styles: Mapping[str, Style]
) -> Axes:
    """One point a condition, with bars of one standard deviation over seeds.

    The strengths of an augmentation are joined, in ascending order, by a thin line; the marker
    grows with the strength, and only the strongest has a name.

    Args:
        frame: Columns ``label, x, x_sd, y, y_sd, augment, rank, ranks``, sorted by the last
            three; a missing deviation draws no bar.
        ax: Where to draw.
        measure: ``cc`` or ``kl``.
        styles: By condition.
    """
    for _, own in frame.groupby("augment", sort=False):
        colour = styles[own["label"].iloc[0]].colour
        ax.plot(own["x"].to_numpy(), own["y"].to_numpy(), color=colour, linewidth=0.7, alpha=0.7)
        numbers = own[["x", "y", "x_sd", "y_sd"]].fillna(0.0).to_numpy(np.float64)
        for (x, y, x_sd, y_sd), rank in zip(numbers, own["rank"], strict=True):
            size = 6.0 if len(own) == 1 else 3.0 + 5.0 * (rank - 1) / (len(own) - 1)
            thin = 1.0 if len(own) == 1 else 0.4
            drawn = ax.errorbar(x, y, xerr=x_sd, yerr=y_sd, fmt="o", color=colour, elinewidth=thin)
            drawn.lines[0].set_markersize(size)
    ax.set_xlabel(f"mean {axis_title(MEASURES[measure])}")
    ax.set_ylabel(TRAINING_TITLES["test_accuracy"])
    ax.margins(0.15)
    _name_points(frame[frame["rank"] == frame["ranks"]], ax)
    return plain(ax)


def _name_points(frame: pd.DataFrame, ax: Axes) -> None:
    """Names beside points, from the lowest up, each raised until it lies on no other name."""
    placed: list[Bbox] = []
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    for label, x, y in frame.sort_values("y")[["label", "x", "y"]].itertuples(index=False):
        left, low = (x - x0) / (x1 - x0) + NAME_OFFSET, (y - y0) / (y1 - y0) + NAME_OFFSET
        box = Bbox.from_bounds(left, low, NAME_WIDTH * len(label), NAME_HEIGHT)
        while any(box.overlaps(other) for other in placed):
            box = box.translated(0, NAME_HEIGHT / 4)
        placed.append(box)
        name = ax.text(box.x0, box.y0, label, transform=ax.transAxes, fontsize=8)
        name.set_path_effects([withStroke(linewidth=2.5, foreground="white")])


def hide_unused(axes: Sequence[Axes], num_used: int) -> Sequence[Axes]:
    """The first of some Axes, the others made invisible."""
    for ax in axes[num_used:]:
        ax.set_visible(False)
    return axes[:num_used]


def _draw_unrelated(value: float | None, ax: Axes) -> None:
    if value is not None and np.isfinite(value):
        ax.axhline(value, color="grey", linewidth=1, label="unrelated maps")


def draw_floor(floor: Floor, ax: Axes) -> None:
    """The same-seed floor: its mean as a dashed line, its range as a band."""
    colour = hex_colour("duplicate")
    ax.axhline(floor.mean, color=colour, linestyle="--", label=f"same-seed floor: {floor.name}")
    if floor.low < floor.high:
        ax.axhspan(floor.low, floor.high, color=colour, alpha=0.15, linewidth=0)


def _describe(correlation: RankCorrelation, *, dependent: bool) -> str:
    if dependent:
        needed = "(points not independent: no test)"
    elif correlation.critical is None:
        needed = "(critical value not worked out for n > 8)"
    elif correlation.critical > 1:
        needed = "(too few points for any value to be significant)"
    else:
        needed = f"(5 % two-sided needs |rho| of {correlation.critical:.3f})"
    rho = "undefined" if np.isnan(correlation.rho) else f"{correlation.rho:.3f}"
    return f"Spearman rho {rho}, n = {correlation.n}\n{needed}"


def _pair(
    num_labels: int,
    *,
    right_inches: float = 0.15,
    top_inches: float = 0.6,
    height: float = 3.9,
) -> tuple[Figure, Sequence[Axes]]:
    """Two Axes side by side."""
    figure = Figure(figsize=(max(9.0, 0.9 * num_labels + 3), height))
    left, right = figure.subplots(1, 2)
    set_margins(figure, left=0.75, right=right_inches, bottom=0.7, top=top_inches, wspace=0.25)
    return figure, (left, right)


def set_margins(
    figure: Figure, *, left: float, right: float, bottom: float, top: float, wspace: float
) -> None:
    """Fixed margins in inches, since a layout engine doubles the time of drawing."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=bottom / height,
        top=1 - top / height,
        wspace=wspace,
    )


def plain(ax: Axes) -> Axes:
    """Take away what carries no number."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(alpha=0.25, linewidth=0.5)
    ax.tick_params(labelsize=8)
    return ax
