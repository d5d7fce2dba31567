"""How many threads measuring takes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """Measure with one thread of torch, and as many as before afterwards."""
    # Maps are small: threads cost more than they give, twentyfold where others use the cores, and
    # the last digit of a sum would depend on their number.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
