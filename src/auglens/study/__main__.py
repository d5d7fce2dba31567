"""The report of a sweep, from its files alone.

    python -m auglens.study sweep=multirun/<date>/<time>
    python -m auglens.study 'sweep=[<folder>,<folder>]' out=<folder>

Settings and their meaning: conf/study.yaml.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import auglens
from auglens.study import build_study, check_kl_eps

__all__ = ["main", "settings"]

CONFIG_FOLDER = Path(auglens.__file__).parents[2] / "conf"
KEYS = ("sweep", "out", "kl_eps")


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
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return _build(sweeps, out, config["kl_eps"])


def settings(overrides: Sequence[str]) -> dict[str, Any]:
    """conf/study.yaml with overrides such as ``sweep=<folder>``.

    Raises:
        ValueError: If an override is misspelt or ``kl_eps`` cannot be used; says it in one line.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
            config = compose("study", overrides=list(overrides))
        plain: Any = OmegaConf.to_container(config, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{reason} Settings are {', '.join(KEYS)}.") from error
    if set(plain) != set(KEYS):
        raise ValueError(f"Settings are {', '.join(KEYS)}, got {', '.join(plain)}.")
    check_kl_eps(plain["kl_eps"])
    return dict(plain)


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


def _build(sweeps: list[Path], out: Path, kl_eps: list[float]) -> int:
    from rich.console import Console

    from auglens.study.console import print_study
    from auglens.study.load import StudyError

    try:
        study = build_study(sweeps, out=out, kl_eps=kl_eps)
    except StudyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print_study(study, Console())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
