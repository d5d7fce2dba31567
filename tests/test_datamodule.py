from collections.abc import Callable

import pytest
import torch

from auglens.augment.training_set import Augmentation
from auglens.augment.transforms import Identity, Scale
from auglens.datamodule import WHOLE, EvalBatches, ImageDataModule, TrainBatches
from auglens.datasets.spec import Split


def walk(size: int, batch_size: int, steps: int, seed: int = 0) -> TrainBatches:
    return TrainBatches(
        lambda positions: (positions, positions),
        size=size,
        batch_size=batch_size,
        steps=steps,
        generator=torch.Generator().manual_seed(seed),
        share=WHOLE,
    )


def epoch(batches: TrainBatches) -> list[int]:
    return torch.cat([positions for positions, _ in batches]).tolist()


@pytest.mark.parametrize(
    ("size", "times"), [pytest.param(1100, 1, id="copies"), pytest.param(100, 11, id="none")]
)
def test_every_condition_sees_1100_samples_an_epoch_each_equally_often(
    size: int, times: int
) -> None:
    batches = walk(size, 110, 10)
    assert len(batches) == 10
    first, second = epoch(batches), epoch(batches)
    for seen in (first, second):
        assert torch.tensor(seen).bincount().tolist() == [times] * size
    assert first != second
    # Without replacement: no image comes again before all were shown.
    assert sorted(first[:size]) == list(range(size))


def test_a_set_that_does_not_divide_goes_on_across_epochs() -> None:
    batches = walk(7, 3, 2)
    seen = [position for _ in range(7) for position in epoch(batches)]
    assert len(seen) == 42
    for start in range(0, 42, 7):
        assert sorted(seen[start : start + 7]) == list(range(7))


def test_one_pass_of_100_images_in_10_steps_is_the_posters_other_reading() -> None:
    assert sorted(epoch(walk(100, 10, 10))) == list(range(100))


def test_order_is_the_seeds() -> None:
    assert epoch(walk(50, 10, 5)) == epoch(walk(50, 10, 5))
    assert epoch(walk(50, 10, 5)) != epoch(walk(50, 10, 5, seed=1))


@pytest.mark.parametrize(("batch_size", "steps"), [(0, 1), (1, 0)])
def test_sizes_below_one_are_refused(batch_size: int, steps: int) -> None:
    with pytest.raises(ValueError, match=r"data\.batch_size=.*data\.steps_per_epoch="):
        walk(10, batch_size, steps)


def test_evaluation_shows_every_image_once_in_order() -> None:
    images, labels = torch.rand(25, 1, 2, 2), torch.arange(25)
    batches = EvalBatches(images, labels, batch_size=10, share=WHOLE)
    assert [len(part) for _, part in batches] == [10, 10, 5]
    assert torch.equal(torch.cat([part for part, _ in batches]), images)


def module(augmentation: Augmentation, *, online: bool, keep: bool = True) -> ImageDataModule:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (6, 1, 8, 8), generator=generator, dtype=torch.uint8)
    split = Split(images, torch.arange(6), torch.arange(6))
    return ImageDataModule(
        originals=split,
        labels=split.labels,
        val=split,
        test=split,
        augmentation=augmentation,
        copies=10,
        keep_original=keep,
        online=online,
        batch_size=11,
        steps_per_epoch=6,
        eval_batch_size=4,
        augment_generator=torch.Generator().manual_seed(1),
        order_generator=torch.Generator().manual_seed(2),
        share=WHOLE,
    )


@pytest.mark.parametrize("online", [False, True], ids=["static", "online"])
def test_labels_follow_their_images(online: bool) -> None:
    data = module(Identity(), online=online)
    originals = data.val.unit_images()
    seen = list(data.train_dataloader())
    assert sum(len(labels) for _, labels in seen) == 66
    for images, labels in seen:
        assert torch.equal(images, originals[labels])


