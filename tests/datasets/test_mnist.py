"""Runs torchvision's own download code against small files served on loopback."""

import functools
import gzip
import hashlib
import multiprocessing
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torchvision.datasets import MNIST

from auglens.datasets import mnist
from auglens.datasets.mnist import DamagedFileError, load_mnist
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
    """Says nothing, but counts."""

    requested: ClassVar[list[str]] = []

    def log_message(self, *args: object) -> None:
        del args

    def do_GET(self) -> None:
        self.requested.append(Path(self.path).name)
        super().do_GET()


def load_as_another_process(
    data_dir: Path, resources: list[tuple[str, str]], unpacked: dict[str, str], url: str
) -> int:
    """What a job that starts at the same time does; the sum of its test images."""
    MNIST.resources, MNIST.mirrors = resources, [url]
    mnist.UNPACKED = unpacked
    return int(load(data_dir).test.images.long().sum())


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of four small files in MNIST's format, served as torchvision's only mirror."""
    served = tmp_path / "mirror"
    served.mkdir()
    resources, unpacked = [], {}
    for part, size in SIZES.items():
        labels = np.arange(size, dtype=np.uint8) % 10
        images = np.random.default_rng(size).integers(0, 256, (size, 28, 28), dtype=np.uint8)
        for kind, header, array in (
            ("images-idx3", struct.pack(">4i", 2051, size, 28, 28), images),
            ("labels-idx1", struct.pack(">2i", 2049, size), labels),
        ):
            path = served / f"{part}-{kind}-ubyte.gz"
            content = header + array.tobytes()
            path.write_bytes(gzip.compress(content, mtime=0))
            unpacked[path.stem] = hashlib.md5(content).hexdigest()
            resources.append((path.name, hashlib.md5(path.read_bytes()).hexdigest()))
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Silent, directory=str(served)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Silent.requested.clear()
    monkeypatch.setattr(mnist, "UNPACKED", unpacked)
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


@pytest.mark.usefixtures("mirror")
def test_first_use_from_several_processes_fetches_each_file_once(tmp_path: Path) -> None:
    alone = load(tmp_path / "alone")
    requested = sorted(Silent.requested)
    Silent.requested.clear()
    arguments = (tmp_path / "data", MNIST.resources, mnist.UNPACKED, MNIST.mirrors[0])
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as processes:
        jobs = [processes.submit(load_as_another_process, *arguments) for _ in range(4)]
        sums = {job.result(120) for job in jobs}
    assert sums == {int(alone.test.images.long().sum())}
    assert sorted(Silent.requested) == requested
    assert len(set(requested)) == 4


@pytest.mark.usefixtures("mirror")
@pytest.mark.parametrize("keep", [0, 100, -1], ids=["empty", "truncated", "a byte short"])
def test_a_damaged_file_is_unpacked_again_if_its_packed_one_is_whole(
    tmp_path: Path, keep: int
) -> None:
    first = load(tmp_path)
    images = tmp_path / "MNIST" / "raw" / "t10k-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:keep])
    Silent.requested.clear()
    assert torch.equal(load(tmp_path).test.images, first.test.images)
    assert not Silent.requested


@pytest.mark.usefixtures("mirror")
def test_a_damaged_file_without_a_whole_packed_one_is_named_and_kept(tmp_path: Path) -> None:
    load(tmp_path)
    raw = tmp_path / "MNIST" / "raw"
    images, packed = raw / "t10k-images-idx3-ubyte", raw / "t10k-images-idx3-ubyte.gz"
    altered = bytes([*images.read_bytes()[:-1], 7])
    images.write_bytes(altered)
    packed.write_bytes(packed.read_bytes()[:-9])
    with pytest.raises(DamagedFileError) as caught:
        load(tmp_path)
    message = str(caught.value)
    found = hashlib.md5(altered).hexdigest()
    for word in (str(images), str(len(altered)), found, mnist.UNPACKED[images.name], "Delete it"):
        assert word in message
    assert "train" not in message
    assert images.read_bytes() == altered
    images.unlink()
    assert len(load(tmp_path).test) == 100


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
