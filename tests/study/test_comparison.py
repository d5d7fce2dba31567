"""maps.csv against a re-derivation in plain NumPy, and which run is compared with which."""

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from auglens.study import Study
from auglens.study.comparison import Comparison, compare_maps, kl_column
from auglens.study.load import load_sweeps
from tests.study.generated_sweep import (
    GREY,
    METHOD,
    METHODS,
    NUM_PROBE,
    SHAPE,
    make_config,
    make_images,
    write_run,
    write_trusted_sweep,
)

EPS = 2.220446049250313e-16
Maps = NDArray[np.float64]


def expected_measures(own: Maps, baseline: Maps) -> dict[str, float]:
    p, q = own.ravel() / own.sum(), baseline.ravel() / baseline.sum()
    m = (p + q) / 2
    return {
        "cc": float(np.corrcoef(p, q)[0, 1]),
        "kl": float(np.sum(q * np.log(EPS + q / (EPS + p)))),
        "kl_reverse": float(np.sum(p * np.log(EPS + p / (EPS + q)))),
        "sim": float(np.minimum(p, q).sum()),
        "js": float(np.sum(p * np.log(p / m)) / 2 + np.sum(q * np.log(q / m)) / 2),
    }


def expected_entropies(own: Maps) -> dict[str, float]:
    p = own.ravel() / own.sum()
    nats = float(-np.sum(p * np.log(p)))
    counts, _ = np.histogram(own, bins=256, range=(own.min(), own.max()))
    shares = counts[counts > 0] / own.size
    return {
        "entropy": nats,
        "effective_area": math.exp(nats) / own.size,
        "entropy_histogram": float(-np.sum(shares * np.log2(shares))),
    }


def stored_maps(folder: Path) -> Maps:
    with np.load(folder / "saliency" / f"{METHOD}.npz") as arrays:
        return np.asarray(arrays["maps"], np.float64)


def positive_maps(seed: int) -> NDArray[np.float32]:
    maps = np.random.default_rng(seed).random((NUM_PROBE, *SHAPE[1:]), np.float32)
    return maps + np.float32(0.1)


def compare(folder: Path) -> Comparison:
    return compare_maps(load_sweeps([folder]).results, kl_eps=(EPS, 1e-7), foreground_threshold=0.5)


def rows_of(comparison: Comparison, run: str) -> pd.DataFrame:
    frame = comparison.frame
    return frame[frame["run"] == run]


def test_maps_csv_equals_a_plain_derivation(sweep: Path, study: Study) -> None:
    path = study.report.parent.parent / "maps.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["run"] == "3-crop-s1-seed1"]
    own = stored_maps(sweep / "3-crop-s1-seed1")
    baseline = stored_maps(sweep / "11-none-s1-seed1")
    assert [int(row["probe_id"]) for row in rows] == [1000 + 7 * place for place in range(20)]
    for place, row in enumerate(rows):
        expected = {
            **expected_measures(own[place], baseline[place]),
            **expected_entropies(own[place]),
        }
        found = {name: float(row[name]) for name in expected}
        assert found == pytest.approx(expected, abs=1e-6)
        assert (int(row["label"]), row["augment"], row["seed"]) == (place % 4, "crop", "1")


def test_predictions_are_the_largest_logits(sweep: Path, study: Study) -> None:
    with np.load(sweep / "2-crop-s1-seed0" / "probe.npz") as arrays:
        expected = arrays["logits"].argmax(axis=1)
    found = study.maps.loc[study.maps["run"] == "2-crop-s1-seed0", "prediction"]
    assert found.tolist() == expected.tolist()


def test_kl_is_that_of_the_baseline_from_the_run(tmp_path: Path) -> None:
    # Bylinskii's example A against C: KL(C || A) = ln 10, the other way round 31.159.
    ramp = np.tile(np.array([[1, 2], [3, 4]], np.float32), (NUM_PROBE, 1, 1))
    spike = np.tile(np.array([[1, 0], [0, 0]], np.float32), (NUM_PROBE, 1, 1))
    write_run(tmp_path / "0-crop", make_config("crop"), maps=ramp, shape=(3, 2, 2))
    write_run(tmp_path / "1-none", make_config("none"), maps=spike, shape=(3, 2, 2))
    rows = rows_of(compare(tmp_path), "0-crop")
    np.testing.assert_allclose(rows["kl"], math.log(10), atol=1e-9)
    np.testing.assert_allclose(rows["kl_reverse"], 31.15943382, atol=1e-7)
    assert rows[kl_column(EPS)].tolist() == rows["kl"].tolist()
    assert (rows[kl_column(1e-7)] != rows["kl"]).all()


