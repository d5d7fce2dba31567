"""The report of a sweep, from its files alone.

    python -m auglens.study sweep=multirun/<date>/<time>
    python -m auglens.study 'sweep=[<folder>,<folder>]' out=<folder>

Settings and their meaning: conf/study.yaml.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from auglens.settings import CONFIG_FOLDER, compose_settings
from auglens.startup import end_process, import_quickly, set_apart
from auglens.study import build_study, check_foreground_threshold, check_kl_eps

__all__ = ["main", "measure_settings", "settings"]

KEYS = ("sweep", "out", "reuse", "kl_eps", "foreground_threshold")
MEASURING = ("kl_eps", "foreground_threshold")
BUILD = "auglens.study.build"


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
        reuse = _reused(config["reuse"])
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
    from omegaconf.errors import OmegaConfBaseException

    config = compose_settings("study", overrides, keys=KEYS)
    try:
        plain: Any = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise ValueError(str(error).strip().splitlines()[0]) from error
    check_kl_eps(plain["kl_eps"])
    check_foreground_threshold(plain["foreground_threshold"])
    return dict(plain)


def measure_settings() -> dict[str, Any]:
    """How conf/study.yaml measures maps, as arguments of :func:`auglens.study.build_study`."""
    from omegaconf import OmegaConf

    # Nothing is overridden, so Hydra has nothing to do, and takes long for it.
    plain: Any = OmegaConf.to_container(OmegaConf.load(CONFIG_FOLDER / "study.yaml"), resolve=True)
    return _measuring(plain)


def _measuring(config: dict[str, Any]) -> dict[str, Any]:
    return {name: config[name] for name in MEASURING}


def _folders(config: dict[str, Any]) -> tuple[list[Path], Path]:
    named = config["sweep"]
    if named in ("???", None, []):
        raise ValueError("Which sweep? Say sweep=<folder>, or sweep=[<folder>,<folder>].")
    sweeps = [Path(str(name)) for name in (named if isinstance(named, list) else [named])]
    if config["out"] is None and len(sweeps) > 1:
        raise ValueError("Several sweeps are joined: say where to, with out=<folder>.")
    for sweep in sweeps:
        if not sweep.is_dir():
            raise ValueError(f"There is no folder {sweep}.")
    return sweeps, sweeps[0] if config["out"] is None else Path(str(config["out"]))


def _reused(named: object) -> list[Path]:
    if not isinstance(named, list) or not all(Path(str(name)).is_dir() for name in named):
        raise ValueError(f"reuse={named} is not a list of existing folders: reuse=[<folder>,...].")
    return [Path(str(name)) for name in named]


def _build(sweeps: list[Path], out: Path, reuse: list[Path], measuring: dict[str, Any]) -> int:
    import_quickly(BUILD)
    set_apart()
    from rich.console import Console

    from auglens.study.console import print_study
    from auglens.study.load import StudyError

    try:
        study = build_study(sweeps, out=out, reuse=reuse, **measuring)
    except StudyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print_study(study, Console())
    return 0


if __name__ == "__main__":
    end_process(main(sys.argv[1:]))