@pytest.mark.parametrize(("keep", "kept"), [(True, 6), (False, 0)], ids=["kept", "dropped"])
def test_online_draws_afresh_and_shows_kept_originals_once_an_epoch(keep: bool, kept: int) -> None:
    data = module(Scale(strength=1, max_change=0.4), online=True, keep=keep)
    originals = {image.numpy().tobytes() for image in data.val.unit_images()}

    def shown() -> list[bytes]:
        return [
            image.numpy().tobytes() for images, _ in data.train_dataloader() for image in images
        ]

    first, second = shown(), shown()
    assert len(originals & set(first)) == kept
    assert len(set(first) & set(second)) <= 6


@pytest.mark.parametrize("online", [False, True], ids=["static", "online"])
def test_the_same_generators_repeat_bit_for_bit(online: bool) -> None:
    make: Callable[[], ImageDataModule] = lambda: module(
        Scale(strength=1, max_change=0.4), online=online
    )
    for one, two in zip(make().train_dataloader(), make().train_dataloader(), strict=True):
        assert torch.equal(one[0], two[0])


class Noise:
    """Fresh noise in (0, 1) instead of an image, so that no draw is like another or an original."""

    def __call__(self, images: torch.Tensor, *, generator: torch.Generator) -> torch.Tensor:
        return 0.01 + 0.98 * torch.rand(images.shape, generator=generator)


def online(*, count: int, batch_size: int, steps: int) -> ImageDataModule:
    images = torch.randint(
        256, (count, 1, 4, 4), generator=torch.Generator().manual_seed(3), dtype=torch.uint8
    )
    split = Split(images, torch.arange(count), torch.arange(count))
    return ImageDataModule(
        originals=split,
        labels=split.labels,
        val=split,
        test=split,
        augmentation=Noise(),
        copies=10,
        keep_original=True,
        online=True,
        batch_size=batch_size,
        steps_per_epoch=steps,
        eval_batch_size=4,
        augment_generator=torch.Generator().manual_seed(1),
        order_generator=torch.Generator().manual_seed(2),
        share=WHOLE,
    )


@pytest.mark.parametrize(
    ("count", "batch_size", "steps"),
    [
        pytest.param(6, 11, 6, id="divides"),
        pytest.param(7, 10, 77, id="batches-across-passes"),
        pytest.param(3, 50, 33, id="a-batch-above-the-set"),
    ],
)
def test_online_shows_every_position_once_before_any_again(
    count: int, batch_size: int, steps: int
) -> None:
    data = online(count=count, batch_size=batch_size, steps=steps)
    batches = list(data.train_dataloader())
    images, labels = (torch.cat(part) for part in zip(*batches, strict=True))
    originals, size = data.val.unit_images(), 11 * count
    kept = (images == originals[labels]).flatten(1).all(dim=1)
    assert len(labels) % size == 0
    for one_pass, unchanged in zip(
        *(torch.split(part, size) for part in (labels, kept)), strict=True
    ):
        # Ten copies and the original of each image, whatever batch they come in.
        assert one_pass.bincount().tolist() == [11] * count
        assert one_pass[unchanged].bincount(minlength=count).tolist() == [1] * count


def test_online_never_draws_a_copy_twice() -> None:
    data = online(count=6, batch_size=11, steps=6)
    drawn = [
        image.numpy().tobytes()
        for _ in range(3)
        for images, labels in data.train_dataloader()
        for image, label in zip(images, labels, strict=True)
        if not torch.equal(image, data.val.unit_images()[label])
    ]
    assert len(drawn) == 3 * 60
    assert len(set(drawn)) == len(drawn)


def test_online_repeats_bit_for_bit_over_epochs_that_end_within_a_pass() -> None:
    one, two = (online(count=7, batch_size=10, steps=5) for _ in range(2))
    for _ in range(4):
        for first, second in zip(one.train_dataloader(), two.train_dataloader(), strict=True):
            assert torch.equal(first[0], second[0])
            assert torch.equal(first[1], second[1])


def test_online_leaves_its_originals_untouched() -> None:
    data = online(count=6, batch_size=11, steps=6)
    for images, _ in data.train_dataloader():
        images.zero_()
    assert torch.equal(data.training_set.images, data.val.unit_images())
