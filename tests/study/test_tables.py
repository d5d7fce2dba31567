from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from auglens.metrics.catalogue import MEASURES, of_family
from auglens.study import Study, build_study
from auglens.study.conditions import find_groups
from auglens.study.load import load_sweeps
from auglens.study.tables import MAPS_COLUMNS, RUNS_COLUMNS, accuracy_table
from auglens.study.trust import TRUST_COLUMNS
from tests.study.conftest import MEASURING
from tests.study.generated_measures import NUM_SENSITIVE
from tests.study.generated_sweep import GREY, NUM_PROBE, make_config, make_images, write_run


def row(table: pd.DataFrame, label: str) -> pd.Series:
    (found,) = (line for _, line in table[table["label"] == label].iterrows())
    return found


def test_table_1_equals_a_calculation_by_hand(tmp_path: Path) -> None:
    confusion = [[6, 2, 0, 0], [0, 2, 0, 0], [0] * 4, [0] * 4]
    for seed, test_accuracy in enumerate((0.8, 0.9, 0.7)):
        write_run(
            tmp_path / f"{seed}-crop",
            make_config("crop", seed=seed),
            val_accuracy=test_accuracy + 0.05,
            test_accuracy=test_accuracy,
            test_accuracy_last_epoch=0.5,
            test_balanced_accuracy=0.875,
            test_confusion=confusion,
        )
    found = row(accuracy_table(find_groups(load_sweeps([tmp_path]).results)), "crop")
    assert found["n"] == 3
    assert found["test_accuracy_mean"] == pytest.approx(0.8)
    assert found["test_accuracy_sd"] == pytest.approx(0.1)
    assert found["val_accuracy_mean"] == pytest.approx(0.85)
    assert found["test_accuracy_last_epoch_sd"] == pytest.approx(0)
    assert found["test_balanced_accuracy_mean"] == pytest.approx(0.875)
    assert (found["num_test_images"], found["unequal_test_classes"]) == (10, True)
    assert (found["poster_val"], found["poster_test"]) == (0.88, 0.87)


def test_one_run_has_no_standard_deviation(study: Study) -> None:
    alone = row(study.table1, "none (batches of 10)")
    assert alone["n"] == 1
    assert np.isnan(alone["test_accuracy_sd"])
    assert np.isnan(alone["poster_test"])


def test_the_posters_numbers_stand_at_strength_1_only(tmp_path: Path) -> None:
    write_run(tmp_path / "0-crop", make_config("crop", strength=0.5))
    write_run(tmp_path / "1-crop", make_config("crop"))
    table = accuracy_table(find_groups(load_sweeps([tmp_path]).results))
    assert table["label"].tolist() == ["crop s0.5", "crop"]
    assert table["poster_test"].isna().tolist() == [True, False]


def test_runs_csv_has_one_row_a_run_with_the_agreed_columns(study: Study) -> None:
    assert study.runs.columns.tolist() == list(RUNS_COLUMNS)
    assert len(study.runs) == 14 + 3 + 3
    assert study.runs["run"].is_unique
    complete = study.runs[study.runs["status"] == "COMPLETED"]
    assert complete["identity"].is_unique
    without = complete[complete["augment"].isin(["none", "duplicate"])]
    assert without["strength"].isna().all()
    assert (complete["seconds"] == 2.25).all()


def test_the_column_folder_leads_from_the_table_to_the_runs(sweep: Path, study: Study) -> None:
    out = study.report.parent.parent
    for name, folder in zip(study.runs["run"], study.runs["folder"], strict=True):
        assert (out / folder).resolve() == sweep.resolve() / name


def test_permuted_labels_are_in_runs_csv_and_nowhere_else(study: Study) -> None:
    permuted = "24-crop-s1-seed0"
    assert permuted in study.runs["run"].tolist()
    assert permuted not in study.maps["run"].tolist()
    assert row(study.table1, "crop")["n"] == 2
    assert study.table1["group"].nunique() == 1


def test_maps_csv_is_sorted_and_keeps_every_digit(study: Study) -> None:
    leading = [
        "run",
        "augment",
        "strength",
        "seed",
        "method",
        "probe_id",
        "label",
        "prediction",
        "cc",
        "kl",
        "kl_reverse",
        "sim",
        "js",
        "entropy",
        "effective_area",
        "entropy_histogram",
    ]
    assert study.maps.columns.tolist() == list(MAPS_COLUMNS)
    assert study.maps.columns[: len(leading)].tolist() == leading
    assert study.maps.columns[len(leading) :].tolist() == [
        name for name in MEASURES if name not in leading
    ]
    keys = study.maps[["run", "method", "probe_id"]]
    pd.testing.assert_frame_equal(keys, keys.sort_values(["run", "method", "probe_id"]))
    text = (study.report.parent.parent / "maps.csv").read_text(encoding="utf-8")
    written = [float(line.split(",")[13]) for line in text.splitlines()[1:]]
    np.testing.assert_array_equal(written, study.maps["entropy"])


