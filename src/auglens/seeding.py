"""Gives every role of a run its own random generator."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import numpy as np
import torch
from numpy.random import SeedSequence

__all__ = ["Role", "global_states", "role_generator", "seeded_globals", "set_global_states"]


class Role(IntEnum):
    """What a generator is for; the numbers are part of every result and never change."""

    DATA = 0
    INIT = 1
    ORDER = 2
    AUGMENT = 3
    EXPLAIN = 4


def role_generator(seed: int, role: Role, *part: int) -> torch.Generator:
    """A CPU generator for one role of one seed.

    Two generators seeded with the same number are one stream, so each role is spawned from the
    seed with its own key; roles with equal seeds stay independent.

    Args:
        seed: The role's seed, at least 0.
        role: What the numbers are drawn for.
        part: Splits the role, such as by the rank of a process.

    Raises:
        ValueError: If ``seed`` is negative.
    """
    if seed < 0:
        raise ValueError(f"A seed is an integer of at least 0, got {seed} for {role.name.lower()}.")
    state = SeedSequence(entropy=seed, spawn_key=(int(role), *part)).generate_state(2)
    # 63 bits: manual_seed takes a signed 64-bit integer.
    return torch.Generator().manual_seed((int(state[0]) << 31) ^ int(state[1]))


@contextmanager
def seeded_globals(seed: int, *part: int) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's global generators, and put them back afterwards.

    For what draws from nothing else: the first weights of a network, dropout, third-party code.

    Args:
        seed: The run's ``seeds.init``.
        part: As for :func:`role_generator`.
    """
    state = role_generator(seed, Role.INIT, *part).initial_seed()
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        # What torch takes by itself, too, but warns of where there are several.
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(state)
            random.seed(state)
            np.random.seed(state % 2**32)  # noqa: NPY002 - the global generator is the point
            yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002


def global_states() -> dict[str, Any]:
    """States of Python's, NumPy's and torch's global generators, as tensors and plain values."""
    numpy_state: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    key = torch.from_numpy(numpy_state["state"]["key"].astype(np.int64))
    return {
        "python": random.getstate(),
        "numpy": {**numpy_state, "state": {**numpy_state["state"], "key": key}},
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_global_states(states: dict[str, Any]) -> None:
    """Put the global generators where :func:`global_states` found them."""
    random.setstate(states["python"])
    numpy_state = states["numpy"]
    key = numpy_state["state"]["key"].numpy().astype(np.uint32)
    np.random.set_state({**numpy_state, "state": {**numpy_state["state"], "key": key}})  # noqa: NPY002
    torch.set_rng_state(states["torch"])
    # Generators of this machine's GPUs only: a run may go on where there are fewer.
    if torch.cuda.is_available():
        torch.cuda.set_rng_state_all(states["cuda"][: torch.cuda.device_count()])
