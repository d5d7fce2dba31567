"""SIGKILL at any moment of a sweep: the same command in the same folder ends in the same results."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from auglens.records.arrays import read_arrays
from auglens.records.run import read_status, run_folders
from tests.conftest import REPOSITORY, SMALL, Cli

SEED = 20240229
NUM_MOMENTS, IN_EVERY_TEST_RUN = 10, 3
LONGEST_S = 240
COMMAND = (
    "-m",
    "augment=crop,none",
    *(word for word in SMALL if "max_epochs" not in word),
    # The run lasts long enough to be hit, and the report is part of what is hit.
    "trainer.max_epochs=40",
    "logger=none",
    "figures=false",
)


@dataclass(frozen=True)
class Undisturbed:
    """A sweep that nothing happened to.

    Attributes:
        folder: Of the sweep.
        seconds: From its first job to its end.
    """

    folder: Path
    seconds: float


def started(folder: Path, data_dir: Path, *overrides: str) -> subprocess.Popen[bytes]:
    """The sweep in a process of its own, at the moment when its first job begins."""
    arguments = (*COMMAND, *overrides, f"hydra.sweep.dir={folder}", f"paths.data_dir={data_dir}")
    process = subprocess.Popen(
        [sys.executable, REPOSITORY / "train.py", *arguments],
        cwd=data_dir,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HYDRA_FULL_ERROR": "1"},
    )
    deadline = time.monotonic() + LONGEST_S
    while not (folder / ".jobs").exists() and process.poll() is None:
        assert time.monotonic() < deadline, "The sweep does not start."
        time.sleep(0.005)
    return process


@pytest.fixture(scope="module")
def undisturbed(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed") / "day" / "time"
    process = started(folder, data_dir)
    begun = time.monotonic()
    assert process.wait(LONGEST_S) == 0
    return Undisturbed(folder, time.monotonic() - begun)


def phase(folder: Path) -> str:
    """How far a killed sweep came, for people who read a failure."""
    runs = [
        f"{run.name} {read_status(run).get('state')}, "
        f"{len((run / 'history.csv').read_text().splitlines()) - 1} epochs"
        if (run / "history.csv").exists()
        else f"{run.name} before its training"
        for run in run_folders(folder)
    ]
    return "; ".join([*runs, "report begun" if (folder / "report").exists() else "no report"])


def contents(run: Path) -> dict[str, object]:
    """All of a run's files that hold results, as plain values without times."""
    state = torch.load(run / "best.ckpt", weights_only=True)["state_dict"]
    found: dict[str, object] = {
        "best.ckpt": {name: value.numpy().tobytes() for name, value in state.items()},
        "history.csv": pd.read_csv(run / "history.csv").drop(columns="seconds").to_csv(),
    }
    for path in ("probe.npz", "samples.npz", "saliency/gradient.npz"):
        arrays = read_arrays(run, *path.split("/"))
        found[path] = {name: (str(one.dtype), one.tobytes()) for name, one in arrays.items()}
    return found


def differences(one: Path, other: Path) -> list[str]:
    """Names of everything but times that two sweeps do not share bit by bit."""
    found = []
    runs = [pd.read_csv(sweep / "runs.csv").drop(columns="seconds") for sweep in (one, other)]
    if not runs[0].equals(runs[1]):
        found.append("runs.csv")
    if (one / "maps.csv").read_bytes() != (other / "maps.csv").read_bytes():
        found.append("maps.csv")
    mine, theirs = ({run.name: run for run in run_folders(sweep)} for sweep in (one, other))
    if set(mine) != set(theirs):
        return [*found, "run folders"]
    for name in sorted(mine):
        held, wanted = contents(mine[name]), contents(theirs[name])
        found += [f"{name}/{path}" for path in wanted if held[path] != wanted[path]]
    return found


def moments() -> list[object]:
    """When to kill, as a fraction of the undisturbed sweep; every second sweep resumes in runs.

    One moment at random in each tenth of the sweep, in random order.
    """
    random = np.random.default_rng(SEED)
    tenths = random.permutation(NUM_MOMENTS)
    drawn = ((tenths + random.uniform(size=NUM_MOMENTS)) / NUM_MOMENTS).tolist()
    return [
        pytest.param(
            fraction,
            index % 2 == 0,
            id=f"{fraction:.3f}-{'resume' if index % 2 == 0 else 'anew'}",
            marks=[] if index < IN_EVERY_TEST_RUN else [pytest.mark.long],
        )
        for index, fraction in enumerate(drawn)
    ]


@pytest.mark.parametrize(("fraction", "resume"), moments())
def test_a_killed_sweep_ends_as_an_undisturbed_one(
    undisturbed: Undisturbed,
    cli: Cli,
    data_dir: Path,
    tmp_path: Path,
    fraction: float,
    resume: bool,
) -> None:
    folder = tmp_path / "day" / "time"
    process = started(folder, data_dir, f"paths.resume={str(resume).lower()}")
    time.sleep(fraction * undisturbed.seconds)
    process.send_signal(signal.SIGKILL)
    process.wait(LONGEST_S)
    fell = phase(folder)
    sys.stdout.write(f"Killed at {fraction:.3f}: {fell}\n")
    options = (f"paths.resume={str(resume).lower()}", f"hydra.sweep.dir={folder}")
    assert cli(*COMMAND, *options) == 0, fell
    assert differences(folder, undisturbed.folder) == [], fell
    leftovers = [str(path) for run in run_folders(folder) for path in run.rglob("*.part")]
    assert not leftovers, fell
    states = {run.name: read_status(run)["state"] for run in run_folders(folder)}
    assert set(states.values()) == {"COMPLETED"}, fell


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_an_interrupted_process_says_so_and_its_run_goes_on(
    undisturbed: Undisturbed,
    cli: Cli,
    data_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    folder = tmp_path / "day" / "time"
    process = started(folder, data_dir, "paths.resume=true")
    first = folder / "0-crop-s1-seed0"
    while not (first / "last.ckpt").exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(number)
    assert process.wait(LONGEST_S) == code
    assert read_status(first)["state"] == "INTERRUPTED"
    assert cli(*COMMAND, "paths.resume=true", f"hydra.sweep.dir={folder}") == 0
    assert "0-crop-s1-seed0 goes on after epoch" in capsys.readouterr().out
    assert differences(folder, undisturbed.folder) == []


def test_two_different_sweeps_are_told_apart(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """The comparison above can fail."""
    copied = tmp_path / "other"
    for name in ("runs.csv", "maps.csv"):
        (tmp_path / "other").mkdir(exist_ok=True)
        (copied / name).write_bytes((undisturbed.folder / name).read_bytes() + b"1\n")
    assert {"runs.csv", "maps.csv"} <= set(differences(copied, undisturbed.folder))
