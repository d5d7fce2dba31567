"""Writes sweeps whose effects are known: shifted maps, more accurate networks, or none at all."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.study.generated_sweep import GREY, NUM_PROBE, WITHOUT_STRENGTH, make_config, write_run

SHAPE = (NUM_PROBE, *GREY[1:])
ALL = ("scale", "crop", "erase", "distort", "blur", "duplicate", "none")


def write_planted(
    folder: Path,
    *,
    augments: tuple[str, ...] = ALL,
    seeds: int = 8,
    strengths: tuple[float, ...] = (1.0,),
    shifts: Mapping[tuple[str, float], float] | None = None,
    gains: Mapping[tuple[str, float], float] | None = None,
) -> Path:
    """A sweep whose maps are a pattern, a seed's own noise, and the planted shift.

    Args:
        folder: The sweep folder.
        augments: Training sets.
        seeds: Number of seeds.
        strengths: Of every augmentation that has one.
        shifts: How far maps are moved along one more pattern, by augmentation and strength.
        gains: What is added to the accuracy, likewise.
    """
    random = np.random.default_rng(0)
    pattern, moved = random.gamma(2.0, size=SHAPE), random.gamma(2.0, size=SHAPE)
    number = 0
    for seed in range(seeds):
        shared = random.gamma(1.0, size=SHAPE)
        ease = random.normal(0, 0.02)
        for augment in augments:
            for strength in (1.0,) if augment in WITHOUT_STRENGTH else strengths:
                shift = (shifts or {}).get((augment, strength), 0.0)
                gain = (gains or {}).get((augment, strength), 0.0)
                maps = pattern + shared + random.gamma(1.0, size=SHAPE) + shift * moved
                accuracy = 0.7 + ease + gain + random.normal(0, 0.01)
                write_run(
                    folder / f"{number}-{augment}-s{strength:g}-seed{seed}",
                    make_config(augment, seed=seed, strength=strength),
                    maps=_as_maps(maps),
                    shape=GREY,
                    test_accuracy=accuracy,
                    val_accuracy=accuracy + random.normal(0.01, 0.01),
                )
                number += 1
    return folder


def _as_maps(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.astype(np.float32)
