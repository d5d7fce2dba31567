"""The whole pipeline through train.py: what a sweep leaves, and what it does when run again."""

import gc
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from pytorch_lightning import Trainer
from scipy.stats import entropy as scipy_entropy

from auglens.datamodule import ImageDataModule
from auglens.explainer import load_weights
from auglens.models.cnn2 import Cnn2
from auglens.models.normalized import NormalizedNetwork
from auglens.records.arrays import read_arrays
from auglens.records.run import read_map, read_probe, read_record, read_status, run_folders
from auglens.training import train
from tests.conftest import REPOSITORY, SMALL, Cli, Sweep

# https://github.com/Lightning-AI/pytorch-lightning/issues/21326
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")

AUGMENTATIONS = ["scale", "crop", "erase", "distort", "blur", "none"]
METHODS = ["gradient", "blur_perturbation"]
QUIET = ("logger=none", "figures=false")
SIMILARITIES = ("cc", "kl", "kl_reverse", "sim", "js")
EPS = 2.220446049250313e-16


def states(sweep: Path) -> dict[str, str]:
    return {folder.name: read_status(folder)["state"] for folder in run_folders(sweep)}


def runs_csv(sweep: Path) -> pd.DataFrame:
    return pd.read_csv(sweep / "runs.csv")


def inspect(run: Path) -> dict[str, object]:
    """A W&B run's summary, read with W&B's own command."""
    wandb = Path(sys.executable).parent / "wandb"
    done = subprocess.run(
        [str(wandb), "leet", "inspect", "--summary", "--json", str(run)],
        capture_output=True,
        text=True,
        check=True,
    )
    content: dict[str, object] = json.loads(done.stdout)
    return content


def _rounded(content: object) -> str:
    """JSON with every float at eight decimals, so that values can be looked for."""

    def shorten(value: object) -> object:
        if isinstance(value, dict):
            return {key: shorten(item) for key, item in value.items()}
        return f"{value:.8f}" if isinstance(value, float) else value

    return json.dumps(shorten(content)).replace('"', "'")


