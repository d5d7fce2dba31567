"""A sweep read back is the sweep that was written."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auglens.records.maps import read_map, read_probe
from auglens.study import Study, build_study, load_sweep
from auglens.study.load import StudyError
from auglens.study.tables import MAPS_COLUMNS, RUNS_COLUMNS
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import make_config, write_run, write_sweep

PERMUTED = "24-crop-s1-seed0"


def written(study: Study) -> Path:
    return study.report.parent.parent


def test_the_tables_are_those_of_the_study_to_the_last_digit(study: Study) -> None:
    sweep = load_sweep(str(written(study)))
    pd.testing.assert_frame_equal(sweep.runs, study.runs, check_exact=True)
    assert sweep.maps.columns.tolist() == list(MAPS_COLUMNS)
    plain = sweep.maps.astype(study.maps.dtypes.replace({"int64": "Int64"}).to_dict())
    pd.testing.assert_frame_equal(plain, study.maps, check_dtype=False, check_exact=True)
    assert sweep.methods == ("gradient",)
    pd.testing.assert_frame_equal(
        sweep.tables["table1"], study.table1, check_dtype=False, check_exact=True
    )


def test_missing_numbers_stay_missing_and_whole_ones_whole(study: Study) -> None:
    sweep = load_sweep(written(study))
    assert sweep.runs.dtypes.astype(str).to_dict() == RUNS_COLUMNS
    failed = sweep.runs[sweep.runs["status"] == "FAILED"]
    assert failed[["seed", "test_accuracy"]].isna().all(axis=None)
    assert sweep.runs["seed"].dropna().tolist()[:2] == [0, 1]
    assert str(sweep.maps["probe_id"].dtype) == "Int64"
    assert sweep.maps.loc[sweep.maps["augment"] == "none", "cc"].isna().all()


def test_every_table_of_the_report_is_there_by_name(study: Study) -> None:
    sweep = load_sweep(written(study))
    names = {path.stem for path in (written(study) / "report" / "tables").iterdir()}
    assert set(sweep.tables) == names >= {"table1", "metrics", "curves"}
    assert len(sweep.tables) == len(names)
    assert sweep.tables["curves"] is sweep.tables["curves"]


def test_maps_come_in_the_order_of_the_runs_whatever_the_order_asked_for(
    sweep: Path, study: Study
) -> None:
    loaded = load_sweep(written(study))
    names, maps = loaded.saliency_maps("gradient", ["11-none-s1-seed1", "2-crop-s1-seed0"])
    assert names == ("2-crop-s1-seed0", "11-none-s1-seed1")
    assert maps.dtype == np.float32
    for name, own in zip(names, maps, strict=True):
        np.testing.assert_array_equal(own, read_map(sweep / name, "gradient").maps)


def test_all_runs_of_one_group_are_taken_where_none_is_named(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", augments=["crop", "none"])
    build_study([folder], out=folder, **MEASURING)
    loaded = load_sweep(folder)
    names, maps = loaded.saliency_maps("gradient")
    assert list(names) == loaded.runs["run"].tolist()
    assert maps.shape == (4, 20, 12, 10)


def test_a_moved_sweep_is_still_found(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", augments=["crop", "none"], seeds=[0])
    build_study([folder], out=folder, **MEASURING)
    before = load_sweep(folder).saliency_maps("gradient")
    moved = shutil.move(folder, tmp_path / "elsewhere")
    after = load_sweep(moved).saliency_maps("gradient")
    assert after[0] == before[0]
    np.testing.assert_array_equal(after[1], before[1])


def test_a_single_runs_folder_is_a_sweep_of_one(tmp_path: Path) -> None:
    run = tmp_path / "alone"
    write_run(run, make_config("none"))
    build_study([run], out=run, **MEASURING)
    loaded = load_sweep(run)
    assert loaded.runs["folder"].tolist() == ["."]
    assert loaded.saliency_maps("gradient")[0] == ("alone",)


def test_the_probe_is_the_first_runs_unless_another_is_named(sweep: Path, study: Study) -> None:
    loaded = load_sweep(written(study))
    for name, folder in ((None, "0-scale-s1-seed0"), ("3-crop-s1-seed1", "3-crop-s1-seed1")):
        probe, expected = loaded.probe(name), read_probe(sweep / folder)
        np.testing.assert_array_equal(probe.images, expected.images)
        np.testing.assert_array_equal(probe.logits, expected.logits)


def test_what_cannot_be_compared_is_refused_and_named(study: Study) -> None:
    loaded = load_sweep(written(study))
    crop = "2-crop-s1-seed0"
    with pytest.raises(ValueError, match=r"2 comparison groups.*choose runs="):
        loaded.saliency_maps("gradient")
    with pytest.raises(ValueError, match="2 comparison groups"):
        loaded.saliency_maps("gradient", [crop, PERMUTED])
    with pytest.raises(ValueError, match="has maps of 'gradcam'; methods: gradient"):
        loaded.saliency_maps("gradcam")
    with pytest.raises(ValueError, match="22-blur-s1-seed9 is INTERRUPTED, not COMPLETED"):
        loaded.saliency_maps("gradient", [crop, "22-blur-s1-seed9"])
    with pytest.raises(ValueError, match="no run 'crop'"):
        loaded.probe("crop")


def test_runs_that_explain_other_images_are_refused(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", augments=["crop", "none"], seeds=[0])
    build_study([folder], out=folder, **MEASURING)
    path = folder / "1-none-s1-seed0" / "saliency" / "gradient.npz"
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "probe_ids": arrays["probe_ids"] + 1})
    with pytest.raises(ValueError, match="1-none-s1-seed0 explains other images than 0-crop"):
        load_sweep(folder).saliency_maps("gradient")


def test_without_a_report_the_command_that_builds_it_is_said(tmp_path: Path, study: Study) -> None:
    with pytest.raises(
        StudyError, match=r"runs\.csv is not there.*-m auglens\.study sweep=\S+gone"
    ):
        load_sweep(tmp_path / "gone")
    shutil.copy(written(study) / "maps.csv", tmp_path)
    older = pd.read_csv(written(study) / "runs.csv").drop(columns="folder")
    older.to_csv(tmp_path / "runs.csv", index=False)
    with pytest.raises(StudyError, match="another version of AugLens; build the report first"):
        load_sweep(tmp_path)


def test_a_report_without_maps_is_read(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "sweep", augments=["crop", "none"], seeds=[0])
    for path in folder.glob("*/saliency/*"):
        path.unlink()
    build_study([folder], out=folder, **MEASURING)
    loaded = load_sweep(folder)
    assert loaded.methods == ()
    assert loaded.maps.empty
    assert loaded.tables["metrics"].empty
    assert json.loads((folder / "report" / "summary.json").read_text())["absences"]
