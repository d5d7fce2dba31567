"""Sweeps on small disks that fill up, and on disks that cannot be written."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from auglens.records.maps import read_map
from auglens.records.run import read_record, read_status, run_folders
from tests.conftest import SMALL, Cli

SWEEP = ("-m", "augment=none,crop,blur", "logger=none", "figures=false", *SMALL)
TIMES = ["seconds"]


class Disk:
    """A tmpfs of its own; its size can change while files lie on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def mount(self, options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(self.path)]
        if (
            os.geteuid() != 0
            or subprocess.run(command, capture_output=True, check=False).returncode
        ):
            pytest.skip("mounting a tmpfs takes a superuser with the right to")

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.path)], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=False, capture_output=True)

    def fill(self, *, but_kib: int) -> Path:
        """A file that leaves this much room."""
        room = os.statvfs(self.path)
        ballast = self.path / "ballast"
        ballast.write_bytes(bytes(room.f_bavail * room.f_frsize - but_kib * 1024))
        return ballast


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "disk")
    made.mount("size=64m")
    yield made
    made.unmount()


@pytest.fixture(scope="module")
def undisturbed(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "day" / "time"
    assert cli(*SWEEP, f"hydra.sweep.dir={folder}") == 0
    return folder


def runs_csv(sweep: Path) -> str:
    return str(pd.read_csv(sweep / "runs.csv").drop(columns=TIMES).to_csv())


def assert_same(sweep: Path, expected: Path) -> None:
    assert runs_csv(sweep) == runs_csv(expected)
    assert (sweep / "maps.csv").read_bytes() == (expected / "maps.csv").read_bytes()
    for one, other in zip(run_folders(sweep), run_folders(expected), strict=True):
        np.testing.assert_array_equal(
            read_map(one, "gradient").maps, read_map(other, "gradient").maps
        )


def filled_before(
    monkeypatch: pytest.MonkeyPatch,
    disk: Disk,
    module: ModuleType,
    name: str,
    *,
    at: str,
    but_kib: int,
) -> None:
    """Let the disk fill up just before a function is called for the run whose folder starts so."""
    original: Callable[..., Any] = getattr(module, name)

    def fill_first(*arguments: Any, **settings: Any) -> Any:  # noqa: ANN401
        folders = [one.name for one in arguments if isinstance(one, Path)]
        due = not at or any(folder.startswith(at) for folder in folders)
        if due and not (disk.path / "ballast").exists():
            disk.fill(but_kib=but_kib)
        return original(*arguments, **settings)

    monkeypatch.setattr(module, name, fill_first)


@pytest.mark.parametrize("but_kib", [0, 8, 24, 60], ids="{} KiB left".format)
def test_a_disk_that_fills_up_in_the_second_run(
    disk: Disk,
    cli: Cli,
    undisturbed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    but_kib: int,
) -> None:
    from auglens import job

    sweep = disk.path / "day" / "time"
    with monkeypatch.context() as patch:
        filled_before(patch, disk, job, "train", at="1-", but_kib=but_kib)
        assert cli(*SWEEP, f"hydra.sweep.dir={sweep}") == 1
    said = capfd.readouterr()
    assert "no space left on the disk of" in said.out
    assert "Traceback" not in said.out + said.err
    assert "Logging error" not in said.err
    first, *others = run_folders(sweep)
    assert read_record(first).augment == "none"
    assert read_map(first, "gradient").maps.shape == (20, 28, 28)
    assert not any((folder / "record.json").exists() for folder in others)
    assert not (sweep / "2-blur-s1-seed0").exists()
    assert not list(sweep.rglob("*.part"))
    (disk.path / "ballast").unlink()
    assert cli(*SWEEP, f"hydra.sweep.dir={sweep}") == 0
    assert_same(sweep, undisturbed)
    assert {read_status(folder)["state"] for folder in run_folders(sweep)} == {"COMPLETED"}


def test_a_disk_that_fills_up_while_maps_are_made_and_then_grows(
    disk: Disk,
    cli: Cli,
    undisturbed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from auglens import explainer

    sweep = disk.path / "day" / "time"
    with monkeypatch.context() as patch:
        filled_before(patch, disk, explainer, "write_map", at="1-", but_kib=4)
        assert cli(*SWEEP, f"hydra.sweep.dir={sweep}") == 1
    assert "no space left" in capfd.readouterr().out
    assert [(one / "record.json").exists() for one in run_folders(sweep)] == [True, False]
    disk.remount("size=128m")
    assert cli(*SWEEP, f"hydra.sweep.dir={sweep}") == 0
    assert_same(sweep, undisturbed)


def test_a_disk_that_fills_up_in_the_report(
    disk: Disk,
    cli: Cli,
    undisturbed: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from auglens.study import build

    sweep = disk.path / "day" / "time"
    with monkeypatch.context() as patch:
        filled_before(patch, disk, build, "write_report", at="", but_kib=100)
        assert cli(*SWEEP, f"hydra.sweep.dir={sweep}") == 1
    (line,) = [one for one in capfd.readouterr().err.splitlines() if "No report" in one]
    assert "no space left on the disk of" in line
    assert f"python -m auglens.study sweep={sweep}" in line
    assert all((folder / "record.json").exists() for folder in run_folders(sweep))
    (disk.path / "ballast").unlink()
    assert cli(*SWEEP, f"hydra.sweep.dir={sweep}") == 0
    assert_same(sweep, undisturbed)
    assert not (sweep / "report-error.txt").exists()


def test_no_room_at_all_and_a_read_only_disk_are_refused_in_one_line(
    disk: Disk, cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    sweep = disk.path / "day" / "time"
    disk.fill(but_kib=0)
    assert cli(*SWEEP, f"hydra.sweep.dir={sweep}") == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"Nothing started in {sweep}: no space left on the disk of ")
    disk.remount("ro")
    for key, words in (("sweep", SWEEP), ("run", SWEEP[2:])):
        assert cli(*words, f"hydra.{key}.dir={disk.path / 'other'}") == 1
        (line,) = capfd.readouterr().err.splitlines()
        assert "cannot be used: Read-only file system." in line
    assert not run_folders(sweep)
