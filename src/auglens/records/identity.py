"""What makes two runs the same run: hashes over the settings that can change a result."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["RESULT_VERSION", "digest", "group_inputs", "identity_inputs", "reference_inputs"]

# Raised whenever a change of the code alters results, so that old records are not reused.
RESULT_VERSION = 1

# Trainer settings that change no result, or (accelerator, devices, strategy) enter as what they
# resolve to.
HARMLESS_TRAINER_KEYS = frozenset(
    {
        "accelerator",
        "devices",
        "strategy",
        "deterministic",
        "inference_mode",
        "num_sanity_val_steps",
        "log_every_n_steps",
        "enable_progress_bar",
        "enable_model_summary",
        "profiler",
        "detect_anomaly",
        "benchmark",
    }
)
SEED_ROLES = ("data", "init", "order", "augment")
GROUP_KEYS = ("dataset", "data", "model", "optimizer", "trainer", "result_version")


def identity_inputs(
    config: Mapping[str, Any], *, accelerator: str, world_size: int
) -> dict[str, Any]:
    """The part of a resolved config that can change a run's results.

    Args:
        config: The resolved training config.
        accelerator: What ``trainer.accelerator`` resolved to, such as ``cpu``.
        world_size: Number of training processes.
    """
    augment = dict(config["augment"])
    augment["strength"] = effective_strength(augment)
    model = {key: value for key, value in config["model"].items() if key != "cam_layer"}
    trainer = {
        key: value for key, value in config["trainer"].items() if key not in HARMLESS_TRAINER_KEYS
    }
    return {
        "dataset": config["dataset"],
        "data": config["data"],
        "augment": augment,
        "model": model,
        "optimizer": config["optimizer"],
        "seeds": {role: config["seeds"][role] for role in SEED_ROLES},
        "num_threads": config["num_threads"],
        "trainer": {**trainer, "accelerator": accelerator, "world_size": world_size},
        "result_version": RESULT_VERSION,
    }


def effective_strength(augment: Mapping[str, Any]) -> float | None:
    """The strength an augmentation uses, or None where its transform takes none."""
    return float(augment["strength"]) if "strength" in augment["transform"] else None


def group_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a run's identity that all runs of its comparison group share."""
    return {key: inputs[key] for key in GROUP_KEYS}


def reference_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a run's identity that it shares with its reference: all but ``augment``."""
    return {key: value for key, value in inputs.items() if key != "augment"}


def digest(value: object) -> str:
    """sha256 of a value's canonical JSON, as 64 hexadecimal digits.

    Keys are sorted, and a float that is whole counts as that integer, so ``1`` and ``1.0`` in a
    config are one identity.

    >>> digest({"a": 1.0, "b": [2]}) == digest({"b": [2], "a": 1})
    True
    """
    text = json.dumps(_canonical(value), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _canonical(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value
