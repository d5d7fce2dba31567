"""What computed a result: versions, commit, hardware. Changes nothing."""

import os
import platform
import subprocess
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import torch

__all__ = ["git_commit", "hardware", "versions"]

LIBRARIES = (
    "auglens",
    "captum",
    "hydra-core",
    "numpy",
    "pytorch-lightning",
    "torch",
    "torchmetrics",
    "torchvision",
)


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Version of Python and of each library that takes part in a result."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}


@lru_cache(maxsize=1)
def git_commit() -> str | None:
    """Commit of the code, with ``-dirty`` if files differ from it; None outside a checkout."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def hardware(accelerator: str) -> dict[str, str]:
    """The machine: system, processor, and the accelerator's name if it is a GPU."""
    described = {
        "system": f"{platform.system()} {platform.machine()}",
        # Kernels are chosen by what the processor can do, so last bits may depend on it.
        "cpu": f"{os.cpu_count()} cores, {torch.backends.cpu.get_cpu_capability()}",
        "accelerator": accelerator,
    }
    if accelerator == "cuda":
        described["gpu"] = torch.cuda.get_device_name()
    return described
