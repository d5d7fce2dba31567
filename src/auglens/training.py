"""Trains, tests and explains one run whose parts exist."""

import os
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from rich.console import Console
from torch import Tensor

from auglens import provenance, run_figures
from auglens.augment.training_set import build_training_set
from auglens.callbacks import EpochProgress, History, SaliencyMaps
from auglens.checkpoints import Checkpoints, WholeFiles, resume_point
from auglens.components import Components, build_network, built
from auglens.datamodule import ImageDataModule
from auglens.datasets.spec import Split
from auglens.explainer import checkpoint_name, load_weights
from auglens.metrics.accuracy import accuracy, balanced_accuracy
from auglens.module import ClassifierModule
from auglens.records.arrays import write_arrays
from auglens.records.files import remove_unfinished
from auglens.records.run import RunRecord
from auglens.seeding import Role, role_generator, seeded_globals
from auglens.tracking import TrackedRun

__all__ = ["train"]

NVML_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"
NUM_SAMPLES = 5


@dataclass
class PhaseClock:
    """Wall time by phase.

    Attributes:
        seconds: Of each phase so far.
    """

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started


def train(run: Components, folder: Path, tracked: TrackedRun, console: Console) -> RunRecord:
    """Train, test and explain one network; everything but the record is in ``folder`` then.

    With ``paths.resume`` an interrupted training goes on after its last epoch, to the same result.

    Args:
        run: What to train.
        folder: The run folder.
        tracked: What loggers are told.
        console: Where progress is shown.
    """
    started = time.perf_counter()
    clock = PhaseClock()
    with seeded_globals(run.config["seeds"]["init"]), _few_checks(), warnings.catch_warnings():
        # https://github.com/Lightning-AI/pytorch-lightning/issues/21326
        warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
        module = _module(run)
        point = _resume_point(run, folder, module, console)
        _clear(folder, keep=point)
        run.explainer.rehearse(module.net)
        with clock.phase("augment"):
            data = _datamodule(run)
            _write_samples(run, data, folder)
        history = History(folder / "history.csv")
        maps = SaliencyMaps(run.explainer, folder, figures=run.config["figures"], console=console)
        checkpoints = _checkpoints(run, folder)
        callbacks = [history, EpochProgress(tracked.name, console), maps, checkpoints]
        trainer = _trainer(run, folder, tracked, callbacks)
        with clock.phase("fit"):
            trainer.fit(module, datamodule=data, ckpt_path=point, weights_only=True)
        checkpoints.write_model()
        _test(run, trainer, module, data, folder, clock)
    clock.seconds["total"] = time.perf_counter() - started
    if history.seconds_before is not None:
        clock.seconds["fit_before_interruption"] = history.seconds_before
    return _record(run, module, history, clock, data.train_batches.samples_shown)


def _resume_point(
    run: Components, folder: Path, module: ClassifierModule, console: Console
) -> Path | None:
    if not run.config["paths"]["resume"]:
        return None
    return resume_point(
        folder,
        run.identity,
        module,
        lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
    )


