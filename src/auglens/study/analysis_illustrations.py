"""Figures 13 to 18, of the statistics, with their captions and values. Tests and measures nothing."""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from auglens.records.run import RecordError
from auglens.study import analysis_figures, mosaics
from auglens.study.analyses.sampling import sampled
from auglens.study.analysis_figure_data import (
    SeedMeans,
    accuracy_differences,
    class_differences,
    dose_lines,
    seed_means,
    usual_shifts,
)
from auglens.study.analysis_figures import QUANTITIES, say_p
from auglens.study.evidence import Evidence
from auglens.study.figures import Floor
from auglens.study.illustrations import Illustration, finish, say_seeds, say_usual, value_table
from auglens.study.map_illustrations import order_floors, say_making
from auglens.study.methods import NULL_METHODS
from auglens.study.page_tables import PageRow, PageTable, number
from auglens.study.palette import BASELINE, hex_colour

__all__ = [
    "illustrate_classes",
    "illustrate_differences",
    "illustrate_runs",
    "illustrate_seed_means",
    "illustrate_shifts",
    "illustrate_strengths",
]


def illustrate_differences(evidence: Evidence) -> Iterator[Illustration]:
    """Figure 13: differences to the baseline in test accuracy."""
    rows = accuracy_differences(evidence.tables["differences"])
    if rows.empty:
        return
    against = str(rows["against"].iloc[0])
    caption = (
        f"Test accuracy minus that of {against}, paired by seed: mean difference in percentage "
        "points with its 95 % t-interval; n pairs of runs; p of the paired t-test, by Holm's "
        "correction over the augmentations. Untouched copies (duplicate) are a control, uncorrected. "
        "Grey, between the ticks: true differences that this number of seeds would have told apart "
        f"from 0 with less than 80 % power, at level 0.05, uncorrected. {say_usual(evidence)}"
    )
    if rows["low"].isna().all():
        caption += "With one pair of runs there is no interval and no test."
    said = ", ".join(f"{one['label']} {one['mean']:+.1f}" for one in rows.to_dict("records"))
    alt = f"Forest plot of differences in test accuracy, percentage points: {said}."
    drawn = analysis_figures.differences_figure(
        rows, against=against, note=f" ({say_seeds(evidence)})"
    )
    values = _differences_table(rows)
    yield finish("fig13_differences", "Figure 13", caption, alt, drawn, values)


def _differences_table(rows: pd.DataFrame) -> PageTable:
    heads = ["n", "mean difference, points", "95 % interval", "p", "p (Holm)", "80 % power from"]
    content = []
    for one in rows.to_dict("records"):
        cells = [f"{one['n']:.0f}", number(one["mean"], 2), _interval(one, 2)]
        cells += [say_p(one["p"]), say_p(one["p_holm"]), number(one["smallest"], 2)]
        content.append(PageRow(one["label"], cells, hex_colour(one["augment"])))
    caption = "Differences in test accuracy, percentage points, paired by seed."
    return value_table(caption, "training set", heads, content)


def illustrate_shifts(evidence: Evidence, method: str) -> Iterator[Illustration]:
    """Figure 14: similarity across seeds, its floors, and the shift beyond them."""
    rows = usual_shifts(evidence.tables["shifts"], evidence.group, method)
    if rows.empty:
        return
    coverage = ", ".join(
        f"{100 * share:.0f} % with {n:.0f} seeds"
        for n, share in rows.groupby("n")["coverage"].first().items()
        if np.isfinite(share)
    )
    caption = (
        "Left: mean CC of maps of different seeds (cross-seed pairing): of a training set's runs "
        "with the baseline's (dot), among its own (bar), and among the baseline's (black line), "
        "which is the floor of this pairing. Right: shift Δ, the mean of the two floors minus the "
        "similarity to the baseline; above 0 the augmentation moves maps further than another "
        "seed does. Bars: bootstrap over seeds and images, 95 % in name; in simulations they hold "
        f"the true value in {coverage or 'an unknown share'}. The interval tells the size; the "
        "test is the p above, one-sided, by exchange within seeds, Holm's correction over the "
        f"augmentations. {_say_sample(rows)}{say_usual(evidence)}{say_making(evidence, method)}"
    )
    said = ", ".join(f"{one['label']} {one['delta']:.3f}" for one in rows.to_dict("records"))
    alt = f"Similarity of maps across seeds with its floors, and the shift: {said}."
    n = _say_n(evidence, rows)
    note = f" ({method}); cross-seed pairing, {n}, floor: none against none"
    drawn = analysis_figures.shifts_figure(rows, note=note)
    values = _shifts_table(evidence, method)
    yield finish(f"fig14_shifts_{method}", f"Figure 14 ({method})", caption, alt, drawn, values)


