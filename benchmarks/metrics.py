"""Measures of 1,000 pairs of maps: AugLens beside a loop over the pairs with SciPy."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import jensenshannon
from torch import Tensor

from auglens.memory import keep_freed_memory
from auglens.metrics.entropy import entropy
from auglens.metrics.similarity import cc, js, kl, sim, similarities, spearman
from benchmarks.measuring import Comparison, Timed, compared, timed
from benchmarks.place import Place

__all__ = ["MEASURES", "VECTORISED", "Pair", "all_at_once", "loop", "maps", "measure"]

NUM_MAPS, SIDE_PX, PAIRS = 1000, 28, 7
BAR = 1 / 20
# SciPy has none, and a line of NumPy does little work.
UNBARRED = ("SIM",)
KL_EPS = 2.220446049250313e-16
Pair = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


def _distribution(values: NDArray[np.float64]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = values.ravel() / values.sum()
    return shares


def _kl(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    # What keeps it finite where a map is 0 is all that AugLens' own definition adds.
    return float(stats.entropy(_distribution(second), _distribution(first) + KL_EPS))


# Batched, and as one writes it for a pair.
MEASURES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Pair]] = {
    "Pearson CC": (cc, lambda a, b: float(stats.pearsonr(a.ravel(), b.ravel()).statistic)),
    "Spearman": (spearman, lambda a, b: float(stats.spearmanr(a.ravel(), b.ravel()).statistic)),
    "KL divergence": (kl, _kl),
    "SIM": (sim, lambda a, b: float(np.minimum(_distribution(a), _distribution(b)).sum())),
    "Jensen-Shannon divergence": (
        js,
        lambda a, b: float(jensenshannon(_distribution(a), _distribution(b)) ** 2),
    ),
    "entropy": (lambda a, _: entropy(a), lambda a, _: float(stats.entropy(_distribution(a)))),
}
POSTER = ["Pearson CC", "KL divergence", "entropy"]


def _distributions(values: Tensor) -> NDArray[np.float64]:
    flat = values.double().flatten(1).numpy()
    shares: NDArray[np.float64] = flat / flat.sum(axis=1, keepdims=True)
    return shares


# The calls of SciPy that take all pairs at once.
VECTORISED: dict[str, Callable[[Tensor, Tensor], NDArray[np.float64]]] = {
    "Pearson CC": lambda a, b: np.asarray(
        stats.pearsonr(a.double().flatten(1), b.double().flatten(1), axis=1).statistic
    ),
    "KL divergence": lambda a, b: np.asarray(
        stats.entropy(_distributions(b), _distributions(a) + KL_EPS, axis=1)
    ),
    "Jensen-Shannon divergence": lambda a, b: np.square(
        jensenshannon(_distributions(a), _distributions(b), axis=1)
    ),
    "entropy": lambda a, _: np.asarray(stats.entropy(_distributions(a), axis=1)),
}


def measure(place: Place) -> list[Comparison]:
    """Every measure by itself, and all of them; beside SciPy in a loop and, where it can, at once."""
    del place
    keep_freed_memory()
    torch.set_num_threads(1)
    first, second = maps(NUM_MAPS, seed=0), maps(NUM_MAPS, seed=1)
    work = f"{{}} of {NUM_MAPS:,} pairs of maps, {SIDE_PX} x {SIDE_PX} pixels"
    peer = "a loop with SciPy (SIM: NumPy)"
    sides = {name: _sides([name], first, second) for name in MEASURES}
    sides["the poster's three (CC, KL, entropy)"] = _sides(POSTER, first, second)
    sides["all of these (AugLens: KL both ways and top overlap too)"] = (
        timed(lambda: (similarities(first, second, kl_eps=KL_EPS), entropy(first))),
        _sides(list(MEASURES), first, second)[1],
    )
    loops = [
        compared(work.format(name), peer, *both, pairs=PAIRS, bar=None if name in UNBARRED else BAR)
        for name, both in sides.items()
    ]
    at_once = [
        compared(work.format(name), "SciPy, all pairs in one call", *both, pairs=PAIRS)
        for name, both in _vectorised_sides(first, second)
    ]
    return [*loops, *at_once]


def _vectorised_sides(first: Tensor, second: Tensor) -> Iterator[tuple[str, tuple[Timed, Timed]]]:
    for name, call in VECTORISED.items():
        ours = timed(partial(all_at_once, name, first, second))
        yield name, (ours, timed(partial(call, first, second)))


def _sides(names: list[str], first: Tensor, second: Tensor) -> tuple[Timed, Timed]:
    return (
        timed(lambda: [all_at_once(name, first, second) for name in names]),
        timed(lambda: [loop(name, first, second) for name in names]),
    )


def maps(count: int, *, seed: int) -> Tensor:
    """Maps ``float32 (count, 28, 28)`` with a tenth of the pixels at 0, as gradients have them."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(count, SIDE_PX, SIDE_PX, generator=generator)
    return torch.where(drawn < 0.1, 0.0, drawn**2)


def all_at_once(name: str, first: Tensor, second: Tensor) -> Tensor:
    """One measure of all pairs, ``float64 (N,)``, by AugLens."""
    return MEASURES[name][0](first, second)


def loop(name: str, first: Tensor, second: Tensor) -> list[float]:
    """The same of maps ``(N, H, W)``, pair by pair."""
    one = MEASURES[name][1]
    pairs = zip(first.double().numpy(), second.double().numpy(), strict=True)
    return [one(a, b) for a, b in pairs]
