import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from jinja2 import Environment, PackageLoader
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from scipy import stats

from auglens.records.maps import read_map
from auglens.study import build, build_study
from auglens.study.analyses.shifts import ALL, INIT, ORDER
from auglens.study.analysis_figure_data import (
    accuracy_differences,
    class_differences,
    dose_lines,
    seed_means,
    usual_shifts,
)
from auglens.study.analysis_figures import (
    classes_figure,
    draw_delta,
    draw_differences,
    draw_dose,
    draw_floors,
)
from auglens.study.analysis_illustrations import (
    illustrate_classes,
    illustrate_differences,
    illustrate_runs,
    illustrate_seed_means,
    illustrate_shifts,
    illustrate_strengths,
)
from auglens.study.evidence import Evidence
from auglens.study.figure_data import dose_points, first_seed_runs, order_floor
from auglens.study.figures import Style, draw_points
from auglens.study.illustrations import Illustration, illustrate_training
from auglens.study.map_illustrations import illustrate_maps
from auglens.study.page_tables import PageRow, PageTable, RowGroup
from auglens.study.pages import Findings
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import GREY, METHOD, NUM_PROBE, make_config, write_run

SEEDS = (0, 1, 2)
STRENGTHS = (0.5, 1.0, 2.0)
AUGMENTS = ("crop", "blur")
USUAL = ["crop", "blur", "duplicate", "none"]
FLAT = 3


def write_strengths(folder: Path) -> Path:
    """Two augmentations at three strengths, the baseline and untouched copies, three seeds."""
    kinds = [*itertools.product(AUGMENTS, STRENGTHS), ("none", 1.0), ("duplicate", 1.0)]
    for number, (seed, (augment, strength)) in enumerate(itertools.product(SEEDS, kinds)):
        config = make_config(augment, seed=seed, strength=strength)
        write_run(folder / f"{number}-{augment}", config, shape=GREY)
    return folder


def keep_findings(sweep: Path, out: Path) -> Findings:
    """What the report of a sweep gets."""
    kept: list[Findings] = []

    def keep(findings: Findings, folder: Path, *_: object) -> Path:
        kept.append(findings)
        return folder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "write_report", keep)
        build_study([sweep], out=out, **MEASURING)
    return kept[0]


def gather(sweep: Path, out: Path) -> Evidence:
    """The only group of a sweep as the report gets it."""
    (evidence,) = keep_findings(sweep, out).groups
    return evidence


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder = tmp_path_factory.mktemp("strengths")
    return gather(write_strengths(folder / "sweep"), folder / "out")


@pytest.fixture(scope="module")
def drawn(evidence: Evidence) -> dict[str, Illustration]:
    makers: list[Iterator[Illustration]] = [
        illustrate_training(evidence),
        illustrate_maps(evidence, METHOD),
        illustrate_differences(evidence),
        illustrate_shifts(evidence, METHOD),
        illustrate_strengths(evidence, METHOD),
        illustrate_runs(evidence, METHOD),
        illustrate_classes(evidence),
        illustrate_seed_means(evidence, METHOD),
    ]
    return {one.name: one for one in itertools.chain(*makers)}


def labels_of(table: PageTable | None) -> list[str]:
    assert table is not None
    return [row.label for group in table.groups for row in group.rows]


def test_figures_continue_the_numbers_in_order(drawn: dict[str, Illustration]) -> None:
    titles = [
        one.title
        for one in drawn.values()
        if one.name.startswith("fig1") and one.name[4] in "345678"
    ]
    assert titles == [
        "Figure 13",
        f"Figure 14 ({METHOD})",
        f"Figure 15 ({METHOD})",
        f"Figure 16 ({METHOD})",
        "Figure 17",
        f"Figure 18 ({METHOD})",
    ]


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("fig2_training", ()),
        (f"fig3_entropy_{METHOD}", ()),
        (f"fig5_similarity_{METHOD}", ("none",)),
        ("fig13_differences", ("none",)),
        (f"fig14_shifts_{METHOD}", ("none",)),
        (f"fig16_runs_{METHOD}", ()),
        ("fig17_classes", ()),
        (f"fig18_seed_means_{METHOD}", ()),
    ],
)
def test_only_usual_strengths_are_shown_and_it_is_said(
    drawn: dict[str, Illustration], name: str, left_out: tuple[str, ...]
) -> None:
    one = drawn[name]
    assert sorted(labels_of(one.values)) == sorted(set(USUAL) - set(left_out))
    assert "usual strength" in one.caption
    assert "(4 of 8 training sets)" in one.caption


