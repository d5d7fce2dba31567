"""When a run's checkpoints are written, what is in them, and where a run goes on. Trains nothing."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.plugins import TorchCheckpointIO
from torch import nn

from auglens.explainer import LAST_CHECKPOINT, difference, read_checkpoint
from auglens.ranks import of_all_ranks
from auglens.records.files import write_bytes
from auglens.records.run import RecordError
from auglens.seeding import global_states, set_global_states

__all__ = ["Checkpoints", "WholeFiles", "resume_point"]


class WholeFiles(TorchCheckpointIO):
    """Lightning's checkpoints: whole or absent, and loaded without running anything in them."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any = None,  # noqa: ANN401, ARG002 - Lightning's signature
    ) -> None:
        """Write ``checkpoint`` under a temporary name, flush it, rename it."""
        write_bytes(Path(path), lambda file: torch.save(checkpoint, file))

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any = "cpu",  # noqa: ANN401 - Lightning's signature
        weights_only: bool | None = True,  # noqa: ARG002 - never anything but tensors and numbers
    ) -> dict[str, Any]:
        """Read tensors and plain values.

        Raises:
            RecordError: If the file is absent, damaged, or holds anything else.
        """
        return read_checkpoint(Path(path), map_location=map_location)


class Checkpoints(Checkpoint):
    """Remembers the weights of the model, and writes after each epoch what a run can go on from.

    The model's weights are part of ``last.ckpt`` as long as training lasts and get a file of their
    own when it is over, so no interruption parts a best epoch from the last one.

    Args:
        folder: The run folder.
        identity: Of the run.
        model: Name of the model's file; ``last.ckpt`` where the last epoch is the model, else the
            epoch with the best validation accuracy is, the earliest if tied.
        every_epoch: Whether ``last.ckpt`` is written after each epoch.

    Attributes:
        chosen: The model so far: ``state_dict``, ``epoch`` (from 0), ``val_accuracy``.
    """

    def __init__(self, folder: Path, *, identity: str, model: str, every_epoch: bool) -> None:
        self.folder = folder
        self.identity = identity
        self.model = model
        self.every_epoch = every_epoch
        self.chosen: dict[str, Any] = {}
        self._generators: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        """Whose checkpoint it is, the model so far, and all global generators of each rank."""
        generators = of_all_ranks(global_states())
        return {"identity": self.identity, "chosen": self.chosen, "generators": generators}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.chosen, self._generators = state_dict["chosen"], state_dict["generators"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put the global generators where they were; nothing draws from here to the next epoch."""
        del pl_module
        if self._generators:
            set_global_states(self._generators[trainer.global_rank])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Choose, then write."""
        accuracy = float(trainer.callback_metrics["val_accuracy"])
        newest_is_model = self.model == LAST_CHECKPOINT
        if newest_is_model or not self.chosen or accuracy > self.chosen["val_accuracy"]:
            self.chosen = {
                "state_dict": {
                    name: value.detach().cpu().clone()
                    for name, value in pl_module.state_dict().items()
                },
                "epoch": trainer.current_epoch,
                "global_step": trainer.global_step,
                "pytorch-lightning_version": version("pytorch-lightning"),
                "val_accuracy": accuracy,
            }
        if self.every_epoch:
            # All processes at once; Lightning lets the first write.
            trainer.save_checkpoint(self.folder / LAST_CHECKPOINT)

    def write_model(self) -> None:
        """Write the model's file when training is over; a full ``last.ckpt`` holds it already."""
        if not (self.every_epoch and self.model == LAST_CHECKPOINT):
            write_bytes(self.folder / self.model, lambda file: torch.save(self.chosen, file))


def resume_point(
    folder: Path, identity: str, module: nn.Module, say: Callable[[str], object]
) -> Path | None:
    """The checkpoint that an interrupted training goes on from.

    Args:
        folder: The run folder.
        identity: Of the run.
        module: What the weights are for; left as it was.
        say: Told in one line where it goes on, or why it cannot.

    Returns:
        ``last.ckpt`` where it is whole and of this run, else None.
    """
    path = folder / LAST_CHECKPOINT
    if not path.exists():
        return None
    try:
        epoch = _resumable_epoch(path, identity, module)
    except RecordError as error:
        say(f"{error}; training begins anew.")
        return None
    say(f"{folder.name} goes on after epoch {epoch}.")
    return path


def _resumable_epoch(path: Path, identity: str, module: nn.Module) -> int:
    content = read_checkpoint(path)
    callbacks = content.get("callbacks")
    state = callbacks.get(Checkpoints.__qualname__) if isinstance(callbacks, Mapping) else None
    if not isinstance(state, Mapping):
        raise RecordError(f"{path} holds weights only")
    if state.get("identity") != identity:
        raise RecordError(f"{path} belongs to another run")
    other = difference(content["state_dict"], module.state_dict())
    if other:
        raise RecordError(f"{path} is of another network: {other}")
    return int(content["epoch"]) + 1
