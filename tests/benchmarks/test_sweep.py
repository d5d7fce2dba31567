"""The programs that a sweep is timed against do the work of AugLens, and each other's."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from torch import Tensor

from auglens.models.cnn2 import Cnn2
from benchmarks import sweep
from benchmarks.peers import lightning_usual, plain, tuned
from benchmarks.process import REPOSITORY

LOOPS = [pytest.param(plain, id="plain"), pytest.param(tuned, id="tuned")]
NUM_TRAIN, NUM_TEST = 130, 12


def assert_equal_but_for_rounding(actual: Tensor, expected: Tensor) -> None:
    """Only the order of float32 sums may differ."""
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        return compose("train", overrides=list(overrides))


@pytest.fixture
def images() -> Tensor:
    """Noise, as a network receives it."""
    return torch.randn(NUM_TEST, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network() -> plain.Network:
    """The plain network with some weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return plain.Network()


@pytest.fixture
def pixels(tmp_path: Path) -> dict[str, np.ndarray]:
    """Images of four files in MNIST's format in ``tmp_path``; labels are 0 to 9 again and again."""
    rng = np.random.default_rng(0)
    written = {}
    for name, count in (("train", NUM_TRAIN), ("t10k", NUM_TEST)):
        written[name] = rng.integers(256, size=(count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for kind, array in (("images-idx3", written[name]), ("labels-idx1", labels)):
            header = np.array([0x800 + array.ndim, *array.shape], ">u4").tobytes()
            (tmp_path / f"{name}-{kind}-ubyte").write_bytes(header + array.tobytes())
    return written


def test_all_networks_are_one_function(images: Tensor, network: plain.Network) -> None:
    node = composed().model.net
    sizes = {"channels": node.channels, "kernel_size": node.kernel_size}
    others = [
        (tuned.channels_last_network(), tuned.channels_last(images)),
        (lightning_usual.Network(), images),
        (Cnn2(in_channels=1, height=28, width=28, num_classes=10, **sizes), images),
    ]
    for other, same_images in others:
        other.load_state_dict(network.state_dict())
        assert_equal_but_for_rounding(other(same_images), network(images))


def test_both_loops_explain_and_count_alike(images: Tensor, network: plain.Network) -> None:
    other = tuned.channels_last_network()
    other.load_state_dict(network.state_dict())
    labels = network(images).argmax(1)
    labels[:3] = (labels[:3] + 1) % 10
    assert plain.accuracy(network, images, labels) == (NUM_TEST - 3) / NUM_TEST
    assert tuned.accuracy(other, images, labels) == (NUM_TEST - 3) / NUM_TEST
    assert_equal_but_for_rounding(tuned.saliency(other, images), plain.saliency(network, images))


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_has_the_sizes_of_the_config(loop: ModuleType) -> None:
    config = composed("augment=crop", "dataset=mnist")
    assert config.trainer.max_epochs == loop.EPOCHS
    assert config.data.steps_per_epoch == loop.STEPS
    assert config.data.batch_size == loop.BATCH_SIZE
    assert config.data.train_size == loop.TRAIN_SIZE
    assert config.dataset.num_val == loop.VAL_SIZE
    assert config.augment.copies == loop.COPIES
    assert (config.dataset.mean, config.dataset.std) == ([loop.MEAN], [loop.STD])


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_augments_by_the_parameters_of_the_config(loop: ModuleType) -> None:
    assert tuple(loop.TRANSFORMS) == sweep.AUGMENTATIONS
    conf = {name: composed(f"augment={name}").augment.transform for name in loop.TRANSFORMS}
    scale, crop, erase, distort, blur, none = loop.TRANSFORMS.values()
    change, aspect = conf["scale"].max_change, conf["crop"].max_aspect
    assert list(scale.scale) == [1 - change, 1 + change]
    assert list(crop.scale) == [conf["crop"].min_area_fraction, 1]
    assert list(crop.ratio) == pytest.approx([1 / aspect, aspect])
    areas = [conf["erase"].min_area_fraction, conf["erase"].max_area_fraction]
    assert list(erase.scale) == areas
    assert list(erase.ratio) == list(conf["erase"].aspect)
    assert set(distort.alpha) == {conf["distort"].amplitude}
    assert set(distort.sigma) == {conf["distort"].sigma_px}
    assert list(blur.sigma) == [conf["blur"].min_sigma_px, conf["blur"].max_sigma_px]
    assert none is None


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("num_images", [100, 1100])
def test_an_epoch_shows_every_image_equally_often(loop: ModuleType, num_images: int) -> None:
    batches = loop.epoch_batches(num_images)
    assert [len(batch) for batch in batches] == [110] * 10
    shown = torch.bincount(torch.cat(batches), minlength=num_images)
    assert set(shown.tolist()) == {1100 // num_images}


@pytest.mark.parametrize("loop", LOOPS)
def test_images_are_those_of_the_files(
    loop: ModuleType, tmp_path: Path, pixels: dict[str, np.ndarray]
) -> None:
    data = loop.read_data(tmp_path)
    expected = (pixels["t10k"][:, None] / 255 - 0.1307) / 0.3081
    np.testing.assert_allclose(data.test.numpy(), expected, rtol=1e-4, atol=1e-6)
    assert data.test_labels.tolist() == [index % 10 for index in range(NUM_TEST)]
    assert (len(data.train), len(data.val)) == (100, NUM_TRAIN - 100)
    raw = pixels["train"].reshape(NUM_TRAIN, -1)
    for image, label in zip(data.train, data.train_labels, strict=True):
        distances = np.abs(raw - image.flatten().numpy() * 255).max(1)
        assert distances.min() < 1e-3
        assert distances.argmin() % 10 == label


@pytest.mark.parametrize("loop", LOOPS)
def test_a_loop_says_what_it_reached(
    loop: ModuleType,
    tmp_path: Path,
    pixels: dict[str, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    del pixels
    chosen = {name: loop.TRANSFORMS[name] for name in ("crop", "none")}
    monkeypatch.setattr(loop, "EPOCHS", 1)
    monkeypatch.setattr(loop, "TRANSFORMS", chosen)
    with torch.random.fork_rng():
        loop.main(tmp_path)
    first_words = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert first_words == ["crop", "none", "total"]


def test_the_one_run_is_of_the_usual_script(tmp_path: Path) -> None:
    script, *overrides = sweep.one_run_command(tmp_path)
    config = composed(*(word for word in overrides if not word.startswith("hydra.")))
    assert script == "train.py"
    assert (config.augment.name, config.dataset.name) == ("crop", "mnist")
    assert list(lightning_usual.CROP.scale) == [config.augment.transform.min_area_fraction, 1]
    assert config.augment.copies == lightning_usual.COPIES
    assert config.trainer.max_epochs == lightning_usual.EPOCHS
