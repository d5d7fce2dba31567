"""A study of a damaged folder loses what is damaged, says so, and keeps all the rest."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from auglens.records.files import write_json
from auglens.study import Study, build_study
from auglens.study.pages import render_results
from tests.study.conftest import MEASURING
from tests.study.damage import mutilate
from tests.study.generated_sweep import write_trusted_sweep

NUM_RUNS = 4
FOLDERS = 60
MANY_FOLDERS = 300


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep as training leaves it, word of its jobs included."""
    sweep = tmp_path_factory.mktemp("whole") / "sweep"
    write_trusted_sweep(sweep, augments=("crop", "none"), seeds=(0, 1))
    for run in sorted(sweep.iterdir()):
        write_json(sweep / ".jobs" / f"{run.name}.json", {"state": "COMPLETED", "wanted": {}})
    return sweep


@pytest.fixture
def tables_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take nearly all of a report's time; here tables and words are enough."""

    def write(findings: Any, folder: Path, *_: object) -> Path:  # noqa: ANN401
        results = render_results(findings, [], commands=[], file_name=lambda *_: "")
        (folder / "results.md").parent.mkdir(parents=True, exist_ok=True)
        (folder / "results.md").write_text(results, encoding="utf-8")
        write_json(folder / "summary.json", {"absences": dict(findings.absences)})
        return folder / "report.html"

    monkeypatch.setattr("auglens.study.build.write_report", write)


def rows_of(study: Study, run: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A run's own numbers; what compares it with another run is not among them."""
    compared = ["cc", "kl", "kl_reverse", "sim", "js", "spearman"]
    maps = study.maps[study.maps["run"] == run]
    own = [name for name in maps if name not in compared and not maps[name].isna().all()]
    own = [
        name for name in own if name in maps.columns[:8] or name in ("entropy", "gini", "srg_black")
    ]
    runs = study.runs[study.runs["run"] == run].drop(columns="folder")
    return runs.reset_index(drop=True), maps[own].reset_index(drop=True)


def alike(one: tuple[pd.DataFrame, ...], other: tuple[pd.DataFrame, ...]) -> bool:
    return all(left.equals(right) for left, right in zip(one, other, strict=True))


def said_of(study: Study) -> str:
    path = study.report.parent / "summary.json"
    return json.dumps(json.loads(path.read_text(encoding="utf-8"))["absences"])


def check_many(whole: Path, tmp_path: Path, seeds: range) -> Counter[str]:
    expected = build_study([whole], out=tmp_path / "expected", **MEASURING)
    names = sorted(path.name for path in whole.iterdir() if path.name != ".jobs")
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        folder = tmp_path / str(seed) / "sweep"
        shutil.copytree(whole, folder)
        harmed, how = mutilate(folder, seed)
        study = build_study([folder], out=tmp_path / str(seed) / "out", **MEASURING)
        for name in names:
            same = alike(rows_of(study, name), rows_of(expected, name))
            named = harmed in said_of(study)
            # Nothing says that a run was measured but the file itself.
            forged = how.startswith(("forge_json", "delete measures/"))
            assert same or (name == harmed and (named or forged)), (
                f"seed {seed}: {how} of {harmed}: {name}"
            )
            if name == harmed:
                outcomes["named" if named else "unharmed" if same else "not to be known"] += 1
        shutil.rmtree(tmp_path / str(seed))
    return outcomes


@pytest.mark.usefixtures("tables_only")
def test_what_is_damaged_is_named_and_all_other_rows_stay(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = check_many(whole, tmp_path, range(FOLDERS))
    assert outcomes["named"] > FOLDERS / 2
    with capsys.disabled():
        print(f"\n{FOLDERS} mutilated folders: {dict(outcomes)}")  # noqa: T201


@pytest.mark.long
@pytest.mark.usefixtures("tables_only")
def test_what_is_damaged_is_named_of_many_folders(whole: Path, tmp_path: Path) -> None:
    outcomes = check_many(whole, tmp_path, range(FOLDERS, FOLDERS + MANY_FOLDERS))
    assert outcomes["named"] > MANY_FOLDERS / 2
    print(f"{MANY_FOLDERS} mutilated folders: {dict(outcomes)}")  # noqa: T201
