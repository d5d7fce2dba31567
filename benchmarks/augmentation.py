"""Augmented copies of 1,000 images: AugLens beside torchvision an image and kornia a batch."""

from collections.abc import Callable
from typing import Any

import kornia.augmentation as kornia
import torch
from torch import Tensor

from auglens.augment.training_set import Augmentation
from auglens.components import built
from auglens.memory import keep_freed_memory
from benchmarks.measuring import Comparison, compared, timed
from benchmarks.peers.plain import TRANSFORMS
from benchmarks.place import Place
from benchmarks.training import composed

__all__ = ["KORNIA", "NAMES", "augmentation", "image_by_image", "measure"]

NUM_IMAGES, NUM_THREADS, PAIRS, CALLS_A_SIDE = 1000, 2, 7, 2
NAMES = ("scale", "crop", "erase", "distort", "blur")
BARS = dict.fromkeys(NAMES, 1 / 3) | {"distort": 1 / 5}
# The same laws as near as kornia has them; it draws one parameter set an image as well.
KORNIA: dict[str, Callable[[], Any]] = {
    "scale": lambda: kornia.RandomAffine(0.0, scale=(0.6, 1.4), p=1.0),
    "crop": lambda: kornia.RandomResizedCrop((28, 28), scale=(0.5, 1.0), p=1.0),
    "erase": lambda: kornia.RandomErasing(scale=(0.02, 0.25), p=1.0),
    "distort": lambda: kornia.RandomElasticTransform((33, 33), (4.0, 4.0), (1.2, 1.2), p=1.0),
    "blur": lambda: kornia.RandomGaussianBlur((5, 5), (0.5, 2.0), p=1.0),
}


def measure(place: Place) -> list[Comparison]:
    """Every augmentation, against both."""
    # A setting of the whole process: all sides profit alike.
    keep_freed_memory()
    torch.set_num_threads(NUM_THREADS)
    images = _images(place)
    return [one for name in NAMES for one in _comparisons(name, images)]


def _comparisons(name: str, images: Tensor) -> list[Comparison]:
    ours, generator = augmentation(name), torch.Generator().manual_seed(0)
    transform, batched = TRANSFORMS[name], KORNIA[name]()
    assert transform is not None
    work = f"{name}: one copy of each of {len(images):,} images"
    return [
        compared(
            work,
            "torchvision v2, image by image",
            _several(lambda: ours(images, generator=generator)),
            _several(lambda: image_by_image(transform, images)),
            pairs=PAIRS,
            bar=BARS[name],
        ),
        compared(
            work,
            "kornia, the whole batch",
            _several(lambda: ours(images, generator=generator)),
            _several(lambda: batched(images)),
            pairs=PAIRS,
        ),
    ]


def _several(work: Callable[[], object]) -> Callable[[], float]:
    """Seconds of one call, from several."""

    def repeated() -> None:
        for _ in range(CALLS_A_SIDE):
            work()

    whole = timed(repeated)
    return lambda: whole() / CALLS_A_SIDE


def augmentation(name: str) -> Augmentation:
    """The one that ``augment=<name>`` configures."""
    made: Augmentation = built(composed(f"augment={name}")["augment"]["transform"], name)
    return made


def image_by_image(transform: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """What a script does with ``(N, 1, 28, 28)``: torchvision draws one parameter set a call."""
    return torch.stack([transform(image) for image in images])


def _images(place: Place) -> Tensor:
    node = composed("dataset=mnist")["dataset"]
    images: Tensor = built(node, "dataset")(data_dir=place.mnist).val.unit_images()
    return images[:NUM_IMAGES]
