"""Draws what tells whether maps can be trusted (Figures 7 to 12). Computes no statistics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from auglens.metrics.catalogue import RUN_MEASURES
from auglens.study.figures import Distribution, Style, draw_distributions, plain, set_margins
from auglens.study.methods import NULL_METHODS
from auglens.study.palette import method_colour, method_marker

__all__ = [
    "Interval",
    "SanityLine",
    "add_scale",
    "agreement_figure",
    "curves_figure",
    "draw_matrix",
    "equivariance_figure",
    "faithfulness_figure",
    "label_figure",
    "sanity_figure",
]

SPEARMAN = "mean Spearman correlation"
CELL_INCHES = 0.55
ORDER_LINES = {"most_important_first": "-", "least_important_first": "--"}


@dataclass(frozen=True)
class Interval:
    """A mean and the range drawn around it."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class SanityLine:
    """One method under parameter randomisation.

    Attributes:
        steps: One a layer, in the order of re-initialisation.
        null: Similarity of the trained network's maps of two images of one class.
    """

    steps: Sequence[Interval]
    null: float


def sanity_figure(lines: Mapping[str, SanityLine], *, layers: Sequence[str], note: str) -> Figure:
    """Figure 7: similarity to the trained network's maps while layers are re-initialised.

    Args:
        lines: By method.
        layers: One a step.
        note: For the title.
    """
    figure, ax = _single(width=8.6, height=4.4, right_inches=2.2)
    places = dict(zip(lines, _shifts(len(lines)), strict=True))
    for method, line in lines.items():
        _draw_sanity_line(method, line, ax, shift=places[method])
    names = ["trained", *(f"+ {layer}" if number else layer for number, layer in enumerate(layers))]
    ax.set_xticks(range(len(names) + 1), [*names, "null: other image\nof the class"])
    ax.axvline(len(names) - 0.5, color="grey", linewidth=0.8, linestyle=":")
    ax.set_xlabel("layers re-initialised, from the output down")
    ax.set_ylabel(SPEARMAN, fontsize=9)
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    figure.suptitle(f"Parameter randomisation{note}", fontsize=10)
    plain(ax)
    return figure


def label_figure(
    similarities: Mapping[str, Interval], nulls: Mapping[str, float], *, note: str
) -> Figure:
    """Figure 8: similarity to the maps of a network trained on permuted labels.

    Args:
        similarities: By method.
        nulls: By method: similarity of the trained network's maps of two images of one class.
        note: For the title.
    """
    figure, ax = _single(width=max(6.0, 1 + 0.6 * len(similarities)), height=4.0, bottom_inches=1.4)
    for place, (method, one) in enumerate(similarities.items()):
        errors = [[one.mean - one.low], [one.high - one.mean]]
        colour = method_colour(method)
        ax.errorbar(place, one.mean, yerr=errors, fmt=method_marker(method), color=colour)
        ax.plot(place, nulls[method], "_", color="black", markersize=16)
    ax.plot([], [], "_", color="black", markersize=12, label="null: other image of the class")
    ax.set_xticks(range(len(similarities)), list(similarities), rotation=45, ha="right")
    ax.set_ylabel(SPEARMAN, fontsize=9)
    ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1.05)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, frameon=False)
    figure.suptitle(f"Label randomisation{note}", fontsize=10)
    plain(ax)
    return figure


def faithfulness_figure(values: Mapping[str, Distribution], *, title: str, note: str) -> Figure:
    """Figure 9: SRG of the methods, the nulls behind a grey band.

    Args:
        values: By method.
        title: Of the axis.
        note: For the title.
    """
    figure, ax = _single(width=max(6.0, 1 + 0.7 * len(values)), height=4.2, bottom_inches=1.4)
    styles = {method: Style(method_colour(method), "-") for method in values}
    draw_distributions(values, ax, title=title, styles=styles)
    ax.set_xticks(range(1, len(values) + 1), list(values), rotation=45, ha="right")
    ax.axhline(0, color="grey", linewidth=1, label="what random maps score on average")
    for place, method in enumerate(values, start=1):
        if method in NULL_METHODS:
            ax.axvspan(place - 0.5, place + 0.5, color="grey", alpha=0.15, linewidth=0)
    ax.legend(loc="lower right", bbox_to_anchor=(1, 1), fontsize=8, frameon=False)
    figure.suptitle(f"Faithfulness{note}", fontsize=10)
    return figure


def curves_figure(curves: pd.DataFrame, *, styles: Mapping[str, Style], note: str) -> Figure:
    """Figure 10: probability while pixels are replaced, a panel a substrate.

    Args:
        curves: Columns ``substrate, order, label, fraction, probability``, one row a point.
        styles: By condition.
        note: For the title.
    """
    substrates = list(curves["substrate"].unique())
    width, height = 3.2 * len(substrates) + 1.6, 3.6
    figure = Figure(figsize=(width, height))
    panels = figure.subplots(1, len(substrates), sharey=True, squeeze=False)[0]
    set_margins(figure, left=0.65, right=1.75, bottom=0.6, top=0.65, wspace=0.15)
    for ax, substrate in zip(panels, substrates, strict=True):
        draw_perturbation(curves[curves["substrate"] == substrate], ax, styles=styles)
        ax.set_title(f"replaced by {substrate}", fontsize=9)
    panels[0].set_ylabel("probability of the target", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="center right", fontsize=8, frameon=False)
    figure.suptitle(f"Pixels replaced{note}", fontsize=10)
    return figure