class TestWhatASweepLeaves:
    def test_six_complete_runs_and_exit_code_zero(self, sweep: Sweep) -> None:
        assert sweep.code == 0
        assert set(states(sweep.folder).values()) == {"COMPLETED"}
        assert [
            read_record(folder).augment for folder in run_folders(sweep.folder)
        ] == AUGMENTATIONS

    def test_every_file_of_a_run_folder(self, sweep: Sweep) -> None:
        for index, folder in enumerate(run_folders(sweep.folder)):
            assert folder.name == f"{index}-{AUGMENTATIONS[index]}-s1-seed0"
            expected = {
                ".hydra",
                "train.log",
                "status.json",
                "history.csv",
                "best.ckpt",
                "samples.npz",
                "probe.npz",
                "saliency",
                "figures",
                "record.json",
                "wandb",
            }
            assert {path.name for path in folder.iterdir()} == expected
            assert {path.stem for path in (folder / "saliency").iterdir()} == set(METHODS)
            figures = {path.stem for path in (folder / "figures").iterdir()}
            assert figures == {*METHODS, "training_set"}

    def test_contents_of_a_run_folder(self, sweep: Sweep) -> None:
        for folder in run_folders(sweep.folder):
            record, probe = read_record(folder), read_probe(folder)
            history = pd.read_csv(folder / "history.csv")
            assert list(history) == ["epoch", "train_loss", "val_loss", "val_accuracy", "seconds"]
            assert history["epoch"].tolist() == [1, 2]
            assert record.best_epoch == 1 + int(history["val_accuracy"].argmax())
            assert record.val_accuracy == history["val_accuracy"].max()
            confusion = np.array(record.test_confusion)
            assert confusion.sum() == 200
            assert record.test_accuracy == pytest.approx(np.trace(confusion) / 200)
            assert record.samples_seen == 2 * 3 * 22
            assert probe.hash == record.probe_hash
            assert probe.labels.tolist() == [digit for digit in range(10) for _ in range(2)]
            samples = read_arrays(folder, "samples.npz")
            copies = 0 if record.augment == "none" else 10
            assert samples["originals"].shape == (5, 1, 28, 28)
            assert samples["augmented"].shape == (5, copies, 1, 28, 28)
            for method in METHODS:
                read = read_map(folder, method)
                maps, ids = read.maps, read.probe_ids
                assert read.settings["target"] == "true_class"
                assert maps.shape == (20, 28, 28)
                assert maps.dtype == np.float32
                assert (ids == probe.probe_ids).all()

    def test_the_checkpoint_is_the_model_that_was_explained(self, sweep: Sweep) -> None:
        folder = run_folders(sweep.folder)[1]
        state = torch.load(folder / "best.ckpt", weights_only=True)
        assert state["epoch"] + 1 == read_record(folder).best_epoch
        net = NormalizedNetwork(
            Cnn2(
                in_channels=1,
                height=28,
                width=28,
                num_classes=10,
                channels=[16, 32],
                kernel_size=5,
            ),
            mean=[0.0],
            std=[1.0],
        )
        load_weights(net, folder / "best.ckpt")
        probe = read_probe(folder)
        images = torch.from_numpy(probe.images).requires_grad_()
        logits = net(images)
        torch.testing.assert_close(logits.detach().numpy(), probe.logits)
        logits[range(20), probe.labels].sum().backward()
        assert images.grad is not None
        expected = images.grad.abs().amax(dim=1).numpy()
        np.testing.assert_allclose(
            read_map(folder, "gradient").maps, expected, rtol=1e-4, atol=1e-7
        )

    def test_columns_of_the_sweep_tables(self, sweep: Sweep) -> None:
        runs, maps = runs_csv(sweep.folder), pd.read_csv(sweep.folder / "maps.csv")
        wanted = (
            "run status identity group dataset model augment strength seed seed_data seed_init "
            "seed_order best_epoch val_accuracy test_accuracy seconds"
        )
        assert set(wanted.split()) <= set(runs)
        assert runs["augment"].tolist() == AUGMENTATIONS
        assert runs["strength"].isna().tolist() == [False] * 5 + [True]
        assert runs["group"].nunique() == 1
        wanted = (
            "run augment strength seed method probe_id label prediction cc kl kl_reverse sim js "
            "entropy effective_area entropy_histogram"
        )
        assert set(wanted.split()) <= set(maps)
        assert len(maps) == 6 * 2 * 20

    def test_measures_are_a_numpy_re_derivation_from_the_maps(self, sweep: Sweep) -> None:
        table = pd.read_csv(sweep.folder / "maps.csv").to_dict("records")
        rows = {(row["run"], row["method"], row["probe_id"]): row for row in table}
        folders = run_folders(sweep.folder)
        for method in METHODS:
            baseline = read_map(folders[-1], method).maps.astype(np.float64)
            for folder in folders:
                read = read_map(folder, method)
                maps, ids = read.maps, read.probe_ids
                for one, ref, probe_id in zip(maps.astype(np.float64), baseline, ids, strict=True):
                    row = rows[folder.name, method, probe_id]
                    p, q = one.ravel() / one.sum(), ref.ravel() / ref.sum()
                    assert row["entropy"] == pytest.approx(scipy_entropy(p), abs=1e-6)
                    area = math.exp(scipy_entropy(p)) / 784
                    assert row["effective_area"] == pytest.approx(area, abs=1e-6)
                    bits = scipy_entropy(np.histogram(one, bins=256)[0], base=2)
                    assert row["entropy_histogram"] == pytest.approx(bits, abs=1e-6)
                    if folder == folders[-1]:
                        assert all(math.isnan(row[name]) for name in SIMILARITIES)
                        continue
                    m = (p + q) / 2
                    expected = {
                        "cc": np.corrcoef(p, q)[0, 1],
                        "kl": (q * np.log(EPS + q / (EPS + p))).sum(),
                        "kl_reverse": (p * np.log(EPS + p / (EPS + q))).sum(),
                        "sim": np.minimum(p, q).sum(),
                        "js": (scipy_entropy(p, m) + scipy_entropy(q, m)) / 2,
                    }
                    for name, value in expected.items():
                        assert row[name] == pytest.approx(value, abs=1e-6), name

    def test_the_report_lies_beside_its_figures_tables_and_summary(self, sweep: Sweep) -> None:
        report = sweep.folder / "report"
        assert (report / "report.html").stat().st_size > 100_000
        assert list((report / "figures").glob("*.png"))
        assert list((report / "tables").glob("*.csv"))
        assert json.loads((report / "summary.json").read_text())

    def test_wandb_holds_curves_maps_and_similarity_of_every_run(self, sweep: Sweep) -> None:
        for folder in run_folders(sweep.folder):
            first, *reopened = sorted((folder / "wandb").glob("offline-run-*"))
            content = json.dumps(inspect(first))
            for key in ("train_loss", "val_accuracy", "test_accuracy", "saliency/gradient/entropy"):
                assert f'"{key}"' in content
            assert f'"{folder.name.split("-", 1)[1]}"' in content
            images = [path.name for path in (first / "files" / "media").rglob("*.png")]
            assert len(images) == 2 * 2 * 10
            if folder.name.startswith("5-none"):
                assert not reopened
                continue
            (second,) = reopened
            assert second.name.split("-")[3] == first.name.split("-")[3]
            summary = _rounded(inspect(second))
            maps = pd.read_csv(sweep.folder / "maps.csv")
            own = maps[(maps["run"] == folder.name) & (maps["method"] == "gradient")]
            for measure in SIMILARITIES:
                assert f"'similarity/{measure}': '{own[measure].mean():.8f}'" in summary
        (study,) = (sweep.folder / "wandb").glob("offline-run-*")
        assert '"tables/table1"' in json.dumps(inspect(study))


