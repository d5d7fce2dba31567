"""What every process of a training does: builds network, data and trainer, and fits."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger

from auglens.callbacks import History
from auglens.checkpoints import Checkpoints, WholeFiles
from auglens.components import Components, build_components, build_network, built
from auglens.datamodule import WHOLE, ImageDataModule, Share
from auglens.explainer import checkpoint_name
from auglens.module import ClassifierModule
from auglens.ranks import KeepSigterm, OneMachine, Place, ddp_strategy, leave_group
from auglens.seeding import Role, role_generator, seeded_globals

__all__ = [
    "conditions",
    "fit",
    "make_data",
    "make_keepers",
    "make_module",
    "make_trainer",
    "train_along",
]

NVML_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"


def train_along(
    place: Place, config: Mapping[str, Any], folder: Path, checkpoint: Path | None
) -> None:
    """Train as a further process of :func:`auglens.training.train`; write, test, explain nothing.

    Args:
        place: Of this process in the training.
        config: The resolved config of the run.
        folder: The run folder.
        checkpoint: What the training goes on from, if anything.
    """
    run = build_components(config)
    share = Share(rank=place.rank, world_size=place.world_size)
    with conditions(run):
        module, data = make_module(run), make_data(run, share)
        keepers = make_keepers(run, folder)
        callbacks = [*keepers, KeepSigterm()]
        trainer = make_trainer(run, folder, callbacks, [], share=share, port=place.port)
        place.say_ready()
        # Its own random numbers for what draws while it trains, such as dropout.
        with seeded_globals(run.config["seeds"]["init"], place.rank):
            fit(trainer, module, data, checkpoint)
        leave_group()


def fit(
    trainer: Trainer, module: ClassifierModule, data: ImageDataModule, checkpoint: Path | None
) -> None:
    """Fit, in all processes of a training at once.

    Args:
        trainer: Of this process.
        module: Its network.
        data: Its share of the images.
        checkpoint: What the training goes on from, if anything.
    """
    trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    # No process leaves while another still needs it.
    trainer.strategy.barrier()


def make_module(run: Components) -> ClassifierModule:
    """The untrained network with its optimiser."""
    spec = run.dataset.spec
    return ClassifierModule(
        net=build_network(run.config, spec),
        optimizer=built(run.config["optimizer"], "optimizer"),
        num_classes=len(spec.class_names),
    )


def make_data(run: Components, share: Share) -> ImageDataModule:
    """The images of a run; one process's share of those it is trained and validated on."""
    data, augment, seeds = run.config["data"], run.config["augment"], run.config["seeds"]
    online = data["mode"] == "online"
    # Copies made beforehand are the same in all processes, fresh ones are each process's own.
    part = (share.rank,) if online and share.world_size > 1 else ()
    return ImageDataModule(
        originals=run.originals,
        labels=run.labels,
        val=run.dataset.val,
        test=run.dataset.test,
        augmentation=run.augmentation,
        copies=augment["copies"],
        keep_original=augment["keep_original"],
        online=online,
        batch_size=data["batch_size"],
        steps_per_epoch=data["steps_per_epoch"],
        eval_batch_size=data["eval_batch_size"],
        augment_generator=role_generator(seeds["augment"], Role.AUGMENT, *part),
        order_generator=role_generator(seeds["order"], Role.ORDER),
        share=share,
    )


def make_keepers(run: Components, folder: Path) -> tuple[History, Checkpoints]:
    """What is kept of the training, in every process of it; the first writes."""
    checkpoints = Checkpoints(
        folder,
        identity=run.identity,
        model=checkpoint_name(run.config),
        every_epoch=run.config["paths"]["resume"],
    )
    return History(folder / "history.csv"), checkpoints


def make_trainer(
    run: Components,
    folder: Path,
    callbacks: list[Callback],
    loggers: list[Logger],
    *,
    share: Share = WHOLE,
    port: int = 0,
) -> Trainer:
    """Lightning's trainer with the settings of ``trainer``.

    Args:
        run: What is trained.
        folder: The run folder.
        callbacks: In the order in which they are called.
        loggers: Where curves are mirrored; may be empty.
        share: Of this process among those that train; one alone uses the first device.
        port: Where several meet.
    """
    settings = dict(run.config["trainer"])
    if share.world_size > 1:
        settings["strategy"] = ddp_strategy(settings["strategy"])
    else:
        devices = settings["devices"]
        settings |= {"strategy": "auto", "devices": devices[:1] if isinstance(devices, list) else 1}
    return Trainer(
        **settings,
        logger=loggers or False,
        callbacks=callbacks,
        plugins=[WholeFiles(), OneMachine(rank=share.rank, port=port)],
        default_root_dir=folder,
    )


@contextmanager
def conditions(run: Components) -> Iterator[None]:
    """What holds while a network is trained, in every process of its training."""
    threads = {"OMP_NUM_THREADS": str(run.config["num_threads"])}
    with (
        seeded_globals(run.config["seeds"]["init"]),
        # Where it is not set, Lightning sets the number of threads of several processes.
        _environment(threads if run.inputs["trainer"]["world_size"] > 1 else {}),
        _few_checks(),
        warnings.catch_warnings(),
    ):
        # https://github.com/Lightning-AI/pytorch-lightning/issues/21326
        warnings.filterwarnings("ignore", message=".*LeafSpec.* is deprecated")
        # https://github.com/Lightning-AI/pytorch-lightning/issues/20776
        warnings.filterwarnings("ignore", message="The `srun` command is available")
        # What the module logs is the same in all processes already.
        warnings.filterwarnings("ignore", message="It is recommended to use .*sync_dist=True")
        yield


@contextmanager
def _few_checks() -> Iterator[None]:
    """Spare two checks that every step pays for; no result depends on them.

    Deterministic mode fills all fresh memory with NaN, a debugging aid. Adam asks at every step
    whether there is a GPU; the way that Lightning makes it ask reads libraries from disk each time.
    """
    switches: Any = torch.utils.deterministic
    filled = switches.fill_uninitialized_memory
    switches.fill_uninitialized_memory = False
    try:
        with _environment({NVML_CHECK: "0"}):
            yield
    finally:
        switches.fill_uninitialized_memory = filled


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables as long as the block lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
