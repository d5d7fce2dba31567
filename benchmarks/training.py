"""A step, an epoch and an evaluation of AugLens beside loops of plain PyTorch, in turn."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console

from auglens import fitting
from auglens.callbacks import EpochProgress, SaliencyMaps
from auglens.components import build_components, built
from auglens.datamodule import WHOLE
from auglens.tracking import TrackedRun
from benchmarks.measuring import Comparison, Timed, compared, timed
from benchmarks.peers import plain, tuned
from benchmarks.place import Place
from benchmarks.process import REPOSITORY

__all__ = ["EpochTurns", "Peer", "Session", "StepTurns", "composed", "measure"]

AUGMENT = "crop"
LOOPS = (tuned, plain)
PEERS = (
    "a tuned PyTorch loop (channels last, pooling before ReLU, validation in batches of 100)",
    "a plain PyTorch loop (default memory format, ReLU before pooling, batches of 1,000)",
)
EPOCH_BARS = (1.2, None)
EPOCHS_A_TURN, EPOCH_PAIRS = 5, 15
STEPS_A_TURN, STEP_PAIRS = 50, 15
EVALUATION_PAIRS = 7


def measure(place: Place) -> list[Comparison]:
    """All three, against each peer.

    AugLens keeps freed memory, which is a setting of the whole process: its peers profit alike.
    """
    peers = [Peer(loop, loop.read_data(place.raw)) for loop in LOOPS]
    common = (f"augment={AUGMENT}", "dataset=mnist", "logger=csv", f"paths.data_dir={place.mnist}")
    return [*_steps(peers, common, place), *_epochs_and_evaluation(peers, common, place)]


def _steps(peers: Sequence["Peer"], common: Sequence[str], place: Place) -> list[Comparison]:
    # A peer's function trains ten steps.
    turns = StepTurns([_repeated(peer.train, STEPS_A_TURN // 10) for peer in peers], STEPS_A_TURN)
    steps = turns.lasting(STEP_PAIRS)
    overrides = (*common, "trainer.max_epochs=1", f"data.steps_per_epoch={steps}")
    session = Session(composed(*overrides), place.scratch / "steps")
    with session.running():
        session.trainer(turns).fit(session.module, datamodule=session.data)
    return turns.comparisons("one training step on 110 images of MNIST", PEERS, [None, None])


def _epochs_and_evaluation(
    peers: Sequence["Peer"], common: Sequence[str], place: Place
) -> list[Comparison]:
    turns = EpochTurns([_repeated(peer.epoch, EPOCHS_A_TURN) for peer in peers], EPOCHS_A_TURN)
    overrides = (*common, f"trainer.max_epochs={turns.lasting(EPOCH_PAIRS)}")
    session = Session(composed(*overrides), place.scratch / "epochs")
    with session.running():
        trainer = session.trainer(turns)
        trainer.fit(session.module, datamodule=session.data)
        work = (
            "one epoch with all that belongs to it: 10 steps on 110 images of MNIST, validation on "
            "1,000, history, logger and checkpoint"
        )
        found = turns.comparisons(work, PEERS, EPOCH_BARS)
        return [
            *found,
            *(_evaluation(session, trainer, *named) for named in zip(PEERS, peers, strict=True)),
        ]


def _evaluation(session: "Session", trainer: Trainer, name: str, peer: "Peer") -> Comparison:
    # The last epoch's weights are tested without being explained.
    session.module.tested_weights = "last_epoch"
    return compared(
        "evaluation of 10,000 images of MNIST, as training tests its weights",
        name,
        timed(lambda: trainer.test(session.module, datamodule=session.data, verbose=False)),
        _by_default_algorithms(timed(peer.evaluate)),
        pairs=EVALUATION_PAIRS,
    )


def composed(*overrides: str) -> dict[str, Any]:
    """The config of ``python train.py`` with these overrides, resolved."""
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        config = compose("train", overrides=list(overrides))
    resolved: Any = OmegaConf.to_container(config, resolve=True)
    return dict(resolved)


class Session:
    """What :func:`auglens.training.train` sets up to fit a network, part by part.

    Args:
        config: Of the run.
        folder: The run folder; created.

    Attributes:
        run: Everything that is checked before.
        module: The untrained network.
        data: Its images, drawn as the config says.
    """

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.run = build_components(config)
        self.module = fitting.make_module(self.run)
        self.data = fitting.make_data(self.run, WHOLE)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Settings of the process while it trains."""
        with fitting.conditions(self.run):
            yield

    def trainer(self, *callbacks: Callback) -> Trainer:
        """A trainer with every callback, logger and checkpoint of a real run, and these."""
        config, console = self.run.config, Console(quiet=True)
        name = config["augment"]["name"]
        tracked = TrackedRun(name, self.folder, "benchmark", self.run.identity, config)
        figures = config["figures"]
        usual: list[Callback] = [
            *fitting.make_keepers(self.run, self.folder),
            EpochProgress(name, console),
            SaliencyMaps(self.run.explainer, self.folder, figures=figures, console=console),
        ]
        loggers = built(config["logger"], "logger")(tracked)
        return fitting.make_trainer(self.run, self.folder, [*usual, *callbacks], loggers)


