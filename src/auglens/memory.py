"""Keeps the C library from handing memory back to the system between two training steps."""

import ctypes
from functools import lru_cache

__all__ = ["keep_freed_memory"]

# Parameters of mallopt, from glibc's malloc.h.
TRIM_THRESHOLD = -1
MMAP_THRESHOLD = -3
LARGEST_KEPT = 2**30
# What glibc before 2.35 takes for the first of them at most.
LARGEST_KEPT_BEFORE = 2**25


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Let glibc reuse freed blocks of up to 1 GiB instead of returning them to the system.

    A step on the CPU allocates the same activations and gradients again and again. Memory that was
    returned in between has to be mapped and zeroed page by page. Older glibc keeps blocks of up to
    32 MiB only.

    Returns:
        Whether it took effect; False where the C library is not glibc. Results never depend on it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    trims_late = mallopt(TRIM_THRESHOLD, LARGEST_KEPT)
    reuses = any(mallopt(MMAP_THRESHOLD, size) for size in (LARGEST_KEPT, LARGEST_KEPT_BEFORE))
    return bool(trims_late and reuses)
