"""Small sweeps of the tests, and what they leave."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from auglens.records.run import read_status, run_folders
from tests.conftest import SMALL

__all__ = ["QUIET", "RunSweep", "runs_csv", "small_but", "stamps", "states"]

QUIET = ("logger=none", "figures=false")

RunSweep = Callable[..., int]
"""Runs a small, quiet sweep of these overrides into a folder; its exit code."""


def small_but(*keys: str) -> list[str]:
    """The overrides that make a run small, without those of these keys."""
    return [word for word in SMALL if not any(key in word for key in keys)]


def states(sweep: Path) -> dict[str, str]:
    """State of each run of a sweep, by the name of its folder."""
    return {folder.name: read_status(folder)["state"] for folder in run_folders(sweep)}


def runs_csv(sweep: Path) -> pd.DataFrame:
    """The table of a sweep's runs."""
    return pd.read_csv(sweep / "runs.csv")


def stamps(sweep: Path, name: str) -> dict[str, int]:
    """When the file of this name was written, by the name of its run folder."""
    return {path.parent.name: path.stat().st_mtime_ns for path in sweep.glob(f"*/{name}")}
