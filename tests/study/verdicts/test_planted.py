"""Planted effects are found, absent ones are not: from run folders to verdicts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglens.study import build_study
from tests.study.conftest import MEASURING
from tests.study.planted_sweep import write_planted

AUGMENTS = ("scale", "crop", "erase", "distort", "blur")
STRENGTHS = (0.5, 1.0, 1.5, 2.0)


def judge(sweep: Path) -> dict[str, dict[str, Any]]:
    """Verdicts of a sweep's only group by name, as its summary holds them."""
    study = build_study([sweep], out=sweep, **MEASURING)
    summary = json.loads((study.report.parent / "summary.json").read_text())
    (group,) = summary["groups"]
    return {verdict["name"]: verdict for verdict in group["verdicts"]}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Crop moves the maps and is five points more accurate; nothing else does anything."""
    return judge(
        write_planted(
            tmp_path_factory.mktemp("planted") / "sweep",
            shifts={("crop", 1.0): 1.0},
            gains={("crop", 1.0): 0.05},
        )
    )


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All networks of a seed are exchangeable."""
    return judge(write_planted(tmp_path_factory.mktemp("nothing") / "sweep"))


def strength_sweep(folder: Path, *, related: bool) -> Path:
    """Maps move with strength, each augmentation's along a curve of its own; so does accuracy.

    Where they are related, accuracy bends as similarity does; where not, another way.
    """
    bends = dict(zip(AUGMENTS, (-1.0, -0.6, 0.4, 0.7, 1.0), strict=True))
    others = dict(zip(AUGMENTS, (0.6, -1.0, -0.4, 1.0, -0.7), strict=True))
    shifts, gains = {}, {}
    for augment, bend in bends.items():
        for place, strength in enumerate(STRENGTHS):
            curve = strength + bend * np.sin(2.0 * place)
            shifts[augment, strength] = 0.6 + 0.3 * curve
            own = bend if related else others[augment]
            gains[augment, strength] = 0.04 * (strength + own * np.sin(2.0 * place))
    augments = (*AUGMENTS, "none")
    return write_planted(
        folder, augments=augments, seeds=6, strengths=STRENGTHS, shifts=shifts, gains=gains
    )


def test_a_planted_gain_is_found_with_its_size(planted: dict[str, dict[str, Any]]) -> None:
    found = planted["H1"]
    assert found["word"] == "shown"
    assert found["low"] < 5.0 < found["high"]
    assert found["n"] == "8 seeds"


def test_the_most_accurate_set_is_found(planted: dict[str, dict[str, Any]]) -> None:
    assert planted["C2a"]["word"] == "shown"


def test_planted_shift_is_found_for_the_augmentation_that_has_it_alone(
    planted: dict[str, dict[str, Any]],
) -> None:
    found = planted["H2"]
    # One of five has moved, so that "each" is not shown.
    assert found["word"] == "not shown"
    assert found["sentence"].startswith(
        "Holm-corrected, shown for crop. Holm-corrected, not shown for scale, distort, blur"
    )
    assert planted["C6"]["word"] == "shown"


def test_nothing_is_found_where_nothing_is(nothing: dict[str, dict[str, Any]]) -> None:
    for name in ("H1", "C2a", "C2b", "C6", "H2"):
        assert nothing[name]["word"] == "not shown", name
    assert nothing["H2"]["sentence"].startswith(
        "Holm-corrected, not shown for scale, crop, distort"
    )
    assert nothing["C8"]["word"] in ("shown", "cannot be told from these runs")


def test_strengths_are_asked_for_where_there_are_none(nothing: dict[str, dict[str, Any]]) -> None:
    for name in ("C1", "C7", "H3", "H4", "H5", "H6"):
        assert nothing[name]["word"] == "cannot be told from these runs", name
        assert "experiment=strength" in nothing[name]["sentence"]


def test_few_seeds_carry_no_verdict(tmp_path: Path) -> None:
    sweep = write_planted(tmp_path / "sweep", seeds=5, gains={("crop", 1.0): 0.2})
    found = judge(sweep)
    assert found["H1"]["word"] == "cannot be told from these runs"
    assert "5 paired seeds" in found["H1"]["sentence"]


@pytest.mark.parametrize("related", [True, False], ids=["related", "unrelated"])
def test_planted_correlation_of_similarity_and_accuracy(tmp_path: Path, related: bool) -> None:
    found = judge(strength_sweep(tmp_path / "sweep", related=related))
    # Accuracy rises as similarity falls.
    assert (found["C7"]["word"] == "contradicted") is related
    if related:
        assert abs(found["C7"]["estimate"]) > 0.8
        assert found["H4"]["word"] == "contradicted"
    assert found["C1"]["word"] == "shown"
    assert found["H3"]["word"] == "shown"


def test_a_worse_crop_contradicts(tmp_path: Path) -> None:
    found = judge(write_planted(tmp_path / "sweep", gains={("crop", 1.0): -0.06}))
    assert found["H1"]["word"] == "contradicted"
    assert found["C2a"]["word"] == "contradicted"