def test_the_reference_has_the_same_seed(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_run(tmp_path / f"{seed}-none", make_config("none", seed=seed))
    same = stored_maps(tmp_path / "1-none").astype(np.float32)
    write_run(tmp_path / "2-crop", make_config("crop", seed=1), maps=same)
    np.testing.assert_allclose(rows_of(compare(tmp_path), "2-crop")["cc"], 1, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"seeds": {"order": 5}}, "no baseline", id="other order seed"),
        pytest.param({"data": {"batch_size": 10}}, "no baseline", id="other batch size"),
        pytest.param({"augment": {"copies": 1}}, "no baseline", id="baseline with copies"),
        pytest.param(
            {"saliency": {"methods": {METHOD: {"reduce": "sum_abs", "batch_size": 200}}}},
            "maps of other settings",
            id="other method settings",
        ),
        pytest.param({"seeds": {"explain": 3}}, "maps of other settings", id="other explain seed"),
        pytest.param({"probe": {"target": "predicted_class"}}, "other settings", id="target"),
        pytest.param({"saliency": {"methods": {}}}, "has no such maps", id="no maps"),
    ],
)
def test_without_a_fitting_reference_columns_are_empty_and_it_is_said(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    write_run(tmp_path / "0-none", make_config("none", **change))
    write_run(tmp_path / "1-crop", make_config("crop"))
    comparison = compare(tmp_path)
    rows = rows_of(comparison, "1-crop")
    assert reason in comparison.reasons["1-crop"]
    assert rows[["cc", "kl", "kl_reverse", "sim", "js"]].isna().all(axis=None)
    assert rows["entropy"].notna().all()


def test_another_probe_is_not_compared(tmp_path: Path) -> None:
    write_run(tmp_path / "0-none", make_config("none"), probe_hash="1" * 64)
    write_run(tmp_path / "1-crop", make_config("crop"))
    assert "explains other images" in compare(tmp_path).reasons["1-crop"]


def test_baseline_rows_have_entropies_only(study: Study) -> None:
    rows = study.maps[study.maps["augment"] == "none"]
    assert len(rows) == 3 * NUM_PROBE
    assert rows[["cc", "kl", "kl_reverse", "sim", "js"]].isna().all(axis=None)
    assert rows["entropy"].notna().all()


def test_undefined_and_signed_maps_are_empty_not_zero(tmp_path: Path) -> None:
    maps = positive_maps(0)
    maps[0], maps[1, 0, 0] = 0, -1
    write_run(tmp_path / "0-none", make_config("none"), maps=positive_maps(1))
    write_run(tmp_path / "1-crop", make_config("crop"), maps=maps)
    rows = rows_of(compare(tmp_path), "1-crop").reset_index()
    assert rows.loc[0, ["cc", "kl", "sim", "js", "entropy"]].isna().all()
    assert rows.loc[1, ["kl", "kl_reverse", "sim", "js", "entropy"]].isna().all()
    assert rows.loc[1, ["cc"]].notna().all()
    assert rows.loc[2:, ["cc", "kl", "entropy"]].notna().all(axis=None)


def test_columns_of_sidecars_are_joined_by_image(trusted_sweep: Path, trusted_study: Study) -> None:
    maps = trusted_study.maps.query("run == '1-blur-s1-seed0' and method == 'gradient'")
    own = maps.set_index("probe_id")
    for path in sorted((trusted_sweep / "1-blur-s1-seed0" / "measures").glob("*.gradient.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        for name, values in content["columns"].items():
            joined = own[name].reindex(content["probe_ids"])
            np.testing.assert_array_equal(joined, np.array(values, np.float64))
            assert own[name].notna().sum() == sum(value is not None for value in values)


def test_foreground_columns_equal_a_plain_derivation(
    trusted_sweep: Path, trusted_study: Study
) -> None:
    own = stored_maps(trusted_sweep / "0-crop-s1-seed0")
    rows = trusted_study.maps.query("run == '0-crop-s1-seed0' and method == 'gradient'")
    for heat, image, row in zip(own, make_images(GREY), rows.to_dict("records"), strict=True):
        inside = image[0] > 0.5
        mass = heat[inside].sum() / heat.sum()
        wins = (heat[inside][:, None] > heat[~inside]).mean()
        assert row["foreground_mass"] == pytest.approx(mass, abs=1e-9)
        assert row["foreground_lift"] == pytest.approx(mass / inside.mean(), abs=1e-9)
        assert row["foreground_auc"] == pytest.approx(wins, abs=1e-9)
    edge = trusted_study.maps.query("method == 'edge' and augment != 'none'")
    assert (edge[["cc", "spearman"]] == 1).all(axis=None)


def test_colour_images_have_no_foreground(study: Study) -> None:
    assert study.maps[["foreground_auc", "dilated_lift"]].isna().all(axis=None)
    assert study.maps[["gini", "num_components", "moran"]].notna().all(axis=None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"probe_ids": list(range(NUM_PROBE))}, "other images", id="other images"),
        pytest.param({"probe_ids": [1000] * NUM_PROBE}, "other images", id="an image twice"),
        pytest.param({"method": "no_such"}, "its name does not say", id="another name"),
        pytest.param({"hash": "0" * 64}, "other maps", id="maps made again"),
        pytest.param(
            {"columns": {"<b>": [0.0] * NUM_PROBE}}, "measures that are not known", id="unknown"
        ),
        pytest.param(
            {"columns": {"srg_black": [0.0]}}, "is no measure of this version", id="short column"
        ),
        pytest.param({"settings": {"num_steps": 1}}, "other maps", id="other settings"),
        pytest.param(
            {"columns": {"srg_black": [10**400] * NUM_PROBE}}, "more than 64 bits", id="too large"
        ),
    ],
)
def test_a_sidecar_that_does_not_belong_is_left_out_and_said(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    write_trusted_sweep(tmp_path, augments=["none"])
    path = tmp_path / "0-none-s1-seed0" / "measures" / "faithfulness.gradient.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["checksum"]
    path.write_text(json.dumps({**content, **change}), encoding="utf-8")
    comparison = compare(tmp_path)
    (line,) = comparison.damage
    assert line.startswith("0-none-s1-seed0: ")
    assert said in line
    own = comparison.frame[comparison.frame["method"] == "gradient"]
    assert own["srg_black"].isna().all()
    assert own["infidelity"].notna().all()


def test_a_sidecar_that_is_no_json_is_said(tmp_path: Path) -> None:
    write_trusted_sweep(tmp_path, augments=["none"])
    folder = tmp_path / "0-none-s1-seed0" / "measures"
    (folder / "infidelity.gradient.json").write_text("{", encoding="utf-8")
    shutil.copy(folder / "sensitivity.edge.json", folder / "sensitivity.edge (copy).json")
    unread, copied = compare(tmp_path).damage
    assert "infidelity.gradient.json cannot be read" in unread
    assert "holds sensitivity of edge, which its name does not say" in copied


def test_maps_of_another_size_than_the_images_are_said(tmp_path: Path) -> None:
    write_run(tmp_path / "0-none", make_config("none"), maps=np.ones((NUM_PROBE, 3, 3), np.float32))
    comparison = compare(tmp_path)
    assert comparison.frame.empty
    assert "not those of the images" in comparison.damage[0]


def test_every_method_without_a_reference_is_named(tmp_path: Path) -> None:
    others = {name: METHODS[name] for name in ("edge", "random")}
    write_run(tmp_path / "0-crop", make_config("crop", saliency={"methods": others}))
    write_run(tmp_path / "1-none", make_config("none"))
    reason = compare(tmp_path).reasons["0-crop"]
    assert "edge: the baseline" in reason
    assert "random: the baseline" in reason


def test_a_damaged_map_file_is_said_and_costs_no_other_run(tmp_path: Path) -> None:
    write_run(tmp_path / "0-none", make_config("none"))
    write_run(tmp_path / "1-crop", make_config("crop"))
    (tmp_path / "1-crop" / "saliency" / f"{METHOD}.npz").write_bytes(b"PK damaged")
    comparison = compare(tmp_path)
    assert [line for line in comparison.damage if line.startswith("1-crop")]
    assert len(rows_of(comparison, "0-none")) == NUM_PROBE
