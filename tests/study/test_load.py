import shutil
from pathlib import Path

import pytest

from auglens.records.run import RunState, write_status
from auglens.study.load import StudyError, load_sweeps, newest_sweep
from tests.study.generated_sweep import make_config, write_run


def test_unfinished_runs_are_listed_with_their_status_and_error(sweep: Path) -> None:
    unfinished = {run.name: run for run in load_sweeps([sweep]).unfinished}
    assert {name: run.status for name, run in unfinished.items()} == {
        "20-<script>alert(1)-s1-seed0": "FAILED",
        "21-crop-s2-seed0": "DAMAGED",
        "22-blur-s1-seed9": "INTERRUPTED",
    }
    assert "outside 0 to 2" in unfinished["20-<script>alert(1)-s1-seed0"].error
    assert "record.json" in unfinished["21-crop-s2-seed0"].error


def test_runs_come_in_the_order_of_their_job_numbers(sweep: Path) -> None:
    names = [entry.name for entry in load_sweeps([sweep]).entries]
    numbers = [int(name.split("-")[0]) for name in names]
    assert numbers == sorted(numbers)
    assert numbers[:14] == list(range(14))


def test_a_pointer_to_another_run_adds_no_row(sweep: Path) -> None:
    loaded = load_sweeps([sweep])
    assert "25-crop-s1-seed0" in loaded.repeated
    assert [run.name for run in loaded.runs].count("2-crop-s1-seed0") == 1


def test_an_identity_counts_once_and_the_first_folder_is_kept(tmp_path: Path) -> None:
    write_run(tmp_path / "0-crop", make_config("crop"))
    write_run(tmp_path / "1-crop", make_config("crop"))
    loaded = load_sweeps([tmp_path])
    assert [run.name for run in loaded.runs] == ["0-crop"]
    assert loaded.repeated == ("1-crop",)


def test_a_failed_run_that_was_repeated_with_success_is_no_failure(tmp_path: Path) -> None:
    record = write_run(tmp_path / "1-crop", make_config("crop"))
    write_status(tmp_path / "0-crop", RunState.FAILED, error="x", identity=record.identity)
    write_status(tmp_path / "2-blur", RunState.FAILED, error="y", identity="other")
    assert [run.name for run in load_sweeps([tmp_path]).unfinished] == ["2-blur"]


def test_a_run_reused_from_another_sweep_is_read_there(tmp_path: Path) -> None:
    elsewhere = tmp_path / "old" / "0-crop"
    write_run(elsewhere, make_config("crop"))
    write_run(tmp_path / "other" / "0-none", make_config("none"))
    write_status(tmp_path / "new" / "0-crop", RunState.REUSED, run=str(elsewhere))
    (entry,) = load_sweeps([tmp_path / "new", tmp_path / "other"]).unfinished
    assert entry.status == "REUSED"
    assert f"add reuse=[{tmp_path / 'old'}]" in entry.error
    (run, _) = load_sweeps([tmp_path / "new", tmp_path / "other"], [tmp_path / "old"]).runs
    assert run.folder == elsewhere
    assert run.name == "new/0-crop"


def test_a_pointer_to_nowhere_is_listed(tmp_path: Path) -> None:
    write_run(tmp_path / "0-crop", make_config("crop"))
    write_status(tmp_path / "1-blur", RunState.REUSED, run="9-blur")
    (entry,) = load_sweeps([tmp_path]).unfinished
    assert entry.status == "DAMAGED"
    assert "9-blur" in entry.error


def test_joined_sweeps_name_their_runs_by_sweep(tmp_path: Path) -> None:
    write_run(tmp_path / "a" / "0-none", make_config("none"))
    write_run(tmp_path / "b" / "0-crop", make_config("crop"))
    shutil.copytree(tmp_path / "a" / "0-none", tmp_path / "b" / "1-none")
    loaded = load_sweeps([tmp_path / "a", tmp_path / "b", tmp_path / "a"])
    assert [run.name for run in loaded.runs] == ["a/0-none", "b/0-crop"]
    assert loaded.repeated == ("b/1-none",)


def test_a_single_run_is_a_sweep_of_one(tmp_path: Path) -> None:
    write_run(tmp_path / "12-00-crop", make_config("crop"))
    assert [run.name for run in load_sweeps([tmp_path / "12-00-crop"]).runs] == ["12-00-crop"]


def test_a_missing_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"There is no folder .*absent"):
        load_sweeps([tmp_path / "absent"])


def test_nothing_complete_is_one_clear_error(tmp_path: Path) -> None:
    write_status(tmp_path / "0-crop", RunState.FAILED, error="x")
    with pytest.raises(StudyError, match=r"No complete run .* \(1 run folders, none finished\)"):
        load_sweeps([tmp_path])


def test_the_newest_sweep_is_the_last_with_runs(tmp_path: Path) -> None:
    for name in ("2026-02-01/10-00-00", "2026-02-01/09-00-00", "2025-12-31/23-00-00"):
        write_status(tmp_path / name / "0-crop", RunState.RUNNING)
    (tmp_path / "2026-03-01" / "empty").mkdir(parents=True)
    assert newest_sweep(tmp_path) == tmp_path / "2026-02-01" / "10-00-00"
    with pytest.raises(StudyError, match="no sweep"):
        newest_sweep(tmp_path / "2026-03-01")
