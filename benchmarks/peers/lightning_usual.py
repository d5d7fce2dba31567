"""One training of the poster, on cropped images, as Lightning's tutorials would have it.

    python lightning_usual.py ROOT

ROOT holds ``MNIST/raw``. Samples come one by one from data sets, through a DataLoader; a progress
bar, metrics of every step, the CSV logger and the best checkpoint, written to the working folder.
Prints the seconds of fitting, testing and everything.
"""

import time

# Before the imports: they are part of what the program costs.
STARTED = time.perf_counter()

import sys
import warnings
from collections.abc import Callable, Sequence

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset
from torchvision.datasets import MNIST
from torchvision.transforms import v2

TRAIN_SIZE, VAL_SIZE = 100, 1000
COPIES, EPOCHS, BATCH_SIZE, EVAL_BATCH_SIZE = 10, 30, 110, 1000
CROP = v2.RandomResizedCrop(28, scale=(0.5, 1.0))
TO_INPUT = v2.Compose(
    [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize([0.1307], [0.3081]),
    ]
)

Sample = tuple[Tensor, int]
Batch = tuple[Tensor, Tensor]


class Network(nn.Module):
    """Two convolutions and a linear layer; logits ``(N, 10)`` of ``(N, 1, 28, 28)``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 5, padding=2)
        self.linear = nn.Linear(32 * 7 * 7, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, 10)`` of normalised images ``(N, 1, 28, 28)``."""
        features = F.max_pool2d(F.relu(self.conv1(images)), 2)
        features = F.max_pool2d(F.relu(self.conv2(features)), 2)
        logits: Tensor = self.linear(features.flatten(1))
        return logits


class Classifier(pl.LightningModule):
    """Trains the network with Adam's defaults and logs what it does."""

    def __init__(self) -> None:
        super().__init__()
        self.network = Network()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:  # noqa: ARG002
        """Cross-entropy of a batch."""
        images, labels = batch
        loss = F.cross_entropy(self.network(images), labels)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Accuracy that the checkpoint is chosen by."""
        self.log("val/acc", self._accuracy(batch), prog_bar=True)

    def test_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Accuracy of the chosen checkpoint."""
        self.log("test/acc", self._accuracy(batch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam as it comes."""
        return torch.optim.Adam(self.parameters())

    def _accuracy(self, batch: Batch) -> Tensor:
        images, labels = batch
        correct: Tensor = self.network(images).argmax(1) == labels
        return correct.float().mean()


class Augmented(Dataset[Sample]):
    """Some samples of a data set, each followed by its augmented copies.

    Args:
        base: Where they come from.
        indices: Which.
        transform: Makes a copy.
    """

    def __init__(
        self, base: MNIST, indices: Sequence[int], transform: Callable[[Tensor], Tensor]
    ) -> None:
        self.samples: list[Sample] = []
        for index in indices:
            image, label = base[index]
            copies = [transform(image) for _ in range(COPIES)]
            self.samples += [(one, label) for one in (image, *copies)]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        """One image and its label."""
        return self.samples[index]


def loaders(root: str) -> tuple[DataLoader[Sample], DataLoader[Sample], DataLoader[Sample]]:
    """Batches for training, validation and test."""
    official = MNIST(root, train=True, transform=TO_INPUT)
    test = MNIST(root, train=False, transform=TO_INPUT)
    order = torch.randperm(len(official), generator=torch.Generator().manual_seed(0)).tolist()
    pl.seed_everything(0)
    return (
        DataLoader(Augmented(official, order[:TRAIN_SIZE], CROP), BATCH_SIZE, shuffle=True),
        DataLoader(Subset(official, order[TRAIN_SIZE : TRAIN_SIZE + VAL_SIZE]), EVAL_BATCH_SIZE),
        DataLoader(test, EVAL_BATCH_SIZE),
    )


def main(root: str) -> None:
    """Fit, then test the best checkpoint."""
    warnings.filterwarnings("ignore")
    train, val, test = loaders(root)
    classifier = Classifier()
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        logger=CSVLogger("logs"),
        callbacks=[ModelCheckpoint("checkpoints", monitor="val/acc", mode="max")],
        log_every_n_steps=1,
    )
    started = time.perf_counter()
    trainer.fit(classifier, train, val)
    fitted = time.perf_counter()
    trainer.test(classifier, test, ckpt_path="best", weights_only=False)
    done = time.perf_counter()
    sys.stdout.write(
        f"crop  fit {fitted - started:.1f} s  test {done - fitted:.1f} s\n"
        f"total {done - STARTED:.1f} s\n"
    )


if __name__ == "__main__":
    main(sys.argv[1])
