"""What the figures were measured on."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from auglens import provenance
from benchmarks.process import REPOSITORY

__all__ = ["describe"]

PEERS = ("kornia", "scipy", "wandb")
WRITTEN = ("docs/benchmarks.json", "docs/benchmarks.md", "README.md")


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
    """Abbreviated; whether files differed from it stays visible, but for what benchmarks write."""
    commit = provenance.git_commit()
    if commit is None:
        return "unknown"
    command = ["git", "diff", "--quiet", "HEAD", "--", ".", *(f":!{path}" for path in WRITTEN)]
    differs = subprocess.run(command, cwd=REPOSITORY, check=False).returncode != 0
    return commit[:12] + ("-dirty" if differs else "")


def _processor() -> str:
    """The name Linux gives it, which is longer than Python's."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor()
    lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")
