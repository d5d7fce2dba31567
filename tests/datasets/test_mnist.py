"""Runs torchvision's own download code against small files served on loopback."""

import functools
import gzip
import hashlib
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import MNIST

from auglens.datasets.mnist import load_mnist
from auglens.datasets.spec import ImageDataset

SIZES = {"train": 400, "t10k": 100}


def load(data_dir: Path, *, num_test: int = 100) -> ImageDataset:
    return load_mnist(
        name="mnist",
        class_names=[str(digit) for digit in range(10)],
        mean=[0.1307],
        std=[0.3081],
        split_seed=0,
        num_val=50,
        num_test=num_test,
        data_dir=data_dir,
    )


class Silent(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        del args


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of four small files in MNIST's format, served as torchvision's only mirror."""
    served = tmp_path / "mirror"
    served.mkdir()
    resources = []
    for part, size in SIZES.items():
        labels = np.arange(size, dtype=np.uint8) % 10
        images = np.random.default_rng(size).integers(0, 256, (size, 28, 28), dtype=np.uint8)
        for kind, header, array in (
            ("images-idx3", struct.pack(">4i", 2051, size, 28, 28), images),
            ("labels-idx1", struct.pack(">2i", 2049, size), labels),
        ):
            path = served / f"{part}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.tobytes(), mtime=0))
            resources.append((path.name, hashlib.md5(path.read_bytes()).hexdigest()))
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(served)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(MNIST, "resources", resources)
    monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{server.server_address[1]}/"])
    yield served
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("mirror")
def test_download_unpacks_whole_files_and_leaves_nothing_else(tmp_path: Path) -> None:
    dataset = load(tmp_path / "data")
    assert len(dataset.pool) == 350
    assert dataset.val.labels.bincount().tolist() == [5] * 10
    assert len(dataset.test) == 100
    assert {path.name for path in (tmp_path / "data").iterdir()} <= {"MNIST", "MNIST.lock"}


@pytest.mark.usefixtures("mirror")
def test_first_use_from_several_jobs_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as jobs:
        loaded = list(jobs.map(load, [tmp_path / "data"] * 3))
    assert all(torch.equal(part.test.images, loaded[0].test.images) for part in loaded)


def test_packed_files_found_in_the_folder_are_not_fetched(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in mirror.iterdir():
        (raw / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    assert len(load(tmp_path / "data", num_test=50).test) == 50


def test_without_a_mirror_one_message_says_what_to_do(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del mirror
    # Nothing listens on the discard port.
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(FileNotFoundError) as caught:
        load(tmp_path / "data")
    message = str(caught.value)
    assert all(name in message and md5 in message for name, md5 in MNIST.resources)
    assert str(tmp_path / "data" / "MNIST" / "raw") in message
    assert "dataset=mnist_5k" in message


def test_a_damaged_download_is_refused(tmp_path: Path, mirror: Path) -> None:
    damaged = mirror / "train-labels-idx1-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:-10])
    with pytest.raises(FileNotFoundError, match=MNIST.resources[1][1]):
        load(tmp_path / "data")
    assert not (tmp_path / "data" / "MNIST").exists()


def test_official_mnist(official_mnist: Path) -> None:
    dataset = load_mnist(
        name="mnist",
        class_names=[str(digit) for digit in range(10)],
        mean=[0.1307],
        std=[0.3081],
        split_seed=0,
        num_val=1000,
        num_test=10000,
        data_dir=official_mnist,
    )
    assert (len(dataset.pool), len(dataset.val), len(dataset.test)) == (59000, 1000, 10000)
    pixels = torch.cat([dataset.pool.images, dataset.val.images]).double() / 255
    # The two constants of the data set, published with every MNIST recipe.
    assert float(pixels.mean()) == pytest.approx(0.1307, abs=5e-5)
    assert float(pixels.std()) == pytest.approx(0.3081, abs=5e-5)
