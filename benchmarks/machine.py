"""What the figures were measured on."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from auglens import provenance

__all__ = ["describe"]

PEERS = ("kornia", "scipy", "wandb")


def describe() -> dict[str, Any]:
    """Processor, memory, versions and commit, and the day."""
    accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        **provenance.hardware(accelerator),
        "processor": _processor(),
        "memory": f"{memory / 2**30:.0f} GiB",
        "versions": {**provenance.versions(), **{name: version(name) for name in PEERS}},
        "commit": _commit(),
        "measured": datetime.now(UTC).date().isoformat(),
    }


def _commit() -> str:
    """Abbreviated; whether files differed from it stays visible."""
    name, *differs = (provenance.git_commit() or "unknown").split("-")
    return "-".join([name[:12], *differs])


def _processor() -> str:
    """The name Linux gives it, which is longer than Python's."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor()
    lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")
