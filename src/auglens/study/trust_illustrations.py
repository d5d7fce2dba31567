"""Figures 7 to 12, on whether maps can be trusted, with their captions. Picks numbers, tests none."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from auglens.metrics.catalogue import MEASURES
from auglens.study import trust_figures
from auglens.study.evidence import Evidence
from auglens.study.figure_data import condition_styles
from auglens.study.figures import Distribution, Style
from auglens.study.illustrations import (
    Illustration,
    distribution_table,
    finish,
    say_usual,
    value_table,
)
from auglens.study.method_settings import say_target
from auglens.study.page_tables import PageRow, PageTable, RowGroup, number
from auglens.study.palette import method_colour
from auglens.study.trust_figures import Interval, SanityLine

__all__ = [
    "illustrate_agreement",
    "illustrate_equivariance",
    "illustrate_faithfulness",
    "illustrate_labels",
    "illustrate_perturbation",
    "illustrate_sanity",
]

SHOWN_SRG = "srg_black"


def illustrate_sanity(evidence: Evidence) -> Iterator[Illustration]:
    """Figure 7: parameter randomisation."""
    table = _absolute(evidence, "parameter_randomization")
    if table.empty:
        return
    lines = {
        name: _sanity_line(table[table["method"] == name], int(table["step"].max()))
        for name in evidence.methods
        if name in set(table["method"])
    }
    layers = table.groupby("step")["layer"].first()
    caption = (
        "Spearman correlation, signs dropped, of each method's maps with those of the trained "
        "network while its layers are re-initialised one after the other from the output down. "
        f"{_say_interval(table)} Hollow markers: the null, maps that the trained network "
        "makes of two different images of one class. A method whose line ends above its null shows "
        "the image rather than what was learned; edge never looks at the network. "
        "Dashed: the nulls random and edge."
    )
    ends = ", ".join(f"{method} {_two(line.steps[-1].mean)}" for method, line in lines.items())
    alt = f"Line chart of similarity over re-initialised layers. With all layers: {ends}."
    drawn = trust_figures.sanity_figure(lines, layers=list(layers), note=_runs(table))
    values = _sanity_table(lines, list(layers))
    yield finish("fig7_parameter_randomization", "Figure 7", caption, alt, drawn, values)


def _sanity_table(lines: Mapping[str, SanityLine], layers: Sequence[str]) -> PageTable:
    rows = [
        PageRow(method, [*map(_said, line.steps), number(line.null)], method_colour(method))
        for method, line in lines.items()
    ]
    heads = [*(f"{layer} and above\nmean; bar" for layer in layers), "null"]
    return value_table("Mean Spearman correlation, signs dropped.", "method", heads, rows)


def _said(one: Interval) -> str:
    return f"{number(one.mean)}\n{number(one.low)} to {number(one.high)}"


def _sanity_line(rows: pd.DataFrame, num_steps: int) -> SanityLine:
    """All steps of one method; one without a defined value is a gap."""
    steps = [_interval(rows[rows["step"] == step]) for step in range(1, num_steps + 1)]
    return SanityLine(steps, float(rows.loc[rows["step"] == num_steps, "null"].mean()))


def _two(value: float) -> str:
    return "undefined" if np.isnan(value) else f"{value:.2f}"


def illustrate_labels(evidence: Evidence) -> Iterator[Illustration]:
    """Figure 8: label randomisation."""
    table = _absolute(evidence, "label_randomization")
    if table.empty:
        return
    own = {name: table[table["method"] == name] for name in evidence.methods}
    own = {name: rows for name, rows in own.items() if not rows.empty}
    similarities = {name: _interval(rows) for name, rows in own.items()}
    nulls = {name: float(rows["null"].mean()) for name, rows in own.items()}
    caption = (
        "Spearman correlation, signs dropped, of each method's maps with those of a network trained "
        f"on permuted labels. {_say_interval(table)} Black bars: the null, maps of two different "
        "images of one class. Networks of other seeds differ too; that floor is not drawn."
    )
    ends = ", ".join(f"{name} {one.mean:.2f}" for name, one in similarities.items())
    alt = f"Similarity to the maps of a network trained on permuted labels: {ends}."
    drawn = trust_figures.label_figure(similarities, nulls, note=_runs(table))
    rows = [
        PageRow(name, [_said(one), number(nulls[name])], method_colour(name))
        for name, one in similarities.items()
    ]
    heads, said = ["mean; bar", "null"], "Mean Spearman correlation, signs dropped."
    values = value_table(said, "method", heads, rows)
    yield finish("fig8_label_randomization", "Figure 8", caption, alt, drawn, values)


def illustrate_faithfulness(evidence: Evidence) -> Iterator[Illustration]:
    """Figure 9: SRG of all methods beside the nulls."""
    if evidence.maps.empty or SHOWN_SRG not in evidence.maps:
        return
    shown = {}
    for method in evidence.methods:
        own = evidence.maps[evidence.maps["method"] == method]
        values = own[SHOWN_SRG].to_numpy(np.float64)
        if np.isfinite(values).any():
            means = own.groupby("run")[SHOWN_SRG].mean().dropna().to_numpy(np.float64)
            shown[method] = Distribution(values[np.isfinite(values)], means)
    if not shown:
        return
    measure = MEASURES[SHOWN_SRG]
    caption = (
        f"{measure.title}: {measure.about} Higher is better; 0 is what random maps score on "
        "average, on every network. Over the query images of all runs; boxes as in Figure 3. "
        "Grey bands: the nulls. A method that does not exceed edge tells no more about the "
        "network than the outlines of the image do."
    )
    ends = ", ".join(f"{name} {one.run_means.mean():.2f}" for name, one in shown.items())
    alt = f"Box plots of {measure.title} by method; means: {ends}."
    drawn = trust_figures.faithfulness_figure(shown, title=measure.title, note="")
    styles = {name: Style(method_colour(name), "-") for name in shown}
    table = distribution_table({measure.title: shown}, corner="method", styles=styles)
    yield finish("fig9_faithfulness", "Figure 9", caption, alt, drawn, table)


def illustrate_perturbation(evidence: Evidence, method: str) -> Iterator[Illustration]:
    """Figure 10 of one method: the curves that faithfulness is the area of."""
    table = evidence.tables["faithfulness_curves"]
    styles = condition_styles(evidence.group.usual)
    own = table[(table["method"] == method) & table["label"].isin(styles)]
    if own.empty:
        return
    keys = ["substrate", "order", "label", "fraction"]
    means = own.groupby(keys, sort=False)["probability"].mean().reset_index()
    target = say_target(evidence.settings.get(method, ()))
    caption = (
        f"Mean probability of the {target} while pixels are replaced in the order of {method}'s "
        "maps. Solid: the most important pixels first; dashed: the least important first. The area "
        f"between the two is SRG. {say_usual(evidence)}"
    )
    alt = f"Curves of the probability over the share of pixels replaced, maps of {method}."
    drawn = trust_figures.curves_figure(means, styles=styles, note=f" ({method})")
    yield finish(f"fig10_curves_{method}", f"Figure 10 ({method})", caption, alt, drawn)


def illustrate_agreement(evidence: Evidence) -> Iterator[Illustration]:
    """Figure 11: agreement between methods."""
    table = evidence.tables["agreement"]
    if table.empty:
        return
    means = table.groupby(["method", "other_method"])["spearman"].mean().unstack()
    matrix = means.reindex(index=evidence.methods, columns=evidence.methods)
    matrix = matrix.combine_first(matrix.T).reindex(
        index=evidence.methods, columns=evidence.methods
    )
    # A map agrees with itself; that is no measurement.
    filled = matrix.to_numpy(np.float64, copy=True)
    np.fill_diagonal(filled, 1.0)
    matrix = pd.DataFrame(filled, index=matrix.index, columns=matrix.columns)
    caption = (
        "Mean Spearman correlation of two methods' maps of the same image and network, over the "
        "query images and all runs. 1 on the diagonal by definition."
    )
    alt = f"Matrix of the agreement between {', '.join(evidence.methods)}."
    drawn = trust_figures.agreement_figure(matrix, note=_runs(table))
    heads = [str(name) for name in matrix.columns]
    rows = _matrix_rows(matrix)
    values = value_table("Mean Spearman correlation.", "method", heads, rows)
    yield finish("fig11_agreement", "Figure 11", caption, alt, drawn, values)


def _matrix_rows(matrix: pd.DataFrame) -> list[PageRow]:
    return [PageRow(str(name), [number(value) for value in row]) for name, row in matrix.iterrows()]


def illustrate_equivariance(evidence: Evidence, method: str) -> Iterator[Illustration]:
    """Figure 12 of one method: training set against tested augmentation."""
    table = evidence.tables["equivariance"]
    own = table[table["method"] == method]
    if own.empty:
        return
    labels = {one.label: one.augment for one in evidence.group.conditions}
    rows = [label for label in labels if label in set(own["label"])]
    columns = list(dict.fromkeys(own["augment"]))
    maps, model = (
        own.pivot_table(values=name, index="label", columns="augment", dropna=False).reindex(
            index=rows, columns=columns
        )
        for name in ("map", "model")
    )
    same = [
        (row, columns.index(labels[label]))
        for row, label in enumerate(rows)
        if labels[label] in columns
    ]
    caption = (
        f"Left: how far {method}'s maps follow the image when it is augmented, as correlation "
        "of the map of the augmented image with the augmented map, over pixels valid in both. "
        "Right: how far the network's outputs stay, as cosine of the logits. A row a training set, "
        "a column the augmentation that is tested; the frame marks training and test with the "
        f"same one. {_say_diagonal(maps, same)}"
    )
    alt = f"Two matrices, training set by tested augmentation: maps of {method}, and outputs."
    drawn = trust_figures.equivariance_figure(maps, model, same=same, note=f" ({method})")
    groups = [
        RowGroup(title, _matrix_rows(matrix))
        for title, matrix in (("maps, mean correlation", maps), ("logits, mean cosine", model))
    ]
    values = PageTable("Means over runs.", "trained with", columns, groups)
    name = f"fig12_equivariance_{method}"
    yield finish(name, f"Figure 12 ({method})", caption, alt, drawn, values)


def _say_diagonal(maps: pd.DataFrame, same: list[tuple[int, int]]) -> str:
    values = maps.to_numpy(np.float64)
    framed = np.zeros(values.shape, bool)
    for row, column in same:
        framed[row, column] = True
    inside, outside = values[framed & np.isfinite(values)], values[~framed & np.isfinite(values)]
    if not inside.size or not outside.size:
        return ""
    return f"Mean of the maps inside the frames {inside.mean():.3f}, outside {outside.mean():.3f}."


def _absolute(evidence: Evidence, name: str) -> pd.DataFrame:
    """Rows with signs dropped, of the methods that have a value anywhere."""
    table = evidence.tables[name]
    own = table[(table["mode"] == "absolute") & table["method"].isin(evidence.methods)]
    return own[own["method"].isin(own.loc[own["similarity"].notna(), "method"])]


def _interval(rows: pd.DataFrame) -> Interval:
    """Of one run its interval over images; of several the range of the runs' means."""
    mean = float(rows["similarity"].mean())
    if len(rows) == 1:
        return Interval(mean, float(rows["low"].iloc[0]), float(rows["high"].iloc[0]))
    return Interval(mean, float(rows["similarity"].min()), float(rows["similarity"].max()))


def _say_interval(table: pd.DataFrame) -> str:
    if table["run"].nunique() == 1:
        return "Bars: 95 % intervals over images."
    return "Points: means over runs; bars: the range of the runs' means over images."


def _runs(table: pd.DataFrame) -> str:
    n = table["run"].nunique()
    return f" ({n} run{'s' * (n > 1)})"
