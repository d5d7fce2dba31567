"""Imports large libraries quickly: a short command spends most of its time on imports."""

import atexit
import gc
import importlib
import sys
from contextlib import suppress
from functools import lru_cache
from types import ModuleType

__all__ = ["import_job", "import_quickly", "set_apart"]

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
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.enable()


@lru_cache(maxsize=1)
def set_apart() -> None:
    """What imports made is never garbage; without it, collecting costs little from now on."""
    gc.freeze()
    # Some C++ libraries complain at the end of what was never freed.
    atexit.register(gc.unfreeze)
