"""What the claims about place say of planted maps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from auglens.study import Study, build_study
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import (
    GREY,
    METHODS,
    NUM_PROBE,
    make_config,
    make_images,
    write_run,
)


def group(study: Study) -> dict[str, Any]:
    summary = json.loads((study.report.parent / "summary.json").read_text(encoding="utf-8"))
    (found,) = summary["groups"]
    return dict(found)


def seen(study: Study, claim: str) -> str:
    return str(group(study)["claims"][claim]["seen"])


def study_of(
    folder: Path, maps: NDArray[np.float32], *methods: str, shape: tuple[int, int, int] = GREY
) -> Study:
    chosen = {name: METHODS[name] for name in methods}
    config = make_config("none", saliency={"methods": chosen})
    write_run(folder / "0-none", config, maps=maps, shape=shape)
    return build_study([folder], out=folder, **MEASURING)


@pytest.fixture
def on_the_object() -> NDArray[np.float32]:
    """Twice as hot on the foreground, 6 of 120 pixels, as elsewhere."""
    return np.asarray(1 + (make_images(GREY)[:, 0] > 0.5), np.float32)


def test_background_is_told_by_auc_and_lift(
    tmp_path: Path, on_the_object: NDArray[np.float32]
) -> None:
    said = seen(study_of(tmp_path, on_the_object, "gradient"), "C4")
    assert "AUC of 1.000 (none)" in said
    # 12 of 126 parts of the heat on 6 of 120 pixels.
    assert f"foreground is {12 / 126 / (6 / 120):.3f} (none) times" in said
    images = make_images(GREY)[:, 0] > 0.5
    near = [np.argwhere(image) for image in images]
    far = [pixels.min(axis=0) - 2 for pixels in near], [pixels.max(axis=0) + 2 for pixels in near]
    shares = [
        1 - np.prod(np.minimum(high, (11, 9)) - np.maximum(low, 0) + 1) / 120
        for low, high in zip(*far, strict=True)
    ]
    heat = np.mean(shares) * 120 / 126
    assert f"holds {heat:.3f} (none) of the heat" in said


def test_methods_blind_to_the_background_are_named_and_not_counted(trusted_study: Study) -> None:
    claim = group(trusted_study)["claims"]["C4"]
    assert claim["seen"].startswith("With gradient, ")
    assert "Maps of integrated_gradients could not show such a bias" in claim["seen"]
    assert claim["others"] == []


def test_only_blind_methods_tell_nothing(
    tmp_path: Path, on_the_object: NDArray[np.float32]
) -> None:
    study = study_of(tmp_path, on_the_object, "integrated_gradients", "edge")
    assert "no method here could show a background bias" in seen(study, "C4")
    assert any("no background bias by construction" in line for line in group(study)["limits"])


def test_windows_are_said_to_reach_beside_the_ink(
    tmp_path: Path, on_the_object: NDArray[np.float32]
) -> None:
    maps = {"occlusion": {"baseline": 0.0, "window_px": 5}, "input_x_gradient": {}}
    config = make_config("none", saliency={"methods": maps})
    write_run(tmp_path / "0-none", config, maps=on_the_object, shape=GREY)
    study = build_study([tmp_path], out=tmp_path, **MEASURING)
    said = seen(study, "C4")
    assert "Maps of input_x_gradient could not show such a bias: by construction" in said
    assert "Maps of occlusion could not show such a bias far from the ink" in said
    limits = " ".join(group(study)["limits"])
    assert "input_x_gradient: no background bias by construction." in limits
    assert "occlusion: no bias far from the ink by construction." in limits


def test_images_without_a_foreground_tell_nothing(tmp_path: Path) -> None:
    maps = np.random.default_rng(0).random((NUM_PROBE, 12, 10), np.float32)
    study = study_of(tmp_path, maps, "gradient", shape=(3, 12, 10))
    assert "only in images of one channel" in seen(study, "C4")


def test_connectedness_is_told_beside_unrelated_heat(tmp_path: Path) -> None:
    # The hottest tenth, 12 pixels, in two 8-connected parts of 9 and 3.
    maps = np.full((NUM_PROBE, 12, 10), 1, np.float32)
    maps[:, 2:5, 2:5] = 9
    maps[:, 8, 5:8] = 9
    said = seen(study_of(tmp_path, maps, "gradient"), "C5")
    assert "falls into 2.000 (none) connected parts" in said
    assert "a share of 0.750 (none)" in said
    assert said.count("unrelated heat") == 4
    # Every image is one bright rectangle on black.
    assert "the images' own brightest tenth:" in said


def test_nulls_make_no_claims(tmp_path: Path, on_the_object: NDArray[np.float32]) -> None:
    study = study_of(tmp_path, on_the_object, "random", "edge")
    for claim in ("C4", "C5", "C8"):
        assert "there are no maps" in seen(study, claim)


def test_each_further_method_has_its_own_sentence(trusted_study: Study) -> None:
    for name in ("C5", "C6", "C7", "C8"):
        claim = group(trusted_study)["claims"][name]
        assert "gradient" in claim["seen"]
        assert len(claim["others"]) == 1
        assert "integrated_gradients" in claim["others"][0]
