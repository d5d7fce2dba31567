"""Both sides of the benchmark of measures compute the same numbers."""

import pytest
import torch

from benchmarks.metrics import MEASURES, VECTORISED, all_at_once, loop, maps


@pytest.mark.parametrize("name", MEASURES)
def test_a_loop_with_scipy_finds_the_same(name: str) -> None:
    first, second = maps(6, seed=3), maps(6, seed=4)
    expected = torch.tensor(loop(name, first, second), dtype=torch.float64)
    # SciPy's Jensen-Shannon distance is squared here, which loses digits near 0.
    torch.testing.assert_close(all_at_once(name, first, second), expected, atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize("name", VECTORISED)
def test_scipy_at_once_finds_what_it_finds_in_a_loop(name: str) -> None:
    first, second = maps(6, seed=3), maps(6, seed=4)
    found = torch.from_numpy(VECTORISED[name](first, second))
    expected = torch.tensor(loop(name, first, second), dtype=torch.float64)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-9)
