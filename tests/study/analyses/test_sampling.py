import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auglens.study import Study, build_study
from auglens.study.analyses import sampling
from auglens.study.analyses.sampling import FEWEST_SEEDS, SAMPLED, sample_runs, sampled
from auglens.study.conditions import seeds_of
from auglens.study.csv_files import read_csv
from auglens.study.load import Run
from tests.study.analyses.test_pairing import group_of, make_run
from tests.study.conftest import MEASURING
from tests.study.planted_sweep import write_planted

# What rests on pairs of runs; everything else rests on all runs.
OF_PAIRS = {"floors", "shifts", "permanova", "classifier", "scaling", "shift_trends"}
LIMIT, NUM_SEEDS, AUGMENTS = 24, 12, ("crop", "blur", "none")


def crossed(num_seeds: int, *augments: str) -> list[Run]:
    return [make_run(augment, seed=seed) for seed in range(num_seeds) for augment in augments]


def limit(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(sampling, "MOST_RUNS", most)


def names_of(runs: tuple[Run, ...]) -> list[str]:
    return [run.name for run in runs]


def test_all_runs_take_part_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = crossed(20, "crop", "none")
    limit(monkeypatch, 40)
    assert sample_runs(group_of(runs), runs) == tuple(runs)


def test_whole_seeds_are_drawn_and_every_set_keeps_its_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Half of the seeds lack blur, and the last one all but crop.
    runs = [run for run in crossed(40, "crop", "none", "blur") if not _lacks_blur(run)]
    runs.append(make_run("crop", seed=99))
    limit(monkeypatch, 50)
    kept = sample_runs(group_of(runs), runs)
    assert 45 <= len(kept) <= 50
    seeds = {seeds_of(run) for run in kept}
    assert list(kept) == [run for run in runs if seeds_of(run) in seeds]
    of_all = Counter(run.record.augment for run in runs)
    for augment, count in Counter(run.record.augment for run in kept).items():
        # To one seed of each of the three kinds of seeds.
        assert count == pytest.approx(of_all[augment] * 50 / len(runs), abs=3)


def _lacks_blur(run: Run) -> bool:
    return run.record.augment == "blur" and seeds_of(run)[0] % 2 == 1


def test_the_draw_depends_on_the_seeds_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = crossed(30, "crop", "none")
    limit(monkeypatch, 20)
    kept = sample_runs(group_of(runs), runs)
    turned = sample_runs(group_of(runs[::-1]), runs[::-1])
    assert len(kept) == 20
    assert names_of(turned) == names_of(kept)[::-1]
    # Not the first ones: seeds may be in an order that means something.
    assert {seeds_of(run)[0] for run in kept} != set(range(10))


def test_as_many_seeds_are_kept_as_a_test_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = crossed(12, "crop", "none", "blur", "erase")
    limit(monkeypatch, 8)
    kept = sample_runs(group_of(runs), runs)
    assert len({seeds_of(run) for run in kept}) == FEWEST_SEEDS
    few = crossed(3, "crop", "none", "blur", "erase")
    assert sample_runs(group_of(few), few) == tuple(few)


def test_the_kinds_of_floors_keep_their_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [make_run("none", seed=seed, data=0, init=0) for seed in range(1, 21)]
    inits = [make_run("none", seed=seed, data=0) for seed in range(1, 21)]
    runs = [*crossed(20, "crop", "none"), *orders, *inits]
    group = group_of(runs)
    assert len(group.floor_runs) == 40
    limit(monkeypatch, 40)
    kept = {run.name for run in sample_runs(group, runs)}
    found = [sum(run.name in kept for run in part) for part in (orders, inits)]
    np.testing.assert_allclose(found, 10, atol=1)


def test_a_sample_is_said_once_and_nothing_without_one() -> None:
    said = "24 of 36 runs, sampled"
    assert sampled(pd.DataFrame({SAMPLED: [said, said, np.nan]})) == said
    assert sampled({SAMPLED: said}) == said
    assert sampled({SAMPLED: np.nan}) == sampled({}) == sampled(pd.DataFrame()) == ""


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("multirun") / "sweep"
    return write_planted(folder, augments=AUGMENTS, seeds=NUM_SEEDS)


@pytest.fixture(scope="module")
def whole(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return build_study([sweep], out=tmp_path_factory.mktemp("whole"), **MEASURING)


@pytest.fixture(scope="module")
def part(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    with pytest.MonkeyPatch.context() as monkeypatch:
        limit(monkeypatch, LIMIT)
        return build_study([sweep], out=tmp_path_factory.mktemp("part"), **MEASURING)


def table_names(study: Study) -> set[str]:
    return {path.stem for path in (study.report.parent / "tables").glob("*.csv")}


def table(study: Study, name: str) -> pd.DataFrame:
    return read_csv(study.report.parent / "tables" / f"{name}.csv")


def test_what_needs_no_pairs_is_the_same_as_without_a_sample(whole: Study, part: Study) -> None:
    pd.testing.assert_frame_equal(part.maps, whole.maps)
    pd.testing.assert_frame_equal(part.table1, whole.table1)
    others = table_names(whole) - OF_PAIRS
    assert table_names(part) - OF_PAIRS == others | {"left_out"}
    assert {"metrics", "differences", "consensus", "exploratory"} <= others
    for name in others:
        pd.testing.assert_frame_equal(table(part, name), table(whole, name))


def test_what_needs_pairs_is_that_of_the_sampled_runs_alone(
    sweep: Path, part: Study, tmp_path: Path
) -> None:
    names = set(table(part, "scaling")["run"])
    assert len(names) == LIMIT
    for name in names:
        shutil.copytree(sweep / name, tmp_path / name)
    alone = build_study([tmp_path], out=tmp_path, **MEASURING)
    for name in OF_PAIRS & table_names(part):
        found = table(part, name).drop(columns=SAMPLED)
        pd.testing.assert_frame_equal(found, table(alone, name))


def test_a_sample_is_said_beside_every_number_that_rests_on_it(whole: Study, part: Study) -> None:
    said = f"{LIMIT} of {NUM_SEEDS * len(AUGMENTS)} runs, sampled"
    for name in OF_PAIRS & table_names(part):
        assert set(table(part, name)[SAMPLED]) == {said}
        assert SAMPLED not in table(whole, name)
    results = (part.report.parent / "results.md").read_text()
    rows = dict(re.findall(r"^\| ([CH]\d\w?) (.*)$", results, re.MULTILINE))
    assert all(said in rows[claim] for claim in ("C6", "H2"))
    captions = dict(re.findall(r"^\*Figure (\d+)(.*)$", results, re.MULTILINE))
    assert all(said in captions[number] for number in ("14", "16"))
    summary = (part.report.parent / "summary.json").read_text()
    assert summary.count(said) > len(OF_PAIRS & table_names(part))
    page = part.report.read_text()
    assert f"Single seeds are those of {said}" in page
    for name in ("results.md", "summary.json", "report.html"):
        assert "runs, sampled" not in (whole.report.parent / name).read_text()