class TestOneIdentityOneResult:
    def test_alone_or_in_any_place_of_a_sweep(self, sweep: Sweep, cli: Cli, tmp_path: Path) -> None:
        alone = tmp_path / "alone"
        torch.manual_seed(99)
        assert cli("augment=distort", f"hydra.run.dir={alone}", *SMALL, *QUIET) == 0
        swept = run_folders(sweep.folder)[3]
        assert read_record(alone).identity == read_record(swept).identity
        assert _result(alone) == _result(swept)

    def test_another_seed_is_another_result(self, sweep: Sweep, cli: Cli, tmp_path: Path) -> None:
        alone = tmp_path / "alone"
        cli("augment=distort", "seeds.order=1", f"hydra.run.dir={alone}", *SMALL, *QUIET)
        swept = run_folders(sweep.folder)[3]
        assert _result(alone)["weights"] != _result(swept)["weights"]
        # The subset and the augmented copies have seeds of their own.
        for name in ("ids", "augmented"):
            first, second = (read_arrays(one, "samples.npz")[name] for one in (alone, swept))
            assert (first == second).all()


def _result(folder: Path) -> dict[str, object]:
    weights = torch.load(folder / "best.ckpt", weights_only=True)["state_dict"]
    history = pd.read_csv(folder / "history.csv").drop(columns="seconds")
    record = read_record(folder)
    return {
        "weights": {name: value.numpy().tobytes() for name, value in weights.items()},
        "history": history.to_csv(),
        "maps": read_map(folder, "gradient").maps.tobytes(),
        "logits": read_probe(folder).logits.tobytes(),
        "test": (record.test_accuracy, record.test_accuracy_last_epoch, record.test_confusion),
    }


