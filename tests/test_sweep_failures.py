"""What goes wrong in a sweep costs itself only, and is said in one line."""

import gc
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning import Trainer

from auglens.datamodule import ImageDataModule
from auglens.records.run import read_record, read_status, run_folders
from auglens.training import train
from tests.conftest import SMALL, Cli
from tests.sweeps import QUIET, runs_csv, small_but, states


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "day" / "time"


def test_a_job_leaves_no_images_behind(cli: Cli, folder: Path) -> None:
    cli("augment=crop", f"hydra.run.dir={folder}", *SMALL, *QUIET)
    kept = [one for one in gc.get_objects() if type(one) in (ImageDataModule, Trainer)]
    assert not kept


def test_an_empty_data_folder_is_named(cli: Cli, folder: Path) -> None:
    assert cli("augment=none", f"hydra.run.dir={folder}", data_dir="paths.data_dir=''") == 1
    assert "paths.data_dir='' must be" in read_status(folder)["error"]


def test_a_setting_that_cannot_be_resolved_is_the_jobs_failure(cli: Cli, folder: Path) -> None:
    paths = "optimizer.lr='${oc.env:AUGLENS_ABSENT}',0.001"
    assert cli("-m", "augment=none", paths, f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 1
    assert list(states(folder).values()) == ["FAILED", "COMPLETED"]


def test_a_failed_job_costs_only_itself(
    cli: Cli, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = small_but("train_size")
    sizes = "data.train_size=20,15,30"
    assert cli("-m", "augment=none", sizes, f"hydra.sweep.dir={folder}", *small, *QUIET) == 1
    assert list(states(folder).values()) == ["COMPLETED", "FAILED", "COMPLETED"]
    failed = run_folders(folder)[1]
    assert "data.train_size=15" in read_status(failed)["error"]
    assert "Traceback" in (failed / "train.log").read_text()
    assert "data.train_size=15 is not possible" in capsys.readouterr().out
    runs = runs_csv(folder)
    assert runs["status"].tolist() == ["COMPLETED", "FAILED", "COMPLETED"]
    assert failed.name in (folder / "report" / "report.html").read_text()


def test_fail_fast_ends_the_sweep_and_still_reports(
    cli: Cli, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = small_but("train_size")
    arguments = ("data.train_size=20,15,30", "fail_fast=true", f"hydra.sweep.dir={folder}")
    assert cli("-m", "augment=none", *arguments, *small, *QUIET) == 1
    assert list(states(folder).values()) == ["COMPLETED", "FAILED"]
    assert not (folder / "2-none-s1-seed0").exists()
    assert (folder / "report" / "report.html").exists()
    assert runs_csv(folder)["status"].tolist() == ["COMPLETED", "FAILED"]
    assert "1 of 3 jobs finished, 1 failed, 1 not started" in capsys.readouterr().out


def test_a_single_run_that_fails_says_so_in_one_line(
    cli: Cli, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli(f"hydra.run.dir={folder}", "data.train_size=15", *QUIET) == 1
    assert read_status(folder)["state"] == "FAILED"
    said = capfd.readouterr()
    assert said.err == ""
    (line,) = said.out.splitlines()
    assert line.startswith("FAILED  time: ValueError: data.train_size=15 is not possible")
    assert "Traceback" in (folder / "train.log").read_text()


def test_out_of_memory_costs_one_job_and_says_what_helps(
    cli: Cli,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def starved(run: Any, into: Path, *others: Any) -> Any:  # noqa: ANN401
        if into.name.startswith("0-"):
            torch.empty(2**60)
        return train(run, into, *others)

    monkeypatch.setattr("auglens.job.train", starved)
    assert cli("-m", "augment=crop,none", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 1
    assert list(states(folder).values()) == ["FAILED", "COMPLETED"]
    reason = "out of memory: use a smaller data.batch_size or data.eval_batch_size"
    assert read_status(folder / "0-crop-s1-seed0")["error"].startswith(reason)
    said = capfd.readouterr()
    assert reason in said.out
    assert "Traceback" not in said.out + said.err


def test_a_report_that_fails_is_one_line_and_a_file(
    cli: Cli,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    arguments = ("-m", "augment=none", f"hydra.sweep.dir={folder}", *SMALL, *QUIET)

    def mistaken(*given: Any, **settings: Any) -> None:  # noqa: ANN401
        raise KeyError(f"{len(given)} {len(settings)}")

    with monkeypatch.context() as patch:
        patch.setattr("auglens.study.build.build", mistaken)
        assert cli(*arguments) == 1
    (line,) = capfd.readouterr().err.splitlines()
    trace = folder / "report-error.txt"
    assert line.startswith(f"No report: KeyError: '1 5'; see {trace}. Finished runs are kept.")
    assert "in mistaken" in trace.read_text()
    assert cli(*arguments) == 0
    assert not trace.exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_an_interrupt_during_the_report_is_one_line(
    cli: Cli,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    def interrupted(*given: Any, **settings: Any) -> None:  # noqa: ANN401
        os.kill(os.getpid(), number)
        time.sleep(5)
        pytest.fail(f"not interrupted: {given} {settings}")

    monkeypatch.setattr("auglens.study.build.build", interrupted)
    assert cli("-m", "augment=none", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == code
    (line,) = capfd.readouterr().err.strip().splitlines()
    assert line.startswith("No report: interrupted. Report of what is there: python -m")
    assert list(states(folder).values()) == ["COMPLETED"]


def test_a_note_that_cannot_be_read_is_said(
    cli: Cli,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def damage(run: Any, into: Path, *others: Any) -> Any:  # noqa: ANN401
        (folder / ".jobs" / "stray.json").write_bytes(b"{")
        return train(run, into, *others)

    monkeypatch.setattr("auglens.job.train", damage)
    assert cli("-m", "augment=none", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 1
    expected = f"The note of job stray in {folder} cannot be read.\n"
    assert capfd.readouterr().err == expected
    assert (folder / "report" / "report.html").exists()


def test_an_unknown_option_is_hydras_to_answer(
    cli: Cli, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli("-m", "augment=crop,bogus", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 1
    assert "bogus" in capfd.readouterr().err
    assert not run_folders(folder)
    assert not (folder / "report").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_an_interrupt_keeps_what_is_finished(
    cli: Cli,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    long = small_but("max_epochs")

    def interrupt_the_second_run() -> None:
        deadline = time.monotonic() + 60
        second = folder / "1-crop-s1-seed0" / "history.csv"
        while time.monotonic() < deadline and not second.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt_the_second_run, daemon=True).start()
    # A run of many epochs, so that the second is surely under way when the signal comes.
    arguments = ("augment=none,crop,blur", "trainer.max_epochs=40", f"hydra.sweep.dir={folder}")
    assert cli("-m", *arguments, *long, *QUIET) == code
    assert list(states(folder).values()) == ["COMPLETED", "INTERRUPTED"]
    assert read_record(folder / "0-none-s1-seed0").augment == "none"
    message = capfd.readouterr().err
    assert f"hydra.sweep.dir={folder}" in message
    assert f"python -m auglens.study sweep={folder}" in message
    assert (folder / "report" / "report.html").exists()
    assert runs_csv(folder)["status"].tolist() == ["COMPLETED", "INTERRUPTED"]
