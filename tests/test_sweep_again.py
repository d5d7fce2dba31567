"""A sweep that is run again in its folder: what is there is kept. Each begins from a copy."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from auglens.records.maps import read_map
from tests.conftest import SMALL, Cli, Sweep
from tests.sweeps import QUIET, runs_csv, small_but, stamps, states


@pytest.fixture
def folder(sweep: Sweep, tmp_path: Path) -> Path:
    copied = tmp_path / "day" / "time"
    shutil.copytree(sweep.folder, copied)
    return copied


def test_the_same_sweep_trains_nothing(cli: Cli, folder: Path) -> None:
    before = stamps(folder, "record.json")
    maps, runs = (folder / "maps.csv").read_bytes(), (folder / "runs.csv").read_bytes()
    assert cli("-m", "augment=crop,none", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 0
    assert stamps(folder, "record.json") == before
    assert (folder / "maps.csv").read_bytes() == maps
    assert (folder / "runs.csv").read_bytes() == runs


def test_an_extended_sweep_trains_only_the_new_although_numbers_move(
    cli: Cli, folder: Path
) -> None:
    before = stamps(folder, "record.json")
    arguments = ("-m", "augment=crop,none", "seed=0,1", f"hydra.sweep.dir={folder}")
    assert cli(*arguments, *SMALL, *QUIET) == 0
    after = stamps(folder, "record.json")
    new = set(after) - set(before)
    assert {name.split("-", 1)[1] for name in new} == {"crop-s1-seed1", "none-s1-seed1"}
    assert {name: after[name] for name in before} == before
    assert states(folder)["2-none-s1-seed0"] == "REUSED"
    assert len(runs_csv(folder)) == 8
    assert runs_csv(folder)["identity"].is_unique


def test_folders_that_hold_each_others_records_are_no_obstacle(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "day" / "time"
    small = small_but("batch_size")
    for sizes in ("22,10", "10,22"):
        arguments = ("-m", "augment=none", f"data.batch_size={sizes}")
        assert cli(*arguments, f"hydra.sweep.dir={folder}", *small, *QUIET) == 0
    assert set(states(folder).values()) == {"COMPLETED"}
    assert len(runs_csv(folder)) == 2


def test_a_cross_product_over_strengths_trains_none_once(cli: Cli, folder: Path) -> None:
    before = set(stamps(folder, "record.json"))
    arguments = ("-m", "augment=crop,none", "augment.strength=0.5,1")
    assert cli(*arguments, f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 0
    new = set(stamps(folder, "record.json")) - before
    assert {name.split("-", 1)[1] for name in new} == {"crop-s0.5-seed0"}


def test_a_run_of_another_sweep_is_reused_by_identity(
    sweep: Sweep, cli: Cli, tmp_path: Path
) -> None:
    other = tmp_path / "day" / "other"
    arguments = ("-m", "augment=crop", f"hydra.sweep.dir={other}", f"reuse=[{sweep.folder}]")
    cli(*arguments, *SMALL, *QUIET)
    assert states(other) == {"0-crop-s1-seed0": "REUSED"}
    assert not stamps(other, "record.json")
    assert not stamps(other, "best.ckpt")


def test_a_missing_method_is_explained_from_the_checkpoint(cli: Cli, folder: Path) -> None:
    lacking = folder / "1-crop-s1-seed0"
    before = read_map(lacking, "gradient").maps
    (lacking / "saliency" / "gradient.npz").unlink()
    records, checkpoints = stamps(folder, "record.json"), stamps(folder, "best.ckpt")
    assert cli("-m", "augment=crop", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 0
    assert (read_map(lacking, "gradient").maps == before).all()
    assert stamps(folder, "record.json") == records
    assert stamps(folder, "best.ckpt") == checkpoints


def test_a_method_with_other_settings_is_explained_anew(cli: Cli, folder: Path) -> None:
    lacking = folder / "1-crop-s1-seed0"
    before = read_map(lacking, "gradient")
    # One channel: the sum keeps the sign that the maximum of absolutes drops.
    override = "saliency.methods.gradient.reduce=sum"
    assert cli("-m", "augment=crop", f"hydra.sweep.dir={folder}", override, *SMALL, *QUIET) == 0
    after = read_map(lacking, "gradient")
    assert after.settings["reduce"] == "sum"
    np.testing.assert_allclose(np.abs(after.maps), before.maps, rtol=1e-5, atol=1e-9)
    assert (after.maps < 0).any()
    table = pd.read_csv(folder / "maps.csv").query("method == 'gradient'")
    assert table.loc[table["augment"] == "crop", ["cc", "kl", "entropy"]].isna().all(axis=None)
    assert table.loc[table["augment"] == "blur", "cc"].notna().all()


def test_another_probe_is_refused_and_nothing_is_lost(
    cli: Cli, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    override = "saliency.methods.gradient.reduce=sum_abs"
    small = small_but("probe")
    arguments = ("-m", "augment=crop", f"hydra.sweep.dir={folder}", "probe.size=10", override)
    before = read_map(folder / "1-crop-s1-seed0", "gradient")
    assert cli(*arguments, *small, *QUIET) == 1
    assert "Use probe.size=20" in capsys.readouterr().out
    assert (read_map(folder / "1-crop-s1-seed0", "gradient").maps == before.maps).all()


def test_a_folder_that_holds_another_run_is_refused(
    cli: Cli, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = stamps(folder, "record.json")
    small = small_but("max_epochs")
    arguments = ("-m", "augment=scale", "trainer.max_epochs=1", f"hydra.sweep.dir={folder}")
    assert cli(*arguments, *small, *QUIET) == 1
    assert "holds the record of another run" in capsys.readouterr().out
    assert stamps(folder, "record.json") == before
