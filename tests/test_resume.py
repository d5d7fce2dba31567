"""A training that was interrupted goes on from its last epoch, to the same result bit by bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from auglens.callbacks import SaliencyMaps
from auglens.checkpoints import Checkpoints, WholeFiles, resume_point
from auglens.explainer import checkpoint_name, load_weights
from auglens.module import ClassifierModule
from auglens.records.maps import read_map, read_probe
from auglens.records.run import RecordError, RunState, read_record, read_status, write_status
from tests.conftest import SMALL, Cli

QUIET = ("logger=none", "figures=false", "augment=crop")
FOUR = (*(word for word in SMALL if "max_epochs" not in word), "trainer.max_epochs=4")
STEPS = 3
NET = "model.net._target_=tests.test_resume."


class WithDropout(nn.Sequential):
    """Draws from torch's global generator at every step."""

    def __init__(self, *, in_channels: int, height: int, width: int, num_classes: int) -> None:
        size = in_channels * height * width
        super().__init__(
            nn.Flatten(),
            nn.Linear(size, 16),
            nn.ReLU(),
            nn.BatchNorm1d(16),
            nn.Dropout(0.5),
            nn.Linear(16, num_classes),
        )


class NanInEvaluation(WithDropout):
    """Trains well, and cannot be evaluated."""

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = super().forward(images)  # type: ignore[no-untyped-call]
        # Explained before training, too: only whole validation batches are NaN.
        return logits if self.training or len(images) < 50 else logits * torch.nan


def net(name: str) -> tuple[str, ...]:
    return (f"{NET}{name}", "~model.net.channels", "~model.net.kernel_size")


class PowerCutError(Exception):
    """Stands for whatever ends a process."""


