"""What each setting of a training may be. Knows no default: those are in conf/ only."""

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from auglens.config_values import (
    COUNT,
    FLAG,
    TEXT,
    WORD,
    Rule,
    is_number,
    list_of,
    number,
    one_of,
    positive,
    whole,
)

__all__ = [
    "DDP",
    "FURTHER",
    "HYDRA_WORDS",
    "NO_MULTIRUN",
    "SETTINGS",
    "check_config",
    "check_parameters",
    "check_processes",
    "names_several_devices",
    "shown",
]

LONGEST_VALUE = 80
HYDRA_WORDS = frozenset({"_target_", "_partial_", "_convert_", "_recursive_", "_args_"})


def _is_name(value: object) -> bool:
    """Run folders are named after it."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= 100
        and value.isprintable()
        and (not set(value) & set("/\\") and value.strip(". ") == value)
    )


def _is_devices(value: object) -> bool:
    index = whole(0, 1023)
    if isinstance(value, list):
        return (
            len(value) > 0
            and len(set(map(str, value))) == len(value)
            and all(map(index.holds, value))
        )
    return value in ("auto", "1") or whole(1, 1024).holds(value) or (whole(-1, -1).holds(value))


NAME = Rule("a name without / and \\, at most 100 characters long", _is_name)
SEED = whole(0, 2**63 - 1)
FOLDERS = list_of(
    Rule("a folder", lambda value: isinstance(value, str) and _is_folder(value)),
    "a list of existing folders, reuse=[<folder>,...]",
)
DATA_DIR = Rule(
    "the name of a folder (where AUGLENS_DATA_DIR is set to nothing, unset it)",
    lambda value: isinstance(value, str) and value.strip() != "" and value.isprintable(),
)
PRECISIONS = (
    *("32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true"),
    *("32", "16", "64", "bf16", 32, 16, 64),
)
DDP = ("ddp", "ddp_find_unused_parameters_true")
NO_MULTIRUN = (
    "trains on several devices, which a job of a multirun (-m) does not: for several jobs at a "
    "time use hydra/launcher=joblib, ray or slurm, for one large training trainer=ddp without -m."
)

# Settings that every training has.
SETTINGS = {
    "seed": SEED,
    **{f"seeds.{role}": SEED for role in ("data", "init", "order", "augment", "explain")},
    "num_threads": whole(1, 1024),
    "data.train_size": whole(1, 100_000_000),
    "data.batch_size": COUNT,
    "data.steps_per_epoch": COUNT,
    "data.eval_batch_size": COUNT,
    "data.mode": one_of("static", "online"),
    "data.permute_train_labels": FLAG,
    "augment.name": NAME,
    "augment.strength": number(0, 2),
    "augment.copies": whole(0, 10_000),
    "augment.keep_original": FLAG,
    "model.name": NAME,
    "model.cam_layer": WORD.or_null(),
    "probe.size": whole(1, 100_000_000),
    "probe.target": one_of("true_class", "predicted_class"),
    "figures": FLAG,
    "reuse": FOLDERS,
    "fail_fast": FLAG,
    "paths.data_dir": DATA_DIR,
    "paths.resume": FLAG,
    "trainer.max_epochs": COUNT,
    "trainer.accelerator": WORD,
    "trainer.devices": Rule(
        "auto, a whole number from 1 to 1024, or a list of indices of devices", _is_devices
    ),
}
# Settings that some trainings have: they belong to Lightning's Trainer or to a node with a
# _target_, whose constructor says more.
FURTHER = {
    "trainer.strategy": one_of("auto", *DDP),
    "trainer.precision": one_of(*PRECISIONS),
    "trainer.accumulate_grad_batches": COUNT,
    "trainer.gradient_clip_val": number(0, 1e9).or_null(),
    "trainer.gradient_clip_algorithm": one_of("norm", "value").or_null(),
    "trainer.deterministic": one_of(True, False, "warn"),
    "trainer.inference_mode": FLAG,
    "trainer.num_sanity_val_steps": whole(-1, 1_000_000),
    "trainer.log_every_n_steps": whole(0, 1_000_000),
    "trainer.enable_progress_bar": FLAG,
    "trainer.enable_model_summary": FLAG,
    "trainer.min_epochs": COUNT.or_null(),
    "trainer.max_steps": Rule(
        "-1 or a whole number from 1", lambda value: value == -1 or whole(1, 2**62).holds(value)
    ),
    "dataset.name": NAME,
    "dataset.class_names": list_of(TEXT, "a list of texts, one a class", least=1),
    "dataset.mean": list_of(number(0, 1), "a list of numbers from 0 to 1, one a channel"),
    "dataset.std": list_of(positive(1e9), "a list of numbers above 0, one a channel"),
    "dataset.split_seed": SEED,
    "dataset.num_val": whole(1, 100_000_000),
    "dataset.num_test": whole(1, 100_000_000),
    "optimizer.lr": number(0, 1e38),
    "optimizer.betas": list_of(
        Rule("", lambda value: is_number(value) and 0 <= value < 1),
        "a list of two numbers, each at least 0 and below 1",
        least=2,
        most=2,
    ),
    "optimizer.eps": positive(1),
    "optimizer.weight_decay": number(0, 1e6),
    "optimizer.momentum": number(0, 1),
    "optimizer.dampening": number(0, 1),
    "optimizer.nesterov": FLAG,
    "optimizer.fused": FLAG.or_null(),
    "logger.project": TEXT,
    "logger.entity": TEXT.or_null(),
    "logger.mode": one_of("online", "offline", "disabled").or_null(),
}
RULES = SETTINGS | FURTHER
NODES = ("dataset", "augment.transform", "model.net", "optimizer", "logger")
SECTIONS = ("saliency.methods", "measures")
# What a run's own parts are given, or what would leave it without its history, its checkpoints
# or its validation of every epoch.
TRAINER_RESERVED = frozenset(
    {
        *("plugins", "logger", "callbacks", "default_root_dir", "enable_checkpointing"),
        *("barebones", "fast_dev_run", "check_val_every_n_epoch", "num_nodes"),
    }
)


def check_config(config: Mapping[str, Any], *, trainer: Callable[..., object]) -> None:
    """Refuse what no training can work with.

    Args:
        config: The resolved config as plain containers.
        trainer: Takes the settings of ``trainer``; its signature says which there are.

    Raises:
        ValueError: In one line: key, value and what is allowed of every setting at fault.
    """
    if not config.get("saliency"):
        raise ValueError("saliency=[] explains nothing; name at least one method.")
    mistakes = list(_unknown(config)) or list(_violations(config))
    if mistakes:
        # Seeds follow the seed: one mistake is said once.
        once = {mistake.partition("=")[2] or mistake: mistake for mistake in reversed(mistakes)}
        raise ValueError(" ".join(reversed(once.values())))
    check_parameters("trainer", config["trainer"], trainer, reserved=TRAINER_RESERVED)


def names_several_devices(devices: object) -> bool:
    """Whether a value of ``trainer.devices`` means several on every machine; auto may mean one.

    >>> [names_several_devices(value) for value in (2, [0, 1], "auto", 1, [3])]
    [True, True, False, False, False]
    """
    if isinstance(devices, list):
        return len(devices) > 1
    return isinstance(devices, int) and devices > 1


def check_processes(config: Mapping[str, Any], *, world_size: int, multirun: bool) -> None:
    """Refuse a training in several processes where it is not asked for, or cannot be.

    Args:
        config: The resolved config, whose every setting is right by itself.
        world_size: How many processes the settings of ``trainer`` mean here.
        multirun: Whether it is a job of several.

    Raises:
        ValueError: In one line; names the setting and what to use instead.
    """
    if world_size == 1:
        return
    devices, batch_size = config["trainer"]["devices"], config["data"]["batch_size"]
    given = f"trainer.devices={devices}"
    if multirun:
        raise ValueError(f"{given} {NO_MULTIRUN}")
    if config["trainer"].get("strategy") not in DDP:
        raise ValueError(
            f"{given} means {world_size} processes: say trainer=ddp for one large training, or "
            "trainer.devices=1."
        )
    if batch_size % world_size:
        raise ValueError(
            f"data.batch_size={batch_size} is shared by {world_size} processes ({given}), so it "
            f"must be a multiple of {world_size}."
        )


def check_parameters(
    key: str,
    given: Iterable[object],
    taker: Callable[..., object],
    *,
    reserved: Iterable[str] = (),
) -> None:
    """Refuse settings that a constructor does not take.

    Args:
        key: Of the node they belong to.
        given: Their names.
        taker: The constructor.
        reserved: Parameters that are not for the config.

    Raises:
        ValueError: Naming the setting and the nearest that exists.
    """
    try:
        parameters = inspect.signature(taker).parameters.values()
    except (TypeError, ValueError):  # some compiled callables have none
        return
    taken = {one.name for one in parameters} - set(reserved)
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return
    for name in map(str, given):
        if name in reserved:
            raise ValueError(f"{key}.{name} cannot be set: AugLens decides it itself.")
        if name not in taken:
            raise ValueError(_no_setting(f"{key}.{name}", {f"{key}.{one}" for one in taken}))


def shown(value: object) -> str:
    """A value in a message: in quotes if text, cut where it is long.

    >>> shown("a")
    "'a'"
    """
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."


def _unknown(config: Mapping[str, Any]) -> Iterator[str]:
    """Settings that do not exist, and sections that are none."""
    known = {*SETTINGS, *NODES, *SECTIONS}
    sections: dict[str, set[str]] = {}
    for key in known:
        section, _, name = key.rpartition(".")
        sections.setdefault(section, set()).add(name)
    sections[""] |= sections.keys() - {""}
    del sections["trainer"]
    for section, names in sections.items():
        node = _found(config, section) if section else config
        if section and not isinstance(node, Mapping):
            yield f"{section}={shown(node)} must be a section with {', '.join(sorted(names))}."
            continue
        for name in map(str, node):
            if name not in names and section != "saliency":
                yield _no_setting(f"{section}.{name}".lstrip("."), {*known, *sections, *FURTHER})


def _violations(config: Mapping[str, Any]) -> Iterator[str]:
    for key in (*NODES, *SECTIONS, "trainer"):
        node = _found(config, key)
        if not isinstance(node, Mapping):
            yield f"{key}={shown(node)} must be a group of settings."
        elif key in NODES and not WORD.holds(node.get("_target_")):
            yield f"{key}._target_={shown(node.get('_target_'))} must name what to build."
    for key, rule in RULES.items():
        value = _found(config, key)
        if value is ABSENT and key in SETTINGS:
            yield f"{key} is missing: it must be {rule.allowed}."
        elif value is not ABSENT and not rule.holds(value):
            yield f"{key}={shown(value)} must be {rule.allowed}."
    kept = _found(config, "augment.keep_original")
    if _found(config, "augment.copies") == 0 and kept is False:
        yield "augment.copies=0 with augment.keep_original=false leaves nothing to train on."
    yield from _impossible("", config)


def _impossible(key: str, value: object) -> Iterator[str]:
    """Values that no setting can have, those with a rule of their own aside."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _impossible(f"{key}.{name}".lstrip("."), inner)
        return
    if isinstance(value, list):
        for inner in value:
            yield from _impossible(key, inner)
        return
    if key in RULES:
        return
    if value == "???":
        yield f"{key} has no value (???)."
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{key}={value} must be a finite number."


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


def _found(config: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - any setting
    node: Any = config
    for name in key.split("."):
        if not isinstance(node, Mapping) or name not in node:
            return ABSENT
        node = node[name]
    return node


def _no_setting(key: str, known: Iterable[str]) -> str:
    near = get_close_matches(key, sorted(known), n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"There is no setting {key}.{hint}"


def _is_folder(name: str) -> bool:
    try:
        return Path(name).is_dir()
    except (OSError, ValueError):  # too long, or with a NUL
        return False
