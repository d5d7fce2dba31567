"""The LightningModule: one network, cross-entropy, accuracy. Knows no data and no saliency."""

from collections.abc import Callable, Iterable
from typing import Literal

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from auglens.metrics.accuracy import accuracy, balanced_accuracy

__all__ = ["Batch", "ClassifierModule", "OptimizerFactory", "TestedWeights"]

Batch = tuple[Tensor, Tensor]
OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]
TestedWeights = Literal["last_epoch", "best"]


class ClassifierModule(LightningModule):
    """Trains and tests an image classifier.

    Args:
        net: Maps images ``(N, C, H, W)`` in [0, 1] to logits ``(N, K)``.
        optimizer: Makes the optimiser of the parameters.
        num_classes: Number of classes K.

    Attributes:
        tested_weights: Which weights the next test is of; named before any is seen.
        test_confusions: Counts ``(K, K)`` of each test, by the weights tested.
    """

    def __init__(self, *, net: nn.Module, optimizer: OptimizerFactory, num_classes: int) -> None:
        super().__init__()
        self.net = net
        self.optimizer = optimizer
        # torchmetrics averages over classes unless told otherwise.
        self.val_accuracy = MulticlassAccuracy(num_classes, average="micro")
        self.test_confusion = MulticlassConfusionMatrix(num_classes)
        self._train_losses: list[Tensor] = []
        self._val_losses: list[Tensor] = []
        # Predictions are counted once a pass: a torchmetrics update costs as much as a small net.
        self._predictions: list[Tensor] = []
        self._labels: list[Tensor] = []
        self.tested_weights: TestedWeights = "best"
        self.test_confusions: dict[TestedWeights, Tensor] = {}

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, K)`` of images ``(N, C, H, W)`` in [0, 1]."""
        logits: Tensor = self.net(images)
        return logits

    @property
    def train_loss(self) -> Tensor:
        """Mean training loss of the epoch so far, in nats; asked for by all processes at once."""
        return self._mean_of_ranks(torch.stack(self._train_losses).mean(), len(self._train_losses))

    def on_train_epoch_start(self) -> None:
        """Begin a new mean."""
        self._train_losses.clear()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross-entropy of one batch."""
        del batch_idx
        images, labels = batch
        loss = F.cross_entropy(self(images), labels)
        # Kept on the device and logged once an epoch: logging a step costs as much as a small net.
        self._train_losses.append(loss.detach())
        return loss

    def on_train_epoch_end(self) -> None:
        """Log the epoch's loss."""
        self.log("train_loss", self.train_loss)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and accuracy over the whole validation split."""
        del batch_idx
        images, labels = batch
        logits = self(images)
        self._keep(logits, labels)
        self._val_losses.append(F.cross_entropy(logits, labels, reduction="none"))

    def on_validation_epoch_end(self) -> None:
        """Log the loss, and the accuracy the checkpoint is chosen by."""
        losses = torch.cat(self._val_losses)
        self.log("val_loss", self._mean_of_ranks(losses.mean(), len(losses)))
        self._val_losses.clear()
        self.val_accuracy.update(*self._kept())
        self.log("val_accuracy", self.val_accuracy.compute())
        self.val_accuracy.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Predict one batch."""
        del batch_idx
        images, labels = batch
        self._keep(self(images), labels)

    def on_test_epoch_end(self) -> None:
        """Count predictions; log the accuracies of the weights under test."""
        self.test_confusion.update(*self._kept())
        confusion = self.test_confusion.compute().cpu()
        self.test_confusion.reset()
        self.test_confusions[self.tested_weights] = confusion
        suffix = "" if self.tested_weights == "best" else "_last_epoch"
        self.log(f"test_accuracy{suffix}", accuracy(confusion))
        self.log(f"test_balanced_accuracy{suffix}", balanced_accuracy(confusion))

    def _mean_of_ranks(self, mean: Tensor, count: int) -> Tensor:
        """The mean over all processes of a mean over ``count`` values of this one."""
        if self.trainer.world_size == 1:
            return mean
        own = torch.stack([mean.double() * count, torch.full_like(mean, count, dtype=torch.double)])
        total, total_count = self.trainer.strategy.reduce(own, reduce_op="sum")
        global_mean: Tensor = (total / total_count).to(mean.dtype)
        return global_mean

    def _keep(self, logits: Tensor, labels: Tensor) -> None:
        self._predictions.append(logits.argmax(dim=1))
        self._labels.append(labels)

    def _kept(self) -> Batch:
        """Predictions and labels ``(N,)`` of the whole split, which are forgotten then."""
        kept = torch.cat(self._predictions), torch.cat(self._labels)
        self._predictions.clear()
        self._labels.clear()
        return kept

    def configure_optimizers(self) -> Optimizer:
        """The optimiser given, over all parameters."""
        return self.optimizer(self.net.parameters())
