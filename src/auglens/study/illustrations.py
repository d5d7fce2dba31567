"""Drawn figures with their captions, and those of the training (Figures 1 and 2)."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text

from auglens.records.run import RecordError
from auglens.study import figures, mosaics
from auglens.study.evidence import Evidence
from auglens.study.figure_data import condition_styles, first_seed_runs, training_sample
from auglens.study.figures import Distribution, Style
from auglens.study.page_tables import PageRow, PageTable, RowGroup, number, spread

__all__ = [
    "Illustration",
    "distribution_table",
    "finish",
    "illustrate_training",
    "say_seeds",
    "say_usual",
    "value_table",
]

DOTS_PER_INCH = 150


@dataclass(frozen=True)
class Illustration:
    """A drawn figure.

    Attributes:
        name: Of its file, without ending.
        title: Such as ``Figure 2``.
        caption: What it shows and how to read it.
        alt: For those who do not see it.
        png: The file.
        values: The numbers that it shows; None where it shows none.
    """

    name: str
    title: str
    caption: str
    alt: str
    png: bytes
    values: PageTable | None = None


def finish(
    name: str,
    title: str,
    caption: str,
    alt: str,
    figure: Figure,
    values: PageTable | None = None,
) -> Illustration:
    """Turn a drawn figure into a file with its words; a ``$`` in a name is no mathematics."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH, facecolor="white")
    return Illustration(name, title, " ".join(caption.split()), alt, file.getvalue(), values)


def value_table(
    caption: str, corner: str, heads: Sequence[str], rows: Iterable[PageRow]
) -> PageTable:
    """The values of a figure: one block of rows."""
    return PageTable(caption, corner, heads, [RowGroup("", list(rows))])


def distribution_table(
    shown: Mapping[str, Mapping[str, Distribution]], *, corner: str, styles: Mapping[str, Style]
) -> PageTable:
    """What box plots show.

    Args:
        shown: By title of the axis, then by label.
        corner: What the labels name.
        styles: By label.
    """
    heads = [
        f"{title}\n{what}"
        for title in shown
        for what in ("quartiles", "mean of the runs' means ± sd", "maps, runs")
    ]
    labels = dict.fromkeys(label for by_label in shown.values() for label in by_label)
    rows = []
    for label in labels:
        cells = [_cells(by_label[label]) for by_label in shown.values() if label in by_label]
        rows.append(
            PageRow(label, [cell for three in cells for cell in three], styles[label].colour)
        )
    return value_table("Quartiles are over all maps of a row.", corner, heads, rows)


def _cells(one: Distribution) -> tuple[str, str, str]:
    quartiles = " / ".join(map(number, np.percentile(one.values, (25, 50, 75)).tolist()))
    n = len(one.run_means)
    sd = float(one.run_means.std(ddof=1)) if n > 1 else np.nan
    return quartiles, spread(float(one.run_means.mean()), sd), f"{len(one.values)}, {n}"


def say_seeds(evidence: Evidence) -> str:
    """How many seeds the conditions have, in words.

    Such as ``10 seeds``, or ``8 to 10 seeds`` where some have fewer.
    """
    counts = [len(one.runs) for one in evidence.group.conditions]
    fewest, most = min(counts), max(counts)
    span = f"{most}" if fewest == most else f"{fewest} to {most}"
    return f"{span} seed{'s' * (most > 1)}"


def say_usual(evidence: Evidence) -> str:
    """That a figure leaves strengths out, where it does."""
    group = evidence.group
    if len(group.usual) == len(group.conditions):
        return ""
    return (
        "Each augmentation is shown at its usual strength, the one nearest to 1 "
        f"({len(group.usual)} of {len(group.conditions)} training sets). "
    )


def illustrate_training(evidence: Evidence) -> Iterator[Illustration]:
    """Figures 1 and 2, as far as the runs hold what they show."""
    yield from _figure_1(evidence)
    if not evidence.curves.empty:
        yield _figure_2(evidence)


def _figure_1(evidence: Evidence) -> Iterator[Illustration]:
    try:
        sample = training_sample(first_seed_runs(evidence.group))
    except RecordError:
        return
    caption = (
        f"{len(sample.image_titles)} training images as each set holds them: the original on top, "
        "below it one of the augmented copies. none and duplicate hold the original as it is. "
        f"{say_usual(evidence)}"
    )
    alt = f"Grid of training images, one row a training set: {', '.join(sample.images)}."
    yield finish("fig1_training_images", "Figure 1", caption, alt, mosaics.sample_figure(sample))


def _figure_2(evidence: Evidence) -> Illustration:
    band = "Lines are means and bands the range over the seeds. " * (evidence.num_seeds > 1)
    caption = (
        f"Training loss (left) and validation accuracy (right) after every epoch. {band}"
        f"The runs have {say_seeds(evidence)}; n in the legend counts the runs of a set. "
        "The loss is that on the set's own images, so sets with harder images stay higher. "
        f"{say_usual(evidence)}"
    )
    alt = "Two line charts over the epochs: training loss and validation accuracy of each set."
    styles = condition_styles(evidence.group.usual)
    drawn = figures.training_figure(evidence.curves, styles)
    values = _last_epochs(evidence, styles)
    return finish("fig2_training", "Figure 2", caption, alt, drawn, values)


def _last_epochs(evidence: Evidence, styles: Mapping[str, Style]) -> PageTable:
    last = evidence.curves.groupby("label").tail(1).set_index("label").to_dict("index")
    rows = []
    for label in [label for label in styles if label in last]:
        one = last[label]
        cells = [f"{one['epoch']:.0f}", f"{one['n']:.0f}"]
        for curve in ("train_loss", "val_accuracy"):
            ends = " to ".join(number(one[f"{curve}_{end}"]) for end in ("min", "max"))
            cells.append(f"{number(one[f'{curve}_mean'])}\n{ends}")
        rows.append(PageRow(label, cells, styles[label].colour))
    heads = [
        "epoch",
        "runs",
        "training loss, nats\nmean; range",
        "validation accuracy\nmean; range",
    ]
    return value_table("After the last epoch.", "training set", heads, rows)
