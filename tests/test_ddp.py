"""One training in two processes: the same batches and results as in one, and one that writes."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd
import psutil
import pytest
import torch
from torch import Tensor, distributed, nn

from auglens import ranks
from auglens.components import build_network
from auglens.config_rules import check_processes
from auglens.explainer import load_weights, predict
from auglens.module import ClassifierModule
from auglens.records.maps import read_map
from auglens.records.run import read_record, read_status
from tests.built_runs import composed, prepared, refusal_of
from tests.conftest import REPOSITORY, SMALL, Cli
from tests.test_resume import STEPS, WithDropout, cut, net, result

TWO = ("trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "num_threads=1")
ONE = TWO[2:]
QUIET = ("logger=none", "figures=false", "augment=crop")
# Shares of unequal size, and several batches of each.
UNEVEN = ("dataset.num_val=101", "data.eval_batch_size=20")
RUN = (*(word for word in SMALL if "num_val" not in word), *UNEVEN, "augment=crop")
LONGEST_S = 120


class TestRefusals:
    @pytest.mark.parametrize("launcher", ["basic", "joblib"])
    def test_a_multirun(
        self, cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str], launcher: str
    ) -> None:
        folder = tmp_path / "day" / "time"
        words = ("-m", "augment=crop,none", f"hydra/launcher={launcher}", *SMALL, *TWO)
        assert cli(*words, f"hydra.sweep.dir={folder}") == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(
            "trainer.devices=2 trains on several devices, which a job of a multi"
        )
        assert "hydra/launcher=joblib, ray or slurm" in line
        assert "trainer=ddp without -m" in line
        # A finished sweep would look unfinished if the command had begun.
        assert not folder.exists()

    def test_a_job_of_a_multirun(self, data_dir: Path) -> None:
        """A launcher's worker, or a machine on which auto means several."""
        with pytest.raises(ValueError, match=r"trainer\.devices=2 trains on .* without -m\.$"):
            check_processes(composed(TWO, data_dir), world_size=2, multirun=True)

    @pytest.mark.parametrize(
        ("overrides", "expected"),
        [
            pytest.param(
                ("trainer.devices=2", "trainer.accelerator=cpu"),
                "trainer.devices=2 means 2 processes: say trainer=ddp for one large training, or "
                "trainer.devices=1.",
                id="without-ddp",
            ),
            pytest.param(
                (*TWO, "data.batch_size=21"),
                "data.batch_size=21 is shared by 2 processes (trainer.devices=2), so it must be a "
                "multiple of 2.",
                id="batch-size",
            ),
        ],
    )
    def test_a_single_run(
        self,
        cli: Cli,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        overrides: tuple[str, ...],
        expected: str,
    ) -> None:
        assert cli(*SMALL, *QUIET, *overrides, f"hydra.run.dir={tmp_path}") == 1
        assert read_status(tmp_path)["error"] == f"ValueError: {expected}"
        assert expected in capsys.readouterr().out
        assert not (tmp_path / "history.csv").exists()

    def test_several_that_something_else_started(
        self, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WORLD_SIZE", "2")
        assert cli(*SMALL, *QUIET, *TWO, f"hydra.run.dir={tmp_path}") == 1
        said = read_status(tmp_path)["error"]
        assert said.startswith("ValueError: train.py was started several times (WORLD_SIZE=2, by")

    def test_more_than_one_machine(self, data_dir: Path) -> None:
        said = refusal_of([*TWO, "+trainer.num_nodes=2"], data_dir)
        assert said == "trainer.num_nodes cannot be set: AugLens decides it itself."


@pytest.mark.filterwarnings("error:The .srun. command is available")
@pytest.mark.parametrize(
    "processes",
    [pytest.param(ONE, id="one"), pytest.param(TWO, id="two", marks=pytest.mark.cluster)],
)
def test_an_allocation_of_slurm_changes_nothing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, processes: tuple[str, ...]
) -> None:
    """Lightning would want a process a task, queue the job again, and warn where srun is."""
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{srun.parent}:{os.environ['PATH']}")
    tasks = {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"}
    for name, value in tasks.items():
        monkeypatch.setenv(name, value)
    for job in ("interactive", "night"):
        monkeypatch.setenv("SLURM_JOB_NAME", job)
        assert cli(*SMALL, *QUIET, *processes, f"hydra.run.dir={tmp_path / job}") == 0


@dataclass(frozen=True)
class Pair:
    """The same run in one process and in two, and what the first of the two printed."""

    one: Path
    two: Path
    said: str


@pytest.fixture(scope="module")
def pair(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    one, two = folder / "one", folder / "two"
    assert cli(*RUN, *ONE, f"hydra.run.dir={one}") == 0
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        assert cli(*RUN, *TWO, f"hydra.run.dir={two}") == 0
    assert not distributed.is_initialized()
    return Pair(one, two, said.getvalue())


class TestTwoProcesses:
    def test_weights_are_those_of_one_process(self, pair: Pair) -> None:
        first, second = (
            torch.load(folder / "best.ckpt", weights_only=True)["state_dict"]
            for folder in (pair.one, pair.two)
        )
        # Six Adam steps of 1e-3: gradients averaged in another order, and nothing else.
        torch.testing.assert_close(second, first, rtol=0, atol=1e-5)

    def test_losses_are_of_whole_batches_and_accuracy_of_all_validation_images(
        self, pair: Pair, data_dir: Path
    ) -> None:
        first, second = (pd.read_csv(folder / "history.csv") for folder in (pair.one, pair.two))
        assert list(second) == list(first)
        losses = ["train_loss", "val_loss"]
        pd.testing.assert_frame_equal(second[losses], first[losses], rtol=0, atol=1e-5)
        run = prepared([*RUN, *TWO], data_dir)
        network = build_network(run.config, run.dataset.spec)
        load_weights(network, pair.two / "best.ckpt")
        preds = predict(network, run.dataset.val.unit_images()).argmax(dim=1)
        expected = (preds == run.dataset.val.labels).float().mean().item()
        assert second["val_accuracy"].max() == expected

    def test_the_record_tells_them_apart(self, pair: Pair) -> None:
        first, second = read_record(pair.one), read_record(pair.two)
        assert first.inputs["trainer"] == {**second.inputs["trainer"], "world_size": 1}
        assert second.inputs["trainer"]["world_size"] == 2
        assert first.identity != second.identity
        assert second.samples_seen == first.samples_seen == 2 * STEPS * 22

    def test_the_whole_test_split_is_tested_once_for_both_weights(self, pair: Pair) -> None:
        record = read_record(pair.two)
        for confusion in (record.test_confusion, record.test_confusion_last_epoch):
            assert sum(map(sum, confusion)) == 200
        maps = [read_map(folder, "gradient").maps for folder in (pair.one, pair.two)]
        assert maps[0].shape == maps[1].shape == (20, 28, 28)

    def test_one_of_them_writes_and_prints(self, pair: Pair) -> None:
        files = [
            {
                str(path.relative_to(folder))
                for path in folder.rglob("*")
                if "/wandb/" not in str(path)
            }
            for folder in (pair.one, pair.two)
        ]
        assert files[0] == files[1]
        assert len(list((pair.two / "wandb").glob("offline-run-*"))) == 1
        assert read_status(pair.two)["state"] == "COMPLETED"
        (line,) = [line for line in pair.said.splitlines() if "W&B stays offline" not in line]
        assert line.startswith("crop       s1    seed 0   best epoch")


class Linear(nn.Sequential):
    """Remembers the type of the logits it trained with."""

    seen: ClassVar[set[torch.dtype]] = set()

    def __init__(self, *, in_channels: int, height: int, width: int, num_classes: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(in_channels * height * width, num_classes))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = super().forward(images)  # type: ignore[no-untyped-call]
        if self.training:
            self.seen.add(logits.dtype)
        return logits


@pytest.mark.parametrize(
    "processes",
    [pytest.param(ONE, id="one"), pytest.param(TWO, id="two", marks=pytest.mark.cluster)],
)
def test_precision_accumulation_and_clipping_take_effect(
    cli: Cli, tmp_path: Path, data_dir: Path, processes: tuple[str, ...]
) -> None:
    settings = (
        *(*SMALL, *QUIET, *processes, "trainer.max_epochs=1", "data.steps_per_epoch=4"),
        *("model.net._target_=tests.test_ddp.Linear", "~model.net.channels"),
        *("~model.net.kernel_size", "trainer.precision=bf16-mixed"),
        *("trainer.accumulate_grad_batches=4", "trainer.gradient_clip_val=1e-3"),
        *("optimizer=sgd", "optimizer.lr=1", "optimizer.momentum=0", "optimizer.nesterov=false"),
    )
    Linear.seen.clear()
    assert cli(*settings, f"hydra.run.dir={tmp_path}") == 0
    assert Linear.seen == {torch.bfloat16}
    checkpoint = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert checkpoint["global_step"] == 1
    run = prepared(settings, data_dir)
    trained, untrained = (build_network(run.config, run.dataset.spec) for _ in range(2))
    load_weights(trained, tmp_path / "best.ckpt")
    changes = [
        (one - other).flatten()
        for one, other in zip(trained.parameters(), untrained.parameters(), strict=True)
    ]
    # One step of plain descent is as long as its gradient, which is longer than the limit.
    assert torch.cat(changes).norm().item() == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.cluster
def test_cut_within_an_epoch_two_processes_go_on_to_the_same_result(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Dropout and fresh copies are drawn by each process itself.
    common = (*SMALL, *QUIET, *TWO, *net("WithDropout"), "data.mode=online", "trainer.max_epochs=4")
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert cli(*common, f"hydra.run.dir={whole}") == 0
    arguments = (*common, "paths.resume=true", f"hydra.run.dir={resumed}")
    with cut(ClassifierModule, "training_step", after=2 * STEPS + 1):
        assert cli(*arguments) == 1
    assert cli(*arguments) == 0
    assert "resumed goes on after epoch 2." in capsys.readouterr().out
    assert result(resumed) == result(whole)


class FailsBeside(WithDropout):
    """Cannot be trained in a process that is not the first."""

    def forward(self, images: Tensor) -> Tensor:
        if distributed.is_initialized() and distributed.get_rank() == 1:
            raise RuntimeError("no such luck")
        logits: Tensor = super().forward(images)  # type: ignore[no-untyped-call]
        return logits


@pytest.mark.cluster
def test_what_fails_in_another_process_is_said_by_the_first(
    cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = (word.replace("test_resume", "test_ddp") for word in net("FailsBeside"))
    assert cli(*SMALL, *QUIET, *TWO, *failing, f"hydra.run.dir={tmp_path}") == 1
    reason = "process 2 of 2 of this training failed: RuntimeError: no such luck"
    assert read_status(tmp_path)["error"] == f"RankLostError: {reason}"
    assert capsys.readouterr().out.splitlines() == [
        f"FAILED  {tmp_path.name}: RankLostError: {reason}"
    ]
    assert "Traceback" in (tmp_path / "train.log").read_text()


def begun(folder: Path, data_dir: Path) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A long training in two processes, after its first epochs: the first and the second."""
    command = ("trainer.max_epochs=100000", *SMALL[1:], *QUIET, *TWO, f"hydra.run.dir={folder}")
    process = subprocess.Popen(
        [sys.executable, REPOSITORY / "train.py", *command, f"paths.data_dir={data_dir}"],
        cwd=data_dir,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + LONGEST_S
    history = folder / "history.csv"
    while not (history.exists() and len(history.read_text().splitlines()) > 3):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    (second,) = (
        child
        for child in psutil.Process(process.pid).children()
        if "resource_tracker" not in " ".join(child.cmdline())
    )
    return process, second


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("victim", "number", "code", "state"),
    [
        pytest.param("second", signal.SIGKILL, 1, "FAILED", id="second-killed"),
        pytest.param("first", signal.SIGKILL, -9, "RUNNING", id="first-killed"),
        pytest.param("first", signal.SIGTERM, 143, "INTERRUPTED", id="first-terminated"),
        pytest.param("both", signal.SIGTERM, 143, "INTERRUPTED", id="both-terminated"),
    ],
)
def test_no_process_outlives_another(
    tmp_path: Path, data_dir: Path, victim: str, number: signal.Signals, code: int, state: str
) -> None:
    first, second = begun(tmp_path, data_dir)
    if victim == "both":
        second.send_signal(number)
    os.kill(second.pid if victim == "second" else first.pid, number)
    said = first.communicate(timeout=20)[0]
    assert first.returncode == code
    assert read_status(tmp_path)["state"] == state
    psutil.wait_procs([second], timeout=10)
    assert not second.is_running()
    if state == "FAILED":
        reason = "RankLostError: process 2 of 2 of this training was killed (SIGKILL)"
        assert said == f"FAILED  {tmp_path.name}: {reason}\n"
        assert read_status(tmp_path)["error"] == reason


def fails(place: ranks.Place, reason: str) -> None:
    assert (place.rank, place.world_size) == (1, 2)
    raise RuntimeError(reason)


def ends(place: ranks.Place) -> None:
    os._exit(place.rank + 2)


def test_a_process_that_fails_before_it_trains_is_lost() -> None:
    reason = "no such luck\nneither here\nnor there"
    further = ranks.FurtherRanks(fails, (reason,), world_size=2, give_up=print)
    said = "^process 2 of 2 of this training failed: RuntimeError: no such luck$"
    with pytest.raises(ranks.RankLostError, match=said), further:
        further.wait_until_ready()


class Unreadable:
    """A process whose last words cannot be read."""

    processes = ()

    def join(self, *, grace_period: float) -> bool:
        raise EOFError(grace_period)


def test_a_process_that_leaves_no_word_is_lost_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranks, "spawn", lambda *_, **__: Unreadable())
    further = ranks.FurtherRanks(fails, (), world_size=2, give_up=print)
    with pytest.raises(ranks.RankLostError, match=r"was lost \(EOFError\(0\.5\)\)$"), further:
        further.wait_until_ready()


def test_a_first_process_that_cannot_notice_is_ended_by_its_watch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On a GPU it waits in a kernel, which no exception reaches."""
    monkeypatch.setattr(ranks, "GRACE_S", 0.05)
    given_up: list[BaseException] = []
    with ranks.FurtherRanks(ends, (), world_size=2, give_up=given_up.append):
        deadline = time.monotonic() + LONGEST_S
        while not given_up and time.monotonic() < deadline:
            time.sleep(0.01)
    (reason,) = given_up
    assert isinstance(reason, ranks.RankLostError)
    assert str(reason) == "process 2 of 2 of this training ended with exit code 3"