@contextmanager
def cut(owner: type, hook: str, after: int) -> Iterator[None]:
    """The call of a hook that follows ``after`` calls ends the process, as it were."""
    whole: Any = getattr(owner, hook)
    calls: list[str] = []

    def called_or_cut(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever it takes
        if len(calls) == after:
            raise PowerCutError
        calls.append(hook)
        return whole(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, hook, called_or_cut)
        yield


def result(folder: Path) -> dict[str, object]:
    """Everything of a run but its times and where it lies."""
    record = read_record(folder)
    name = checkpoint_name(record.config)
    weights = torch.load(folder / name, weights_only=True)["state_dict"]
    times = ("seconds", "finished", "config", "files", "checksum")
    return {
        "weights": {name: value.numpy().tobytes() for name, value in weights.items()},
        "history": pd.read_csv(folder / "history.csv").drop(columns="seconds").to_csv(),
        "maps": read_map(folder, "gradient").maps.tobytes(),
        "logits": read_probe(folder).logits.tobytes(),
        "record": {key: value for key, value in vars(record).items() if key not in times},
    }


ADAMS = ("betas", "eps", "fused", "weight_decay")
CASES = {
    "static": (),
    "online": ("data.mode=online",),
    "sgd-with-momentum": ("optimizer=sgd", "optimizer.momentum=0.9"),
    "dropout": net("WithDropout"),
    "accumulation": ("trainer.accumulate_grad_batches=2",),
    "rprop": ("optimizer._target_=torch.optim.Rprop", *(f"~optimizer.{key}" for key in ADAMS)),
    "walk-across-epochs": ("data.batch_size=31",),
    "permuted-labels": ("data.permute_train_labels=true",),
}


@pytest.mark.parametrize("case", CASES)
def test_cut_twice_within_an_epoch_the_result_is_that_of_an_undisturbed_run(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    common = (*FOUR, *QUIET, *CASES[case])
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert cli(*common, f"hydra.run.dir={whole}") == 0
    arguments = (*common, "paths.resume=true", f"hydra.run.dir={resumed}")
    # In the middle of the third epoch, and then of the fourth.
    for steps in (2 * STEPS + 1, STEPS + 1):
        with cut(ClassifierModule, "training_step", after=steps):
            assert cli(*arguments) == 1
        assert not (resumed / "record.json").exists()
    assert cli(*arguments) == 0
    said = capsys.readouterr().out
    assert "resumed goes on after epoch 2." in said
    assert "resumed goes on after epoch 3." in said
    assert result(resumed) == result(whole)
    assert "fit_before_interruption" not in read_record(whole).seconds
    seconds = pd.read_csv(resumed / "history.csv")["seconds"][:3].sum()
    before = read_record(resumed).seconds["fit_before_interruption"]
    assert before == pytest.approx(seconds, abs=1e-4)


MOMENTS = {
    "epoch-in-the-history-only": (WholeFiles, "save_checkpoint", 2, "epoch 2"),
    "epoch-just-over": (ClassifierModule, "on_train_epoch_start", 3, "epoch 3"),
    "validation": (ClassifierModule, "validation_step", 2, "epoch 2"),
    "training-over": (Checkpoints, "write_model", 0, "epoch 4"),
    "test": (ClassifierModule, "test_step", 0, "epoch 4"),
    "explanation": (SaliencyMaps, "on_test_end", 1, "epoch 4"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_cut_at_the_seams_of_a_run(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str], moment: str
) -> None:
    owner, hook, after, said = MOMENTS[moment]
    common = (*FOUR, *QUIET, *CASES["dropout"])
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert cli(*common, f"hydra.run.dir={whole}") == 0
    arguments = (*common, "paths.resume=true", f"hydra.run.dir={resumed}")
    with cut(owner, hook, after=after):
        assert cli(*arguments) == 1
    assert cli(*arguments) == 0
    assert f"resumed goes on after {said}." in capsys.readouterr().out
    assert result(resumed) == result(whole)


@pytest.fixture
def interrupted(cli: Cli, tmp_path: Path) -> Path:
    """A run cut in its third epoch."""
    folder = tmp_path / "run"
    with cut(ClassifierModule, "training_step", after=2 * STEPS):
        assert cli(*FOUR, *QUIET, "paths.resume=true", f"hydra.run.dir={folder}") == 1
    return folder


def resume(cli: Cli, folder: Path, *overrides: str) -> None:
    assert cli(*FOUR, *QUIET, "paths.resume=true", *overrides, f"hydra.run.dir={folder}") == 0


class TestWhatCannotBeResumed:
    def test_a_truncated_checkpoint(
        self, cli: Cli, interrupted: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = interrupted / "last.ckpt"
        path.write_bytes(path.read_bytes()[:-1000])
        resume(cli, interrupted)
        said = capsys.readouterr().out
        assert f"{path} cannot be loaded" in said
        assert "; training begins anew." in said
        assert "fit_before_interruption" not in read_record(interrupted).seconds

    def test_a_checkpoint_of_another_run(
        self, cli: Cli, interrupted: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        resume(cli, interrupted, "seeds.order=7")
        said = capsys.readouterr().out
        assert "last.ckpt belongs to another run; training begins anew." in said
        assert read_record(interrupted).inputs["seeds"]["order"] == 7

    def test_a_checkpoint_of_weights_only(
        self, cli: Cli, interrupted: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = interrupted / "last.ckpt"
        torch.save({"state_dict": torch.load(path, weights_only=True)["state_dict"]}, path)
        resume(cli, interrupted)
        assert "last.ckpt holds weights only; training begins anew." in capsys.readouterr().out

    def test_the_same_config_whose_network_was_edited_since(self, interrupted: Path) -> None:
        """The class is the config's, its code is the user's."""
        path = interrupted / "last.ckpt"
        content = torch.load(path, weights_only=True)
        identity = content["callbacks"]["Checkpoints"]["identity"]
        said: list[str] = []
        module = nn.Linear(2, 2)
        assert resume_point(interrupted, identity, module, said.append) is None
        assert said == [f"{path} is of another network: it lacks weight; training begins anew."]

    def test_without_resume_nothing_goes_on(
        self, cli: Cli, interrupted: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert cli(*FOUR, *QUIET, f"hydra.run.dir={interrupted}") == 0
        assert "goes on after" not in capsys.readouterr().out
        assert not (interrupted / "last.ckpt").exists()

    def test_unfinished_files_of_a_killed_process_are_removed(
        self, cli: Cli, interrupted: Path
    ) -> None:
        (interrupted / ".last.ckpt-abc.part").write_bytes(b"half")
        resume(cli, interrupted)
        assert not list(interrupted.rglob("*.part"))


def test_a_sweep_goes_on_in_the_middle_of_its_second_run(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "day" / "time"
    arguments = ("-m", *FOUR, *QUIET[:2], "augment=none,crop", "paths.resume=true")
    with cut(ClassifierModule, "training_step", after=4 * STEPS + 2 * STEPS + 1):
        assert cli(*arguments, "fail_fast=true", f"hydra.sweep.dir={folder}") == 1
    assert cli(*arguments, f"hydra.sweep.dir={folder}") == 0
    assert "1-crop-s1-seed0 goes on after epoch 2." in capsys.readouterr().out
    alone = tmp_path / "alone"
    assert cli(*FOUR, *QUIET, f"hydra.run.dir={alone}") == 0
    assert result(folder / "1-crop-s1-seed0") == result(alone)


def test_a_run_killed_after_its_record_is_complete(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "day" / "time"
    arguments = ("-m", *SMALL, *QUIET, f"hydra.sweep.dir={folder}")
    assert cli(*arguments) == 0
    run = folder / "0-crop-s1-seed0"
    before = (run / "record.json").read_bytes()
    write_status(run, RunState.RUNNING, phase="training")
    (run / ".status.json-abc.part").write_text("half")
    assert cli(*arguments) == 0
    assert read_status(run)["state"] == "COMPLETED"
    assert not list(run.rglob("*.part"))
    assert (run / "record.json").read_bytes() == before


def test_checkpoints_hold_no_code(interrupted: Path) -> None:
    content = torch.load(interrupted / "last.ckpt", weights_only=True)
    assert {"optimizer_states", "loops", "callbacks", "ImageDataModule"} <= set(content)


def test_a_checkpoint_of_another_architecture_is_named_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    torch.save({"state_dict": {"net.weight": torch.zeros(3, 2), "net.bias": torch.zeros(3)}}, path)
    with pytest.raises(RecordError) as raised:
        load_weights(nn.Linear(2, 4), path)
    assert str(raised.value) == (
        f"{path} cannot be loaded: it is of another network: weight is (3, 2) there and (4, 2) here"
    )


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        pytest.param(net("NanInEvaluation"), "validation loss is nan in epoch 1", id="validation"),
        pytest.param(
            ("optimizer=sgd", "optimizer.lr=1e30"), "training loss is nan in epoch 1", id="training"
        ),
    ],
)
def test_a_loss_that_is_no_number_fails_with_its_epoch(
    cli: Cli, tmp_path: Path, overrides: tuple[str, ...], words: str
) -> None:
    assert cli(*SMALL, *QUIET, *overrides, f"hydra.run.dir={tmp_path}") == 1
    status = read_status(tmp_path)
    assert status["state"] == "FAILED"
    assert words in status["error"]
    assert not (tmp_path / "best.ckpt").exists()
