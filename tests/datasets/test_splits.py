import numpy as np
import pytest
import torch

from auglens.datasets.spec import ImageSpec, Split
from auglens.datasets.splits import balanced_probe, balanced_subset, split_rng, stratified_parts

COUNTS = [50, 80, 33, 61, 40, 90, 46]


def unequal() -> Split:
    labels = torch.arange(7).repeat_interleave(torch.tensor(COUNTS))
    images = torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8)
    return Split(images, labels, torch.arange(len(labels)))


def test_parts_are_disjoint_complete_and_stratified() -> None:
    whole = unequal()
    parts = stratified_parts(whole, [100, 60], rng=split_rng(0))
    assert [len(part) for part in parts] == [100, 60, 240]
    assert sorted(torch.cat([part.ids for part in parts]).tolist()) == list(range(400))
    shares = np.array(COUNTS) / 400
    for part in parts:
        expected = shares * len(part)
        counted = part.labels.bincount(minlength=7).numpy()
        assert (abs(counted - expected) <= 1).all()
        assert torch.equal(part.labels, whole.labels[part.ids])


def test_the_split_seed_fixes_the_parts() -> None:
    first, second = (stratified_parts(unequal(), [100], rng=split_rng(3)) for _ in range(2))
    other = stratified_parts(unequal(), [100], rng=split_rng(4))
    assert torch.equal(first[0].ids, second[0].ids)
    assert not torch.equal(first[0].ids, other[0].ids)


@pytest.mark.parametrize("sizes", [[400], [300, 100], [0], [-3]])
def test_impossible_parts_are_refused(sizes: list[int]) -> None:
    with pytest.raises(ValueError, match=r"dataset\.num_val"):
        stratified_parts(unequal(), sizes, rng=split_rng(0))


def test_the_subset_is_balanced_and_the_seeds_own() -> None:
    labels = unequal().labels
    draws = [
        balanced_subset(labels, 70, num_classes=7, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert labels[draws[0]].bincount().tolist() == [10] * 7
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("size", [0, -7, 71, 7 * 34], ids=["zero", "negative", "uneven", "large"])
def test_an_impossible_training_size_names_what_is_possible(size: int) -> None:
    with pytest.raises(ValueError, match=rf"data\.train_size={size} .* from 7 to 231"):
        balanced_subset(unequal().labels, size, num_classes=7, generator=torch.Generator())


def test_the_probe_is_balanced_fixed_and_independent_of_the_global_generator() -> None:
    labels = unequal().labels
    first = balanced_probe(labels, 21, num_classes=7, split_seed=0)
    torch.manual_seed(1)
    assert torch.equal(first, balanced_probe(labels, 21, num_classes=7, split_seed=0))
    assert labels[first].tolist() == [label for label in range(7) for _ in range(3)]


def test_a_probe_that_a_class_cannot_fill_names_the_largest() -> None:
    with pytest.raises(ValueError, match=r"probe\.size=700 .* from 7 to 231"):
        balanced_probe(unequal().labels, 700, num_classes=7, split_seed=0)


def test_the_spec_refuses_constants_that_do_not_fit() -> None:
    names = list("abcdefg")
    with pytest.raises(ValueError, match=r"dataset\.mean"):
        ImageSpec.describe(unequal(), name="x", class_names=names, mean=[0.1, 0.2], std=[1.0])
    with pytest.raises(ValueError, match=r"dataset\.class_names"):
        ImageSpec.describe(unequal(), name="x", class_names=names[:6], mean=[0.1], std=[1.0])