def draw_perturbation(curves: pd.DataFrame, ax: Axes, *, styles: Mapping[str, Style]) -> Axes:
    """Solid: the most important pixels go first; dashed: the least important ones."""
    for (label, order), line in curves.groupby(["label", "order"], sort=False):
        named = str(label) if order == "most_important_first" else None
        ax.plot(
            line["fraction"].to_numpy(),
            line["probability"].to_numpy(),
            color=styles[str(label)].colour,
            linestyle=ORDER_LINES[str(order)],
            linewidth=1.3,
            label=named,
        )
    ax.set_xlabel("share of pixels replaced", fontsize=9)
    return plain(ax)


def agreement_figure(matrix: pd.DataFrame, *, note: str) -> Figure:
    """Figure 11: how alike the maps of two methods are.

    Args:
        matrix: Mean Spearman, rows and columns by method.
        note: For the title.
    """
    side = CELL_INCHES * len(matrix)
    figure = Figure(figsize=(side + 2.9, side + 1.75))
    ax = figure.subplots()
    set_margins(figure, left=1.7, right=0.8, bottom=1.3, top=0.45, wspace=0.15)
    draw_matrix(matrix, ax, low=-1.0, colours="RdBu_r")
    add_scale(figure, ax, "mean Spearman")
    figure.suptitle(f"Agreement between methods{note}", fontsize=10)
    return figure


def equivariance_figure(
    maps: pd.DataFrame, model: pd.DataFrame, *, same: Sequence[tuple[int, int]], note: str
) -> Figure:
    """Figure 12: a row a training set, a column a tested augmentation.

    Args:
        maps: Mean correlation of the maps.
        model: Mean cosine of the logits; same rows and columns.
        same: Cells trained and tested with one augmentation, which get a frame.
        note: For the title.
    """
    rows, columns = maps.shape
    width = 2 * (CELL_INCHES + 0.15) * columns + 3.2
    figure = Figure(figsize=(width, CELL_INCHES * rows + 2.2))
    panels = figure.subplots(1, 2, sharey=True)
    set_margins(figure, left=1.5, right=0.4, bottom=1.1, top=0.8, wspace=0.15)
    titles = [RUN_MEASURES[name].title for name in ("equivariance_map", "model_invariance")]
    for ax, matrix, title in zip(panels, (maps, model), titles, strict=True):
        draw_matrix(matrix, ax, low=min(0.0, float(np.nanmin(matrix))), colours="viridis")
        for row, column in same:
            ax.add_patch(_frame(row, column))
        ax.set_title(title, fontsize=9)
        ax.set_xlabel("tested with", fontsize=9)
        add_scale(figure, ax, "")
    panels[0].set_ylabel("trained with", fontsize=9)
    figure.suptitle(f"Equivariance{note}", fontsize=10)
    return figure


def draw_matrix(
    matrix: pd.DataFrame,
    ax: Axes,
    *,
    low: float,
    colours: str,
    high: float = 1.0,
    digits: int = 2,
) -> Axes:
    """Coloured cells with their numbers, on one scale; undefined cells stay white.

    Args:
        matrix: Values with names of rows and columns.
        ax: Where to draw.
        low: Lower end of the scale.
        colours: Name of a colour map.
        high: Upper end of the scale.
        digits: Of the numbers, after the point.
    """
    values = matrix.to_numpy(np.float64)
    picture = ax.imshow(values, vmin=low, vmax=high, cmap=colours)
    ax.set_xticks(range(matrix.shape[1]), list(matrix.columns), rotation=45, ha="right")
    ax.set_yticks(range(matrix.shape[0]), list(matrix.index))
    for row, column in zip(*np.nonzero(np.isfinite(values)), strict=True):
        red, green, blue, _ = picture.cmap(picture.norm(values[row, column]))
        ink = "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
        # Adding 0 turns -0.00 into 0.00.
        text = f"{round(values[row, column], digits) + 0.0:.{digits}f}"
        ax.text(column, row, text, ha="center", va="center", fontsize=7, color=ink)
    ax.tick_params(labelsize=8, length=0)
    return ax


def _draw_sanity_line(method: str, line: SanityLine, ax: Axes, *, shift: float) -> None:
    colour, marker = method_colour(method), method_marker(method)
    means = np.array([1.0, *(step.mean for step in line.steps)])
    places = np.arange(len(means)) + shift
    low = means - np.array([1.0, *(step.low for step in line.steps)])
    high = np.array([1.0, *(step.high for step in line.steps)]) - means
    wide = 2.2 if method in NULL_METHODS else 1.3
    ax.errorbar(
        places,
        means,
        yerr=[np.maximum(low, 0), np.maximum(high, 0)],
        color=colour,
        marker=marker,
        markersize=4,
        linewidth=wide,
        linestyle="--" if method in NULL_METHODS else "-",
        elinewidth=0.8,
        label=method,
    )
    ax.plot(len(means) + shift, line.null, marker, color=colour, markersize=5, fillstyle="none")


def _shifts(number: int) -> list[float]:
    """Small steps aside, so that intervals of several methods do not cover each other."""
    return [0.03 * (place - (number - 1) / 2) for place in range(number)]


def add_scale(figure: Figure, ax: Axes, title: str) -> None:
    """A colour bar beside a matrix."""
    bar = figure.colorbar(ax.images[0], ax=ax, fraction=0.05)
    bar.set_label(title, fontsize=8)
    bar.ax.tick_params(labelsize=8)


def _frame(row: int, column: int) -> Rectangle:
    return Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#D55E00", linewidth=2)


def _single(
    *, width: float, height: float, right_inches: float = 0.2, bottom_inches: float = 0.75
) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height))
    ax = figure.subplots()
    set_margins(figure, left=0.7, right=right_inches, bottom=bottom_inches, top=0.5, wspace=0.15)
    return figure, ax
