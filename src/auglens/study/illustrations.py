"""Drawn figures with their captions, and those of the training (Figures 1 and 2)."""

import io
from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.text import Text

from auglens.records.run import RecordError
from auglens.study import figures, mosaics
from auglens.study.evidence import Evidence
from auglens.study.figure_data import condition_styles, first_seed_runs, training_sample

__all__ = [
    "Illustration",
    "finish",
    "illustrate_training",
    "say_seeds",
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
    """

    name: str
    title: str
    caption: str
    alt: str
    png: bytes


def finish(name: str, title: str, caption: str, alt: str, figure: Figure) -> Illustration:
    """Turn a drawn figure into a file with its words; a ``$`` in a name is no mathematics."""
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH, facecolor="white")
    return Illustration(name, title, caption.strip(), alt, file.getvalue())


def say_seeds(evidence: Evidence) -> str:
    """How many seeds the runs have, in words."""
    return f"{evidence.num_seeds} seed{'s' * (evidence.num_seeds > 1)}"


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
        "below it one of the augmented copies. none and duplicate hold the original as it is."
    )
    alt = f"Grid of training images, one row a training set: {', '.join(sample.images)}."
    yield finish("fig1_training_images", "Figure 1", caption, alt, mosaics.sample_figure(sample))


def _figure_2(evidence: Evidence) -> Illustration:
    band = "Lines are means and bands the range over the seeds. " * (evidence.num_seeds > 1)
    caption = (
        f"Training loss (left) and validation accuracy (right) after every epoch. {band}"
        f"The runs have {say_seeds(evidence)}; n in the legend counts the runs of a set. "
        "The loss is that on the set's own images, so sets with harder images stay higher."
    )
    alt = "Two line charts over the epochs: training loss and validation accuracy of each set."
    drawn = figures.training_figure(evidence.curves, condition_styles(evidence.group))
    return finish("fig2_training", "Figure 2", caption, alt, drawn)