class Peer:
    """A loop of plain PyTorch and what it works on.

    Args:
        loop: The module with its functions.
        data: What its function ``read_data`` reads.
    """

    def __init__(self, loop: ModuleType, data: Any) -> None:  # noqa: ANN401 - each has its own type
        self.loop = loop
        self.data = data
        self.images, self.labels = loop.training_set(AUGMENT, data)
        make = getattr(loop, "channels_last_network", loop.Network)
        self.network: torch.nn.Module = make()
        self.optimizer = torch.optim.Adam(self.network.parameters(), 1e-3)
        self.best, self.weights = 0.0, self.network.state_dict()

    def train(self) -> None:
        """The ten steps of an epoch."""
        self.loop.train_epoch(self.network, self.optimizer, self.images, self.labels)

    def epoch(self) -> None:
        """Train, validate, keep the best weights."""
        self.train()
        reached = self.loop.accuracy(self.network, self.data.val, self.data.val_labels)
        if reached > self.best:
            self.best = reached
            self.weights = {
                name: value.clone() for name, value in self.network.state_dict().items()
            }

    def evaluate(self) -> float:
        """Accuracy on all test images."""
        return float(self.loop.accuracy(self.network, self.data.test, self.data.test_labels))


class _Turns(Callback):
    """Lets peers work whenever AugLens has done its share, in the middle of its training.

    What AugLens does between two stops is timed from outside, so that nothing of it is missed. The
    first turn of everybody is not counted.

    Args:
        peers: Do the same share each and answer their seconds.
        every: Number of steps or epochs of a share.
    """

    def __init__(self, peers: Sequence[Timed], every: int) -> None:
        self.peers = peers
        self.every = every
        self._ours_s: list[float] = []
        self._peers_s: list[list[float]] = []
        self._resumed: float | None = None

    @property
    def ours_s(self) -> list[float]:
        """Seconds a step or epoch of AugLens, one value a counted turn."""
        return [seconds / self.every for seconds in self._ours_s[1:]]

    def lasting(self, pairs: int) -> int:
        """Steps or epochs that give ``pairs`` turns; the last one only starts."""
        return self.every * (pairs + 1) + 1

    def peer_s(self, number: int) -> list[float]:
        """The same as ``ours_s``, of one of the peers."""
        # They had a turn before AugLens started, and one beside its first.
        return [seconds[number] / self.every for seconds in self._peers_s[2:]]

    def comparisons(
        self, work: str, names: Sequence[str], bars: Sequence[float | None]
    ) -> list[Comparison]:
        """One a peer, with its name and bar."""
        return [
            Comparison(work, name, self.ours_s, self.peer_s(number), bar)
            for number, (name, bar) in enumerate(zip(names, bars, strict=True))
        ]

    def stop(self) -> None:
        """Note the time of AugLens, and let the peers have theirs, each first in turn."""
        if self._resumed is not None:
            self._ours_s.append(time.perf_counter() - self._resumed)
        order = list(range(len(self.peers)))
        if len(self._ours_s) % 2:
            order.reverse()
        with _default_algorithms():
            seconds = {number: self.peers[number]() for number in order}
        self._peers_s.append([seconds[number] for number in range(len(self.peers))])
        self._resumed = time.perf_counter()


class StepTurns(_Turns):
    """Stops before every so-many steps; use it in one long epoch."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int
    ) -> None:
        """Stop where a share begins."""
        del trainer, pl_module, batch
        if batch_idx % self.every == 0:
            self.stop()


class EpochTurns(_Turns):
    """Stops before every so-many epochs."""

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop where a share begins."""
        del pl_module
        if trainer.current_epoch % self.every == 0:
            self.stop()


def _repeated(work: Callable[[], object], times: int) -> Timed:
    def several() -> None:
        for _ in range(times):
            work()

    return timed(several)


def _by_default_algorithms(work: Timed) -> Timed:
    def run() -> float:
        with _default_algorithms():
            return work()

    return run


@contextmanager
def _default_algorithms() -> Iterator[None]:
    """The peers do not ask for deterministic algorithms, as AugLens' trainer does."""
    asked = torch.are_deterministic_algorithms_enabled()
    warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(asked, warn_only=warns)
