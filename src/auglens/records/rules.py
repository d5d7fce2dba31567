"""What the fields of a record may hold. A record that breaks a rule is damaged."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from auglens.records.names import visible

__all__ = ["check_record"]

Rule = tuple[str, Callable[[Any], bool]]

SHARED = ("dataset", "data", "optimizer")
# No class of images and no count of pixels comes near.
MOST_CLASSES = 10_000
LONGEST_TEXT = 200


def _is_int(value: object) -> bool:
    return type(value) is int


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(float(value))  # type: ignore[arg-type]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_TEXT


def _is_names(value: object) -> bool:
    listed = isinstance(value, list) and 0 < len(value) <= MOST_CLASSES
    return listed and all(_is_text(one) for one in value)  # type: ignore[attr-defined]


TEXT: Rule = ("text on one line", _is_text)
OPTIONAL_TEXT: Rule = ("text or null", lambda value: value is None or isinstance(value, str))
MAPPING: Rule = ("a mapping", lambda value: isinstance(value, dict))
COUNT: Rule = ("a whole number from 1", lambda value: _is_int(value) and value >= 1)
SIZE: Rule = ("a whole number from 0", lambda value: _is_int(value) and value >= 0)
INTEGER: Rule = ("a whole number", _is_int)
NUMBER: Rule = ("a number", _is_number)
OPTIONAL_NUMBER: Rule = ("a number or null", lambda value: value is None or _is_number(value))
FRACTION: Rule = ("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
FLAG: Rule = ("true or false", lambda value: isinstance(value, bool))
NAMES: Rule = ("a list of names", _is_names)
SECONDS: Rule = (
    "seconds by phase",
    lambda value: (
        isinstance(value, dict) and all(_is_number(one) and one >= 0 for one in value.values())
    ),
)
VERSIONS: Rule = (
    "text by name",
    lambda value: isinstance(value, dict) and all(isinstance(one, str) for one in value.values()),
)
METHODS: Rule = (
    "settings by name",
    lambda value: isinstance(value, dict) and all(isinstance(one, dict) for one in value.values()),
)

RULES: Mapping[str, Rule] = {
    "identity": TEXT,
    "probe_hash": TEXT,
    "best_epoch": COUNT,
    **dict.fromkeys(
        (
            "val_accuracy",
            "test_accuracy",
            "test_accuracy_last_epoch",
            "test_balanced_accuracy",
            "test_balanced_accuracy_last_epoch",
        ),
        FRACTION,
    ),
    "samples_seen": SIZE,
    "seconds": SECONDS,
    "versions": VERSIONS,
    "git_commit": OPTIONAL_TEXT,
    "hardware": VERSIONS,
    "finished": TEXT,
    "files": VERSIONS,
    "config.seed": INTEGER,
    **dict.fromkeys(
        [f"config.seeds.{role}" for role in ("data", "init", "order", "augment")], INTEGER
    ),
    "config.dataset.name": TEXT,
    "config.dataset.class_names": NAMES,
    "config.data.train_size": COUNT,
    "config.data.batch_size": COUNT,
    "config.data.steps_per_epoch": COUNT,
    "config.data.permute_train_labels": FLAG,
    "config.augment.name": TEXT,
    "config.augment.strength": OPTIONAL_NUMBER,
    "config.augment.transform": MAPPING,
    "config.optimizer": MAPPING,
    "config.model.name": TEXT,
    "config.trainer.max_epochs": COUNT,
    "config.probe.size": COUNT,
    "config.probe.target": TEXT,
    "config.saliency.methods": METHODS,
    "inputs.augment.name": TEXT,
    "inputs.augment.strength": OPTIONAL_NUMBER,
    "inputs.augment.copies": SIZE,
    **dict.fromkeys(
        [f"inputs.seeds.{role}" for role in ("data", "init", "order", "augment")], INTEGER
    ),
    "inputs.model": MAPPING,
    "inputs.num_threads": COUNT,
    "inputs.trainer": MAPPING,
    "inputs.trainer.max_epochs": COUNT,
    "inputs.trainer.accelerator": TEXT,
    "inputs.result_version": INTEGER,
}


def check_record(content: Mapping[str, Any]) -> None:
    """Refuse a record that the study could not compute with.

    Args:
        content: Its fields, by name.

    Raises:
        ValueError: Naming the field, its value and what is allowed.
    """
    for field, (allowed, holds) in RULES.items():
        value = _find(content, field)
        if not holds(value):
            raise ValueError(f"{field}={_short(value)} is not {allowed}")
    for section in SHARED:
        if content["config"][section] != content["inputs"].get(section):
            raise ValueError(f"config.{section} is not that of inputs")
    num_classes = len(content["config"]["dataset"]["class_names"])
    for field in ("test_confusion", "test_confusion_last_epoch"):
        if not _is_confusion(content[field], num_classes):
            raise ValueError(f"{field} is no matrix of counts of {num_classes} classes")


def _find(content: Mapping[str, Any], field: str) -> object:
    """What lies at a dotted name; None where nothing does."""
    found: Any = content
    for word in field.split("."):
        found = found.get(word) if isinstance(found, dict) else None
    return found


def _is_confusion(value: object, num_classes: int) -> bool:
    if not isinstance(value, list) or len(value) != num_classes:
        return False
    rows: Sequence[object] = value
    return all(isinstance(row, list) and len(row) == num_classes for row in rows) and all(
        _is_int(count) and count >= 0 for row in value for count in row
    )


def _short(value: object) -> str:
    text = visible(repr(value))
    return text if len(text) <= 60 else f"{text[:60]}..."
