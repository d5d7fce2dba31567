"""The commands that make a report again. Reads conf/study.yaml and what Hydra left in sweeps."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from auglens.study.__main__ import measure_settings

__all__ = ["rebuild_command", "training_commands"]


def rebuild_command(
    sweeps: Sequence[Path], out: Path, *, kl_eps: Sequence[float], foreground_threshold: float
) -> str:
    """One line for a shell; settings that are the default are left out.

    Args:
        sweeps: Sweep folders, at least one.
        out: The folder that the report folder lies in.
        kl_eps: As of :func:`auglens.study.build_study`.
        foreground_threshold: Likewise.
    """
    defaults = measure_settings()
    joined = ",".join(map(str, sweeps))
    words = [f"sweep={joined}" if len(sweeps) == 1 else f"sweep=[{joined}]"]
    if list(sweeps) != [out]:
        words.append(f"out={out}")
    if list(kl_eps) != list(defaults["kl_eps"]):
        words.append(f"kl_eps=[{','.join(map(repr, kl_eps))}]")
    if foreground_threshold != defaults["foreground_threshold"]:
        words.append(f"foreground_threshold={foreground_threshold!r}")
    return shlex.join(["python", "-m", "auglens.study", *words])


def training_commands(sweeps: Sequence[Path]) -> list[str]:
    """What trained the sweeps, as far as Hydra wrote it down: the last command of each folder."""
    commands = []
    for sweep in sweeps:
        try:
            written = OmegaConf.load(sweep / "multirun.yaml")
            given = OmegaConf.select(written, "hydra.overrides.task") or []
        except (OSError, ValueError, OmegaConfBaseException, YAMLError):
            continue
        words = ["python", "train.py", "-m", *map(str, given), f"hydra.sweep.dir={sweep}"]
        commands.append(shlex.join(words))
    return commands
