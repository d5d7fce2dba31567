"""The further processes of one training on several devices: starts, watches and ends them."""

import atexit
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self, TypeVar

from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.strategies import DDPStrategy
from torch import distributed
from torch.multiprocessing.spawn import ProcessException, ProcessExitedException, spawn

from auglens.startup import end_process

__all__ = [
    "FurtherRanks",
    "KeepSigterm",
    "OneMachine",
    "Place",
    "RankLostError",
    "ddp_strategy",
    "leave_group",
    "of_all_ranks",
]

# The number of processes as torchrun and srun say it.
STARTED_BY_OTHERS = ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS")
# How long a process waits for the others before it gives a training up.
GROUP_TIMEOUT = timedelta(minutes=10)
# From the loss of a process until the first has noticed by itself, or never will.
GRACE_S = 5.0
# From what this process notices of a loss until the system says that the other has ended.
NOTICE_S = 2.0
END_S = 60.0
# What the others are given to end by themselves when one is lost.
SHUTDOWN_S = 0.5
Value = TypeVar("Value")

log = logging.getLogger(__name__)


class RankLostError(RuntimeError):
    """A process of a training ended before the training did."""


@dataclass(frozen=True)
class Place:
    """A further process's place in a training.

    Attributes:
        rank: Its own number, from 1.
        world_size: Number of all processes.
        port: Where, on this machine, they meet.
        say_ready: Called by the process when nothing is left to do but to train.
    """

    rank: int
    world_size: int
    port: int
    say_ready: Callable[[], object]


class OneMachine(LightningEnvironment):
    """Tells Lightning that its processes exist already, all on this machine.

    Without it Lightning would take a job of SLURM or MPI for one process of a training on that
    cluster: refuse what its allocation does not match, and queue it again by itself.

    Args:
        rank: Of this process.
        port: Where several meet.
    """

    def __init__(self, *, rank: int = 0, port: int = 0) -> None:
        super().__init__()
        self._rank = rank
        self._main_port = port

    @property
    def creates_processes_externally(self) -> bool:
        """Lightning starts none."""
        return True

    @property
    def main_address(self) -> str:
        """This machine, to itself."""
        return "127.0.0.1"

    def local_rank(self) -> int:
        """Number of this process."""
        return self._rank

    def node_rank(self) -> int:
        """Number of this machine."""
        return 0


def ddp_strategy(name: str) -> DDPStrategy:
    """Lightning's DDP for processes that exist already.

    Args:
        name: ``trainer.strategy``.
    """
    return DDPStrategy(
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
    """Leaves SIGTERM to the process's own handler.

    Lightning's waits for the other processes of a training, forever, and in a launcher's worker it
    ends more than its job.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember the handler."""
        del trainer, pl_module
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Put it back in the place of Lightning's."""
        del trainer, pl_module
        signal.signal(signal.SIGTERM, self._handler)


class FurtherRanks:
    """Processes of a training beside this one, from entering the block to its end.

    Args:
        target: What each of them does: called there with its :class:`Place` and ``args``.
        args: Further arguments of ``target``; both must pickle.
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
        target: Callable[..., object],
        args: tuple[Any, ...],
        *,
        world_size: int,
        give_up: Callable[[BaseException], object],
    ) -> None:
        if world_size > 1:
            _refuse_ranks_of_others()
        self.port = _free_port() if world_size > 1 else 0
        self._started = (target, args)
        self._world_size = world_size
        self._give_up = give_up
        self._all_ended, self._over = threading.Event(), threading.Event()
        self._loss: RankLostError | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        if self._world_size > 1:
            self._words, words = get_context("spawn").Pipe(duplex=False)
            told = (*self._started, self._world_size, self.port, words)
            # Inherited: Ctrl-C in the terminal is for this process.
            heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                self._processes = spawn(  # type: ignore[no-untyped-call]
                    _take_part, told, nprocs=self._world_size - 1, join=False, daemon=True
                )
            finally:
                signal.signal(signal.SIGINT, heard)
                words.close()
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def wait_until_ready(self) -> None:
        """Return when all of them are about to train.

        Raises:
            RankLostError: If one ended instead.
        """
        for _ in range(1, self._world_size):
            try:
                self._words.recv()
            except EOFError:
                self._all_ended.wait()
                raise self._loss or RankLostError("no process is left beside this one") from None

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
        if self._world_size == 1:
            return
        if error is None:
            self._over.set()
            leave_group()
            self._all_ended.wait(END_S)
        elif isinstance(error, RuntimeError):
            # This process may notice a loss a moment before the system says so.
            self._all_ended.wait(NOTICE_S)
        # What is noticed of a loss; other errors are this process's own.
        loss = self._loss if isinstance(error, RuntimeError) else None
        self._failure = loss or error
        for process in self._processes.processes:
            process.kill()
        self._all_ended.wait()
        leave_group()
        self._over.set()
        self._words.close()
        if loss is not None and loss is not error:
            raise loss from error

    def _watch(self) -> None:
        try:
            while not self._processes.join(grace_period=SHUTDOWN_S):
                pass
        except ProcessException as error:
            log.info("A process of this training was lost: %s", error)
            self._loss = RankLostError(
                f"process {error.error_index + 2} of {self._world_size} of this training "
                f"{_how_it_ended(error)}"
            )
        except Exception as error:  # noqa: BLE001 - what it left word of may be unreadable, on a full disk
            self._loss = RankLostError(f"a process of this training was lost ({error!r})")
        self._all_ended.set()
        if self._loss and not self._over.wait(GRACE_S):
            self._give_up(self._failure or self._loss)


def _take_part(
    index: int,
    target: Callable[..., object],
    args: tuple[Any, ...],
    world_size: int,
    port: int,
    words: Connection,
) -> None:
    """What a further process does; silent, since the first one speaks for all."""
    threading.Thread(target=_end_with_first, daemon=True).start()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    try:
        target(Place(index + 1, world_size, port, lambda: words.send(None)), *args)
    except BaseException:
        # Before Lightning's own, which on GPUs leaves the group, and may wait for the others there.
        atexit.register(os._exit, 1)
        raise
    end_process(0)


def _end_with_first() -> None:
    """Never be left behind: the first process may be killed."""
    if first := parent_process():
        first.join()
        os._exit(0)


def _how_it_ended(error: ProcessException) -> str:
    if not isinstance(error, ProcessExitedException):
        # The error follows the last frame and its line, which are indented.
        last = error.msg.rpartition('\n  File "')[2].splitlines()[1:]
        said = next((line for line in last if not line.startswith(" ")), "it does not say why")
        return f"failed: {said}"
    if error.signal_name:
        return f"was killed ({error.signal_name})"
    return f"ended with exit code {error.exit_code}"


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
