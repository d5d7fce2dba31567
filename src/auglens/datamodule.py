"""The LightningDataModule: images in memory, read by whole batches. Receives its augmentation."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor

from auglens.augment.training_set import Augmentation, TrainingSet, build_training_set
from auglens.datasets.spec import Split
from auglens.ranks import of_all_ranks

__all__ = ["WHOLE", "EvalBatches", "ImageDataModule", "Share", "TrainBatches"]

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Share:
    """What one of several processes takes of a batch that all of them know.

    Attributes:
        rank: Of the process, from 0.
        world_size: Number of processes.
    """

    rank: int
    world_size: int

    def of(self, values: Tensor) -> Tensor:
        """Every ``world_size``-th of ``values (N, ...)``; the shares of all ranks are the whole."""
        return values if self.world_size == 1 else values[self.rank :: self.world_size]


WHOLE = Share(rank=0, world_size=1)


class TrainBatches:
    """An endless shuffled walk over a set, cut into epochs of equally many batches.

    Every sample is shown once before any is shown again; when the set is exhausted it is
    reshuffled, also in the middle of a batch or an epoch. Each iteration continues the walk.

    Args:
        fetch: Makes a batch from sample positions ``int64 (batch_size,)``.
        size: Samples in the set.
        batch_size: Samples a batch, of all processes together.
        steps: Batches an epoch.
        generator: Source of the order, the same in every process.
        share: What this process takes of each batch.

    Attributes:
        samples_shown: Samples handed out so far in all processes, repeats counted.

    Raises:
        ValueError: If a size is below 1.
    """

    def __init__(
        self,
        fetch: Callable[[Tensor], Batch],
        *,
        size: int,
        batch_size: int,
        steps: int,
        generator: torch.Generator,
        share: Share,
    ) -> None:
        if batch_size < 1 or steps < 1:
            raise ValueError(
                f"data.batch_size={batch_size} and data.steps_per_epoch={steps} must be at least 1."
            )
        self.fetch = fetch
        self.size = size
        self.batch_size = batch_size
        self.steps = steps
        self.generator = generator
        self.share = share
        self.samples_shown = 0
        self._queue = torch.empty(0, dtype=torch.long)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(self.steps):
            self.samples_shown += self.batch_size
            yield self.fetch(self.share.of(self._next_positions()))

    # Not named state_dict: Lightning would keep loaders that have one by itself, a second time.
    def position(self) -> dict[str, Any]:
        """Where the walk is: what is left of the shuffled set, the order's source, the count."""
        return {
            "queue": self._queue.clone(),
            "generator": self.generator.get_state(),
            "samples_shown": self.samples_shown,
        }

    def go_to(self, position: dict[str, Any]) -> None:
        """Continue from what :meth:`position` said."""
        self._queue = position["queue"]
        self.generator.set_state(position["generator"])
        self.samples_shown = position["samples_shown"]

    def _next_positions(self) -> Tensor:
        while len(self._queue) < self.batch_size:
            shuffled = torch.randperm(self.size, generator=self.generator)
            self._queue = torch.cat([self._queue, shuffled])
        positions, self._queue = self._queue[: self.batch_size], self._queue[self.batch_size :]
        return positions


class EvalBatches:
    """All images of a split in order, or the share of one of several processes.

    Args:
        images: ``(N, C, H, W)`` in [0, 1].
        labels: ``(N,)``.
        batch_size: Images a batch of one process; the last may be smaller.
        share: What this process takes of the split.

    Raises:
        ValueError: If ``batch_size`` is below 1, or there are fewer images than processes.
    """

    def __init__(self, images: Tensor, labels: Tensor, *, batch_size: int, share: Share) -> None:
        if batch_size < 1:
            raise ValueError(f"data.eval_batch_size={batch_size} must be at least 1.")
        if len(images) < share.world_size:
            raise ValueError(
                f"{len(images)} images cannot be shared by {share.world_size} processes."
            )
        parts = [_batches_of(share, values, batch_size) for values in (images, labels)]
        self.batches = list(zip(*parts, strict=True))

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


def _batches_of(share: Share, values: Tensor, batch_size: int) -> Sequence[Tensor]:
    """Batches of one share of ``values (N, ...)``, none of them empty, equally many in each share.

    Processes that had different numbers of batches would wait for each other forever.
    """
    if share.world_size == 1:
        return torch.split(values, batch_size)
    smallest = len(values) // share.world_size
    wanted = math.ceil(math.ceil(len(values) / share.world_size) / batch_size)
    return torch.tensor_split(share.of(values), min(wanted, smallest))


