"""SIGKILL at any moment of a sweep: the same command in the same folder ends in the same results."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from auglens.records.files import read_arrays
from auglens.records.run import read_status, run_folders
from tests.conftest import REPOSITORY, SMALL, Cli

# https://github.com/Lightning-AI/pytorch-lightning/issues/21326
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")

SEED = 20240229
NUM_MOMENTS, IN_EVERY_TEST_RUN = 10, 3
LONGEST_S = 240
COMMAND = (
    "-m",
    "augment=crop,none",
    *(word for word in SMALL if "max_epochs" not in word),
    # The run lasts long enough to be hit, and the report is part of what is hit.
    "trainer.max_epochs=12",
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


def weights(run: Path) -> dict[str, bytes]:
    state = torch.load(run / "best.ckpt", weights_only=True)["state_dict"]
    return {name: value.numpy().tobytes() for name, value in state.items()}


def differences(one: Path, other: Path) -> list[str]:
    """Names of everything but times that two sweeps do not share bit by bit."""
    found = []
    runs = [pd.read_csv(sweep / "runs.csv").drop(columns="seconds") for sweep in (one, other)]
    if not runs[0].equals(runs[1]):
        found.append("runs.csv")
    if (one / "maps.csv").read_bytes() != (other / "maps.csv").read_bytes():
        found.append("maps.csv")
    names = [{run.name for run in run_folders(sweep)} for sweep in (one, other)]
    if names[0] != names[1]:
        return [*found, "run folders"]
    for name in sorted(names[0]):
        if weights(one / name) != weights(other / name):
            found.append(f"{name}/best.ckpt")
        histories = [
            pd.read_csv(sweep / name / "history.csv").drop(columns="seconds")
            for sweep in (one, other)
        ]
        if not histories[0].equals(histories[1]):
            found.append(f"{name}/history.csv")
        for path in ("probe.npz", "samples.npz", "saliency/gradient.npz"):
            arrays = [read_arrays(sweep / name / path) for sweep in (one, other)]
            if not _equal(arrays[0], arrays[1]):
                found.append(f"{name}/{path}")
    return found


def _equal(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:  # type: ignore[type-arg]
    return set(one) == set(other) and all(
        one[name].dtype == other[name].dtype and (one[name] == other[name]).all() for name in one
    )


def moments() -> list[object]:
    """When to kill, as a fraction of the undisturbed sweep; every second sweep resumes in runs."""
    drawn: Sequence[float] = np.random.default_rng(SEED).uniform(0, 1, NUM_MOMENTS).tolist()
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
    options = (f"paths.resume={str(resume).lower()}", f"hydra.sweep.dir={folder}")
    assert cli(*COMMAND, *options) == 0, fell
    assert differences(folder, undisturbed.folder) == [], fell
    leftovers = [str(path) for run in run_folders(folder) for path in run.rglob("*.part")]
    assert not leftovers, fell
    states = {run.name: read_status(run)["state"] for run in run_folders(folder)}
    assert set(states.values()) == {"COMPLETED"}, fell


def test_two_different_sweeps_are_told_apart(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """The comparison above can fail."""
    copied = tmp_path / "other"
    for name in ("runs.csv", "maps.csv"):
        (tmp_path / "other").mkdir(exist_ok=True)
        (copied / name).write_bytes((undisturbed.folder / name).read_bytes() + b"1\n")
    assert {"runs.csv", "maps.csv"} <= set(differences(copied, undisturbed.folder))