def test_metric_table_averages_runs_before_seeds(study: Study) -> None:
    blur = study.maps[study.maps["augment"] == "blur"].dropna(subset=["cc"])
    means = [float(blur.loc[blur["seed"] == seed, "cc"].mean()) for seed in (0, 1)]
    table = study.metrics[study.metrics["label"] == "blur"].set_index("measure")
    assert table.loc["cc", "mean"] == pytest.approx(np.mean(means))
    assert table.loc["cc", "sd"] == pytest.approx(abs(means[0] - means[1]) / 2**0.5)
    assert table.loc["cc", "median"] == pytest.approx(blur["cc"].median())
    counts = table[["n_runs", "n_maps", "n_undefined"]].T
    assert counts["cc"].tolist() == [2, 40, 0]
    assert counts["entropy"].tolist() == [3, 60, 0]
    assert {"kl_2.22045e-16", "kl_1e-12", "kl_1e-07"} <= set(table.index)


def test_the_baseline_has_all_that_needs_no_reference(study: Study) -> None:
    measures = study.metrics.loc[study.metrics["label"] == "none", "measure"]
    # Three channels: no foreground either.
    shape = {"num_components", "largest_component_share", "spread_px", "moran"}
    assert set(measures) == {*of_family("complexity"), *shape}


def test_faithfulness_counts_the_measured_maps_and_says_what_chance_scores(
    trusted_study: Study,
) -> None:
    crop = trusted_study.metrics[trusted_study.metrics["label"] == "crop"]
    gradient = crop[crop["method"] == "gradient"].set_index("measure")
    random = crop[crop["method"] == "random"].set_index("measure")
    assert set(gradient.index) >= set(MEASURES)
    counts = gradient[["n_maps", "n_undefined"]].T
    assert counts["srg_black"].tolist() == [NUM_PROBE, 1]
    assert counts["max_sensitivity"].tolist() == [NUM_SENSITIVE, 0]
    assert gradient.loc["srg_blur", "mean"] == pytest.approx(0.25)
    nulls = gradient["null"]
    assert (nulls["srg_black"], nulls["foreground_auc"], nulls["dilated_lift"]) == (0, 0.5, 1)
    assert nulls["infidelity"] == random.loc["infidelity", "mean"]
    assert nulls["cc"] == pytest.approx(0, abs=0.05)
    assert nulls["kl_2.22045e-16"] == nulls["kl"]
    assert np.isnan(nulls["kl_1e-07"])


def test_the_null_of_mass_is_the_share_of_the_area(trusted_study: Study) -> None:
    images = make_images(GREY)
    share = float((images > 0.5).mean())
    far = 1 - np.mean([grown_share(image[0] > 0.5, 2) for image in images])
    nulls = trusted_study.metrics.groupby("measure")["null"].first()
    assert nulls["foreground_mass"] == pytest.approx(share, abs=0.005)
    assert nulls["far_background_mass"] == pytest.approx(far, abs=0.01)


def grown_share(mask: NDArray[np.bool_], radius: int) -> float:
    """Share of the pixels at most ``radius`` rows and columns from the mask."""
    rows, columns = np.nonzero(mask)
    grid = np.indices(mask.shape)[:, :, :, None]
    near = (np.abs(grid[0] - rows) <= radius) & (np.abs(grid[1] - columns) <= radius)
    return float(near.any(axis=2).mean())


def test_similarity_holds_the_means_of_runs_with_a_reference(sweep: Path, study: Study) -> None:
    assert set(study.similarity) == {
        folder
        for folder in sweep.iterdir()
        if folder.name[:2].rstrip("-").isdigit()
        and int(folder.name.split("-")[0]) < 14
        and "none" not in folder.name
    }
    maps = study.maps[study.maps["run"] == "2-crop-s1-seed0"]
    means = study.similarity[sweep / "2-crop-s1-seed0"]["gradient"]
    assert means == pytest.approx({name: maps[name].mean() for name in of_family("similarity")})


def test_the_same_sweep_gives_the_same_tables_to_the_byte_whatever_the_threads(
    sweep: Path, study: Study, tmp_path: Path
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(3 - min(threads, 2))
    again = build_study([sweep], out=tmp_path, **MEASURING)
    assert torch.get_num_threads() == 3 - min(threads, 2)
    torch.set_num_threads(threads)
    first, second = study.report.parent.parent, again.report.parent.parent
    names = [path.relative_to(first) for path in first.rglob("*.csv")]
    assert len(names) > 15
    assert not [name for name in names if name.stem in TRUST_COLUMNS]
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert (study.report.parent / "summary.json").read_bytes() == (
        again.report.parent / "summary.json"
    ).read_bytes()
