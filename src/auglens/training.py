"""Trains, tests and explains one run whose parts exist."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch
from pytorch_lightning import Trainer
from rich.console import Console
from torch import Tensor

from auglens import provenance, run_figures
from auglens.augment.training_set import build_training_set
from auglens.callbacks import EpochProgress, History, SaliencyMaps
from auglens.checkpoints import resume_point
from auglens.components import Components, built
from auglens.datamodule import ImageDataModule, Share
from auglens.datasets.spec import Split
from auglens.explainer import checkpoint_name, load_weights
from auglens.fitting import (
    conditions,
    fit,
    make_data,
    make_keepers,
    make_module,
    make_trainer,
    train_along,
)
from auglens.metrics.accuracy import accuracy, balanced_accuracy
from auglens.module import ClassifierModule
from auglens.ranks import FurtherRanks, KeepSigterm
from auglens.records.arrays import write_arrays
from auglens.records.files import remove_unfinished
from auglens.records.run import RunRecord
from auglens.seeding import Role, role_generator
from auglens.tracking import TrackedRun

__all__ = ["train"]

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


def train(
    run: Components,
    folder: Path,
    tracked: TrackedRun,
    console: Console,
    give_up: Callable[[BaseException], object],
) -> RunRecord:
    """Train, test and explain one network; everything but the record is in ``folder`` then.

    With ``paths.resume`` an interrupted training goes on after its last epoch, to the same result.
    On several devices this process starts one more for each further device, which trains along
    and writes nothing; test and maps are this process's alone.

    Args:
        run: What to train.
        folder: The run folder.
        tracked: What loggers are told.
        console: Where progress is shown.
        give_up: See :class:`~auglens.ranks.FurtherRanks`.

    Raises:
        RankLostError: If another process of the training was lost.
    """
    started = time.perf_counter()
    clock = PhaseClock()
    with conditions(run):
        module = make_module(run)
        point = _resume_point(run, folder, module, console)
        _clear(folder, keep=point)
        history, checkpoints = make_keepers(run, folder)
        maps = SaliencyMaps(run.explainer, folder, figures=run.config["figures"], console=console)
        world_size = run.inputs["trainer"]["world_size"]
        told = (dict(run.config), folder, point)
        with FurtherRanks(train_along, told, world_size=world_size, give_up=give_up) as ranks:
            run.explainer.rehearse(module.net)
            share = Share(rank=0, world_size=world_size)
            with clock.phase("augment"):
                data = make_data(run, share)
                _write_samples(run, data, folder)
            progress = EpochProgress(tracked.name, console)
            callbacks = [history, progress, maps, checkpoints, KeepSigterm()]
            loggers = built(run.config["logger"], "logger")(tracked)
            trainer = make_trainer(run, folder, callbacks, loggers, share=share, port=ranks.port)
            ranks.wait_until_ready()
            with clock.phase("fit"):
                fit(trainer, module, data, point)
        checkpoints.write_model()
        if world_size > 1:
            trainer = _one_device_trainer(run, folder, maps, after=trainer)
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


def _one_device_trainer(
    run: Components, folder: Path, maps: SaliencyMaps, *, after: Trainer
) -> Trainer:
    """A trainer for the test on the first device; it logs where the other one ended."""
    trainer = make_trainer(run, folder, [maps], after.loggers)
    trainer.fit_loop.load_state_dict(after.fit_loop.state_dict())
    return trainer


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