def _clear(folder: Path, *, keep: Path | None) -> None:
    """Remove what an earlier, unfinished training left: its maps belong to other weights."""
    for name in ("saliency", "figures"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for path in (folder / "probe.npz", *folder.glob("*.ckpt")):
        if path != keep:
            path.unlink(missing_ok=True)
    remove_unfinished(folder)


def _test(
    run: Components,
    trainer: Trainer,
    module: ClassifierModule,
    data: ImageDataModule,
    folder: Path,
    clock: PhaseClock,
) -> None:
    """Test the last epoch's weights, then the model's; the latter are explained."""
    with clock.phase("test_last_epoch"):
        module.tested_weights = "last_epoch"
        trainer.test(module, datamodule=data, verbose=False)
    with clock.phase("test_and_explain"):
        module.tested_weights = "best"
        # Not Lightning's ckpt_path: it would put data and history back to that epoch, too.
        load_weights(module.net, folder / checkpoint_name(run.config))
        trainer.test(module, datamodule=data, verbose=False)


@contextmanager
def _few_checks() -> Iterator[None]:
    """Spare two checks that every step pays for; no result depends on them.

    Deterministic mode fills all fresh memory with NaN, a debugging aid. Adam asks at every step
    whether there is a GPU; the way that Lightning makes it ask reads libraries from disk each time.
    """
    switches: Any = torch.utils.deterministic
    filled, asked = switches.fill_uninitialized_memory, os.environ.get(NVML_CHECK)
    switches.fill_uninitialized_memory = False
    os.environ[NVML_CHECK] = "0"
    try:
        yield
    finally:
        switches.fill_uninitialized_memory = filled
        if asked is None:
            del os.environ[NVML_CHECK]
        else:
            os.environ[NVML_CHECK] = asked


def _datamodule(run: Components) -> ImageDataModule:
    data, augment, seeds = run.config["data"], run.config["augment"], run.config["seeds"]
    return ImageDataModule(
        originals=run.originals,
        labels=run.labels,
        val=run.dataset.val,
        test=run.dataset.test,
        augmentation=run.augmentation,
        copies=augment["copies"],
        keep_original=augment["keep_original"],
        online=data["mode"] == "online",
        batch_size=data["batch_size"],
        steps_per_epoch=data["steps_per_epoch"],
        eval_batch_size=data["eval_batch_size"],
        augment_generator=role_generator(seeds["augment"], Role.AUGMENT),
        order_generator=role_generator(seeds["order"], Role.ORDER),
    )


def _module(run: Components) -> ClassifierModule:
    spec = run.dataset.spec
    return ClassifierModule(
        net=build_network(run.config, spec),
        optimizer=built(run.config["optimizer"], "optimizer"),
        num_classes=len(spec.class_names),
    )


def _trainer(
    run: Components, folder: Path, tracked: TrackedRun, callbacks: list[Callback]
) -> Trainer:
    return Trainer(
        **run.config["trainer"],
        logger=built(run.config["logger"], "logger")(tracked) or False,
        callbacks=callbacks,
        plugins=[WholeFiles()],
        default_root_dir=folder,
    )


def _checkpoints(run: Components, folder: Path) -> Checkpoints:
    return Checkpoints(
        folder,
        identity=run.identity,
        model=checkpoint_name(run.config),
        every_epoch=run.config["paths"]["resume"],
    )


def _write_samples(run: Components, data: ImageDataModule, folder: Path) -> None:
    """``samples.npz``: training images of different classes and their augmented copies."""
    firsts = run_figures.first_of_each_class(run.originals.labels)
    others = torch.tensor([i for i in range(len(run.originals)) if i not in firsts.tolist()])
    shown = torch.cat([firsts, others.long()])[:NUM_SAMPLES]
    originals = run.originals[shown]
    count, augment = len(run.originals), run.config["augment"]
    copies = data.training_set.images.view(-1, count, *originals.images.shape[1:])[:, shown]
    if run.config["data"]["mode"] == "online":
        copies = _fresh_copies(run, originals)
    elif augment["keep_original"]:
        copies = copies[1:]
    unit, augmented = originals.unit_images().numpy(), copies.swapaxes(0, 1).cpu().numpy()
    arrays = {"ids": originals.ids.numpy(), "labels": originals.labels.numpy()}
    write_arrays(folder / "samples.npz", {**arrays, "originals": unit, "augmented": augmented})
    if run.config["figures"]:
        path = folder / "figures" / "training_set.png"
        run_figures.write_sample_figure(path, unit, augmented, title=augment["name"])


def _fresh_copies(run: Components, originals: Split) -> Tensor:
    """What online training draws for these images, ``(copies, N, C, H, W)``."""
    copies = run.config["augment"]["copies"]
    if copies == 0:
        return originals.unit_images()[None][:0]
    drawn = build_training_set(
        originals.unit_images(),
        originals.labels,
        augmentation=run.augmentation,
        copies=copies,
        keep_original=False,
        generator=role_generator(run.config["seeds"]["augment"], Role.AUGMENT),
    )
    return drawn.images.view(copies, *originals.images.shape)


def _record(
    run: Components,
    module: ClassifierModule,
    history: History,
    clock: PhaseClock,
    samples_seen: int,
) -> RunRecord:
    best, last = (module.test_confusions[weights] for weights in ("best", "last_epoch"))
    last_is_model = run.config["data"]["permute_train_labels"]
    best_epoch = len(history.rows) if last_is_model else history.best_epoch
    return RunRecord(
        identity=run.identity,
        inputs=run.inputs,
        config=dict(run.config),
        probe_hash=run.explainer.probe.hash,
        best_epoch=best_epoch,
        val_accuracy=history.rows[best_epoch - 1]["val_accuracy"],
        test_accuracy=accuracy(best),
        test_accuracy_last_epoch=accuracy(last),
        test_balanced_accuracy=balanced_accuracy(best),
        test_balanced_accuracy_last_epoch=balanced_accuracy(last),
        test_confusion=best.tolist(),
        test_confusion_last_epoch=last.tolist(),
        samples_seen=samples_seen,
        seconds={name: round(value, 4) for name, value in clock.seconds.items()},
        versions=provenance.versions(),
        git_commit=provenance.git_commit(),
        hardware=provenance.hardware(run.inputs["trainer"]["accelerator"]),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
