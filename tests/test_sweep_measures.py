"""What train.py does with measures: before training, at the sweep's end, and for a single run."""

from pathlib import Path

import pandas as pd
import pytest

from auglens.measures.faithfulness import Faithfulness
from auglens.measures.measure import Outcome
from auglens.records.jobs import note_job, notes_since
from auglens.records.measures import measure_path, read_measure
from auglens.records.run import RunState, read_record, run_folders
from tests.conftest import REPOSITORY, SMALL, Cli
from tests.sweeps import QUIET


def test_measures_of_a_sweep_its_twins_and_a_single_run(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "day" / "time"
    small = [word for word in SMALL if "max_epochs" not in word]
    common = (f"hydra.sweep.dir={folder}", *small, *QUIET, "trainer.max_epochs=2")
    assert cli("-m", "augment=crop,none", "measures=[faithfulness]", *common) == 0
    assert pd.read_csv(folder / "maps.csv")["srg_mean"].notna().all()
    # The twins are not measured themselves; the runs are reused, and measured with their help.
    twins = ("experiment=label_randomization", "augment=crop")
    assert cli("-m", *twins, "measures=[faithfulness]", *common) == 0
    again = ("augment=crop", "measures=[label_randomization]")
    assert cli("-m", *again, f"hydra.sweep.dir={folder}", *small, *QUIET, common[-1]) == 0
    names = [run.name for run in run_folders(folder)]
    assert "0-permuted-crop-s1-seed0" in names
    found = read_measure(
        measure_path(folder / "0-crop-s1-seed0", "label_randomization", "gradient")
    )
    twin = read_record(folder / "0-permuted-crop-s1-seed0")
    assert not (folder / "0-permuted-crop-s1-seed0" / "measures").exists()
    assert found.values["twin"] == twin.identity
    assert found.values["epochs"] == 2
    assert len(found.values["signed"]["similarity"]) == 20
    capsys.readouterr()
    run = tmp_path / "run"
    alone = ("augment=crop", "measures=[sensitivity]", f"hydra.run.dir={run}")
    assert cli(*alone, *small, *QUIET, "measures.sensitivity.num_images=10") == 0
    assert measure_path(run, "sensitivity", "gradient").exists()


def test_a_measure_that_cannot_be_built_fails_before_training(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "day" / "time"
    overrides = ("measures=[faithfulness]", "+measures.faithfulness.num_step=5")
    arguments = ("augment=none", *overrides, f"hydra.sweep.dir={folder}", *SMALL, *QUIET)
    assert cli("-m", *arguments) == 1
    assert "num_step" in capsys.readouterr().out
    assert not (folder / "0-none-s1-seed0" / "history.csv").exists()


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt, 130), (SystemExit(143), 143)])
def test_an_interrupt_while_measuring_does_not_cost_the_report(
    cli: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stop: BaseException,
    code: int,
) -> None:
    def interrupted(*_: object) -> bool:
        raise stop

    monkeypatch.setattr("auglens.stage.explain_jobs", interrupted)
    folder = tmp_path / "day" / "time"
    arguments = ("augment=none", "measures=[faithfulness]", f"hydra.sweep.dir={folder}")
    assert cli("-m", *arguments, *SMALL, *QUIET) == code
    assert (folder / "report" / "report.html").exists()


def test_an_augmentation_of_ones_own_is_trusted_by_the_runs_beside_it(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_wobble_of_this_test.py").write_text(
        "from auglens.augment.transforms import Blur\n\nclass Wobble(Blur): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    conf = tmp_path / "conf" / "augment"
    conf.mkdir(parents=True)
    text = (REPOSITORY / "conf" / "augment" / "blur.yaml").read_text()
    own = text.replace("auglens.augment.transforms.Blur", "my_wobble_of_this_test.Wobble")
    (conf / "wobble.yaml").write_text(own.replace("name: blur", "name: wobble"))
    folder = tmp_path / "day" / "time"
    code = cli(
        "-m",
        f"--config-dir={tmp_path / 'conf'}",
        "augment=crop,wobble",
        "measures=[equivariance]",
        "measures.equivariance.num_images=10",
        f"hydra.sweep.dir={folder}",
        *SMALL,
        *QUIET,
    )
    assert code == 0
    path = measure_path(folder / "0-crop-s1-seed0", "equivariance", "gradient")
    assert list(read_measure(path).values["augments"]) == ["crop", "wobble"]


def test_a_failing_measure_is_exit_code_1_and_the_report_is_built(
    cli: Cli,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> Outcome:
        raise ValueError("pink pixels")

    monkeypatch.setattr(Faithfulness, "__call__", fails)
    folder = tmp_path / "day" / "time"
    chosen = ("augment=none", "measures=[faithfulness]")
    assert cli("-m", *chosen, f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 1
    assert "pink pixels" in capsys.readouterr().out
    assert (folder / "report" / "report.html").exists()


def test_a_method_that_cannot_explain_the_network_fails_before_training(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "day" / "time"
    arguments = ("augment=none", "saliency=[gradient,gradcam]", "model.cam_layer=conv9")
    assert cli("-m", *arguments, f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 1
    said = capsys.readouterr().out
    assert "saliency.methods.gradcam cannot explain this network" in said
    assert "conv2" in said
    assert not (folder / "0-none-s1-seed0" / "history.csv").exists()


def test_notes_of_earlier_commands_ask_for_nothing(tmp_path: Path) -> None:
    note_job(tmp_path, "0-none", RunState.COMPLETED, {"measures": {"evil": {}}})
    before = {path.name: path.read_bytes() for path in (tmp_path / ".jobs").iterdir()}
    assert notes_since(tmp_path, before) == []
    note_job(tmp_path, "1-none", RunState.COMPLETED, {})
    assert [note.wanted for note in notes_since(tmp_path, before)] == [{}]
