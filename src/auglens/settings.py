"""Composes the settings of a command that is not a training: one line says what is wrong."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import auglens

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = ["compose_settings"]

CONFIG_FOLDER = Path(auglens.__file__).parents[2] / "conf"


def compose_settings(name: str, overrides: Sequence[str], *, keys: Sequence[str]) -> "DictConfig":
    """conf/<name>.yaml with overrides, not resolved yet.

    Args:
        name: Of the file, without ending.
        overrides: In Hydra's grammar, groups and lists included.
        keys: The settings it has, for the message.

    Raises:
        ValueError: If an override is misspelt or names an option that does not exist.
    """
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
            config = compose(name, overrides=list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise ValueError(_in_one_line(str(error), keys)) from error
    if set(config) != set(keys):
        raise ValueError(f"Settings are {', '.join(keys)}, got {', '.join(map(str, config))}.")
    return config


def _in_one_line(error: str, keys: Sequence[str]) -> str:
    misspelt = re.search(r"Could not override '([^']+)'", error)
    if misspelt is not None:
        near = get_close_matches(misspelt[1], keys, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"There is no setting {misspelt[1]}.{hint} Settings are {', '.join(keys)}."
    unknown = re.search(r"Could not (?:load|find) '(\w+)/([^']+)'", error)
    if unknown is None:
        words = " ".join(error.split())
        return f"{words} Settings are {', '.join(keys)}."
    group, option = unknown.groups()
    options = sorted(path.stem for path in (CONFIG_FOLDER / group).glob("*.yaml"))
    near = get_close_matches(option, options, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"There is no {group}={option}.{hint} Options are {', '.join(options)}."
