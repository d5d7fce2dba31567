import pytest

from auglens.study.palette import (
    COLOURS,
    FURTHER_COLOURS,
    METHOD_COLOURS,
    condition_order,
    hex_colour,
    method_colour,
    method_marker,
)

DARK_PAPER = "#16181d"


def luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", [*COLOURS.values(), *FURTHER_COLOURS])
def test_colours_can_be_read_on_white_and_on_dark(colour: str) -> None:
    # WCAG 2.1, 1.4.11: graphics need a contrast of at least 3.
    assert 1.05 / (luminance(colour) + 0.05) >= 3
    assert (luminance(colour) + 0.05) / (luminance(DARK_PAPER) + 0.05) >= 3


def test_colours_are_distinct_and_unknown_names_keep_theirs() -> None:
    assert len(set(COLOURS.values())) == len(COLOURS)
    assert hex_colour("mixup") == hex_colour("mixup") in FURTHER_COLOURS


def test_methods_are_told_apart_by_colour_and_by_marker() -> None:
    assert len({method_colour(name) for name in METHOD_COLOURS}) == len(METHOD_COLOURS)
    assert len({method_marker(name) for name in METHOD_COLOURS}) == len(METHOD_COLOURS)
    # Figures have white paper.
    assert all(1.05 / (luminance(colour) + 0.05) >= 3 for colour in METHOD_COLOURS.values())
    assert method_colour("own") == method_colour("own") in FURTHER_COLOURS


def test_order_is_the_posters_then_names_then_the_baseline() -> None:
    names = ["none", "zoom", "duplicate", "crop", "affine", "scale", "erase", "distort", "blur"]
    assert sorted(names, key=lambda name: condition_order(name, 1.0)) == [
        *("scale", "crop", "distort", "blur", "erase", "duplicate", "affine", "zoom", "none")
    ]
    assert condition_order("crop", 0.5) < condition_order("crop", 2.0)
