"""The report of a sweep, from its files alone.

    python -m auglens.study sweep=multirun/<date>/<time>
    python -m auglens.study 'sweep=[<folder>,<folder>]' out=<folder>

Settings and their meaning: conf/study.yaml.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from auglens.settings import CONFIG_FOLDER, compose_settings, existing_folders, resolved
from auglens.startup import end_process, import_quickly, set_apart
from auglens.study import build_study, check_foreground_threshold, check_kl_eps

__all__ = ["main", "measure_settings", "settings"]

KEYS = ("sweep", "out", "reuse", "kl_eps", "foreground_threshold")
MEASURING = ("kl_eps", "foreground_threshold")
BUILD = "auglens.study.build"
NO_SWEEP = "Which sweep? Say sweep=<folder>, or sweep=[<folder>,<folder>]."


def main(overrides: Sequence[str]) -> int:
    """Build and print the study that the overrides ask for.

    Returns:
        The exit code: 0, or 1 after one line that says what is wrong.
    """
    if {"-h", "--help"} & set(overrides):
        sys.stdout.write(__doc__ or "")
        return 0
    try:
        config = settings(overrides)
        sweeps, out = _folders(config)
        reuse = existing_folders("reuse", config["reuse"])
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return _build(sweeps, out, reuse, _measuring(config))


def settings(overrides: Sequence[str]) -> dict[str, Any]:
    """conf/study.yaml with overrides such as ``sweep=<folder>``.

    Raises:
        ValueError: If an override is misspelt or a value cannot be used; says it in one line.
    """
    from omegaconf import OmegaConf

    config = compose_settings("study", overrides, keys=KEYS)
    if OmegaConf.is_missing(config, "sweep"):
        raise ValueError(NO_SWEEP)
    plain = resolved(config)
    check_kl_eps(plain["kl_eps"])
    check_foreground_threshold(plain["foreground_threshold"])
    return plain


def measure_settings() -> dict[str, Any]:
    """How conf/study.yaml measures maps, as arguments of :func:`auglens.study.build_study`."""
    from omegaconf import OmegaConf

    # Nothing is overridden, so Hydra has nothing to do, and takes long for it.
    plain: Any = OmegaConf.to_container(OmegaConf.load(CONFIG_FOLDER / "study.yaml"), resolve=True)
    return _measuring(plain)


def _measuring(config: dict[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name in MEASURING}


def _folders(config: dict[str, Any]) -> tuple[list[Path], Path]:
    named, out = config["sweep"], config["out"]
    if named is None or named == []:
        raise ValueError(NO_SWEEP)
    if out is None and isinstance(named, list) and len(named) > 1:
        raise ValueError("Several sweeps are joined: say where to, with out=<folder>.")
    sweeps = existing_folders("sweep", named if isinstance(named, list) else [named])
    if out is not None and (not isinstance(out, str) or not out):
        raise ValueError(f"out={out!r} is not the name of a folder; null is the sweep's own.")
    return sweeps, sweeps[0] if out is None else Path(out)


def _build(sweeps: list[Path], out: Path, reuse: list[Path], measuring: dict[str, Any]) -> int:
    import_quickly(BUILD)
    set_apart()
    from rich.console import Console

    from auglens.study.console import print_study, step_progress
    from auglens.study.load import StudyError

    console = Console()
    try:
        with step_progress(console) as track:
            study = build_study(sweeps, out=out, reuse=reuse, track=track, **measuring)
    except StudyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"The report cannot be written to {out}: {error}\n")
        return 1
    print_study(study, console)
    return 0


if __name__ == "__main__":
    end_process(main(sys.argv[1:]))
