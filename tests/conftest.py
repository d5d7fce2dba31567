import importlib.util
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auglens.sweep import run_to_the_end
from auglens.sweep_folder import SweepFolder

REPOSITORY = Path(__file__).parents[1]
# Everything small, so that one run takes a second.
SMALL = (
    "trainer.max_epochs=2",
    "data.steps_per_epoch=3",
    "data.train_size=20",
    "data.batch_size=22",
    "dataset.num_val=100",
    "dataset.num_test=200",
    "probe.size=20",
)

Cli = Callable[..., int]


@dataclass(frozen=True)
class Sweep:
    """A finished sweep of the tests: its folder and the command's exit code."""

    folder: Path
    code: int


@pytest.fixture(scope="session", autouse=True)
def _no_key_and_no_network() -> Iterator[None]:
    """W&B stays offline whatever the developer's environment holds."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_BASE_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("WANDB_MODE", "offline")
        yield


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tests keep the bundled data set, unpacked once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def cli(data_dir: Path) -> Cli:
    """Runs ``train.py`` with arguments in this process, which has torch loaded already."""
    location = importlib.util.spec_from_file_location("train", REPOSITORY / "train.py")
    assert location is not None
    assert location.loader is not None
    folder = data_dir
    train: Any = importlib.util.module_from_spec(location)
    location.loader.exec_module(train)

    def run(*arguments: str, data_dir: str = f"paths.data_dir={data_dir}") -> int:
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        SweepFolder.sweep = SweepFolder.run = SweepFolder.clock = SweepFolder.workers = None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["train.py", *arguments, data_dir])
            # Tells Hydra to look for conf/ beside the file, as it does for a script.
            patch.setenv("HYDRA_MAIN_MODULE", "__main__")
            patch.chdir(folder)
            try:
                return run_to_the_end(train.main)
            finally:
                for number, handler in handlers.items():
                    signal.signal(number, handler)

    return run


@pytest.fixture(scope="session")
def sweep(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """The poster's six runs, small, with both methods and offline W&B."""
    folder = tmp_path_factory.mktemp("multirun") / "day" / "time"
    code = cli(
        "-m",
        "augment=scale,crop,erase,distort,blur,none",
        "saliency=[gradient,blur_perturbation]",
        f"hydra.sweep.dir={folder}",
        *SMALL,
    )
    return Sweep(folder, code)


@pytest.fixture
def official_mnist() -> Path:
    """The folder above official MNIST; skips where ``AUGLENS_DATA_DIR`` does not hold it."""
    folder = Path(os.environ.get("AUGLENS_DATA_DIR", "absent"))
    if not (folder / "MNIST" / "raw").is_dir():
        pytest.skip("AUGLENS_DATA_DIR names no folder with official MNIST")
    return folder
