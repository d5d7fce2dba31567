"""The commands that make a report again. Reads conf/study.yaml and what Hydra left in sweeps."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from auglens.records.names import visible
from auglens.records.reading import read_bytes
from auglens.study.__main__ import measure_settings

__all__ = ["hydra_value", "rebuild_command", "training_commands"]

# What Hydra reads as these very characters, and as neither a number nor a word of its own.
PLAIN = re.compile(
    r"(?!(null|true|false|nan|inf)$)([a-z_/]|\.{1,2}(/|$))[\w./+@%-]*", re.IGNORECASE | re.ASCII
)
# Every command of a sweep says these anew, or Hydra adds them.
MOST_BYTES = 2**20
OWN_OVERRIDES = ("hydra.mode=", "hydra.sweep.dir=")


def rebuild_command(
    sweeps: Sequence[Path],
    out: Path,
    *,
    kl_eps: Sequence[float],
    foreground_threshold: float,
    reuse: Sequence[Path] = (),
) -> str:
    """One line for a shell; settings that are the default are left out.

    Args:
        sweeps: Sweep folders, at least one.
        out: The folder that the report folder lies in.
        kl_eps: As of :func:`auglens.study.build_study`.
        foreground_threshold: Likewise.
        reuse: Likewise.
    """
    defaults = measure_settings()
    joined = ",".join(hydra_value(str(sweep)) for sweep in sweeps)
    words = [f"sweep={joined}" if len(sweeps) == 1 else f"sweep=[{joined}]"]
    if list(sweeps) != [out]:
        words.append(f"out={hydra_value(str(out))}")
    if reuse:
        words.append(f"reuse=[{','.join(hydra_value(str(sweep)) for sweep in reuse)}]")
    if list(kl_eps) != list(defaults["kl_eps"]):
        words.append(f"kl_eps=[{','.join(map(repr, kl_eps))}]")
    if foreground_threshold != defaults["foreground_threshold"]:
        words.append(f"foreground_threshold={foreground_threshold!r}")
    return shlex.join(["python", "-m", "auglens.study", *words])


def training_commands(sweeps: Sequence[Path]) -> list[str]:
    """What trained the sweeps, as far as Hydra wrote it down: the last command of each folder.

    Interpolations stand as they were given, so that no value of the environment is shown.
    """
    commands = []
    for sweep in sweeps:
        try:
            given = _overrides(sweep / "multirun.yaml")
        except (ValueError, LookupError, TypeError, RecursionError, yaml.YAMLError):
            continue
        words = [*given, f"hydra.sweep.dir={hydra_value(str(sweep))}"]
        commands.append(shlex.join(["python", "train.py", "-m", *words]))
    return commands


def hydra_value(text: str) -> str:
    """Text as the value of an override, quoted where Hydra would read something else.

    >>> hydra_value("multirun/2026-01-31"), hydra_value("/a/b,c"), hydra_value("10")
    ('multirun/2026-01-31', '"/a/b,c"', '"10"')
    """
    if PLAIN.fullmatch(text):
        return text
    # In quotes, backslashes count only before a quote, the end, or an interpolation.
    return '"' + re.sub(r'(\\*)("|\$\{|$)', _escaped, text) + '"'


def _escaped(found: re.Match[str]) -> str:
    backslashes, special = found.groups()
    return 2 * backslashes + ("\\" + special if special else "")


def _overrides(path: Path) -> list[str]:
    """All that was said on the command line but where to and how often.

    Raises:
        ValueError: Like YAMLError, LookupError and the others where it is not what Hydra writes.
    """
    content = read_bytes(path.parent, path.name, most_bytes=MOST_BYTES)
    written: Any = yaml.safe_load(content.decode())
    given = written["hydra"]["overrides"]
    words = [word for word in (*given["task"], *given["hydra"]) if isinstance(word, str)]
    return [visible(word) for word in words if not word.startswith(OWN_OVERRIDES)]
