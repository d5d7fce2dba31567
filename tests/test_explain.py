"""The explain stage on finished runs: what it makes, keeps, refuses and says."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from auglens.explain import main
from auglens.records.identity import digest
from auglens.records.maps import read_map
from auglens.records.measures import measure_path, read_measure
from auglens.records.run import RunState, run_folders, write_status
from auglens.study.__main__ import main as study_main
from tests.conftest import REPOSITORY, SMALL, Cli, Sweep
from tests.sweeps import QUIET

METHODS = ("gradient", "gradcam", "random", "edge")
MEASURES = (
    "faithfulness",
    "infidelity",
    "sensitivity",
    "parameter_randomization",
    "affinity_diversity",
    "equivariance",
)
FEW_IMAGES = [
    f"measures.{name}.num_images=10"
    for name in ("infidelity", "sensitivity", "parameter_randomization", "equivariance")
]


@pytest.fixture
def folder(sweep: Sweep, tmp_path: Path) -> Path:
    """A copy of the finished sweep, two of its runs."""
    copied = tmp_path / "day" / "time"
    for name in ("1-crop-s1-seed0", "5-none-s1-seed0"):
        shutil.copytree(sweep.folder / name, copied / name)
    return copied


def explain(folder: Path, data_dir: Path, *overrides: str) -> int:
    torch.manual_seed(31)
    return main([f"sweep={folder}", f"data_dir={data_dir}", "figures=false", *overrides])


def stamps(folder: Path) -> dict[str, int]:
    files = [*folder.glob("*/saliency/*"), *folder.glob("*/measures/*"), *folder.glob("*/*.npz")]
    return {str(path): path.stat().st_mtime_ns for path in files}


def test_everything_from_checkpoints_once_and_into_the_tables(
    folder: Path, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = (f"saliency=[{','.join(METHODS)}]", f"measures=[{','.join(MEASURES)}]", *FEW_IMAGES)
    records = [(one / "record.json").read_bytes() for one in run_folders(folder)]
    assert explain(folder, data_dir, *overrides) == 0
    # 3 new methods, 5 measures of each of the 4 and one without, of two runs.
    assert "Made 48 files of maps and measures; 2 were there; 0 failed" in capsys.readouterr().out
    made = stamps(folder)
    assert explain(folder, data_dir, *overrides) == 0
    assert "Made 0 files" in capsys.readouterr().out
    assert stamps(folder) == made
    assert [(one / "record.json").read_bytes() for one in run_folders(folder)] == records
    assert study_main([f"sweep={folder}", f"out={tmp_path / 'out'}"]) == 0
    maps = pd.read_csv(tmp_path / "out" / "maps.csv").set_index(["run", "method"])
    crop = maps.loc["1-crop-s1-seed0"]
    assert crop["srg_black"].notna().groupby("method").sum()["random"] == 20
    assert crop["max_sensitivity"].notna().groupby("method").sum()["edge"] == 10
    # Edges are the same for every network, noise is drawn for each.
    np.testing.assert_array_equal(crop.loc["edge", "cc"], 1.0)
    assert np.abs(np.asarray(crop.loc["random", "cc"], np.float64)).max() < 0.2
    tables = {path.stem for path in (tmp_path / "out" / "report" / "tables").glob("*.csv")}
    assert {"parameter_randomization", "equivariance", "affinity_diversity", "agreement"} <= tables
    edge = read_measure(measure_path(folder / "1-crop-s1-seed0", "parameter_randomization", "edge"))
    assert edge.values["layers"] == ["linear", "conv2", "conv1"]
    assert edge.values["absolute"]["similarity"] == [[1.0] * 10] * 3
    affinity = read_measure(measure_path(folder / "5-none-s1-seed0", "affinity_diversity", None))
    assert (affinity.values["affinity"], affinity.values["diversity"]) == (1.0, 0.0)


def test_a_map_made_again_is_the_one_of_training_to_the_bit(folder: Path, data_dir: Path) -> None:
    before = {}
    for run in run_folders(folder):
        for method in ("gradient", "blur_perturbation"):
            before[run, method] = read_map(run, method)
            (run / "saliency" / f"{method}.npz").unlink()
    assert explain(folder, data_dir, "saliency=[gradient,blur_perturbation]") == 0
    for (run, method), first in before.items():
        again = read_map(run, method)
        assert again.maps.tobytes() == first.maps.tobytes()
        assert (again.hash, again.settings) == (first.hash, first.settings)


def test_other_settings_are_another_measure(folder: Path, data_dir: Path) -> None:
    path = measure_path(folder / "1-crop-s1-seed0", "faithfulness", "gradient")
    overrides = ("saliency=[gradient]", "measures=[faithfulness]")
    assert explain(folder, data_dir, *overrides) == 0
    first = read_measure(path)
    assert explain(folder, data_dir, *overrides, "measures.faithfulness.num_steps=7") == 0
    second = read_measure(path)
    assert first.hash != second.hash
    assert len(second.values["curves"]["black"]["most_important_first"]) == 8
    assert len(first.columns["srg_black"]) == len(second.columns["srg_black"]) == 20


def test_a_network_nobody_vouches_for_costs_its_run_only(
    folder: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "1-crop-s1-seed0" / "record.json"
    content: dict[str, Any] = json.loads(path.read_text())
    for part in ("inputs", "config"):
        content[part]["model"]["net"]["_target_"] = "tests.conftest.Cnn2"
    content["identity"] = digest(content["inputs"])
    del content["checksum"]
    path.write_text(json.dumps(content))
    assert explain(folder, data_dir, "saliency=[gradcam]") == 1
    said = capsys.readouterr().out
    assert "'tests.conftest.Cnn2'" in said
    assert "trust=tests.conftest" in said
    assert not (folder / "1-crop-s1-seed0" / "saliency" / "gradcam.npz").exists()
    assert (folder / "5-none-s1-seed0" / "saliency" / "gradcam.npz").exists()
    # Trusted, it is asked for and is not there: the user's own word counts.
    assert explain(folder, data_dir, "saliency=[gradcam]", "trust=tests.conftest") == 1
    assert "Cnn2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("best.ckpt", "best.ckpt cannot be loaded"),
        ("probe.npz", "probe.npz cannot be read"),
        ("history.csv", "history.csv cannot be read"),
    ],
)
def test_a_damaged_file_is_named(
    folder: Path, data_dir: Path, file: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "1-crop-s1-seed0" / file).write_bytes(b"damaged")
    code = explain(folder, data_dir, "saliency=[edge]", "measures=[affinity_diversity]")
    assert message in capsys.readouterr().out
    assert code == (0 if file == "history.csv" else 1)
    assert (folder / "5-none-s1-seed0" / "saliency" / "edge.npz").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        pytest.param([], "Which sweep?", id="no sweep"),
        pytest.param(["sweep=absent"], "no folder absent", id="missing folder"),
        pytest.param(["sweep=conf", "saliency=[gradiant]"], "gradient", id="misspelt method"),
        pytest.param(["sweep=conf", "measures=[faith]"], "faithfulness", id="misspelt measure"),
        pytest.param(["sweep=conf", "truts=x"], "Did you mean trust?", id="misspelt key"),
        pytest.param(["sweep=conf", "saliency=[]"], "Nothing to do", id="nothing to do"),
        pytest.param(["sweep=conf", "trust=null"], "trust is a list", id="no trust"),
        pytest.param(["sweep=conf", "data_dir=null"], "data_dir is a folder", id="no data folder"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(
    overrides: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(overrides) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_setting_that_no_measure_has_is_one_line(
    folder: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = ("measures=[faithfulness]", "+measures.faithfulness.pink=1")
    assert explain(folder, data_dir, *overrides) == 1
    error = capsys.readouterr().err
    assert "pink" in error
    assert error.count("\n") == 1


def test_measures_of_maps_need_a_method(
    folder: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = "measures=[faithfulness,affinity_diversity]"
    assert explain(folder, data_dir, "saliency=[]", wanted) == 1
    assert capsys.readouterr().err == "Of which maps? faithfulness need saliency=[<method>,...].\n"


def test_a_file_without_its_package_line_is_named(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "saliency").mkdir()
    text = (REPOSITORY / "conf" / "saliency" / "gradient.yaml").read_text()
    (tmp_path / "saliency" / "mine.yaml").write_text(text.split("\n", 1)[1])
    arguments = (f"--config-dir={tmp_path}", "augment=none", "saliency=mine")
    assert cli("-m", *arguments, f"hydra.sweep.dir={tmp_path / 's' / 't'}", *SMALL, *QUIET) == 1
    assert "# @package saliency.methods.<name>" in capsys.readouterr().out


def test_a_method_that_does_not_fit_a_model_costs_nothing_else(
    folder: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layer = "saliency.methods.gradcam.layer=null"
    assert explain(folder, data_dir, "saliency=[gradcam,edge]", layer) == 1
    assert "model.cam_layer" in capsys.readouterr().out
    for run in run_folders(folder):
        assert (run / "saliency" / "edge.npz").exists()
        assert not (run / "saliency" / "gradcam.npz").exists()


def test_no_complete_run_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"sweep={tmp_path}"]) == 1
    assert "No complete run" in capsys.readouterr().out


def test_a_reused_sweep_gets_what_it_lacks_and_keeps_what_it_has(
    sweep: Sweep, cli: Cli, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = tmp_path / "first" / "time"
    shutil.copytree(sweep.folder / "1-crop-s1-seed0", original / "1-crop-s1-seed0")
    other = tmp_path / "second" / "time"
    reuse = f"reuse=[{original}]"
    arguments = ("augment=crop", reuse, f"hydra.sweep.dir={other}")
    assert cli("-m", *arguments, *SMALL, *QUIET) == 0
    assert explain(other, data_dir, reuse, "saliency=[edge]") == 0
    assert (original / "1-crop-s1-seed0" / "saliency" / "edge.npz").exists()
    capsys.readouterr()
    assert (
        explain(other, data_dir, reuse, "saliency=[edge]", "saliency.methods.edge.reduce=sum") == 1
    )
    assert "belongs to a reused sweep" in capsys.readouterr().out


def test_maps_and_measures_of_a_reused_sweep_are_not_replaced_nor_confused(
    sweep: Sweep, cli: Cli, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = tmp_path / "first" / "time"
    shutil.copytree(sweep.folder / "1-crop-s1-seed0", original / "1-crop-s1-seed0")
    path = measure_path(original / "1-crop-s1-seed0", "faithfulness", "gradient")
    other = tmp_path / "second" / "time"
    reuse = f"reuse=[{original}]"
    arguments = ("augment=crop", reuse, f"hydra.sweep.dir={other}")
    assert cli("-m", *arguments, *SMALL, *QUIET) == 0
    measured = ("saliency=[gradient]", "measures=[faithfulness]")
    capsys.readouterr()
    # Maps of other settings are refused, and so are measures that would speak of them.
    assert explain(other, data_dir, reuse, *measured, "saliency.methods.gradient.reduce=sum") == 1
    assert "with other settings" in capsys.readouterr().out
    assert not path.exists()
    assert explain(original, data_dir, *measured) == 0
    before = path.read_bytes()
    assert explain(other, data_dir, reuse, *measured) == 0
    assert (
        explain(other, data_dir, reuse, *measured, "measures.faithfulness.substrates=[mean]") == 1
    )
    assert "was measured otherwise" in capsys.readouterr().out
    assert path.read_bytes() == before


def test_unfinished_runs_are_left_out_and_said(
    folder: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "1-crop-s1-seed0" / "record.json").unlink()
    write_status(folder / "1-crop-s1-seed0", RunState.FAILED, error="x")
    assert explain(folder, data_dir, "saliency=[edge]") == 0
    assert "left out: 1-crop-s1-seed0 is FAILED" in capsys.readouterr().out
    assert not (folder / "1-crop-s1-seed0" / "saliency" / "edge.npz").exists()


def test_an_interrupt_is_one_line(
    folder: Path,
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("auglens.stage.explain_sweep", interrupted)
    assert explain(folder, data_dir, "saliency=[edge]") == 130
    assert "the same command goes on" in capsys.readouterr().err


@pytest.mark.parametrize("layer", ["${oc.env:AUGLENS_SECRET}", 3])
def test_a_recorded_layer_is_plain_text(
    folder: Path,
    data_dir: Path,
    layer: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AUGLENS_SECRET", "s3cret")
    path = folder / "1-crop-s1-seed0" / "record.json"
    content: dict[str, Any] = json.loads(path.read_text())
    content["config"]["model"]["cam_layer"] = layer
    del content["checksum"]
    path.write_text(json.dumps(content))
    assert explain(folder, data_dir, "saliency=[gradcam]") == 1
    said = capsys.readouterr().out
    assert "s3cret" not in said
    assert "FAILED  1-crop-s1-seed0" in said
    assert (folder / "5-none-s1-seed0" / "saliency" / "gradcam.npz").exists()


def test_generated_colour_images_of_unequal_classes_are_measured(
    cli: Cli, data_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "day" / "time"
    code = cli(
        "-m",
        f"--config-dir={REPOSITORY / 'tests' / 'conf'}",
        "dataset=generated",
        "augment=crop,none",
        "data.train_size=28",
        "data.steps_per_epoch=3",
        "data.batch_size=30",
        "probe.size=14",
        "trainer.max_epochs=1",
        f"hydra.sweep.dir={folder}",
        *QUIET,
    )
    assert code == 0
    overrides = (f"saliency=[{','.join(METHODS)}]", f"measures=[{','.join(MEASURES)}]", *FEW_IMAGES)
    # The loader of this data set is the tests' own.
    assert explain(folder, data_dir, *overrides, "trust=tests.generated_images") == 0
    assert study_main([f"sweep={folder}"]) == 0
    maps = pd.read_csv(folder / "maps.csv")
    # A Grad-CAM with nothing positive is all zero, hence undefined.
    assert maps.loc[maps["method"] != "gradcam", "srg_blur"].notna().all()
    assert maps["foreground_auc"].isna().all()