def test_mosaics_show_usual_strengths(evidence: Evidence) -> None:
    assert list(first_seed_runs(evidence.group)) == USUAL


def test_with_one_strength_nothing_is_left_out(tmp_path: Path) -> None:
    for augment in ("crop", "none"):
        write_run(tmp_path / "in" / augment, make_config(augment, strength=0.5))
    single = gather(tmp_path / "in", tmp_path / "out")
    figure = next(iter(illustrate_differences(single)))
    assert labels_of(figure.values) == ["crop s0.5"]
    assert "usual strength" not in figure.caption
    assert not list(illustrate_seed_means(single, METHOD))
    assert not list(illustrate_strengths(single, METHOD))
    assert not list(illustrate_shifts(single, METHOD))


def test_without_rows_nothing_is_drawn(evidence: Evidence) -> None:
    empty = {name: pd.DataFrame(columns=["group"]) for name in evidence.tables}
    bare = replace(evidence, tables=empty)
    by_method = (illustrate_shifts, illustrate_runs)
    assert not list(illustrate_differences(bare))
    assert not list(illustrate_classes(bare))
    assert not [one for make in by_method for one in make(bare, METHOD)]


def test_untouched_copies_are_the_floor_where_there_are_some(evidence: Evidence) -> None:
    (copies,) = [one for one in evidence.group.conditions if one.augment == "duplicate"]
    means = [
        evidence.maps.loc[evidence.maps["run"] == run.name, "kl"].mean() for run in copies.runs
    ]
    floor = order_floor(evidence.maps, evidence.group, evidence.tables["floors"], "kl")
    assert floor is not None
    assert floor.name == "duplicate"
    expected = [float(np.mean(means)), min(means), max(means)]
    assert [floor.mean, floor.low, floor.high] == pytest.approx(expected, rel=1e-12)


def test_no_other_pairing_stands_in_for_the_order_floor(evidence: Evidence) -> None:
    kept = tuple(one for one in evidence.group.conditions if one.augment != "duplicate")
    group = replace(evidence.group, conditions=kept)
    rows = [
        {"measure": measure, "floor": name, "mean": mean, "low": 0.1, "high": 0.9, "n_pairs": 3}
        for measure, name, mean in (("cc", ALL, 0.2), ("cc", INIT, 0.3), ("spearman", ORDER, 0.4))
    ]
    others = pd.DataFrame(rows)
    assert order_floor(evidence.maps, group, others, "cc") is None
    assert order_floor(evidence.maps, group, pd.DataFrame(columns=["group"]), "cc") is None
    own = pd.DataFrame([*rows, {**rows[0], "floor": ORDER, "mean": 0.5}])
    floor = order_floor(evidence.maps, group, own, "cc")
    assert floor is not None
    assert (floor.mean, floor.said) == (0.5, "n = 3 pairs of runs")


def test_strengths_are_joined_in_order_and_only_the_strongest_is_named(evidence: Evidence) -> None:
    labels = ["crop s2", "crop s0.5", "crop", "blur"]
    points = pd.DataFrame(
        {"label": labels, "x": [4.0, 2.0, 9.0, 1.0], "y": [0.1, 0.2, 0.3, 0.4], "x_sd": 0.1}
    ).assign(y_sd=np.nan)
    ax = Figure().subplots()
    frame = dose_points(points, evidence.group.conditions)
    draw_points(frame, ax, measure="cc", styles={label: Style("#D55E00", "-") for label in labels})
    joined = [line for line in ax.lines if len(np.asarray(line.get_xdata())) == 3]
    assert [np.asarray(line.get_xdata()).tolist() for line in joined] == [[2.0, 9.0, 4.0]]
    sizes = {
        float(np.asarray(line.get_xdata())[0]): line.get_markersize()
        for line in ax.lines
        if line.get_marker() == "o"
    }
    assert sizes[2.0] < sizes[9.0] < sizes[4.0]
    assert sorted(text.get_text() for text in ax.texts) == ["blur", "crop s2"]