class TestRunAgain:
    """Each test begins from a copy of the finished sweep."""

    @pytest.fixture
    def folder(self, sweep: Sweep, tmp_path: Path) -> Path:
        copied = tmp_path / "day" / "time"
        shutil.copytree(sweep.folder, copied)
        return copied

    def test_the_same_sweep_trains_nothing(self, cli: Cli, folder: Path) -> None:
        before = _stamps(folder, "record.json")
        maps, runs = (folder / "maps.csv").read_bytes(), (folder / "runs.csv").read_bytes()
        assert cli("-m", "augment=crop,none", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 0
        assert _stamps(folder, "record.json") == before
        assert (folder / "maps.csv").read_bytes() == maps
        assert (folder / "runs.csv").read_bytes() == runs

    def test_an_extended_sweep_trains_only_the_new_although_numbers_move(
        self, cli: Cli, folder: Path
    ) -> None:
        before = _stamps(folder, "record.json")
        arguments = ("-m", "augment=crop,none", "seed=0,1", f"hydra.sweep.dir={folder}")
        assert cli(*arguments, *SMALL, *QUIET) == 0
        after = _stamps(folder, "record.json")
        new = set(after) - set(before)
        assert {name.split("-", 1)[1] for name in new} == {"crop-s1-seed1", "none-s1-seed1"}
        assert {name: after[name] for name in before} == before
        assert states(folder)["2-none-s1-seed0"] == "REUSED"
        assert len(runs_csv(folder)) == 8
        assert runs_csv(folder)["identity"].is_unique

    def test_folders_that_hold_each_others_records_are_no_obstacle(
        self, cli: Cli, tmp_path: Path
    ) -> None:
        folder = tmp_path / "day" / "time"
        small = [word for word in SMALL if "batch_size" not in word]
        for sizes in ("22,10", "10,22"):
            arguments = ("-m", "augment=none", f"data.batch_size={sizes}")
            assert cli(*arguments, f"hydra.sweep.dir={folder}", *small, *QUIET) == 0
        assert set(states(folder).values()) == {"COMPLETED"}
        assert len(runs_csv(folder)) == 2

    def test_a_cross_product_over_strengths_trains_none_once(self, cli: Cli, folder: Path) -> None:
        before = set(_stamps(folder, "record.json"))
        arguments = ("-m", "augment=crop,none", "augment.strength=0.5,1")
        assert cli(*arguments, f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 0
        new = set(_stamps(folder, "record.json")) - before
        assert {name.split("-", 1)[1] for name in new} == {"crop-s0.5-seed0"}

    def test_a_run_of_another_sweep_is_reused_by_identity(
        self, sweep: Sweep, cli: Cli, tmp_path: Path
    ) -> None:
        other = tmp_path / "day" / "other"
        arguments = ("-m", "augment=crop", f"hydra.sweep.dir={other}", f"reuse=[{sweep.folder}]")
        cli(*arguments, *SMALL, *QUIET)
        assert states(other) == {"0-crop-s1-seed0": "REUSED"}
        assert not _stamps(other, "record.json")
        assert not _stamps(other, "best.ckpt")

    def test_a_missing_method_is_explained_from_the_checkpoint(
        self, cli: Cli, folder: Path
    ) -> None:
        lacking = folder / "1-crop-s1-seed0"
        before = read_map(lacking, "gradient").maps
        (lacking / "saliency" / "gradient.npz").unlink()
        records, checkpoints = _stamps(folder, "record.json"), _stamps(folder, "best.ckpt")
        assert cli("-m", "augment=crop", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 0
        assert (read_map(lacking, "gradient").maps == before).all()
        assert _stamps(folder, "record.json") == records
        assert _stamps(folder, "best.ckpt") == checkpoints

    def test_a_method_with_other_settings_is_explained_anew(self, cli: Cli, folder: Path) -> None:
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
        self, cli: Cli, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        override = "saliency.methods.gradient.reduce=sum_abs"
        small = [word for word in SMALL if "probe" not in word]
        arguments = ("-m", "augment=crop", f"hydra.sweep.dir={folder}", "probe.size=10", override)
        before = read_map(folder / "1-crop-s1-seed0", "gradient")
        assert cli(*arguments, *small, *QUIET) == 1
        assert "Use probe.size=20" in capsys.readouterr().out
        assert (read_map(folder / "1-crop-s1-seed0", "gradient").maps == before.maps).all()

    def test_a_folder_that_holds_another_run_is_refused(
        self, cli: Cli, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = _stamps(folder, "record.json")
        small = [word for word in SMALL if "max_epochs" not in word]
        arguments = ("-m", "augment=scale", "trainer.max_epochs=1", f"hydra.sweep.dir={folder}")
        assert cli(*arguments, *small, *QUIET) == 1
        assert "holds the record of another run" in capsys.readouterr().out
        assert _stamps(folder, "record.json") == before


def _stamps(sweep: Path, name: str) -> dict[str, int]:
    return {path.parent.name: path.stat().st_mtime_ns for path in sweep.glob(f"*/{name}")}


class TestFailure:
    def test_a_job_leaves_no_images_behind(self, cli: Cli, tmp_path: Path) -> None:
        cli("augment=crop", f"hydra.run.dir={tmp_path}", *SMALL, *QUIET)
        kept = [one for one in gc.get_objects() if type(one) in (ImageDataModule, Trainer)]
        assert not kept

    def test_an_empty_data_folder_is_named(self, cli: Cli, tmp_path: Path) -> None:
        folder = tmp_path / "run"
        assert cli("augment=none", f"hydra.run.dir={folder}", data_dir="paths.data_dir=''") == 1
        assert "paths.data_dir='' must be" in read_status(folder)["error"]

    def test_a_setting_that_cannot_be_resolved_is_the_jobs_failure(
        self, cli: Cli, tmp_path: Path
    ) -> None:
        folder = tmp_path / "day" / "time"
        paths = "optimizer.lr='${oc.env:AUGLENS_ABSENT}',0.001"
        assert cli("-m", "augment=none", paths, f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 1
        assert list(states(folder).values()) == ["FAILED", "COMPLETED"]

    def test_a_failed_job_costs_only_itself(
        self, cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "day" / "time"
        small = [word for word in SMALL if "train_size" not in word]
        sizes = "data.train_size=20,15,30"
        assert cli("-m", "augment=none", sizes, f"hydra.sweep.dir={folder}", *small, *QUIET) == 1
        assert list(states(folder).values()) == ["COMPLETED", "FAILED", "COMPLETED"]
        failed = run_folders(folder)[1]
        assert "data.train_size=15" in read_status(failed)["error"]
        assert "Traceback" in (failed / "train.log").read_text()
        assert "data.train_size=15 is not possible" in capsys.readouterr().out
        runs = runs_csv(folder)
        assert runs["status"].tolist() == ["COMPLETED", "FAILED", "COMPLETED"]
        assert failed.name in (folder / "report" / "report.html").read_text()

    def test_fail_fast_ends_the_sweep_and_still_reports(
        self, cli: Cli, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "day" / "time"
        small = [word for word in SMALL if "train_size" not in word]
        arguments = ("data.train_size=20,15,30", "fail_fast=true", f"hydra.sweep.dir={folder}")
        assert cli("-m", "augment=none", *arguments, *small, *QUIET) == 1
        assert list(states(folder).values()) == ["COMPLETED", "FAILED"]
        assert not (folder / "2-none-s1-seed0").exists()
        assert (folder / "report" / "report.html").exists()
        assert runs_csv(folder)["status"].tolist() == ["COMPLETED", "FAILED"]
        assert "1 of 3 jobs finished, 1 failed, 1 not started" in capsys.readouterr().out

    def test_a_single_run_that_fails_says_so_in_one_line(
        self, cli: Cli, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "run"
        assert cli(f"hydra.run.dir={folder}", "data.train_size=15", *QUIET) == 1
        assert read_status(folder)["state"] == "FAILED"
        said = capfd.readouterr()
        assert said.err == ""
        (line,) = said.out.splitlines()
        assert line.startswith("FAILED  run: ValueError: data.train_size=15 is not possible")
        assert "Traceback" in (folder / "train.log").read_text()

    def test_out_of_memory_costs_one_job_and_says_what_helps(
        self,
        cli: Cli,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        folder = tmp_path / "day" / "time"

        def starved(run: Any, into: Path, *others: Any) -> Any:  # noqa: ANN401
            if into.name.startswith("0-"):
                torch.empty(2**60)
            return train(run, into, *others)

        monkeypatch.setattr("auglens.job.train", starved)
        assert cli("-m", "augment=crop,none", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 1
        assert list(states(folder).values()) == ["FAILED", "COMPLETED"]
        reason = "out of memory: use a smaller data.batch_size or data.eval_batch_size"
        assert read_status(folder / "0-crop-s1-seed0")["error"].startswith(reason)
        said = capfd.readouterr()
        assert reason in said.out
        assert "Traceback" not in said.out + said.err

    def test_a_report_that_fails_is_one_line_and_a_file(
        self,
        cli: Cli,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        folder = tmp_path / "day" / "time"
        arguments = ("-m", "augment=none", f"hydra.sweep.dir={folder}", *SMALL, *QUIET)

        def mistaken(*given: Any, **settings: Any) -> None:  # noqa: ANN401
            raise KeyError(f"{len(given)} {len(settings)}")

        with monkeypatch.context() as patch:
            patch.setattr("auglens.study.build.build", mistaken)
            assert cli(*arguments) == 1
        (line,) = capfd.readouterr().err.splitlines()
        trace = folder / "report-error.txt"
        assert line.startswith(f"No report: KeyError: '1 4'; see {trace}. Finished runs are kept.")
        assert "in mistaken" in trace.read_text()
        assert cli(*arguments) == 0
        assert not trace.exists()

    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
    )
    def test_an_interrupt_during_the_report_is_one_line(
        self,
        cli: Cli,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        number: signal.Signals,
        code: int,
    ) -> None:
        folder = tmp_path / "day" / "time"

        def interrupted(*given: Any, **settings: Any) -> None:  # noqa: ANN401
            os.kill(os.getpid(), number)
            time.sleep(5)
            pytest.fail(f"not interrupted: {given} {settings}")

        monkeypatch.setattr("auglens.study.build.build", interrupted)
        assert cli("-m", "augment=none", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == code
        (line,) = capfd.readouterr().err.strip().splitlines()
        assert line.startswith("No report: interrupted. Report of what is there: python -m")
        assert list(states(folder).values()) == ["COMPLETED"]

    def test_a_note_that_cannot_be_read_is_said(
        self,
        cli: Cli,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        folder = tmp_path / "day" / "time"

        def damage(run: Any, into: Path, *others: Any) -> Any:  # noqa: ANN401
            (folder / ".jobs" / "stray.json").write_bytes(b"{")
            return train(run, into, *others)

        monkeypatch.setattr("auglens.job.train", damage)
        assert cli("-m", "augment=none", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 1
        expected = f"The note of job stray in {folder} cannot be read.\n"
        assert capfd.readouterr().err == expected
        assert (folder / "report" / "report.html").exists()

    def test_an_unknown_option_is_hydras_to_answer(
        self, cli: Cli, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "day" / "time"
        assert cli("-m", "augment=crop,bogus", f"hydra.sweep.dir={folder}", *SMALL, *QUIET) == 1
        assert "bogus" in capfd.readouterr().err
        assert not run_folders(folder)
        assert not (folder / "report").exists()

    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
    )
    def test_an_interrupt_keeps_what_is_finished(
        self,
        cli: Cli,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
        number: signal.Signals,
        code: int,
    ) -> None:
        folder = tmp_path / "day" / "time"
        long = [word for word in SMALL if "max_epochs" not in word]

        def interrupt_the_second_run() -> None:
            deadline = time.monotonic() + 60
            second = folder / "1-crop-s1-seed0" / "history.csv"
            while time.monotonic() < deadline and not second.exists():
                time.sleep(0.01)
            os.kill(os.getpid(), number)

        threading.Thread(target=interrupt_the_second_run, daemon=True).start()
        # A run of many epochs, so that the second is surely under way when the signal comes.
        arguments = ("augment=none,crop,blur", "trainer.max_epochs=40", f"hydra.sweep.dir={folder}")
        assert cli("-m", *arguments, *long, *QUIET) == code
        assert list(states(folder).values()) == ["COMPLETED", "INTERRUPTED"]
        assert read_record(folder / "0-none-s1-seed0").augment == "none"
        message = capfd.readouterr().err
        assert f"hydra.sweep.dir={folder}" in message
        assert f"python -m auglens.study sweep={folder}" in message
        assert (folder / "report" / "report.html").exists()
        assert runs_csv(folder)["status"].tolist() == ["COMPLETED", "INTERRUPTED"]


class TestOtherShapes:
    def test_three_channels_oblong_images_seven_unequal_classes(
        self, cli: Cli, tmp_path: Path
    ) -> None:
        folder = tmp_path / "day" / "time"
        code = cli(
            "-m",
            f"--config-dir={REPOSITORY / 'tests' / 'conf'}",
            "dataset=generated",
            "augment=scale,crop,erase,distort,blur,none",
            "saliency=[gradient,blur_perturbation]",
            "saliency.methods.blur_perturbation.stride_px=4",
            "data.train_size=28",
            "data.steps_per_epoch=4",
            "data.batch_size=30",
            "probe.size=14",
            "trainer.max_epochs=2",
            "logger=csv",
            f"hydra.sweep.dir={folder}",
        )
        assert code == 0
        runs = runs_csv(folder)
        assert runs["status"].tolist() == ["COMPLETED"] * 6
        for run in run_folders(folder):
            assert read_map(run, "blur_perturbation").maps.shape == (14, 40, 36)
            record = read_record(run)
            confusion = np.array(record.test_confusion)
            assert confusion.sum(axis=1).tolist() == [18, 27, 21, 39, 24, 30, 51]
            recall = (np.diag(confusion) / confusion.sum(axis=1)).mean()
            assert record.test_balanced_accuracy == pytest.approx(recall)
            assert (run / "csv" / "metrics.csv").exists()
        maps = pd.read_csv(folder / "maps.csv")
        assert maps.loc[maps["augment"] != "none", "cc"].notna().all()

    @pytest.mark.parametrize("logger", ["csv", "none"])
    def test_wandb_need_not_be_importable(
        self, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logger: str
    ) -> None:
        monkeypatch.setitem(sys.modules, "wandb", None)
        folder = tmp_path / "day" / "time"
        arguments = ("augment=none", f"logger={logger}", f"hydra.sweep.dir={folder}")
        assert cli("-m", *arguments, *SMALL) == 0

    def test_permuted_labels_keep_the_last_epoch_and_stay_out_of_the_tables(
        self, cli: Cli, tmp_path: Path
    ) -> None:
        folder = tmp_path / "day" / "time"
        arguments = ("data.permute_train_labels=false,true", f"hydra.sweep.dir={folder}")
        assert cli("-m", "augment=none", *arguments, *SMALL, *QUIET) == 0
        true, permuted = run_folders(folder)
        assert (permuted / "last.ckpt").exists()
        assert not (permuted / "best.ckpt").exists()
        record = read_record(permuted)
        assert record.best_epoch == 2
        assert record.test_accuracy == record.test_accuracy_last_epoch
        assert read_record(true).test_confusion != record.test_confusion
        assert len(pd.read_csv(folder / "maps.csv")["run"].unique()) == 1

    def test_online_copies_and_an_adapted_torchvision_transform(
        self, cli: Cli, tmp_path: Path
    ) -> None:
        folder = tmp_path / "run"
        code = cli(
            "augment=duplicate",
            "augment.name=rotate",
            "data.mode=online",
            "augment.transform._target_=auglens.augment.transforms.PerImage",
            "+augment.transform.transform._target_=torchvision.transforms.v2.RandomRotation",
            "+augment.transform.transform.degrees=15",
            f"hydra.run.dir={folder}",
            *SMALL,
            *QUIET,
        )
        assert code == 0
        assert read_record(folder).augment == "rotate"
        assert read_record(folder).strength is None
        copies = read_arrays(folder, "samples.npz")["augmented"][0]
        # Rotation by whole pixels makes small angles equal; one draw a batch would make all so.
        assert len(np.unique(copies, axis=0)) > 5
