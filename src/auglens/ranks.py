"""The further processes of one training on several devices: starts, watches and ends them."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.strategies import DDPStrategy
from torch import distributed

__all__ = [
    "READY",
    "FurtherRanks",
    "KeepSigterm",
    "Place",
    "RankLostError",
    "ddp_strategy",
    "leave_group",
    "of_all_ranks",
]

MODULE = "auglens.rank_process"
READY = b"ready\n"
# The number of processes as torchrun and srun say it.
STARTED_BY_OTHERS = ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
# How long a process waits for the others before it gives a training up.
GROUP_TIMEOUT = timedelta(minutes=10)
POLL_S = 0.5
# From the loss of a process until the first has noticed by itself, or never will.
GRACE_S = 5.0
# From what this process notices of a loss until the system says that the other has ended.
NOTICE_S = 2.0
END_S = 60.0
Value = TypeVar("Value")

log = logging.getLogger(__name__)


class RankLostError(RuntimeError):
    """A process of a training ended before the training did."""


@dataclass(frozen=True)
class Place:
    """What a further process is told.

    Attributes:
        config: The resolved config of the run.
        folder: The run folder, in which it writes nothing.
        checkpoint: What the training goes on from, if anything.
        rank: Its own number, from 1.
        world_size: Number of all processes.
        port: Where, on this machine, they meet.
        search_path: Where Python finds the classes that the config names.
    """

    config: Mapping[str, Any]
    folder: Path
    checkpoint: Path | None
    rank: int
    world_size: int
    port: int
    search_path: list[str] = field(default_factory=lambda: list(sys.path))

    def to_json(self) -> str:
        """All of it as text; a config holds plain values only."""
        checkpoint = None if self.checkpoint is None else str(self.checkpoint)
        return json.dumps({**vars(self), "folder": str(self.folder), "checkpoint": checkpoint})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The same again."""
        told = json.loads(text)
        checkpoint = None if told["checkpoint"] is None else Path(told["checkpoint"])
        return cls(**{**told, "folder": Path(told["folder"]), "checkpoint": checkpoint})


class _OneMachine(LightningEnvironment):
    """Tells Lightning that its processes exist already, all on this machine.

    Args:
        rank: Of this process.
        port: Where they meet.
    """

    def __init__(self, *, rank: int, port: int) -> None:
        super().__init__()
        self._rank = rank
        self._main_port = port

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return "127.0.0.1"

    def local_rank(self) -> int:
        return self._rank

    def node_rank(self) -> int:
        return 0


def ddp_strategy(name: str, *, rank: int, port: int) -> DDPStrategy:
    """Lightning's DDP for a process that was started by :class:`FurtherRanks`, or started them.

    Args:
        name: ``trainer.strategy``.
        rank: Of this process.
        port: Where the processes meet.
    """
    return DDPStrategy(
        cluster_environment=_OneMachine(rank=rank, port=port),
        timeout=GROUP_TIMEOUT,
        find_unused_parameters=name == "ddp_find_unused_parameters_true",
    )


def of_all_ranks(value: Value) -> list[Value]:
    """The values of all processes by rank, when all of them call; just this one outside a group."""
    if not distributed.is_initialized():
        return [value]
    gathered: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(gathered, value)
    return gathered


def leave_group() -> None:
    """End the process group, if there is one, so that what follows is computed by this process."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


class KeepSigterm(Callback):
    """Leaves SIGTERM to the command: Lightning's answer waits for the other processes, forever."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember the command's handler."""
        del trainer, pl_module
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put it back in the place of Lightning's."""
        del trainer, pl_module
        signal.signal(signal.SIGTERM, self._handler)


class FurtherRanks:
    """Processes of a training beside this one, from entering the block to its end.

    Args:
        config: The resolved config of the run.
        folder: The run folder.
        checkpoint: What the training goes on from, if anything.
        world_size: Number of processes with this one; 1 starts none.
        give_up: Called in another thread with the reason if a process was lost and this one waits
            for it where no exception can reach it. Must end this process.

    Attributes:
        port: Where the processes meet, if there are several.

    Raises:
        ValueError: If this process is one of several that something else started.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        folder: Path,
        checkpoint: Path | None,
        *,
        world_size: int,
        give_up: Callable[[BaseException], object],
    ) -> None:
        if world_size > 1:
            _refuse_ranks_of_others()
        self.port = _free_port() if world_size > 1 else 0
        self.give_up = give_up
        self._processes = [
            _RankProcess(Place(config, folder, checkpoint, rank, world_size, self.port))
            for rank in range(1, world_size)
        ]
        self._over = threading.Event()
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        if self._processes:
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def wait_until_ready(self) -> None:
        """Return when all of them are about to train.

        Raises:
            RankLostError: If one ended instead.
        """
        for process in self._processes:
            if not process.gets_ready():
                raise process.loss()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End what is left of them.

        Raises:
            RankLostError: If the error is only what this process noticed of the loss of another.
        """
        del kind, trace
        loss = self._loss_behind(error)
        self._failure = loss or error
        if error is None:
            self._over.set()
            leave_group()
        for process in self._processes:
            process.end(END_S if error is None else 0)
        leave_group()
        self._over.set()
        if loss is not None:
            raise loss from error

    def _loss_behind(self, error: BaseException | None) -> RankLostError | None:
        """The loss of a process, which others may notice a moment before the system says so."""
        if not isinstance(error, RuntimeError) or isinstance(error, RankLostError):
            return None
        deadline = time.monotonic() + NOTICE_S
        while time.monotonic() < deadline:
            if lost := self._lost():
                return lost.loss()
            time.sleep(0.02)
        return None

    def _lost(self) -> "_RankProcess | None":
        return next((process for process in self._processes if process.has_ended()), None)

    def _watch(self) -> None:
        while not self._over.wait(POLL_S):
            lost = self._lost()
            if lost is None:
                continue
            if not self._over.wait(GRACE_S):
                reason = self._failure or lost.loss()
                for process in self._processes:
                    process.end(0)
                self.give_up(reason)
            return


class _RankProcess:
    """One further process; silent, and out of reach of the terminal's Ctrl-C.

    Args:
        place: What it is told.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def start(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - read when the process ended
        with tempfile.TemporaryFile("w+", encoding="utf-8") as told:
            told.write(self.place.to_json())
            told.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-m", MODULE, str(os.getpid())],
                stdin=told,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
            )

    def gets_ready(self) -> bool:
        """Wait for its word; False if it ended without."""
        assert self._process.stdout is not None
        return any(line == READY for line in self._process.stdout)

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def end(self, seconds: float) -> None:
        """Let it end by itself for some seconds, then kill it."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            self._errors.close()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def loss(self) -> RankLostError:
        """How it ended, in one line, before :meth:`end`; what it said goes to the log."""
        code, said = self._process.wait(END_S), self._said()
        log.info("Rank %d ended with code %d:\n%s", self.place.rank, code, said)
        words = said.strip().splitlines() or [f"exit code {code}"]
        how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"failed: {words[-1]}"
        return RankLostError(
            f"process {self.place.rank + 1} of {self.place.world_size} of this training {how}"
        )

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")


def _refuse_ranks_of_others() -> None:
    """Where something else started several, each would start several more."""
    for name in STARTED_BY_OTHERS:
        if os.environ.get(name, "1") != "1":
            raise ValueError(
                f"train.py was started several times ({name}={os.environ[name]}, by torchrun or "
                "srun); start it once, with python: trainer=ddp starts the other processes itself."
            )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
