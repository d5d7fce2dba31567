"""The whole pipeline through train.py: what a sweep leaves."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import entropy as scipy_entropy

from auglens.explainer import load_weights
from auglens.models.cnn2 import Cnn2
from auglens.models.normalized import NormalizedNetwork
from auglens.records.arrays import read_arrays
from auglens.records.maps import read_map, read_probe
from auglens.records.run import read_record, run_folders
from tests.conftest import REPOSITORY, SMALL, Cli, Sweep
from tests.sweeps import QUIET, runs_csv, states

AUGMENTATIONS = ["scale", "crop", "erase", "distort", "blur", "none"]
METHODS = ["gradient", "blur_perturbation"]
SIMILARITIES = ("cc", "kl", "kl_reverse", "sim", "js")
EPS = 2.220446049250313e-16


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
