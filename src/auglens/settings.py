"""Composes settings and says in one line what is wrong with them. Free of torch."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import auglens

if TYPE_CHECKING:
    from omegaconf import DictConfig

__all__ = [
    "CONFIG_FOLDER",
    "compose_settings",
    "describe_refusal",
    "describe_unresolved",
    "existing_folder",
    "existing_folders",
    "resolved",
]

CONFIG_FOLDER = Path(auglens.__file__).parents[2] / "conf"
# Where Hydra's message goes on with its search path or a link to its grammar.
DIGRESSION = re.compile(r"\n(?:\s*\n)?(?:Config search path|See https://|\s*Available options)")


def compose_settings(name: str, overrides: Sequence[str], *, keys: Sequence[str]) -> "DictConfig":
    """conf/<name>.yaml with overrides, not resolved yet.

    Args:
        name: Of the file, without ending.
        overrides: In Hydra's grammar, groups and lists included.
        keys: The settings it has.

    Raises:
        ValueError: If an override is misspelt or names an option that does not exist; in one line.
    """
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    try:
        config = _compose(name, overrides)
    except (HydraException, OmegaConfBaseException, ValueError, TypeError) as error:
        raise ValueError(describe_refusal(error, name, overrides)) from error
    unknown = set(map(str, config)) - set(keys)
    if unknown:
        raise ValueError(_no_setting(min(unknown), keys))
    missing = set(keys) - set(map(str, config))
    if missing:
        raise ValueError(f"{min(missing)} cannot be taken away. Settings are {', '.join(keys)}.")
    return config


def resolved(config: "DictConfig") -> dict[str, Any]:
    """A config as plain containers, with every interpolation replaced by its value.

    Raises:
        ValueError: If a value is missing or refers to what does not exist; names its key.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ValueError(describe_unresolved(error, config)) from error
    return dict(plain)


def existing_folder(key: str, name: object) -> Path:
    """The folder that a setting names.

    Raises:
        ValueError: If it is no name, or nothing of that name is a folder.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(f"{key}={name!r} is not the name of a folder.")
    # pathlib raises for a name that is too long for the disk.
    if not os.path.isdir(name):  # noqa: PTH112
        raise ValueError(f"{key}: there is no folder {name}.")
    return Path(name)


def existing_folders(key: str, names: object) -> list[Path]:
    """As :func:`existing_folder`, of a list."""
    if not isinstance(names, list):
        raise ValueError(  # noqa: TRY004 - a user's mistake
            f"{key}={names!r} is not a list of existing folders: {key}=[<folder>,...]."
        )
    return [existing_folder(key, name) for name in names]


def describe_refusal(error: Exception, name: str, overrides: Sequence[str]) -> str:
    """One line: the override at fault and the nearest right one.

    Args:
        error: What composing raised.
        name: Of the file in conf/ that was composed, without ending.
        overrides: What the command said.
    """
    from hydra.errors import MissingConfigException, OverrideParseException

    if isinstance(error, MissingConfigException) and "/" in (error.missing_cfg_file or ""):
        return _no_option(str(error.missing_cfg_file), error.options or ())
    if isinstance(error, OverrideParseException):
        return f"Cannot read {error.override}: {_first_words(error)}. Write <key>=<value>."
    # Hydra's answers to a number, a list of numbers, and a list of lists, as an option.
    if re.search("Config group override|is not iterable|can only concatenate str", str(error)):
        return _no_option_named(overrides)
    ambiguous = re.search(r"Ambiguous value for argument '([^=]+)=(.*)'", str(error))
    if ambiguous is not None:
        key, values = ambiguous.groups()
        return (
            f"{key}={values} are several values: sweep over them with -m, or say {key}=[{values}]."
        )
    unknown = re.search(r"(?:Could not override|delete from config\.) '([^']+)'", str(error))
    if unknown is not None:
        return _unknown_key(unknown[1], error.__cause__, name)
    deleted = re.search(r"Could not delete '([^']+)'\. No match", str(error))
    if deleted is not None:
        return f"{deleted[1]} cannot be taken away; choose other options: {deleted[1]}=<option>."
    twice = re.search(r"Multiple values for (\S+)\. To override", str(error))
    if twice is not None:
        return f"{twice[1]} is chosen already: say {twice[1]}=<option>, without +."
    said = _in_one_line(error)
    keys = [one.lstrip("+~").partition("=")[0] for one in overrides]
    # Hydra does not always say what it was reading.
    return said if any(key in said for key in keys) else f"{said} (in {' '.join(overrides)})"


def _compose(name: str, overrides: Sequence[str] = ()) -> "DictConfig":
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
        return compose(name, overrides=list(overrides))


def _no_option(path: str, options: Sequence[str]) -> str:
    group, _, option = path.rpartition("/")
    # Hydra names none where the option is one of a list.
    options = options or _options(group)
    if not options:
        return f"There is no group {group}.{_hint(group, _groups())}"
    hint = _hint(option, options)
    return f"There is no {group}={option}.{hint} Options are {', '.join(options)}."


def _no_option_named(overrides: Sequence[str]) -> str:
    """Of a group whose option is a number or the like, which Hydra does not name."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    for one in OverridesParser.create().parse_overrides(list(overrides)):
        value = one.value()
        names = value if isinstance(value, list) else [value]
        named = all(name is None or isinstance(name, str) for name in names)
        if _options(one.key_or_group) and not named:
            return _no_option(f"{one.key_or_group}/{one.get_value_element_as_str()}", ())
    return f"An option is a word or a list of words: {' '.join(overrides)}."


