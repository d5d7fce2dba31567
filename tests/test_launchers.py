"""One sweep by every launcher: the same tables and maps; lost processes cost their jobs only."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest

from auglens.records.maps import read_map
from auglens.records.run import read_record, read_status, run_folders
from tests.conftest import REPOSITORY, SMALL
from tests.ray_cluster import two_nodes
from tests.sweeps import QUIET, runs_csv, small_but, states

pytestmark = pytest.mark.cluster

SIX = "augment=scale,crop,erase,distort,blur,none"
LAUNCHERS = ("joblib", "ray", "slurm_local", "slurm")


@dataclass(frozen=True)
class Command:
    """A finished ``train.py``."""

    code: int
    out: str
    err: str
    seconds: float


@pytest.fixture(scope="module")
def ray_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("ray")
    with two_nodes(tmp_path_factory.mktemp("ray")) as address:
        yield address


@pytest.fixture
def launcher(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The overrides that choose a launcher."""
    name: str = request.param
    words = (f"hydra/launcher={name}",)
    if name == "ray":
        address = request.getfixturevalue("ray_address")
        return (*words, f"hydra.launcher.ray.init.address={address}")
    if name == "slurm" and shutil.which("sbatch") is None:
        pytest.skip("there is no SLURM here")
    return words


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "train.py"), "-m", *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*words: str, cwd: Path) -> Command:
    started = time.monotonic()
    command = start(*words, cwd=cwd)
    out, err = command.communicate(timeout=600)
    return Command(command.returncode, out, err, time.monotonic() - started)


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    folder = tmp_path_factory.mktemp("serial") / "day" / "time"
    words = (SIX, f"paths.data_dir={data_dir}", f"hydra.sweep.dir={folder}", *SMALL)
    done = run(*words, cwd=folder.parents[1])
    assert done.code == 0, done.err
    return folder


def assert_same(sweep: Path, expected: Path) -> None:
    one, other = (runs_csv(folder).drop(columns="seconds") for folder in (sweep, expected))
    pd.testing.assert_frame_equal(one, other)
    assert (sweep / "maps.csv").read_bytes() == (expected / "maps.csv").read_bytes()
    for mine, its in zip(run_folders(sweep), run_folders(expected), strict=True):
        assert mine.name == its.name
        maps = [read_map(folder, "gradient").maps.tobytes() for folder in (mine, its)]
        assert maps[0] == maps[1]
        histories = [
            pd.read_csv(folder / "history.csv").drop(columns="seconds").to_csv()
            for folder in (mine, its)
        ]
        assert histories[0] == histories[1]


def workers_of(sweep: Path) -> list[psutil.Process]:
    """Processes that still work for a sweep."""
    return [
        one for one in psutil.process_iter(["cmdline"]) if str(sweep) in str(one.info["cmdline"])
    ]


@pytest.mark.parametrize("launcher", LAUNCHERS, indirect=True)
def test_the_tables_are_those_of_a_serial_sweep(
    launcher: tuple[str, ...], serial: Path, data_dir: Path, tmp_path: Path
) -> None:
    # A relative folder, which a worker must not take for its own.
    words = (SIX, *launcher, f"paths.data_dir={data_dir}", "hydra.sweep.dir=day/time", *SMALL)
    done = run(*words, cwd=tmp_path)
    folder = tmp_path / "day" / "time"
    assert done.code == 0, done.err
    assert_same(folder, serial)
    assert (folder / "report" / "report.html").exists()
    assert f"6 jobs in {folder}" in done.out
    assert "  6/6\n" in done.out
    assert "UserWarning" not in done.err
    for path in (*run_folders(folder), folder):
        mirrors = list(path.glob("wandb/offline-run-*/run-*.wandb"))
        assert mirrors
        # The group, as its length and its letters.
        assert all(b"\x08day/time" in mirror.read_bytes() for mirror in mirrors)
    assert not workers_of(folder)


@pytest.mark.parametrize("launcher", LAUNCHERS, indirect=True)
def test_a_failed_job_costs_only_itself(
    launcher: tuple[str, ...], data_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "day" / "time"
    words = (*launcher, f"paths.data_dir={data_dir}", f"hydra.sweep.dir={folder}")
    sizes = "data.train_size=20,15,30"
    done = run("augment=none", sizes, *words, *small_but("train_size"), *QUIET, cwd=tmp_path)
    assert done.code == 1
    assert list(states(folder).values()) == ["COMPLETED", "FAILED", "COMPLETED"]
    assert "data.train_size=15" in read_status(run_folders(folder)[1])["error"]
    assert runs_csv(folder)["status"].tolist() == ["COMPLETED", "FAILED", "COMPLETED"]
    assert "Traceback" not in done.out + done.err


def test_fail_fast_starts_no_further_job(data_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "day" / "time"
    words = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1", "fail_fast=true")
    sizes = "data.train_size=15,20,30"
    places = (f"paths.data_dir={data_dir}", f"hydra.sweep.dir={folder}")
    done = run(
        "augment=none", sizes, *words, *places, *small_but("train_size"), *QUIET, cwd=tmp_path
    )
    assert done.code == 1
    assert list(states(folder).values()) == ["FAILED"]
    assert "0 of 3 jobs finished, 1 failed, 2 not started" in done.out


LONG = (*small_but("max_epochs"), "trainer.max_epochs=60", *QUIET)


@pytest.fixture(scope="module")
def long_serial(tmp_path_factory: pytest.TempPathFactory, data_dir: Path) -> Path:
    folder = tmp_path_factory.mktemp("long") / "day" / "time"
    places = (f"paths.data_dir={data_dir}", f"hydra.sweep.dir={folder}")
    assert run("augment=scale,crop,blur,none", *places, *LONG, cwd=folder.parents[1]).code == 0
    return folder


def kill_in_training(folder: Path, command: subprocess.Popen[str]) -> int:
    """SIGKILL the process that trains in a run folder, once it did some epochs."""
    deadline = time.monotonic() + 300
    while not (folder / "history.csv").exists():
        assert command.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    pid = int(read_status(folder)["pid"])
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.parametrize("launcher", LAUNCHERS, indirect=True)
def test_a_killed_worker_costs_its_job_and_a_resume_completes_it(
    launcher: tuple[str, ...], long_serial: Path, data_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "day" / "time"
    places = (f"paths.data_dir={data_dir}", f"hydra.sweep.dir={folder}")
    words = ("augment=scale,crop,blur,none", *launcher, *places, *LONG)
    command = start(*words, cwd=tmp_path)
    victim = folder / "1-crop-s1-seed0"
    pid = kill_in_training(victim, command)
    out, err = command.communicate(timeout=600)
    assert f"{victim.name}: its worker process was lost" in out, err
    assert "Traceback" not in out + err
    others = [one for one in run_folders(folder) if one != victim]
    assert all(read_record(one) for one in others)
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    if command.returncode == 1:
        assert read_status(victim)["state"] == "FAILED"
        assert "its worker process was lost" in page
    else:
        # Joblib gives all jobs up when one is lost; those that ran were repeated alone.
        assert "it comes last" in out
        assert command.returncode == 0
    resumed = run(*words, cwd=tmp_path)
    assert resumed.code == 0, resumed.err
    assert_same(folder, long_serial)
    assert read_status(victim)["pid"] != pid
