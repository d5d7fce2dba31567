"""Collects what the map browser can show of a group: maps packed as text, and their measures.

Legend: C conditions, R runs, T runs shown singly, N images, M measures, H and W pixels. Draws nothing.
"""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import colormaps
from numpy.typing import NDArray

from auglens.metrics.catalogue import MEASURES, PRIMARY
from auglens.records.maps import Probe
from auglens.saliency.overlay import MAP_COLOURS
from auglens.study.analyses.sampling import sample_runs
from auglens.study.conditions import Condition, is_baseline
from auglens.study.evidence import Evidence
from auglens.study.load import Run
from auglens.study.map_stacks import (
    MapStack,
    mean_over_runs,
    read_stack,
    round_robin,
    scale_limit,
)
from auglens.study.method_settings import describe_settings
from auglens.study.palette import hex_colour

__all__ = ["ABSENT", "LEVELS", "UNDEFINED", "MapMaterial", "Shown", "choose_shown", "collect"]

LEVELS = 63
"""The last level of a scale, counted from 0."""
ABSENT = 254
"""The level of every pixel where a run has no map of an image."""
UNDEFINED = 255
"""The level of every pixel of a map that is zero or not finite."""

DIFFERENCE_COLOURS = "RdBu_r"
NUM_COLOURS, NUM_DIFFERENCE_COLOURS = LEVELS + 1, 2 * LEVELS + 1
MEASURES_BESIDE_PRIMARY = ("effective_area",)
MOST_SINGLE_IMAGES = 20
MOST_CHOSEN = 8


@dataclass(frozen=True)
class Shown:
    """Which runs and images are shown, in the order of the page.

    Attributes:
        evidence: The group.
        conditions: Those with maps.
        runs: Those with maps of the same images, condition by condition.
        condition_of: Number of each run's condition, ``(R,)``.
        single_runs: Numbers of the runs that are shown singly, all or a sample, ``(T,)``.
        probe: The images, one of each class in turn.
        num_explained: Number of images with maps, shown or not.
        others: Names of runs that explain other images.
    """

    evidence: Evidence
    conditions: tuple[Condition, ...]
    runs: tuple[Run, ...]
    condition_of: NDArray[np.int64]
    single_runs: NDArray[np.int64]
    probe: Probe
    num_explained: int
    others: tuple[str, ...]

    @property
    def num_single(self) -> int:
        """Images of single runs at most; none where each condition has one run, its own mean."""
        repeated = len(self.runs) > len(self.conditions)
        return min(MOST_SINGLE_IMAGES, len(self.probe.probe_ids)) if repeated else 0

    @property
    def baseline(self) -> int | None:
        """Number of the baseline's condition."""
        first = [one.runs[0] for one in self.conditions]
        return next((number for number, run in enumerate(first) if is_baseline(run)), None)

    @property
    def seeds(self) -> list[str]:
        """What each run was drawn with: one number, or where they differ all of them."""
        return [_say_seeds(run.record.inputs["seeds"]) for run in self.runs]


@dataclass(frozen=True)
class MapMaterial:
    """All that could be shown.

    Attributes:
        facts: What is true of all methods and images.
        images: One an image.
        methods: One a method.
        means: Packed maps and measures of all conditions, by method and image.
        singles: The same of the runs that are shown singly.
    """

    facts: Mapping[str, Any]
    images: Sequence[Mapping[str, Any]]
    methods: Sequence[Mapping[str, Any]]
    means: Sequence[Sequence[str]]
    singles: Sequence[Sequence[str]]