class ImageDataModule(LightningDataModule):
    """Originals and their augmented copies for training, clean images for the rest.

    Args:
        originals: The training images.
        labels: Their labels ``(N,)``; permuted ones under label randomisation.
        val: Validation split.
        test: Test split.
        augmentation: Makes the copies.
        copies: Augmented copies of each original.
        keep_original: Whether the originals are trained on too.
        online: Keep the originals only and draw a copy anew whenever it is shown.
        batch_size: Samples a training batch, of all processes together.
        steps_per_epoch: Training batches an epoch.
        eval_batch_size: Images a validation or test batch of one process.
        augment_generator: Source of the augmentation's draws; online, this process's own.
        order_generator: Source of the order of samples, the same in every process.
        share: What this process takes of a training batch and of the validation split. The test
            split is never shared.
    """

    def __init__(
        self,
        *,
        originals: Split,
        labels: Tensor,
        val: Split,
        test: Split,
        augmentation: Augmentation,
        copies: int,
        keep_original: bool,
        online: bool,
        batch_size: int,
        steps_per_epoch: int,
        eval_batch_size: int,
        augment_generator: torch.Generator,
        order_generator: torch.Generator,
        share: Share,
    ) -> None:
        super().__init__()
        self.val = val
        self.test = test
        self.augmentation = augmentation
        self.keep_original = keep_original
        self.eval_batch_size = eval_batch_size
        self.augment_generator = augment_generator
        self.share = share
        self.training_set = build_training_set(
            originals.unit_images(),
            labels,
            augmentation=augmentation,
            copies=0 if online else copies,
            keep_original=online or keep_original,
            generator=augment_generator,
        )
        self.train_batches = TrainBatches(
            self._fetch_online if online else self._fetch,
            size=len(labels) * (copies + keep_original),
            batch_size=batch_size,
            steps=steps_per_epoch,
            generator=order_generator,
            share=share,
        )

    def state_dict(self) -> dict[str, Any]:
        """Where training data are: the walk over them and each rank's source of fresh copies."""
        augment = of_all_ranks(self.augment_generator.get_state())
        return {"walk": self.train_batches.position(), "augment_generators": augment}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.train_batches.go_to(state_dict["walk"])
        self.augment_generator.set_state(state_dict["augment_generators"][self.share.rank])

    def train_dataloader(self) -> TrainBatches:
        """Shuffled batches of the training set, on the trainer's device."""
        self.training_set = _moved(self.training_set, self._device)
        return self.train_batches

    def transfer_batch_to_device(
        self, batch: Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Nothing to do: batches are cut from tensors that lie on the device already."""
        del device, dataloader_idx
        return batch

    def val_dataloader(self) -> EvalBatches:
        """This process's share of the validation split in order, on the trainer's device."""
        return self._eval(self.val, self.share)

    def test_dataloader(self) -> EvalBatches:
        """The test split in order, on the trainer's device."""
        return self._eval(self.test, WHOLE)

    @property
    def _device(self) -> torch.device:
        return self.trainer.strategy.root_device if self.trainer else torch.device("cpu")

    def _eval(self, split: Split, share: Share) -> EvalBatches:
        images, labels = split.unit_images().to(self._device), split.labels.to(self._device)
        return EvalBatches(images, labels, batch_size=self.eval_batch_size, share=share)

    def _fetch(self, positions: Tensor) -> Batch:
        positions = positions.to(self.training_set.images.device)
        # Whole rows are copied; plain indexing goes pixel by pixel.
        images = self.training_set.images.index_select(0, positions)
        return images, self.training_set.labels.index_select(0, positions)

    def _fetch_online(self, positions: Tensor) -> Batch:
        """Like :meth:`_fetch`, with copies drawn afresh; kept originals stay originals."""
        count = len(self.training_set.labels)
        images, labels = self._fetch(positions % count)
        copied = positions >= count if self.keep_original else torch.ones_like(positions).bool()
        # Positions, found on the CPU: a mask would make a GPU wait.
        where = copied.nonzero().flatten().to(images.device)
        if len(where):
            sources = images.index_select(0, where)
            images[where] = self.augmentation(sources, generator=self.augment_generator)
        return images, labels


def _moved(training_set: TrainingSet, device: torch.device) -> TrainingSet:
    return TrainingSet(*(part.to(device) for part in vars(training_set).values()))