def _unknown_key(key: str, cause: BaseException | None, name: str) -> str:
    """A setting that does not exist: one beside it, or of the same name elsewhere, may be meant."""
    from omegaconf import DictConfig, OmegaConf

    # The cause knows which part of the key is wrong, and what is there instead.
    wrong = str(getattr(cause, "full_key", None) or key)
    parent = getattr(cause, "parent_node", None)
    folder = wrong.rpartition(".")[0]
    beside = [*map(str, parent)] if isinstance(parent, DictConfig) else []
    near = get_close_matches(wrong.rpartition(".")[2], beside, n=1)
    if near:
        meant = f"{folder}.{near[0]}" if folder else near[0]
        return f"There is no setting {wrong}. Did you mean {meant}?"
    if key.startswith(("hydra.launcher.", "hydra.sweeper.")):
        there = f"those of {folder} are {', '.join(beside)}" if beside else f"{folder} has none"
        return f"There is no setting {wrong}: {there}. A new one is added by +{key}=<value>."
    composed: Any = OmegaConf.to_container(_compose(name), resolve=False)
    return _no_setting(wrong, [*_dotted(composed)])


def _no_setting(key: str, known: Sequence[str]) -> str:
    """Says which settings there are, where none is near."""
    near = get_close_matches(key, known, n=1, cutoff=0.75)
    last = {name.rpartition(".")[2]: name for name in reversed(known)}
    near = near or [last[one] for one in get_close_matches(key.rpartition(".")[2], last, n=1)]
    if near:
        return f"There is no setting {key}. Did you mean {near[0]}?"
    top = dict.fromkeys(name.partition(".")[0] for name in known)
    return f"There is no setting {key}. Settings are {', '.join(top)}."


def describe_unresolved(error: Exception, config: "DictConfig") -> str:
    """One line: the setting whose value cannot be had, and why.

    Args:
        error: What resolving raised.
        config: What was resolved, whole.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import InterpolationKeyError, MissingMandatoryValue

    key = getattr(error, "full_key", None) or "The config"
    if isinstance(error, MissingMandatoryValue):
        return f"{key} has no value; say {key}=<value>."
    plain: Any = OmegaConf.to_container(config, resolve=False)
    said = f"{key}={_value(plain, key)} cannot be resolved"
    wanted = re.search(r"Interpolation key '([^']*)' not found", str(error))
    if isinstance(error, InterpolationKeyError) and wanted is not None:
        return f"{said}. {_no_setting(wanted[1], [*_dotted(plain)])}"
    if "Recursive interpolation" in str(error) or "RecursionError" in str(error):
        return f"{said}: it refers to itself."
    reason = _first_words(error).removesuffix(".")
    return f"{said}: {re.sub('^.* raised while resolving interpolation: ', '', reason)}."


def _value(plain: object, key: str) -> object:
    """What stands at a key such as ``kl_eps[0]``, or dots."""
    for part in re.findall(r"[^.\[\]]+", key):
        if isinstance(plain, Mapping) and part in plain:
            plain = plain[part]
        elif isinstance(plain, list) and part.isdecimal() and int(part) < len(plain):
            plain = plain[int(part)]
        else:
            return "..."
    return plain


def _dotted(node: Mapping[str, Any], before: str = "") -> Iterable[str]:
    """Names of all settings, those that hold others included; not Hydra's own."""
    for key, value in node.items():
        if str(key) != "hydra":
            yield f"{before}{key}"
            if isinstance(value, Mapping):
                yield from _dotted(value, f"{before}{key}.")


def _options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIG_FOLDER / group).glob("*.yaml")) if group else []


def _groups() -> list[str]:
    return sorted(path.name for path in CONFIG_FOLDER.iterdir() if path.is_dir())


def _hint(wrong: str, known: Iterable[str]) -> str:
    near = get_close_matches(wrong, list(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _first_words(error: Exception) -> str:
    """The first line of a message, or all before Hydra says where it searched."""
    lines = [line for line in str(error).splitlines() if line and "Error parsing" not in line]
    return lines[0].removesuffix(".") if lines else type(error).__name__


def _in_one_line(error: Exception) -> str:
    words = " ".join(DIGRESSION.split(str(error))[0].split()) or type(error).__name__
    words = words.replace("Error merging override ", "Cannot use ")
    cause = error.__cause__
    if cause is None:
        return words
    return f"{words}: {str(cause).splitlines()[0] if str(cause) else type(cause).__name__}"