def choose_shown(evidence: Evidence, *, max_pixels: int) -> Shown:
    """The runs and images of a group that has maps.

    Args:
        evidence: The group.
        max_pixels: Of all conditions' maps of one method; later images are left out.

    Raises:
        RecordError: If the images cannot be read.
    """
    named = set(evidence.maps["run"])
    runs = [run for run in evidence.group.runs if run.name in named]
    probe = runs[0].probe()
    alike = {run.name for run in runs if run.record.probe_hash == probe.hash}
    members = [
        (one, [run for run in one.runs if run.name in alike]) for one in evidence.group.conditions
    ]
    members = [(one, own) for one, own in members if own]
    num_images = max(1, max_pixels // (len(members) * probe.images[0, 0].size))
    ordered = tuple(run for _, own in members for run in own)
    single = {run.name for run in sample_runs(evidence.group, ordered)}
    return Shown(
        evidence,
        tuple(one for one, _ in members),
        ordered,
        np.repeat(np.arange(len(members)), [len(own) for _, own in members]),
        np.array([place for place, run in enumerate(ordered) if run.name in single], np.int64),
        _reorder(probe, round_robin(probe.labels, probe.probe_ids)[:num_images]),
        len(probe.probe_ids),
        tuple(run.name for run in runs if run.name not in alike),
    )


def collect(shown: Shown) -> MapMaterial:
    """Read every map file once, and pack what it holds."""
    methods = shown.evidence.methods
    names = _measures(shown.evidence)
    packed = [_pack_method(shown, method, names) for method in methods]
    return MapMaterial(
        facts=_facts(shown, names),
        images=_describe_images(shown),
        methods=[described for described, _, _ in packed],
        means=[means for _, means, _ in packed],
        singles=[singles for _, _, singles in packed],
    )


def _reorder(probe: Probe, order: NDArray[np.int64]) -> Probe:
    return Probe(
        images=probe.images[order],
        labels=probe.labels[order],
        probe_ids=probe.probe_ids[order],
        logits=probe.logits[order],
        hash=probe.hash,
    )


def _say_seeds(seeds: Mapping[str, int]) -> str:
    first, *others = seeds.values()
    if all(seed == first for seed in others):
        return str(first)
    return ", ".join(f"{role} {seed}" for role, seed in seeds.items())


def _measures(evidence: Evidence) -> list[str]:
    """Measures of single maps that are shown: in the catalogue's order, with any value."""
    wanted = {*PRIMARY, *MEASURES_BESIDE_PRIMARY} & set(evidence.maps.columns)
    return [name for name in MEASURES if name in wanted and evidence.maps[name].notna().any()]


def _facts(shown: Shown, names: Sequence[str]) -> dict[str, Any]:
    class_names = shown.evidence.group.config["dataset"]["class_names"]
    of_runs = shown.seeds
    single = {of_runs[run] for run in shown.single_runs}
    # Seeds of single runs come first.
    seeds = sorted(set(of_runs), key=lambda seed: (seed not in single, len(seed), seed))
    return {
        "group": shown.evidence.group.name,
        "size": list(shown.probe.images.shape[2:]),
        "levels": LEVELS,
        "absent": ABSENT,
        "undefined": UNDEFINED,
        "colours": _colours(MAP_COLOURS, NUM_COLOURS),
        "differenceColours": _colours(DIFFERENCE_COLOURS, NUM_DIFFERENCE_COLOURS),
        "classes": [str(name) for name in class_names],
        "measures": [
            {"title": MEASURES[name].title, "unit": MEASURES[name].unit} for name in names
        ],
        "conditions": _describe_conditions(shown),
        "baseline": shown.baseline,
        "seeds": seeds,
        "numSingleSeeds": len(single),
        "singleRuns": shown.single_runs.tolist(),
        "runs": [
            {"condition": int(condition), "seed": seeds.index(seed)}
            for condition, seed in zip(shown.condition_of, of_runs, strict=True)
        ],
    }


def _colours(name: str, number: int) -> list[list[int]]:
    colours = colormaps[name](np.linspace(0, 1, number))[:, :3]
    listed: list[list[int]] = np.rint(255 * colours).astype(int).tolist()
    return listed


def _describe_conditions(shown: Shown) -> list[dict[str, Any]]:
    plain = [
        number
        for number, one in enumerate(shown.conditions)
        if one.strength is None or one.strength == 1
    ]
    others = [number for number in plain if number != shown.baseline]
    if not others:
        others = [number for number in range(len(shown.conditions)) if number != shown.baseline]
    chosen = {shown.baseline, *others[: MOST_CHOSEN - (shown.baseline is not None)]}
    return [
        {
            "label": one.label,
            "colour": hex_colour(one.augment),
            "chosen": number in chosen,
            "runs": int((shown.condition_of == number).sum()),
        }
        for number, one in enumerate(shown.conditions)
    ]


def _describe_images(shown: Shown) -> list[dict[str, Any]]:
    probe = shown.probe
    channels = probe.images if probe.images.shape[1] == 3 else probe.images.mean(1, keepdims=True)
    pixels = np.rint(255 * np.clip(channels, 0, 1)).astype(np.uint8)
    predictions = _predictions(shown)
    return [
        {
            "id": int(probe.probe_ids[number]),
            "label": int(probe.labels[number]),
            "predictions": predictions[:, number].tolist(),
            "pixels": _pack(np.ascontiguousarray(np.moveaxis(pixels[number], 0, -1)).tobytes()),
        }
        for number in range(len(probe.probe_ids))
    ]


def _rows(shown: Shown, maps: pd.DataFrame) -> tuple[pd.DataFrame, NDArray[Any], NDArray[Any]]:
    """Those rows whose run and image are shown, with the numbers of both."""
    runs = pd.Index([run.name for run in shown.runs]).get_indexer(pd.Index(maps["run"]))
    images = pd.Index(shown.probe.probe_ids).get_indexer(pd.Index(maps["probe_id"]))
    known = (runs >= 0) & (images >= 0)
    return maps[known], runs[known], images[known]


def _predictions(shown: Shown) -> NDArray[np.int64]:
    """Class that each run gives each image, ``(R, N)``; -1 where it is not known."""
    rows, runs, images = _rows(shown, shown.evidence.maps)
    predictions = np.full((len(shown.runs), len(shown.probe.probe_ids)), -1, np.int64)
    predictions[runs, images] = rows["prediction"]
    return predictions


def _pack_method(
    shown: Shown, method: str, names: Sequence[str]
) -> tuple[dict[str, Any], list[str], list[str]]:
    probe = shown.probe
    stack = read_stack(
        shown.runs,
        shown.condition_of,
        method,
        probe_ids=probe.probe_ids,
        size_px=probe.images.shape[2:],
        single_runs=shown.single_runs,
        num_single=shown.num_single,
    )
    limit = scale_limit(stack.means, stack.singles)
    described = {
        "name": method,
        "note": describe_settings(shown.evidence.settings.get(method, ())),
        "limit": limit,
        "differenceLimit": _difference_limit(shown, stack),
    }
    of_runs = _measure_values(shown, method, names)
    of_means = np.dstack([stack.num_defined, mean_over_runs(of_runs, shown.condition_of)])
    present = np.ones(stack.num_defined.shape, np.bool_)
    means = _pack_images(_levels(stack.means, present, limit), of_means)
    singles = _pack_images(_levels(stack.singles, stack.present, limit), of_runs[shown.single_runs])
    return described, means, singles


def _difference_limit(shown: Shown, stack: MapStack) -> float | None:
    """Upper end of the scale of differences to the baseline, of the same seed for single runs."""
    if shown.baseline is None:
        return None
    of_runs = shown.seeds
    seeds = [of_runs[run] for run in shown.single_runs]
    of_baseline = shown.condition_of[shown.single_runs] == shown.baseline
    of_seed = {seeds[row]: row for row in np.flatnonzero(of_baseline)}
    paired = [row for row, seed in enumerate(seeds) if seed in of_seed]
    references = [of_seed[seeds[row]] for row in paired]
    return scale_limit(
        stack.means - stack.means[shown.baseline],
        stack.singles[paired] - stack.singles[references],
    )


def _measure_values(shown: Shown, method: str, names: Sequence[str]) -> NDArray[np.float32]:
    """Measures of each run's map of each image, ``(R, N, M)``; NaN where undefined."""
    maps = shown.evidence.maps
    rows, runs, images = _rows(shown, maps[maps["method"] == method])
    shape = (len(shown.runs), len(shown.probe.probe_ids), len(names))
    values = np.full(shape, np.nan, np.float32)
    values[runs, images] = rows[list(names)]
    return values


def _levels(
    maps: NDArray[np.float32], present: NDArray[np.bool_], limit: float
) -> NDArray[np.uint8]:
    levels = np.rint(np.nan_to_num(maps).clip(0, limit) * (LEVELS / limit)).astype(np.uint8)
    levels[np.isnan(maps)] = UNDEFINED
    levels[~present] = ABSENT
    return levels


def _pack_images(levels: NDArray[np.uint8], values: NDArray[np.floating]) -> list[str]:
    """One text an image: first the levels of all maps of it, then their measures as float32."""
    numbers = values.astype("<f4")
    return [
        _pack(levels[:, image].tobytes() + numbers[:, image].tobytes())
        for image in range(levels.shape[1])
    ]


def _pack(content: bytes) -> str:
    # Maps are noise with runs of zeros: looking for longer repeats costs time and saves nothing.
    packer = zlib.compressobj(9, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    return base64.b64encode(packer.compress(content) + packer.flush()).decode()
