import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from auglens.study.figures import Distribution, Style, similarity_figure
from auglens.study.trust_figures import (
    Interval,
    SanityLine,
    agreement_figure,
    curves_figure,
    draw_matrix,
    equivariance_figure,
    sanity_figure,
)


def test_a_sanity_line_starts_at_one_and_its_null_lies_beyond_the_last_layer() -> None:
    edge = SanityLine([Interval(1.0, 1.0, 1.0)] * 2, null=0.4)
    other = SanityLine([Interval(0.6, 0.5, 0.7), Interval(0.2, 0.1, 0.3)], null=0.5)
    figure = sanity_figure({"gradient": other, "edge": edge}, layers=["linear", "conv"], note="")
    (ax,) = figure.axes
    drawn = [np.asarray(line.get_ydata()) for line in ax.lines]
    assert any(np.array_equal(line, [1.0, 0.6, 0.2]) for line in drawn)
    assert any(np.array_equal(line, [1.0, 1.0, 1.0]) for line in drawn)
    nulls = [line for line in ax.lines if np.asarray(line.get_ydata()).tolist() in ([0.5], [0.4])]
    assert len(nulls) == 2
    assert all(round(float(np.asarray(line.get_xdata())[0])) == 3 for line in nulls)
    assert ax.get_legend_handles_labels()[1] == ["gradient", "edge"]


def test_a_matrix_shows_its_numbers_and_leaves_undefined_cells_empty() -> None:
    names = ["a", "b"]
    matrix = pd.DataFrame([[1.0, -0.001], [np.nan, 0.5]], index=names, columns=names)
    ax = draw_matrix(matrix, Figure().subplots(), low=-1, colours="viridis")
    shown = {text.get_position(): text.get_text() for text in ax.texts}
    assert shown == {(0, 0): "1.00", (1, 0): "0.00", (1, 1): "0.50"}


def test_agreement_has_one_scale_from_minus_one_to_one() -> None:
    matrix = pd.DataFrame([[1.0, 0.2], [0.2, 1.0]], index=["a", "b"], columns=["a", "b"])
    picture = agreement_figure(matrix, note="").axes[0].images[0]
    assert picture.get_clim() == (-1.0, 1.0)


def test_both_equivariance_matrices_frame_the_same_cells() -> None:
    maps = pd.DataFrame([[0.5, 0.1]], index=["crop"], columns=["blur", "crop"])
    figure = equivariance_figure(maps, maps + 0.2, same=[(0, 1)], note="")
    for ax in figure.axes[:2]:
        (frame,) = ax.patches
        assert frame.get_window_extent().contains(*ax.transData.transform((1, 0)))


def test_curves_draw_both_orders_in_the_colour_of_their_condition() -> None:
    rows = [
        {"substrate": "black", "order": order, "label": "crop", "fraction": x, "probability": y}
        for order, end in (("most_important_first", 0.0), ("least_important_first", 0.5))
        for x, y in ((0.0, 1.0), (1.0, end))
    ]
    figure = curves_figure(pd.DataFrame(rows), styles={"crop": Style("#D55E00", "-")}, note="")
    lines = figure.axes[0].lines
    assert {line.get_linestyle(): np.asarray(line.get_ydata())[-1] for line in lines} == {
        "-": 0.0,
        "--": 0.5,
    }
    assert {line.get_color() for line in lines} == {"#D55E00"}


def test_unrelated_maps_are_drawn_where_they_were_simulated() -> None:
    shown = {"crop": Distribution(np.array([0.1, 0.2]), np.array([0.15]))}
    styles = {"crop": Style("#D55E00", "-")}
    unrelated = {"cc": 0.01, "kl": float("nan")}
    figure = similarity_figure(
        {"cc": shown, "kl": shown}, {}, styles=styles, note="", unrelated=unrelated
    )
    heights = [
        [float(np.asarray(line.get_ydata())[0]) for line in ax.lines if line.get_color() == "grey"]
        for ax in figure.axes
    ]
    assert heights == [[0.01], []]
