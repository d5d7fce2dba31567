"""Tables of the explain stage against plain NumPy on the sidecars they come from."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

from auglens.records.maps import read_probe
from auglens.study import Study, build_study
from auglens.study.comparison import compare_maps
from auglens.study.conditions import find_groups
from auglens.study.load import load_sweeps
from auglens.study.trust import TRUST_COLUMNS, UNTRAINED, trust_tables
from tests.study.conftest import MEASURING
from tests.study.generated_measures import NULL, affinity_diversity, write_sidecar
from tests.study.generated_sweep import METHODS, NUM_PROBE, make_config, write_run

RUN = "0-crop-s1-seed0"
TABLES = {"faithfulness": "faithfulness_curves"}


def table(study: Study, name: str) -> pd.DataFrame:
    return pd.read_csv(study.report.parent / "tables" / f"{name}.csv")


def values(sweep: Path, name: str) -> dict[str, Any]:
    path = sweep / RUN / "measures" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["values"]
    return found


def tables(folder: Path) -> tuple[dict[str, pd.DataFrame], list[str]]:
    runs = load_sweeps([folder]).results
    return trust_tables(find_groups(runs), compare_maps(runs, **MEASURING))


def t_interval(numbers: NDArray[np.float64]) -> tuple[float, float]:
    low, high = stats.t.interval(0.95, len(numbers) - 1, numbers.mean(), stats.sem(numbers))
    return float(low), float(high)


@pytest.mark.parametrize("step", [1, 2, 3])
def test_parameter_randomization_pairs_every_image_with_its_null(
    trusted_sweep: Path, trusted_study: Study, step: int
) -> None:
    mode = values(trusted_sweep, "parameter_randomization.gradient")["absolute"]
    similarity = np.array(mode["similarity"][step - 1], np.float64)
    null = np.array(mode["null"], np.float64)[np.isfinite(similarity)]
    similarity = similarity[np.isfinite(similarity)]
    found = table(trusted_study, "parameter_randomization").query(
        f"run == '{RUN}' and method == 'gradient' and mode == 'absolute' and step == {step}"
    )
    (row,) = found.to_dict("records")
    assert row["layer"] == ("linear", "conv2", "conv1")[step - 1]
    assert row["n"] == NUM_PROBE - (step == 1)
    assert row["similarity"] == pytest.approx(similarity.mean())
    assert (row["low"], row["high"]) == pytest.approx(t_interval(similarity))
    assert row["difference"] == pytest.approx((similarity - null).mean())
    ends = row["difference_low"], row["difference_high"]
    assert ends == pytest.approx(t_interval(similarity - null))


def test_the_planted_outcomes_of_parameter_randomization(trusted_study: Study) -> None:
    last = table(trusted_study, "parameter_randomization").query("step == 3 and mode == 'absolute'")
    high = dict(zip(last["method"], last["difference_high"], strict=True))
    low = dict(zip(last["method"], last["difference_low"], strict=True))
    assert high["gradient"] < 0 < low["edge"]
    assert low["integrated_gradients"] < 0 < high["integrated_gradients"]
    assert (last.loc[last["method"] == "edge", "similarity"] == 1).all()
    assert (last["null"] == NULL).all()


def test_label_randomization_says_how_well_the_labels_were_learnt(trusted_study: Study) -> None:
    found = table(trusted_study, "label_randomization")
    assert set(found["method"]) == {"gradient", "integrated_gradients"}
    assert (found["train_loss"] == 0.02).all()
    assert (found["epochs"] == 100).all()
    np.testing.assert_allclose(found["difference"], -0.25)
    assert (found["difference_high"] < 0).all()


def test_affinity_and_diversity_keep_what_is_undefined_empty(trusted_study: Study) -> None:
    found = table(trusted_study, "affinity_diversity")
    assert found["label"].tolist() == ["crop", "blur", "none"]
    for name, value in affinity_diversity().items():
        assert found[name].isna().all() if value is None else (found[name] == value).all(), name


def test_equivariance_averages_images_of_every_tested_augmentation(
    trusted_sweep: Path, trusted_study: Study
) -> None:
    own = table(trusted_study, "equivariance").query(f"run == '{RUN}' and method == 'gradient'")
    expected = values(trusted_sweep, "equivariance.gradient")["augments"]
    assert own["augment"].tolist() == list(expected)
    for row in own.to_dict("records"):
        assert row["map"] == pytest.approx(np.mean(expected[row["augment"]]["map"]))
        assert row["model"] == pytest.approx(np.mean(expected[row["augment"]]["model"]))
        assert row["n"] == NUM_PROBE


def test_untrained_means_are_those_of_the_sidecar(tmp_path: Path) -> None:
    write_run(tmp_path / "0-crop", make_config("crop"))
    means = {name: place + 0.5 for place, name in enumerate(UNTRAINED)}
    written = {**means, "foreground_auc": None, "n": NUM_PROBE - 1}
    ids = read_probe(tmp_path / "0-crop").probe_ids.tolist()
    write_sidecar(tmp_path / "0-crop", "untrained", "gradient", probe_ids=ids, values=written)
    found, damage = tables(tmp_path)
    assert damage == []
    (row,) = found["untrained"].to_dict("records")
    assert (row["label"], row["run"], row["method"]) == ("crop", "0-crop", "gradient")
    assert np.isnan(row["foreground_auc"])
    assert [row[name] for name in UNTRAINED[1:]] == [written[name] for name in UNTRAINED[1:]]


def test_faithfulness_curves_are_those_of_the_sidecar(
    trusted_sweep: Path, trusted_study: Study
) -> None:
    found = table(trusted_study, "faithfulness_curves").query(
        f"run == '{RUN}' and method == 'edge'"
    )
    for substrate, orders in values(trusted_sweep, "faithfulness.edge")["curves"].items():
        for order, curve in orders.items():
            own = found[(found["substrate"] == substrate) & (found["order"] == order)]
            assert own["step"].tolist() == list(range(len(curve)))
            np.testing.assert_array_equal(own["probability"], curve)


def test_agreement_is_scipys_spearman_of_the_stored_maps(
    trusted_sweep: Path, trusted_study: Study
) -> None:
    found = table(trusted_study, "agreement").query(f"run == '{RUN}'")
    assert len(found) == len(METHODS) * (len(METHODS) - 1) // 2
    maps = {}
    for method in METHODS:
        with np.load(trusted_sweep / RUN / "saliency" / f"{method}.npz") as arrays:
            maps[method] = arrays["maps"].reshape(NUM_PROBE, -1)
    for row in found.to_dict("records"):
        pairs = zip(maps[row["method"]], maps[row["other_method"]], strict=True)
        expected = np.mean([stats.spearmanr(one, other).statistic for one, other in pairs])
        assert row["spearman"] == pytest.approx(expected, abs=1e-9)
        assert (row["n"], row["n_undefined"]) == (NUM_PROBE, 0)


def test_maps_without_an_order_are_counted_and_left_out_of_agreement(tmp_path: Path) -> None:
    maps = np.random.default_rng(0).random((NUM_PROBE, 12, 10), np.float32)
    maps[0], maps[1] = 0, 1
    config = make_config("none", saliency={"methods": {"a": {}, "b": {}}})
    write_run(tmp_path / "0-none", config, maps=maps)
    (row,) = tables(tmp_path)[0]["agreement"].to_dict("records")
    assert row["spearman"] == pytest.approx(1)
    assert (row["n"], row["n_undefined"]) == (NUM_PROBE - 2, 2)


def test_without_measures_tables_are_empty_and_keep_their_columns(tmp_path: Path) -> None:
    write_run(tmp_path / "0-none", make_config("none"))
    found, damage = tables(tmp_path)
    assert damage == []
    assert {name: tuple(one.columns) for name, one in found.items()} == TRUST_COLUMNS
    assert all(one.empty for one in found.values())


def modes(similarity: object, null: object) -> dict[str, Any]:
    return {mode: {"similarity": similarity, "null": null} for mode in ("absolute", "signed")}


FLAT = [0.5] * NUM_PROBE
FITTED = {"train_loss": 0.0, "epochs": 1}
CURVE = {"most_important_first": [1.0, 0.0], "least_important_first": [1.0, 0.0]}
BEFORE = {**dict.fromkeys(UNTRAINED, 0.5), "n": NUM_PROBE}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("affinity_diversity", {"affinity": 1.0}, id="value missing"),
        pytest.param(
            "affinity_diversity", {**affinity_diversity(), "affinity": "1"}, id="number in words"
        ),
        pytest.param(
            "affinity_diversity", {**affinity_diversity(), "affinity": [1]}, id="list for number"
        ),
        pytest.param("equivariance.edge", {"augments": ["crop"]}, id="no mapping"),
        pytest.param(
            "equivariance.edge", {"augments": {"crop": {"map": FLAT, "model": [1]}}}, id="few"
        ),
        pytest.param(
            "label_randomization.gradient", {**modes(FLAT, FLAT[1:]), **FITTED}, id="few nulls"
        ),
        pytest.param(
            "label_randomization.gradient",
            {**modes(FLAT[1:], FLAT[1:]), **FITTED},
            id="of fewer images",
        ),
        pytest.param("label_randomization.gradient", {"absolute": "<b>"}, id="a word"),
        pytest.param(
            "label_randomization.gradient",
            {**modes(FLAT, FLAT), "train_loss": {}, "epochs": 1},
            id="no loss",
        ),
        pytest.param(
            "parameter_randomization.gradient",
            {"layers": [{"name": "a"}], **modes([FLAT], FLAT)},
            id="layer is a mapping",
        ),
        pytest.param(
            "parameter_randomization.gradient",
            {"layers": ["a", "a"], **modes([FLAT, FLAT], FLAT)},
            id="layer twice",
        ),
        pytest.param(
            "parameter_randomization.gradient",
            {"layers": ["a", "b"], **modes([FLAT], FLAT)},
            id="layer without values",
        ),
        pytest.param(
            "parameter_randomization.gradient",
            {"layers": ["a"], **modes([[[0.5]] * NUM_PROBE], FLAT)},
            id="nested",
        ),
        pytest.param("untrained.gradient", {"entropy": 1.0, "n": 1}, id="mean missing"),
        pytest.param("untrained.gradient", {**BEFORE, "moran": "0.5"}, id="mean in words"),
        pytest.param("untrained.gradient", {**BEFORE, "moran": FLAT}, id="list for mean"),
        pytest.param("untrained.gradient", {**BEFORE, "n": NUM_PROBE + 1}, id="more than images"),
        pytest.param("untrained.gradient", {**BEFORE, "n": None}, id="no count"),
        pytest.param("faithfulness.gradient", {"curves": {"black": [1, 0]}}, id="no orders"),
        pytest.param(
            "faithfulness.gradient",
            {"curves": {"black": {"random_first": [1.0, 0.0]}}},
            id="unknown order",
        ),
        pytest.param(
            "faithfulness.gradient",
            {"curves": {"black": {**CURVE, "least_important_first": [1.0]}}},
            id="curves of two lengths",
        ),
        pytest.param(
            "faithfulness.gradient",
            {"curves": {"black": {order: [1.0] for order in CURVE}}},
            id="a point",
        ),
    ],
)
def test_values_that_do_not_fit_their_measure_are_said_and_cost_no_other(
    trusted_sweep: Path, tmp_path: Path, name: str, content: dict[str, Any]
) -> None:
    source = trusted_sweep / RUN / "measures" / f"{name}.json"
    config = make_config("crop", saliency={"methods": METHODS})
    write_run(tmp_path / "0-crop", config)
    damaged = json.loads(source.read_text(encoding="utf-8")) | {"values": content}
    del damaged["checksum"]
    target = tmp_path / "0-crop" / "measures" / source.name
    target.parent.mkdir()
    target.write_text(json.dumps(damaged), encoding="utf-8")
    found, damage = tables(tmp_path)
    (line,) = damage
    assert line.startswith("0-crop: ")
    assert "does not hold its values" in line
    assert found[TABLES.get(name.split(".")[0], name.split(".")[0])].empty
    assert len(found["agreement"]) == 6
    # Nothing that was not checked reaches a page.
    build_study([tmp_path], out=tmp_path / "out", **MEASURING)