def _shifts_table(evidence: Evidence, method: str) -> PageTable:
    by_measure = {
        name: usual_shifts(evidence.tables["shifts"], evidence.group, method, measure=measure)
        .set_index("label")
        .to_dict("index")
        for name, measure in (("CC", "cc"), ("Spearman", "spearman"))
    }
    what = ("to none; own floor; floor of none", "Δ (95 % interval)", "p; p (Holm)")
    heads = ["seeds", *(f"{name}\n{one}" for name in by_measure for one in what)]
    content = []
    for label, first in by_measure["CC"].items():
        cells = [f"{first['n']:.0f}"]
        for rows in by_measure.values():
            cells += _shift_cells(rows.get(label))
        content.append(PageRow(str(label), cells, hex_colour(first["augment"])))
    caption = "Pairs of runs of different seeds."
    said = _say_sample(_of_method(evidence, "shifts", method))
    return value_table(f"{caption} {said}".strip(), "training set", heads, content)


def _shift_cells(one: Mapping[Hashable, Any] | None) -> list[str]:
    if one is None:
        return ["-", "-", "-"]
    levels = "; ".join(number(one[name]) for name in ("across", "floor_a", "floor_b"))
    delta = f"{number(one['delta'])} ({_interval(one, 3)})"
    return [levels, delta, f"{say_p(one['p'])}; {say_p(one['p_holm'])}"]


def illustrate_strengths(evidence: Evidence, method: str) -> Iterator[Illustration]:
    """Figure 15: accuracy, same-seed similarity and shift by strength."""
    if method in NULL_METHODS:
        return
    group = evidence.group
    shifts = _of_method(evidence, "shifts", method)
    lines = dose_lines(group, evidence.maps, shifts, method)
    if lines.empty or "cc" not in set(lines["quantity"]):
        return
    accuracies = evidence.accuracies.set_index("label")["test_accuracy_mean"]
    baseline = float(accuracies[group.baseline.label]) if group.baseline else np.nan
    floor = order_floors(evidence, method).get("cc")
    caption = (
        "Augmentations with at least three strengths. Left: test accuracy; grey: the baseline. "
        "Middle: CC of a run's maps with the baseline's of its own seed, a run's mean over the "
        f"query images. Lines are means over seeds, bands 95 % t-intervals. {_say_floor(floor)} "
        "Right: shift Δ of Figure 14, across seeds, with its bootstrap interval, which is too "
        f"narrow with few seeds. {_say_sample(shifts, 'Δ')}{say_making(evidence, method)}"
    )
    augments = ", ".join(dict.fromkeys(lines["augment"]))
    alt = f"Line charts over strength of accuracy, CC and shift for {augments}."
    said = sampled(shifts)
    note = f" ({method}); {say_seeds(evidence)}{f'; Δ: {said}' if said else ''}"
    drawn = analysis_figures.doses_figure(lines, baseline=baseline, floor=floor, note=note)
    values = _doses_table(lines, _say_sample(shifts, "Δ"))
    yield finish(f"fig15_strengths_{method}", f"Figure 15 ({method})", caption, alt, drawn, values)


def _say_floor(floor: Floor | None) -> str:
    if floor is None:
        return "These runs have no same-seed floor."
    return f"Dashed: the same-seed floor, {floor.made} ({floor.said})."


def _doses_table(lines: pd.DataFrame, sample: str) -> PageTable:
    shown = [name for name in QUANTITIES if name in set(lines["quantity"])]
    content = []
    for label, own in lines.groupby("label", sort=False):
        by_quantity = own.set_index("quantity").to_dict("index")
        cells = [f"{own['n'].max():.0f}"]
        for name in shown:
            one = by_quantity.get(name)
            cells.append("-" if one is None else f"{number(one['mean'])}\n{_interval(one, 3)}")
        content.append(PageRow(str(label), cells, hex_colour(own["augment"].iloc[0])))
    heads = ["seeds", *(f"{QUANTITIES[name]}\nmean; 95 % interval" for name in shown)]
    caption = f"By augmentation and strength. {sample}".strip()
    return value_table(caption, "training set", heads, content)


