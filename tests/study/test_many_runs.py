"""A sweep of two thousand runs: what its study takes, and what it says of its sample."""

import json
import re
from pathlib import Path

import pytest

from auglens.study.csv_files import read_csv
from benchmarks.process import run_python
from benchmarks.study import STRENGTH_CONDITIONS, write_runs

NUM_RUNS, NUM_PROBE = 2_000, 50
MOST_MIB = 4 * 1024
MOST_PAGE_BYTES = 15_000_000
MOST_LINES_OF_PROGRESS = 8


@pytest.mark.long
def test_two_thousand_runs_fit_into_memory_and_their_sample_is_said(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    write_runs(sweep, STRENGTH_CONDITIONS, num_runs=NUM_RUNS, num_probe=NUM_PROBE)
    used = run_python("-m", "auglens.study", f"sweep={sweep}")
    assert used.memory_mb < MOST_MIB
    report = sweep / "report"
    assert (report / "report.html").stat().st_size < MOST_PAGE_BYTES
    assert len(read_csv(sweep / "maps.csv")) == NUM_RUNS * NUM_PROBE
    assert len(read_csv(report / "tables" / "consensus.csv")) == NUM_RUNS
    (said,) = read_csv(report / "tables" / "permanova.csv")["sampled"].unique()
    found = re.fullmatch(rf"(\d+) of {NUM_RUNS} runs, sampled", said)
    assert found is not None
    assert 1000 - len(STRENGTH_CONDITIONS) < int(found[1]) <= 1000
    (group,) = json.loads((report / "summary.json").read_text())["groups"]
    assert {row["sampled"] for row in group["tables"]["shifts"]} == {said}
    assert said in (report / "report.html").read_text()
    progress, _ = used.output.split("Table 1", 1)
    assert len(progress.splitlines()) <= MOST_LINES_OF_PROGRESS
