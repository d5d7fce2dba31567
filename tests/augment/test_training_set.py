import pytest
import torch

from auglens.augment.training_set import build_training_set
from auglens.augment.transforms import Identity, Scale

IMAGES = torch.rand(7, 1, 8, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(7)


def test_ten_copies_and_the_original_of_each_image() -> None:
    result = build_training_set(
        IMAGES,
        LABELS,
        augmentation=Scale(strength=1, max_change=0.4),
        copies=10,
        keep_original=True,
        generator=torch.Generator().manual_seed(0),
    )
    assert result.images.shape == (77, 1, 8, 8)
    assert torch.equal(result.images[:7], IMAGES)
    assert torch.equal(result.labels, LABELS[result.origins])
    assert result.origins.bincount().tolist() == [11] * 7
    assert not any(torch.equal(part, IMAGES) for part in torch.split(result.images[7:], 7))


def test_duplicates_are_the_originals_eleven_times() -> None:
    result = build_training_set(
        IMAGES,
        LABELS,
        augmentation=Identity(),
        copies=10,
        keep_original=True,
        generator=torch.Generator(),
    )
    assert torch.equal(result.images, IMAGES.repeat(11, 1, 1, 1))


@pytest.mark.parametrize(("copies", "keep"), [(0, False), (-1, True)], ids=["empty", "negative"])
def test_a_set_without_images_is_refused(copies: int, keep: bool) -> None:
    with pytest.raises(ValueError, match=r"augment\.copies="):
        build_training_set(
            IMAGES,
            LABELS,
            augmentation=Identity(),
            copies=copies,
            keep_original=keep,
            generator=torch.Generator(),
        )
