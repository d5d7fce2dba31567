"""Quantus as a second implementation of the measures that it computes soundly."""

import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from auglens.metrics.entropy import entropy, gini
from auglens.metrics.focus import mass_share, rank_accuracy
from tests.metrics.drawn_maps import half_normal

MAPS = half_normal(12, 10, 9, seed=0)
MASKS = half_normal(12, 10, 9, seed=1) > 1


@pytest.fixture(scope="module")
def quantus() -> ModuleType:
    """The library; invalid escapes in its docstrings warn when Python first compiles it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", SyntaxWarning)
        import quantus as library
    return library


def scored(measure: Any) -> list[float]:  # noqa: ANN401
    # Copies, because it writes to the maps that it is given.
    return [
        float(value)
        for value in measure(
            model=None,
            x_batch=np.zeros((12, 1, 10, 9)),
            y_batch=np.zeros(12, dtype=int),
            a_batch=MAPS[:, None].numpy().copy(),
            s_batch=MASKS[:, None].numpy().copy(),
            channel_first=True,
        )
    ]


@pytest.mark.parametrize(
    ("name", "expected", "tolerance"),
    [
        # It adds 1e-12 inside the logarithm, and 1e-7 to every pixel of the other.
        ("Complexity", entropy(MAPS), 1e-8),
        ("Sparseness", gini(MAPS), 1e-6),
        ("RelevanceMassAccuracy", mass_share(MAPS, MASKS), 1e-12),
        ("RelevanceRankAccuracy", rank_accuracy(MAPS, MASKS), 1e-12),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_quantus_agrees(
    quantus: ModuleType, name: str, expected: torch.Tensor, tolerance: float
) -> None:
    measure = getattr(quantus, name)(normalise=False, disable_warnings=True)
    assert scored(measure) == pytest.approx(expected.tolist(), abs=tolerance)
