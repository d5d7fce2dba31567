"""The six trainings of the poster as a PyTorch loop by someone who knows what is fast on a CPU.

    python tuned.py FOLDER

FOLDER holds the four MNIST files, unpacked. The same work as ``plain.py``, with channels-last
memory, pooling before ReLU, and evaluation and gradients in batches of 100. Prints one line a
training set and the seconds of everything.
"""

import time

# Before the imports: they are part of what the program costs.
STARTED = time.perf_counter()

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.transforms import v2

MEAN, STD = 0.1307, 0.3081
TRAIN_SIZE, VAL_SIZE, SALIENCY_SIZE = 100, 1000, 1000
COPIES, EPOCHS, STEPS, BATCH_SIZE = 10, 30, 10, 110
EVAL_BATCH_SIZE = 100
TRANSFORMS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "scale": v2.RandomAffine(0, scale=(0.6, 1.4)),
    "crop": v2.RandomResizedCrop(28, scale=(0.5, 1.0), antialias=True),
    "erase": v2.RandomErasing(p=1.0, scale=(0.02, 0.25)),
    "distort": v2.ElasticTransform(alpha=34.0, sigma=4.0),
    "blur": v2.GaussianBlur(5, (0.5, 2.0)),
    "none": None,
}


@dataclass
class Data:
    """The images of all trainings, ``(N, 1, 28, 28)``.

    Attributes:
        train: Training images in [0, 1].
        val: Normalised validation images.
        test: Normalised test images.
        train_labels: Of ``train``.
        val_labels: Of ``val``.
        test_labels: Of ``test``.
    """

    train: Tensor
    val: Tensor
    test: Tensor
    train_labels: Tensor
    val_labels: Tensor
    test_labels: Tensor


class Network(nn.Module):
    """Two convolutions and a linear layer; logits ``(N, 10)`` of ``(N, 1, 28, 28)``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 5, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 5, padding=2)
        self.linear = nn.Linear(32 * 7 * 7, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(N, 10)`` of normalised images ``(N, 1, 28, 28)``."""
        features = F.relu(F.max_pool2d(self.conv1(images), 2))
        features = F.relu(F.max_pool2d(self.conv2(features), 2))
        logits: Tensor = self.linear(features.flatten(1))
        return logits


def channels_last_network() -> Network:
    """A fresh network whose filters have the images' memory format."""
    network: Network = Network().to(memory_format=torch.channels_last)
    return network


def read_data(folder: Path) -> Data:
    """Training, validation and test images, from the four files."""
    images = read_idx(folder / "train-images-idx3-ubyte", header=16).view(-1, 1, 28, 28)
    labels = read_idx(folder / "train-labels-idx1-ubyte", header=8).long()
    test = read_idx(folder / "t10k-images-idx3-ubyte", header=16).view(-1, 1, 28, 28)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    train, val = order[:TRAIN_SIZE], order[TRAIN_SIZE : TRAIN_SIZE + VAL_SIZE]
    return Data(
        train=images[train].float() / 255,
        val=normalize(images[val].float() / 255),
        test=normalize(test.float() / 255),
        train_labels=labels[train],
        val_labels=labels[val],
        test_labels=read_idx(folder / "t10k-labels-idx1-ubyte", header=8).long(),
    )


def read_idx(path: Path, header: int) -> Tensor:
    """The bytes behind the header of an IDX file."""
    return torch.from_numpy(np.frombuffer(path.read_bytes(), np.uint8, offset=header).copy())


def normalize(images: Tensor) -> Tensor:
    """Images ``(N, 1, 28, 28)`` in [0, 1], made to have mean 0 and deviation 1 over MNIST, channels last."""
    return channels_last((images - MEAN) / STD)


def channels_last(images: Tensor) -> Tensor:
    """The same ``(N, 1, 28, 28)`` in the memory format that convolutions on a CPU like best."""
    return images.contiguous(memory_format=torch.channels_last)


def training_set(name: str, data: Data) -> tuple[Tensor, Tensor]:
    """Normalised originals and their augmented copies, with their labels."""
    transform = TRANSFORMS[name]
    if transform is None:
        return normalize(data.train), data.train_labels
    copies = [torch.stack([transform(image) for image in data.train]) for _ in range(COPIES)]
    return normalize(torch.cat([data.train, *copies])), data.train_labels.repeat(COPIES + 1)


def epoch_batches(num_images: int) -> tuple[Tensor, ...]:
    """Which images each step of an epoch sees; a small set is gone through several times."""
    rounds = STEPS * BATCH_SIZE // num_images
    order = torch.cat([torch.randperm(num_images) for _ in range(rounds)])
    return torch.split(order, BATCH_SIZE)


def train_epoch(
    network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor
) -> None:
    """Ten steps on normalised images ``(M, 1, 28, 28)`` and their labels ``(M,)``."""
    network.train()
    for batch in epoch_batches(len(images)):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(network(channels_last(images[batch])), labels[batch])
        torch.autograd.backward(loss)
        optimizer.step()


@torch.inference_mode()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Share of images ``(N, 1, 28, 28)`` whose largest logit is that of their label ``(N,)``."""
    network.eval()
    correct = 0
    for some, truth in zip(
        torch.split(images, EVAL_BATCH_SIZE), torch.split(labels, EVAL_BATCH_SIZE), strict=True
    ):
        correct += int((network(some).argmax(1) == truth).sum().item())
    return correct / len(labels)


def saliency(network: nn.Module, images: Tensor) -> Tensor:
    """Gradient of the largest logit of each image, in the images' shape."""
    return torch.cat([_gradient(network, some) for some in torch.split(images, EVAL_BATCH_SIZE)])


def _gradient(network: nn.Module, images: Tensor) -> Tensor:
    images = images.clone().requires_grad_()
    logits = network(images)
    chosen = logits.gather(1, logits.argmax(1, keepdim=True)).sum()
    (gradient,) = torch.autograd.grad(chosen, images)
    return gradient


def train_and_test(name: str, data: Data) -> tuple[float, float]:
    """Best validation accuracy, and test accuracy of the weights that had it."""
    images, labels = training_set(name, data)
    network = channels_last_network()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    best, weights = 0.0, network.state_dict()
    for _ in range(EPOCHS):
        train_epoch(network, optimizer, images, labels)
        reached = accuracy(network, data.val, data.val_labels)
        if reached > best:
            best = reached
            weights = {key: value.clone() for key, value in network.state_dict().items()}
    network.load_state_dict(weights)
    tested = accuracy(network, data.test, data.test_labels)
    saliency(network, data.test[:SALIENCY_SIZE])
    return best, tested


def main(folder: Path) -> None:
    """Train and test on all six sets."""
    torch.manual_seed(0)
    data = read_data(folder)
    for name in TRANSFORMS:
        started = time.perf_counter()
        best, tested = train_and_test(name, data)
        seconds = time.perf_counter() - started
        sys.stdout.write(f"{name:8} val {best:.3f}  test {tested:.3f}  {seconds:.1f} s\n")
    sys.stdout.write(f"total {time.perf_counter() - STARTED:.1f} s\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