def illustrate_runs(evidence: Evidence, method: str) -> Iterator[Illustration]:
    """Figure 16: every run of usual strength as a point."""
    runs = _of_method(evidence, "scaling", method)
    if runs.empty:
        return
    shown = float(runs["shown"].iloc[0])
    said = (
        f"The plane shows {100 * shown:.0f} % of the squared distances."
        if np.isfinite(shown)
        else "All distances are 0."
    )
    caption = (
        f"Classical scaling of the distances √(1 - mean CC over the query images) between "
        f"{'' if sampled(runs) else 'all '}runs: near points have like maps. {said} {_say_sample(runs)}"
        f"{_say_permanova(evidence, method)} {_say_classifier(evidence, method)} "
        f"{say_usual(evidence)}{say_making(evidence, method)}"
    )
    alt = f"Scatter plot of {len(runs)} runs by the likeness of their maps."
    augments = {one.label: one.augment for one in evidence.group.usual}
    # With the sample in it, the title is longer than the figure is wide.
    note = ("\n" if sampled(runs) else " ") + f"({method}; {_say_n(evidence, runs)})"
    drawn = analysis_figures.runs_figure(runs, augments=augments, shown=shown, note=note)
    values = _runs_table(runs, augments)
    yield finish(f"fig16_runs_{method}", f"Figure 16 ({method})", caption, alt, drawn, values)


def _runs_table(runs: pd.DataFrame, augments: dict[str, str]) -> PageTable:
    content = []
    for label, own in runs.groupby("label", sort=False):
        axes = [f"{number(own[axis].mean())}\n{_ends(own[axis])}" for axis in ("x", "y")]
        content.append(
            PageRow(str(label), [str(len(own)), *axes], hex_colour(augments[str(label)]))
        )
    heads = ["runs", "first axis\nmean; range", "second axis\nmean; range"]
    caption = (
        f"Coordinates in the unit of the distances, √(1 - mean CC). {_say_sample(runs)}".strip()
    )
    return value_table(caption, "training set", heads, content)


def _say_permanova(evidence: Evidence, method: str) -> str:
    found = _of_method(evidence, "permanova", method)
    if found.empty:
        return ""
    one = found.iloc[0]
    if not np.isfinite(one["r2"]):
        return (
            "PERMANOVA has no value: the seed leaves nothing, or the distances are not Euclidean."
        )
    said = say_p(one["p"])
    return (
        f"Of the variation of the maps, their squared distances, {number(one['r2_blocks'])} is the "
        f"seed's and {number(one['r2_total'])} the augmentation's; of what the seed leaves, the "
        f"augmentation has R² = {one['r2']:.3f} (PERMANOVA, {one['n_runs']} runs, "
        f"{one['n_seeds']} seeds, p {said if said[0] == '<' else f'= {said}'} by permuting it "
        "within seeds)."
    )


def _say_classifier(evidence: Evidence, method: str) -> str:
    found = _of_method(evidence, "classifier", method)
    if found.empty:
        return ""
    one = found.iloc[0]
    said = say_p(one["p"])
    return (
        f"A linear classifier tells from the maps of held-out seeds how {100 * one['accuracy']:.0f} % of "
        f"{one['n']} runs were trained (chance {100 * one['chance']:.0f} %, "
        f"p {said if said[0] == '<' else f'= {said}'})."
    )


def illustrate_classes(evidence: Evidence) -> Iterator[Illustration]:
    """Figure 17: differences to the baseline in test accuracy by class."""
    differences = class_differences(evidence.tables["class_accuracy"], evidence.group)
    if differences.empty or evidence.group.baseline is None:
        return
    baseline = evidence.group.baseline.label
    counts = evidence.tables["class_accuracy"].groupby("label", sort=False)["n"].first()
    counted = ", ".join(f"{label} {counts[label]}" for label in [*differences.index, baseline])
    caption = (
        "Mean test accuracy of each class minus the baseline's, percentage points; white is no "
        "difference. What helps on average may harm one class. Runs: "
        f"{counted}. Single cells are not tested. {say_usual(evidence)}"
    )
    values = differences.to_numpy(np.float64)
    row, column = divmod(int(np.nanargmin(values)), values.shape[1])
    alt = (
        "Matrix of differences in test accuracy, training set by class; the largest loss is "
        f"{values[row, column]:.1f} points ({differences.index[row]} on "
        f"{differences.columns[column]})."
    )
    drawn = analysis_figures.classes_figure(
        differences, against=baseline, note=f" ({say_seeds(evidence)})"
    )
    table = _classes_table(evidence, [*differences.index, baseline])
    yield finish("fig17_classes", "Figure 17", caption, alt, drawn, table)