def test_dependent_points_come_without_a_test(drawn: dict[str, Illustration]) -> None:
    figure = drawn[f"fig6_correlation_{METHOD}"]
    assert "not independent points" in figure.caption
    assert len(labels_of(figure.values)) == 6


def test_differences_are_those_of_the_records_in_points(evidence: Evidence) -> None:
    rows = accuracy_differences(evidence.tables["differences"]).set_index("label")
    assert list(rows.index) == ["crop", "blur", "duplicate"]
    accuracies = {
        one.label: {run.record.config["seed"]: run.record.test_accuracy for run in one.runs}
        for one in evidence.group.conditions
    }
    for label, row in rows.iterrows():
        by_seed = [100 * (accuracies[str(label)][s] - accuracies["none"][s]) for s in SEEDS]
        half = stats.t.ppf(0.975, 2) * np.std(by_seed, ddof=1) / np.sqrt(3)
        expected = (np.mean(by_seed), np.mean(by_seed) - half, np.mean(by_seed) + half)
        np.testing.assert_allclose(row[["mean", "low", "high"]].astype(float), expected, rtol=1e-9)


def test_a_difference_lies_beside_what_could_have_been_found() -> None:
    row = {"label": "crop", "augment": "crop", "n": 5, "mean": 2.0, "low": 1.0, "high": 3.0}
    more = {"p": 0.5, "p_holm": 0.031, "smallest": 1.5, "tested": True}
    ax = draw_differences(pd.DataFrame([{**row, **more}]), Figure().subplots())
    band = next(one for one in ax.patches if isinstance(one, Rectangle))
    assert (band.get_x(), band.get_x() + band.get_width()) == (-1.5, 1.5)
    assert {"5", "0.031"} <= {text.get_text() for text in ax.texts}


def test_shifts_stand_before_the_control_with_the_floors_of_their_rows(evidence: Evidence) -> None:
    rows = usual_shifts(evidence.tables["shifts"], evidence.group, METHOD)
    assert rows["label"].tolist() == ["crop", "blur", "duplicate"]
    np.testing.assert_allclose(
        rows["delta"], (rows["floor_a"] + rows["floor_b"]) / 2 - rows["across"], atol=1e-12
    )
    ax = draw_floors(rows, Figure().subplots())
    (floors,) = [one for one in ax.collections if isinstance(one, LineCollection)]
    heights = [segment[0][1] for segment in floors.get_segments()]
    np.testing.assert_allclose(heights, rows["floor_b"])
    dots = [line for line in ax.lines if line.get_marker() == "o" and np.size(line.get_xdata())]
    np.testing.assert_allclose([_height(line) for line in dots], rows["across"])
    said = [text.get_text() for text in draw_delta(rows, Figure().subplots()).texts]
    assert said[-1].startswith("(")


def _height(line: Line2D) -> float:
    return float(np.asarray(line.get_ydata())[0])


def test_doses_have_intervals_over_seeds(evidence: Evidence) -> None:
    lines = dose_lines(evidence.group, evidence.maps, evidence.tables["shifts"], METHOD)
    keyed = lines.set_index(["label", "quantity"])
    for one in evidence.group.conditions:
        if one.augment not in AUGMENTS:
            continue
        accuracies = [run.record.test_accuracy for run in one.runs]
        ends = stats.t.interval(0.95, 2, np.mean(accuracies), stats.sem(accuracies))
        found = [keyed[end].loc[(one.label, "accuracy")] for end in ("low", "high")]
        np.testing.assert_allclose(found, ends, rtol=1e-9)
        own = evidence.maps[evidence.maps["run"].isin([run.name for run in one.runs])]
        expected = own.groupby("run")["cc"].mean().mean()
        assert keyed.loc[(one.label, "cc"), "mean"] == pytest.approx(expected, abs=1e-12)
    crop = lines[(lines["augment"] == "crop") & (lines["quantity"] == "accuracy")]
    assert crop["strength"].tolist() == list(STRENGTHS)
    ax = draw_dose(crop, Figure().subplots(), title="")
    assert np.asarray(ax.lines[0].get_ydata()).tolist() == crop["mean"].tolist()


