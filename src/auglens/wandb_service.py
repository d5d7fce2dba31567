"""Opens and ends W&B runs in bounded time, and W&B's process where it no longer answers."""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psutil

__all__ = ["FINISH_TIMEOUT_S", "INIT_TIMEOUT_S", "drop_service", "finish", "open_run", "opened"]

# How long W&B may keep a job waiting: to open a run, to end it, and for its process to say so.
INIT_TIMEOUT_S = 60.0
FINISH_TIMEOUT_S = 60.0
GRACE_S = 15.0
SERVICE = "wandb-core"
Result = TypeVar("Result")

log = logging.getLogger(__name__)


def finish(*, failed: bool) -> None:
    """End the open W&B run, if any, so that the next job does not continue it.

    The time is bounded and an error costs nothing: what W&B has not taken by then it loses.

    Args:
        failed: Whether the job failed.
    """
    wandb = sys.modules.get("wandb")
    if wandb is not None and getattr(wandb, "run", None) is not None:
        _finish_in_time(lambda: wandb.finish(exit_code=int(failed)))


def open_run(settings: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a wandb run
    """``wandb.init`` in bounded time.

    Args:
        settings: Its arguments.

    Raises:
        TimeoutError: If it does not return.
        Exception: Whatever W&B raises; it has no common class for it.
    """
    import wandb

    return _within(INIT_TIMEOUT_S + GRACE_S, lambda: wandb.init(**settings))


@contextmanager
def opened(settings: Mapping[str, Any]) -> Iterator[Any]:
    """A W&B run that ends with the block.

    Args:
        settings: Arguments of ``wandb.init``.
    """
    run = open_run(settings)
    try:
        yield run
    finally:
        _finish_in_time(run.finish)


def drop_service() -> None:
    """End this process's W&B service, which no longer answers; the next run starts another."""
    import wandb

    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.name() == SERVICE:
                child.kill()
    with suppress(Exception, SystemExit):
        # Complains of the lost connection, or exits as its killed process did; forgets it, not the run.
        wandb.teardown()
    wandb.run = None


def _within(limit_s: float, call: Callable[[], Result]) -> Result:
    """Call something of W&B's that may hang: its own limits are kept by the process that hangs.

    Args:
        limit_s: Seconds until it is given up.
        call: What to call, in another thread.

    Raises:
        TimeoutError: If it has not returned by then.
        Exception: Whatever it raises.
    """
    outcome: Future[Result] = Future()

    def _complete() -> None:
        try:
            outcome.set_result(call())
        except Exception as error:  # noqa: BLE001 - handed on
            outcome.set_exception(error)

    threading.Thread(target=_complete, daemon=True).start()
    try:
        return outcome.result(limit_s)
    except TimeoutError as error:
        raise TimeoutError(f"no answer for {limit_s:.0f} s") from error


def _finish_in_time(finish: Callable[[], object]) -> None:
    try:
        _within(FINISH_TIMEOUT_S + GRACE_S, finish)
    except Exception as error:  # noqa: BLE001 - whatever a broken connection raises
        log.warning("W&B did not end its run (%s); local files are whole.", error)
        drop_service()
