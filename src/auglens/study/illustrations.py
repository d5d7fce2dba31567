"""The six figures of a comparison group with their captions. Collects data and calls figures."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from auglens.records.run import RecordError
from auglens.study import figures, mosaics
from auglens.study.conditions import Group
from auglens.study.figure_data import (
    condition_styles,
    correlation_points,
    distributions,
    first_seed_runs,
    saliency_panels,
    training_sample,
)
from auglens.study.palette import BASELINE
from auglens.study.statistics import RankCorrelation, spearman

__all__ = ["Evidence", "Illustration", "correlate", "illustrate"]

DOTS_PER_INCH = 150
FLOOR = "duplicate"


@dataclass(frozen=True)
class Evidence:
    """All numbers of one group.

    Attributes:
        group: The group.
        accuracies: Its rows of the accuracy table.
        measures: Its rows of the metric table.
        maps: Its rows of :attr:`Comparison.frame`.
        curves: Its rows of the summary of the histories.
        epochs: Its rows of the epochs to 95 % of the best validation accuracy.
        settings: The different ways its maps were made, by method.
    """

    group: Group
    accuracies: pd.DataFrame
    measures: pd.DataFrame
    maps: pd.DataFrame
    curves: pd.DataFrame
    epochs: pd.DataFrame
    settings: Mapping[str, Sequence[Mapping[str, Any]]]

    @property
    def methods(self) -> list[str]:
        """Saliency methods with maps in this group."""
        return [] if self.maps.empty else sorted(self.maps["method"].unique())

    @property
    def num_seeds(self) -> int:
        """Number of different sets of seeds: data, first weights, order and augmentation."""
        return len({tuple(run.record.inputs["seeds"].values()) for run in self.group.runs})


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


def correlate(evidence: Evidence, method: str) -> dict[str, tuple[pd.DataFrame, RankCorrelation]]:
    """CC and KL against test accuracy: the points, and their rank correlation.

    The baseline has no similarity, and untouched copies are the floor, not an augmentation.
    """
    labels = [
        condition.label
        for condition in evidence.group.conditions
        if condition.augment not in (BASELINE, FLOOR)
    ]
    measures = evidence.measures[evidence.measures["method"] == method]
    correlated = {}
    for measure in ("cc", "kl"):
        points = correlation_points(evidence.accuracies, measures, measure, labels)
        correlated[measure] = (points, spearman(points["x"], points["y"]))
    return correlated


def illustrate(evidence: Evidence) -> Iterator[Illustration]:
    """Draw all figures for which the runs hold something."""
    yield from _figure_1(evidence)
    if not evidence.curves.empty:
        yield _figure_2(evidence)
    makers: tuple[Callable[[Evidence, str], Iterator[Illustration]], ...]
    makers = (_figure_3, _figure_4, _figure_5, _figure_6)
    for make in makers:
        for method in evidence.methods:
            yield from make(evidence, method)


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
    yield _finish("fig1_training_images", "Figure 1", caption, alt, mosaics.sample_figure(sample))


def _figure_2(evidence: Evidence) -> Illustration:
    seeds = evidence.num_seeds
    band = "Lines are means and bands the range over the seeds. " if seeds > 1 else ""
    caption = (
        f"Training loss (left) and validation accuracy (right) after every epoch. {band}"
        f"The runs have {seeds} seed{'s' * (seeds > 1)}; n in the legend counts the runs of a set. "
        "The loss is that on the set's own images, so sets with harder images stay higher."
    )
    alt = "Two line charts over the epochs: training loss and validation accuracy of each set."
    drawn = figures.training_figure(evidence.curves, condition_styles(evidence.group))
    return _finish("fig2_training", "Figure 2", caption, alt, drawn)


def _figure_3(evidence: Evidence, method: str) -> Iterator[Illustration]:
    conditions = evidence.group.conditions
    maps = evidence.maps[evidence.maps["method"] == method]
    entropies = distributions(maps, conditions, "entropy")
    areas = distributions(maps, conditions, "effective_area")
    if not entropies:
        return
    drawn = figures.entropy_figure(
        entropies,
        areas,
        styles=condition_styles(evidence.group),
        note=f" ({method}; {_seeds(evidence)})",
    )
    caption = (
        f"Spatial Shannon entropy of P = map / sum ({method}; left) and the effective area "
        "exp(entropy) / pixels (right), over the query images of all runs of a set. Box: "
        "quartiles; whiskers: 5th to 95th percentile; dot: one run's mean. 1 is a uniform map."
    )
    alt = f"Box plots of entropy and effective area for {', '.join(entropies)}."
    yield _finish(f"fig3_entropy_{method}", f"Figure 3 ({method})", caption, alt, drawn)


def _figure_4(evidence: Evidence, method: str) -> Iterator[Illustration]:
    try:
        panels = saliency_panels(first_seed_runs(evidence.group), method)
    except RecordError:
        return
    seed = min(run.record.config["seed"] for run in evidence.group.runs)
    for over_images, how in ((False, "alone"), (True, "over the images")):
        caption = (
            f"Saliency maps ({method}) of the first query image of each class, {how}, from the "
            f"models of seed {seed}. Each map is divided by its sum; all panels share one scale "
            "that ends at the 99.5th percentile of the figure. An undefined map is left white."
        )
        alt = f"Grid of saliency maps {how}: a row a query image, a column a model."
        name = f"fig4_saliency_{method}_{'overlay' if over_images else 'maps'}"
        drawn = mosaics.saliency_figure(panels, over_images=over_images)
        yield _finish(name, f"Figure 4 ({method}, {how})", caption, alt, drawn)


def _figure_5(evidence: Evidence, method: str) -> Iterator[Illustration]:
    conditions = evidence.group.conditions
    maps = evidence.maps[evidence.maps["method"] == method]
    similarities = {measure: distributions(maps, conditions, measure) for measure in ("cc", "kl")}
    if not all(similarities.values()):
        return
    floor = next((one.label for one in conditions if one.augment == FLOOR), None)
    floors = {name: by[floor] for name, by in similarities.items() if floor in by and floor}
    drawn = figures.similarity_figure(
        similarities,
        floors,
        styles=condition_styles(evidence.group),
        note=f" ({method}); {_pairing(evidence)}",
    )
    floor_said = (
        "The dashed line is the order-only floor: models trained on untouched copies (duplicate), "
        "which differ from the baseline in the order of the images only."
        if floors
        else "These runs have no floor: no run of duplicate shows what the order alone does."
    )
    caption = (
        "Left: Pearson correlation of the maps with the baseline's (1 = same). Right: "
        "KL(baseline || model) in nats (0 = same). Each run is compared with the baseline of its "
        f"own seed. {floor_said} The grey line is where two maps of independent half-normal pixels "
        "lie (CC -0.002, KL 0.695). Boxes as in Figure 3."
    )
    alt = f"Box plots of CC and KL against the baseline for {', '.join(similarities['cc'])}."
    yield _finish(f"fig5_similarity_{method}", f"Figure 5 ({method})", caption, alt, drawn)


def _figure_6(evidence: Evidence, method: str) -> Iterator[Illustration]:
    correlated = correlate(evidence, method)
    if any(points.empty for points, _ in correlated.values()):
        return
    shown = correlated["cc"][0]["label"]
    augments = [one.augment for one in evidence.group.conditions if one.label in set(shown)]
    dependent = len(set(augments)) < len(augments)
    drawn = figures.correlation_figure(
        {measure: points for measure, (points, _) in correlated.items()},
        {measure: correlation for measure, (_, correlation) in correlated.items()},
        styles=condition_styles(evidence.group),
        note=f" ({method}); {_pairing(evidence)}{'; points not independent' if dependent else ''}",
    )
    caption = (
        "One point an augmentation: mean similarity of its maps to the baseline's against its mean "
        "test accuracy, bars of one standard deviation over seeds where there are several. "
        "The baseline itself and untouched copies are no points. "
        + ("Strengths of one augmentation are not independent points." if dependent else "")
    )
    alt = f"Scatter plots of CC and of KL against test accuracy for {', '.join(shown)}."
    yield _finish(f"fig6_correlation_{method}", f"Figure 6 ({method})", caption, alt, drawn)


def _pairing(evidence: Evidence) -> str:
    """What every figure of similarity says of itself."""
    floor = any(one.augment == FLOOR for one in evidence.group.conditions)
    said = "floor: duplicate" if floor else "no floor in these runs"
    return f"same-seed pairing, {_seeds(evidence)}, {said}"


def _seeds(evidence: Evidence) -> str:
    return f"{evidence.num_seeds} seed{'s' * (evidence.num_seeds > 1)}"


def _finish(name: str, title: str, caption: str, alt: str, figure: Figure) -> Illustration:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=DOTS_PER_INCH, facecolor="white")
    return Illustration(name, title, caption.strip(), alt, file.getvalue())
