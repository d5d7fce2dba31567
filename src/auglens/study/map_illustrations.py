"""Figures 3 to 6 of one saliency method with their captions. Collects data and calls figures."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd

from auglens.metrics.catalogue import MEASURES
from auglens.records.run import RecordError
from auglens.study import figures, mosaics
from auglens.study.evidence import Evidence, correlate
from auglens.study.figure_data import (
    condition_styles,
    distributions,
    dose_points,
    first_runs_with_maps,
    order_floor,
    saliency_panels,
    seed_of,
)
from auglens.study.figures import MOST_DOTS, Distribution, Floor, axis_title
from auglens.study.illustrations import (
    Illustration,
    distribution_table,
    finish,
    say_seeds,
    say_usual,
    value_table,
)
from auglens.study.method_settings import describe_settings
from auglens.study.page_tables import PageRow, PageTable, spread

__all__ = ["illustrate_maps", "order_floors", "say_making"]

SHOWN = ("cc", "kl")


def illustrate_maps(evidence: Evidence, method: str) -> Iterator[Illustration]:
    """Figures 3 to 6 of one method, as far as the runs hold what they show."""
    makers: tuple[Callable[[Evidence, str], Iterator[Illustration]], ...]
    makers = (_figure_3, _figure_4, _figure_5, _figure_6)
    for make in makers:
        yield from make(evidence, method)


def _figure_3(evidence: Evidence, method: str) -> Iterator[Illustration]:
    conditions = evidence.group.usual
    maps = evidence.maps[evidence.maps["method"] == method]
    entropies = distributions(maps, conditions, "entropy")
    areas = distributions(maps, conditions, "effective_area")
    if not entropies:
        return
    styles = condition_styles(conditions)
    shown = {"entropy": entropies, "effective_area": areas}
    values = distribution_table(
        {axis_title(MEASURES[name]): one for name, one in shown.items()},
        corner="training set",
        styles=styles,
    )
    drawn = figures.entropy_figure(
        entropies,
        areas,
        styles=styles,
        note=f" ({method}; {say_seeds(evidence)})",
        unrelated=evidence.nulls,
    )
    grey = "The grey lines are where maps of independent half-normal pixels lie. "
    caption = (
        f"Spatial Shannon entropy of P = map / sum ({method}; left) and the effective area "
        "exp(entropy) / pixels (right), over the query images of all runs of a set. Box: "
        f"quartiles; whiskers: 5th to 95th percentile; {_say_dots(entropies)}. 1 is a uniform map. "
        f"{grey if np.isfinite(evidence.nulls.get('entropy', np.nan)) else ''}"
        f"{say_usual(evidence)}{say_making(evidence, method)}"
    )
    alt = f"Box plots of entropy and effective area for {', '.join(entropies)}."
    yield finish(f"fig3_entropy_{method}", f"Figure 3 ({method})", caption, alt, drawn, values)


def _say_dots(shown: Mapping[str, Distribution]) -> str:
    if all(len(one.run_means) <= MOST_DOTS for one in shown.values()):
        return "dot: one run's mean"
    return (
        f"black bar: 5th to 95th percentile of the runs' means (dots of single runs are drawn up to "
        f"{MOST_DOTS} runs)"
    )


def _figure_4(evidence: Evidence, method: str) -> Iterator[Illustration]:
    maps = evidence.maps[evidence.maps["method"] == method]
    runs = first_runs_with_maps(evidence.group, maps)
    if not runs:
        return
    try:
        panels = saliency_panels(runs, method)
    except RecordError:
        return
    if not panels.maps:
        return
    seed = min(map(seed_of, runs.values()))
    for over_images, how in ((False, "alone"), (True, "over the images")):
        undefined = "the bare image, dimmed" if over_images else "left white"
        caption = (
            f"Saliency maps ({method}) of the first query image of each class, {how}, from the "
            f"models of seed {seed}. Each map is divided by its sum; all panels share one scale "
            f"that ends at the 99.5th percentile of the figure. An undefined map is {undefined}. "
            f"{say_usual(evidence)}{say_making(evidence, method)}"
        )
        alt = f"Grid of saliency maps {how}: a row a query image, a column a model."
        name = f"fig4_saliency_{method}_{'overlay' if over_images else 'maps'}"
        laid = "laid over the query images" if over_images else "alone"
        title = f"Saliency maps ({method}) {laid}"
        drawn = mosaics.saliency_figure(panels, over_images=over_images, title=title)
        yield finish(name, f"Figure 4 ({method}, {how})", caption, alt, drawn)


def _figure_5(evidence: Evidence, method: str) -> Iterator[Illustration]:
    conditions = evidence.group.usual
    maps = evidence.maps[evidence.maps["method"] == method]
    similarities = {measure: distributions(maps, conditions, measure) for measure in SHOWN}
    if not similarities["cc"]:
        return
    similarities = {measure: shown for measure, shown in similarities.items() if shown}
    floors, styles = order_floors(evidence, method), condition_styles(conditions)
    drawn = figures.similarity_figure(
        similarities,
        floors,
        styles=styles,
        note=f" ({method}); {_pairing(evidence, floors)}",
        unrelated=evidence.nulls,
    )
    values = distribution_table(
        {axis_title(MEASURES[name]): one for name, one in similarities.items()},
        corner="training set",
        styles=styles,
    )
    caption = (
        "Left: Pearson correlation of the maps with the baseline's (1 = same). Right: "
        "KL(baseline || model) in nats (0 = same; undefined for signed maps). Each run is compared "
        f"with the baseline of its own seed. {_say_floors(floors)} {_say_unrelated(evidence)}"
        f"Boxes as in Figure 3. {say_usual(evidence)}{say_making(evidence, method)}"
    )
    alt = f"Box plots of CC and KL against the baseline for {', '.join(similarities['cc'])}."
    yield finish(f"fig5_similarity_{method}", f"Figure 5 ({method})", caption, alt, drawn, values)


def _figure_6(evidence: Evidence, method: str) -> Iterator[Illustration]:
    conditions = evidence.group.conditions
    correlated = {
        measure: (dose_points(points, conditions), rank)
        for measure, (points, rank) in correlate(evidence, method).items()
        if not points.empty
    }
    if not correlated:
        return
    shown = next(iter(correlated.values()))[0]
    dependent = bool((shown["ranks"] > 1).any())
    said = _pairing(evidence, order_floors(evidence, method))
    drawn = figures.correlation_figure(
        {measure: points for measure, (points, _) in correlated.items()},
        {measure: correlation for measure, (_, correlation) in correlated.items()},
        styles=condition_styles(conditions),
        note=f" ({method})\n{said}{'; points not independent' if dependent else ''}",
    )
    caption = (
        f"One point {'a strength of ' if dependent else ''}an augmentation: mean similarity of its "
        "maps to the baseline's against its mean test accuracy, bars of one standard deviation "
        "over seeds where there are several. The baseline itself and untouched copies are no "
        f"points. {_say_dependence(dependent)}{say_making(evidence, method)}"
    )
    alt = f"Scatter plots of CC and of KL against test accuracy for {', '.join(shown['label'])}."
    values = _points_table(evidence, {name: points for name, (points, _) in correlated.items()})
    yield finish(f"fig6_correlation_{method}", f"Figure 6 ({method})", caption, alt, drawn, values)


def _points_table(evidence: Evidence, points: Mapping[str, pd.DataFrame]) -> PageTable:
    rows = []
    n = evidence.accuracies.set_index("label")["n"]
    styles = condition_styles(evidence.group.conditions)
    by_measure = [frame.set_index("label").to_dict("index") for frame in points.values()]
    for label in [label for label in styles if label in by_measure[0]]:
        both = [one[label] for one in by_measure if label in one]
        cells = [str(n[label]), *(spread(one["x"], one["x_sd"]) for one in both)]
        accuracy = spread(both[0]["y"], both[0]["y_sd"])
        rows.append(PageRow(label, [*cells, accuracy], styles[label].colour))
    titles = [axis_title(MEASURES[name]) for name in points]
    caption = "Means ± standard deviation over runs."
    return value_table(caption, "training set", ["runs", *titles, "test accuracy"], rows)


def _say_dependence(dependent: bool) -> str:
    if not dependent:
        return ""
    return (
        "Strengths of one augmentation are not independent points. A thin line joins them in "
        "ascending order; the marker grows with the strength, and the strongest has the name. "
    )


def order_floors(evidence: Evidence, method: str) -> dict[str, Floor]:
    """The same-seed floor of CC and KL, as far as there are runs that show it."""
    maps = evidence.maps[evidence.maps["method"] == method]
    floors = evidence.tables["floors"]
    own = floors if floors.empty else floors[floors["method"] == method]
    found = {name: order_floor(maps, evidence.group, own, name) for name in SHOWN}
    return {name: floor for name, floor in found.items() if floor is not None}


def _say_floors(floors: Mapping[str, Floor]) -> str:
    if not floors:
        return "These runs have no floor: no run of duplicate shows what the order alone does."
    one = next(iter(floors.values()))
    return (
        f"The dashed line is the same-seed floor, its band the range ({one.said}): {one.made}"
        f"{'' if len(floors) == len(SHOWN) else '; it is measured for CC only'}."
    )


def _say_unrelated(evidence: Evidence) -> str:
    said = [
        f"{title} {evidence.nulls[name]:.3f}"
        for name, title in (("cc", "CC"), ("kl", "KL"))
        if np.isfinite(evidence.nulls.get(name, np.nan))
    ]
    if not said:
        return ""
    return (
        "The grey line is where two maps of independent half-normal pixels lie "
        f"({', '.join(said)}). "
    )


def say_making(evidence: Evidence, method: str) -> str:
    """How the maps of a method were made."""
    said = describe_settings(evidence.settings.get(method, ()))
    return f"Made with {method}: {said}." if said else ""


def _pairing(evidence: Evidence, floors: Mapping[str, Floor]) -> str:
    """What every figure of same-seed similarity says of itself."""
    names = {floor.name for floor in floors.values()}
    said = f"floor: {', '.join(names)}" if names else "no floor in these runs"
    return f"same-seed pairing, {say_seeds(evidence)}, {said}"
