"""Writes the sidecars of the explain stage with numbers whose verdicts are known beforehand."""

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auglens.records.maps import read_map, read_probe
from auglens.records.measures import MeasureResult, measure_hash, write_measure
from auglens.records.run import read_record
from auglens.study.trust import UNTRAINED

SUBSTRATES = ("black", "blur", "mean")
LAYERS = ("linear", "conv2", "conv1")
TESTED = ("scale", "crop", "erase", "distort", "blur")
NUM_STEPS = 6
NUM_SENSITIVE = 8
TWIN = "f" * 64
# Similarity of maps after the last layer, minus the null: where it is not named, it is below.
AFTER_RANDOMIZATION = {"edge": 0.5, "integrated_gradients": 0.0}
NULL = 0.5
# The largest value, so that the spread over images is known and balanced around 0.
SPREAD = 0.1


def write_sidecars(folder: Path, methods: Sequence[str]) -> None:
    """Everything the explain stage can measure, for every method.

    ``gradient`` and ``random`` pass parameter randomisation, ``edge`` fails it, and of
    ``integrated_gradients`` it cannot be told.
    """
    probe_ids = [int(one) for one in read_probe(folder).probe_ids]
    for method in methods:
        random = np.random.default_rng(zlib.crc32(f"{folder.name}{method}".encode()))
        for measure, (ids, columns, values) in _measures(method, probe_ids, random).items():
            write_sidecar(folder, measure, method, probe_ids=ids, columns=columns, values=values)
    write_sidecar(folder, "affinity_diversity", None, values=affinity_diversity())


def affinity_diversity() -> dict[str, float | None]:
    """0.8 clean and 0.6 augmented accuracy: affinity 0.75, as a gap -0.2; a ratio undefined."""
    return {
        "affinity": 0.75,
        "affinity_gap": -0.2,
        "clean_accuracy": 0.8,
        "augmented_accuracy": 0.6,
        "num_draws": 5,
        "diversity": 0.35,
        "diversity_ratio": None,
        "train_loss": 0.35,
        "reference_train_loss": 0.0,
        "prediction_entropy": 0.25,
        "reference_prediction_entropy": 0.125,
    }


Content = tuple[list[int], Mapping[str, Sequence[float | None]], Mapping[str, Any]]


def _measures(method: str, probe_ids: list[int], random: np.random.Generator) -> dict[str, Content]:
    n = len(probe_ids)
    measures: dict[str, Content] = {
        "faithfulness": (probe_ids, *_faithfulness(method, n, random)),
        "infidelity": (probe_ids, {"infidelity": random.random(n).tolist()}, {}),
        "sensitivity": (
            probe_ids[:NUM_SENSITIVE],
            {"max_sensitivity": random.random(NUM_SENSITIVE).tolist()},
            {},
        ),
        "parameter_randomization": (probe_ids, {}, _parameter_randomization(method, n)),
        "equivariance": (probe_ids, {}, {"augments": _equivariance(n, random)}),
        "untrained": (probe_ids, {}, {**dict.fromkeys(UNTRAINED, 0.25), "n": n}),
    }
    if method not in ("random", "edge"):
        measures["label_randomization"] = (probe_ids, {}, _label_randomization(n))
    return measures


def _faithfulness(
    method: str, n: int, random: np.random.Generator
) -> tuple[dict[str, list[float | None]], dict[str, Any]]:
    """SRG is 0 on average for ``random`` and 0.25 for all others."""
    columns: dict[str, list[float | None]] = {}
    curves = {}
    falling = np.linspace(1, 0, NUM_STEPS + 1)
    for substrate in SUBSTRATES:
        deletion = 0.375 + 0.05 * random.random(n)
        gain = spread(n) + (0 if method == "random" else 0.25)
        columns[f"deletion_{substrate}"] = deletion.tolist()
        columns[f"insertion_{substrate}"] = (deletion + gain).tolist()
        columns[f"srg_{substrate}"] = gain.tolist()
        curves[substrate] = {
            "most_important_first": (falling**2).tolist(),
            "least_important_first": (1 - (1 - falling) ** 2).tolist(),
        }
    columns["srg_black"][-1] = None
    return columns, {"curves": curves}


def _parameter_randomization(method: str, n: int) -> dict[str, Any]:
    difference = AFTER_RANDOMIZATION.get(method, -0.25)
    noise = 0 if method == "edge" else spread(n)
    steps = [np.full(n, NULL + difference) + noise + 0.125 * left for left in (2, 1, 0)]
    if method == "edge":
        steps = [np.ones(n)] * len(LAYERS)
    similarity: list[list[float | None]] = [step.tolist() for step in steps]
    similarity[0][3] = None
    mode = {"similarity": similarity, "null": [NULL] * n}
    return {"layers": list(LAYERS), "absolute": mode, "signed": mode}


def _label_randomization(n: int) -> dict[str, Any]:
    mode = {"similarity": (0.25 + spread(n)).tolist(), "null": [NULL] * n}
    return {"absolute": mode, "signed": mode, "train_loss": 0.02, "epochs": 100, "twin": TWIN}


def _equivariance(n: int, random: np.random.Generator) -> dict[str, dict[str, list[float]]]:
    return {
        augment: {"map": random.random(n).tolist(), "model": (0.5 + spread(n)).tolist()}
        for augment in TESTED
    }


def spread(n: int) -> NDArray[np.float64]:
    """Values from -SPREAD to SPREAD with mean 0."""
    return np.linspace(-SPREAD, SPREAD, n)


def write_sidecar(
    folder: Path,
    measure: str,
    method: str | None,
    *,
    probe_ids: Sequence[int] = (),
    columns: Mapping[str, Sequence[float | None]] | None = None,
    values: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """A sidecar with the hash that fits a finished run and its maps."""
    settings = {"_target_": f"auglens.{measure}"} if settings is None else settings
    own = None if method is None else read_map(folder, method).hash
    identity = read_record(folder).identity
    result = MeasureResult(
        measure=measure,
        method=method,
        hash=measure_hash(identity, settings, {}, method_hash=own, seed=0),
        settings=settings,
        inputs={},
        method_hash=own,
        seed=0,
        probe_ids=probe_ids,
        columns=columns or {},
        values=values or {},
    )
    write_measure(folder, result)
