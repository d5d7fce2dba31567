"""Imports what a job needs, quickly: a short command spends most of its time on imports."""

import gc
import importlib
import sys
from contextlib import suppress
from types import ModuleType

__all__ = ["import_job"]

JOB = "auglens.job"
# What W&B imports when its first run opens.
WANDB_LAUNCH = "wandb.sdk.launch.inputs.internal"


def import_job(*, with_wandb: bool) -> ModuleType:
    """The module that runs jobs, and with it torch and Lightning.

    Args:
        with_wandb: Whether the job will open a W&B run.
    """
    if JOB in sys.modules:
        return sys.modules[JOB]
    # Imports leave hardly any garbage; looking for it would take a fifth of their time.
    gc.disable()
    try:
        if with_wandb:
            # Its classes search all loaded modules for their own source: quick before torch's come.
            with suppress(ImportError):
                importlib.import_module(WANDB_LAUNCH)
        return importlib.import_module(JOB)
    finally:
        gc.enable()
