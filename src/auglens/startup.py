"""Start and end of a process with large libraries, which take most of a short command's time."""

import atexit
import gc
import importlib
import os
import sys
import threading
from contextlib import suppress
from functools import lru_cache
from types import ModuleType
from typing import NoReturn

__all__ = ["end_process", "import_job", "import_quickly", "set_apart"]

JOB = "auglens.job"
# What W&B imports when its first run opens.
WANDB_LAUNCH = "wandb.sdk.launch.inputs.internal"


def import_job(*, with_wandb: bool) -> ModuleType:
    """The module that runs jobs, and with it torch and Lightning.

    Args:
        with_wandb: Whether the job will open a W&B run.
    """
    if with_wandb and JOB not in sys.modules:
        # Its classes search all loaded modules for their own source: quick before torch's come.
        with suppress(ImportError):
            import_quickly(WANDB_LAUNCH)
    return import_quickly(JOB)


def import_quickly(name: str) -> ModuleType:
    """Import a module without looking for garbage meanwhile: a fifth of the time of large ones."""
    if name in sys.modules:
        return sys.modules[name]
    collecting = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        if collecting:
            gc.enable()


@lru_cache(maxsize=1)
def set_apart() -> None:
    """What imports made is never garbage; without it, collecting costs little from now on."""
    gc.freeze()
    # Some C++ libraries complain at the end of what was never freed.
    atexit.register(gc.unfreeze)


def end_process(code: int) -> NoReturn:
    """End as Python does, with threads joined and exit handlers run, but free no memory.

    Freeing a million objects of torch and Lightning one by one would take a second.

    Args:
        code: The exit code.
    """
    try:
        # Joins threads and shuts executors down, as the interpreter would; not in typeshed.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # nobody may be reading any more
                stream.flush()
    finally:
        os._exit(code)