def _classes_table(evidence: Evidence, labels: list[str]) -> PageTable:
    table = evidence.tables["class_accuracy"].set_index(["label", "class"])
    classes = list(dict.fromkeys(table.index.get_level_values("class")))
    augments = {one.label: one.augment for one in evidence.group.usual}
    content = []
    for label in labels:
        means = [number(table.loc[(label, name), "accuracy_mean"]) for name in classes]
        content.append(PageRow(label, means, hex_colour(augments[label])))
    caption = "Mean test accuracy of each class, fractions."
    return value_table(caption, "training set", classes, content)


def illustrate_seed_means(evidence: Evidence, method: str) -> Iterator[Illustration]:
    """Figure 18: maps averaged over seeds."""
    if method in NULL_METHODS or evidence.num_seeds < 2:
        return
    try:
        means = seed_means(evidence.group, method)
    except RecordError:
        return
    if means is None:
        return
    baseline = _baseline_label(evidence)
    said = ", ".join(
        f"{label} {value:.3f}"
        for label, value in means.similarities.items()
        if label != baseline and np.isfinite(value)
    )
    compared = f"CC of each average with that of {baseline}, mean over the query images: {said}. "
    caption = (
        f"Saliency maps ({method}) of the first query image of each class, P = map / sum averaged "
        f"over seeds (runs: {_say_runs(means)}), which takes out noise of single networks. All "
        "panels share one scale that ends at the 99.5th percentile of the figure. "
        f"{compared if said else ''}{say_usual(evidence)}{say_making(evidence, method)}"
    )
    alt = f"Grid of saliency maps averaged over seeds: {', '.join(means.panels.maps)}."
    title = f"Saliency maps ({method}), averaged over seeds"
    drawn = mosaics.saliency_figure(means.panels, over_images=False, title=title)
    values = _means_table(evidence, means)
    yield finish(f"fig18_seed_means_{method}", f"Figure 18 ({method})", caption, alt, drawn, values)


def _say_runs(means: SeedMeans) -> str:
    counts = set(means.num_runs.values())
    if len(counts) == 1:
        return f"{counts.pop()} of each"
    return ", ".join(f"{label} {n}" for label, n in means.num_runs.items())


def _means_table(evidence: Evidence, means: SeedMeans) -> PageTable:
    augments = {one.label: one.augment for one in evidence.group.usual}
    content = [
        PageRow(
            label,
            [str(n), str(means.num_images[label]), number(means.similarities[label])],
            hex_colour(augments[label]),
        )
        for label, n in means.num_runs.items()
    ]
    against = _baseline_label(evidence)
    heads = ["runs averaged", "query images", f"CC with the average of {against}"]
    caption = "CC between maps averaged over seeds, mean over the query images."
    return value_table(caption, "training set", heads, content)


def _baseline_label(evidence: Evidence) -> str:
    return evidence.group.baseline.label if evidence.group.baseline else BASELINE


def _of_method(evidence: Evidence, name: str, method: str) -> pd.DataFrame:
    table = evidence.tables[name]
    return table if table.empty else table[table["method"] == method]


def _say_sample(rows: pd.DataFrame, what: str = "All of this") -> str:
    """That numbers rest on some of the runs, where they do."""
    said = sampled(rows)
    return f"{what} rests on {said} by whole seeds. " if said else ""


def _say_n(evidence: Evidence, rows: pd.DataFrame) -> str:
    """How many seeds the conditions have, or the sample of the runs that rows rest on."""
    return sampled(rows) or say_seeds(evidence)


def _interval(one: Mapping[Hashable, Any], digits: int) -> str:
    if np.isnan(one["low"]):
        return "-"
    return f"{number(one['low'], digits)} to {number(one['high'], digits)}"


def _ends(values: pd.Series) -> str:
    return f"{number(values.min())} to {number(values.max())}"
