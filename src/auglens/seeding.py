"""Gives every role of a run its own random generator. Never touches a global one."""

from enum import IntEnum

import torch
from numpy.random import SeedSequence

__all__ = ["Role", "role_generator"]


class Role(IntEnum):
    """What a generator is for; the numbers are part of every result and never change."""

    DATA = 0
    INIT = 1
    ORDER = 2
    AUGMENT = 3
    EXPLAIN = 4


def role_generator(seed: int, role: Role) -> torch.Generator:
    """A CPU generator for one role of one seed.

    Two generators seeded with the same number are one stream, so each role is spawned from the
    seed with its own key; roles with equal seeds stay independent.

    Args:
        seed: The role's seed, at least 0.
        role: What the numbers are drawn for.

    Raises:
        ValueError: If ``seed`` is negative.
    """
    if seed < 0:
        raise ValueError(f"A seed is an integer of at least 0, got {seed} for {role.name.lower()}.")
    state = SeedSequence(entropy=seed, spawn_key=(int(role),)).generate_state(2)
    # 63 bits: manual_seed takes a signed 64-bit integer.
    return torch.Generator().manual_seed((int(state[0]) << 31) ^ int(state[1]))