def test_two_strengths_are_no_curve(evidence: Evidence) -> None:
    kept = tuple(one for one in evidence.group.conditions if one.strength != 2.0)
    group = replace(evidence.group, conditions=kept)
    assert dose_lines(group, evidence.maps, evidence.tables["shifts"], METHOD).empty


def test_class_differences_are_those_of_the_confusion_matrices(evidence: Evidence) -> None:
    differences = class_differences(evidence.tables["class_accuracy"], evidence.group)
    assert list(differences.index) == ["crop", "blur", "duplicate"]
    recalls = {
        one.label: np.mean(
            [
                np.diag(c) / c.sum(axis=1)
                for c in (np.array(r.record.test_confusion) for r in one.runs)
            ],
            axis=0,
        )
        for one in evidence.group.conditions
    }
    for label, row in differences.iterrows():
        expected = 100 * (recalls[str(label)] - recalls["none"])
        np.testing.assert_allclose(row.to_numpy(float), expected, rtol=1e-9, atol=1e-9)
    picture = classes_figure(differences, against="none", note="").axes[0].images[0]
    low, high = picture.get_clim()
    assert -low == high == pytest.approx(differences.abs().to_numpy().max())


def test_seed_means_average_the_normalised_maps(evidence: Evidence) -> None:
    found = seed_means(evidence.group, METHOD)
    assert found is not None
    averages = {}
    for one in evidence.group.usual:
        maps = [read_map(run.folder, METHOD).maps.astype(np.float64) for run in one.runs]
        averages[one.label] = np.mean(
            [m / m.mean(axis=(1, 2), keepdims=True) for m in maps], axis=0
        )
    for label, average in averages.items():
        np.testing.assert_allclose(found.panels.maps[label][:4], average[:4], rtol=1e-6)
        expected = np.mean(
            [
                np.corrcoef(own.ravel(), other.ravel())[0, 1]
                for own, other in zip(average, averages["none"], strict=True)
            ]
        )
        assert found.similarities[label] == pytest.approx(expected, abs=1e-9)
    assert found.similarities["none"] == 1
    assert set(found.num_runs.values()) == {len(SEEDS)}


def test_an_undefined_map_is_in_no_average(tmp_path: Path) -> None:
    shape = (NUM_PROBE, *GREY[1:])
    kept = np.random.default_rng(5).random(shape).astype(np.float32)
    flat = kept.copy()
    flat[FLAT] = 0
    for seed, maps in enumerate((kept, flat)):
        write_run(tmp_path / str(seed), make_config("none", seed=seed), shape=GREY, maps=maps)
    single = gather(tmp_path, tmp_path / "out")
    found = seed_means(single.group, METHOD)
    assert found is not None
    np.testing.assert_allclose(
        found.panels.maps["none"][FLAT], kept[FLAT] / kept[FLAT].mean(), rtol=1e-6
    )


def test_the_pairing_and_how_far_an_interval_can_be_trusted_are_said(
    drawn: dict[str, Illustration], evidence: Evidence
) -> None:
    caption = drawn[f"fig14_shifts_{METHOD}"].caption
    coverage = evidence.tables["shifts"]["coverage"].iloc[0]
    assert "cross-seed pairing" in caption
    assert f"{100 * coverage:.0f} % with 3 seeds" in caption
    r2 = evidence.tables["permanova"]["r2"].iloc[0]
    assert f"R² = {r2:.3f}" in drawn[f"fig16_runs_{METHOD}"].caption
    assert "√(1 - mean CC" in drawn[f"fig16_runs_{METHOD}"].caption


@pytest.mark.parametrize("values", [True, False], ids=["with values", "without"])
def test_values_stand_folded_below_their_figure(*, values: bool) -> None:
    rows = [RowGroup("", [PageRow("<b>crop", ["0.5"])])]
    table = PageTable("Means.", "training set", ["mean"], rows) if values else None
    environment = Environment(loader=PackageLoader("auglens.study"), autoescape=True)
    environment.filters.update(embedded=str, facts=str)
    parts = environment.get_template("parts.html.j2").make_module()
    figure = Illustration("fig9", "Figure 9", "Caption.", "alt", b"", table)
    page = str(parts.show_figure(figure))  # type: ignore[attr-defined]
    assert ("<summary>Values of Figure 9</summary>" in page) == values
    assert ("&lt;b&gt;crop" in page) == values
