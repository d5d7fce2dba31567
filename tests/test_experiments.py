"""The designs of conf/experiment: how many jobs they are, and what differs between their runs."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from auglens.records.identity import digest, identity_inputs
from auglens.study.analyses.shifts import ALL, INIT, ORDER
from auglens.sweep_folder import SweepFolder
from tests.conftest import REPOSITORY, SMALL, Cli


@pytest.fixture
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        yield
    GlobalHydra.instance().clear()


def jobs(*overrides: str) -> list[list[str]]:
    """Overrides of every job, multiplied out here and not by Hydra's sweeper."""
    cfg = compose("train", overrides=list(overrides[:1]), return_hydra_config=True)
    params = [f"{key}={values}" for key, values in (cfg.hydra.sweeper.params or {}).items()]
    choices: dict[str, list[str]] = {}
    for one in OverridesParser.create().parse_overrides([*params, *overrides]):
        key = one.get_key_element()
        swept = one.is_sweep_override()
        values = one.sweep_string_iterator() if swept else [one.get_value_element_as_str()]
        choices[key] = [f"{key}={value}" for value in values]
    return [list(job) for job in itertools.product(*choices.values())]


def identities(*overrides: str) -> set[str]:
    found = set()
    for job in jobs(*overrides):
        plain: Any = OmegaConf.to_container(compose("train", overrides=job), resolve=True)
        found.add(digest(identity_inputs(plain, accelerator="cpu", world_size=1)))
    return found


@pytest.mark.usefixtures("_hydra")
def test_seeds_are_seven_training_sets_with_ten_seeds() -> None:
    found = jobs("experiment=seeds")
    assert len(found) == 70
    assert {job[0] for job in found} == {
        f"augment={name}"
        for name in ("scale", "crop", "erase", "distort", "blur", "duplicate", "none")
    }
    # What is said on the command line wins.
    assert len(jobs("experiment=seeds", "seed=0,1,2")) == 21


@pytest.mark.usefixtures("_hydra")
def test_strengths_have_one_baseline_a_seed() -> None:
    two_seeds = ("experiment=strength", "seed=0,1")
    assert len(jobs("experiment=strength")) == 6 * 6 * 8
    assert len(jobs(*two_seeds)) == 72
    # Five augmentations at six strengths, and none, which has no strength.
    assert len(identities(*two_seeds)) == 2 * (5 * 6 + 1)


@pytest.mark.usefixtures("_hydra")
def test_strength_1_and_the_baselines_are_runs_of_the_seeds() -> None:
    shared = identities("experiment=seeds", "seed=0") & identities("experiment=strength", "seed=0")
    assert len(shared) == 6


def test_floors_are_trained_compared_and_counted(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "day" / "floors"
    code = cli(
        "-m",
        "experiment=floor_order,floor_init,floor_all",
        "seed=range(3)",
        f"hydra.sweep.dir={folder}",
        *SMALL,
        "logger=none",
        "figures=false",
    )
    assert code == 0
    said = capsys.readouterr().out
    assert f"9 jobs in {folder}" in said
    assert "9/9" in said
    assert SweepFolder.clock is not None
    runs = pd.read_csv(folder / "runs.csv")
    # Seed 0 is the same run in all three.
    assert len(runs) == 7
    floors = pd.read_csv(folder / "report" / "tables" / "floors.csv")
    pairs = floors[floors["measure"] == "cc"].set_index("floor")["n_pairs"].to_dict()
    # floor_order and floor_init share the order of a seed, so such a pair is no floor.
    assert pairs == {ORDER: 3, INIT: 3 + 2, ALL: 3}
    table1 = pd.read_csv(folder / "report" / "tables" / "table1.csv")
    assert table1["n"].tolist() == [3]
