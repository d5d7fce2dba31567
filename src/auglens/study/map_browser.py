"""What the map browser of the report holds, cut so that it fits a number of characters."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auglens.records.run import RecordError
from auglens.study.analyses.sampling import say_sampled
from auglens.study.evidence import Evidence
from auglens.study.map_material import MapMaterial, Shown, choose_shown, collect

__all__ = ["MapBrowser", "map_browser"]

FEWER_SINGLE_IMAGES = (10, 5)
# No map takes less of the page than that share of a byte a pixel; it keeps large images out of
# memory that could not be shown anyway.
MOST_PIXELS_A_CHARACTER = 40


@dataclass(frozen=True)
class MapBrowser:
    """The maps of one comparison group for people to look at.

    Attributes:
        group: Its name.
        dataset: Name of the data set.
        payload: JSON for a ``<script type="application/json">``: nothing in it ends the element.
            Empty where not even one image fits.
        left_out: What it does not hold, a sentence each.
    """

    group: str
    dataset: str
    payload: str
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class _Selection:
    """How many images are kept, and of each kept method how many images of single runs."""

    num_images: int
    num_single: tuple[int, ...]


@dataclass(frozen=True)
class _Lengths:
    """Characters that each part of the material takes, without looking at the whole."""

    facts: int
    images: Sequence[int]
    methods: Sequence[int]
    means: Sequence[Sequence[int]]
    singles: Sequence[Sequence[int]]


def map_browser(evidence: Evidence, *, max_bytes: int) -> MapBrowser | None:
    """The maps of all methods of a group: means over seeds, and single runs of some images.

    A map is ``map / sum`` in multiples of the uniform value, in 64 levels from 0 to the 99.5th
    percentile of all maps of its method. What does not fit is left out in this order: images of
    single runs, all single runs of the later methods, images of the means, later methods.

    Args:
        evidence: The group.
        max_bytes: Largest number of characters of the payload, all of them ASCII.

    Returns:
        None where there are no maps, or their images cannot be read.
    """
    if evidence.maps.empty:
        return None
    try:
        shown = choose_shown(evidence, max_pixels=MOST_PIXELS_A_CHARACTER * max_bytes)
    except RecordError:
        return None
    material = collect(shown)
    candidates = _candidates(len(material.methods), len(material.images), shown.num_single)
    lengths = _lengths(material)
    fitting = (one for one in candidates if _num_characters(lengths, one) <= max_bytes)
    selection = next(fitting, _Selection(0, ()))
    return MapBrowser(
        group=evidence.group.name,
        dataset=evidence.group.dataset,
        payload=_dumps(_content(material, selection)) if selection.num_single else "",
        left_out=tuple(_say_left_out(shown, selection)),
    )


def _candidates(num_methods: int, num_images: int, num_single: int) -> Iterator[_Selection]:
    """Selections from all to least."""
    counts = [num_single, *(fewer for fewer in FEWER_SINGLE_IMAGES if fewer < num_single)]
    for count in counts:
        yield _Selection(num_images, (count,) * num_methods)
    for kept in range(num_methods - 1, 0, -1):
        yield _Selection(num_images, (counts[-1],) * kept + (0,) * (num_methods - kept))
    for fewer in range(num_images, 0, -1):
        yield _Selection(fewer, (0,) * num_methods)
    for kept in range(num_methods - 1, 0, -1):
        yield _Selection(1, (0,) * kept)


def _lengths(material: MapMaterial) -> _Lengths:
    def packed(texts: Sequence[str]) -> list[int]:
        return [len(text) + len('"",') for text in texts]

    return _Lengths(
        facts=len(_dumps({**material.facts, "images": [], "methods": []})),
        images=[len(_dumps(image)) + len(",") for image in material.images],
        methods=[
            len(_dumps({**one, "means": [], "singles": []})) + len(",") for one in material.methods
        ],
        means=[packed(texts) for texts in material.means],
        singles=[packed(texts) for texts in material.singles],
    )


def _num_characters(lengths: _Lengths, selection: _Selection) -> int:
    """Length of the payload, or a few characters more."""
    kept = zip(lengths.methods, lengths.means, lengths.singles, selection.num_single, strict=False)
    of_methods = [
        method + sum(means[: selection.num_images]) + sum(singles[:count])
        for method, means, singles, count in kept
    ]
    return lengths.facts + sum(lengths.images[: selection.num_images]) + sum(of_methods)


def _content(material: MapMaterial, selection: _Selection) -> dict[str, Any]:
    kept = zip(
        material.methods, material.means, material.singles, selection.num_single, strict=False
    )
    return {
        **material.facts,
        "images": list(material.images[: selection.num_images]),
        "methods": [
            {
                **method,
                "means": list(means[: selection.num_images]),
                "singles": list(singles[:count]),
            }
            for method, means, singles, count in kept
        ],
    }


def _dumps(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _say_left_out(shown: Shown, selection: _Selection) -> Iterator[str]:
    methods, kept = shown.evidence.methods, len(selection.num_single)
    if not kept:
        yield "The maps are too large for this page; they are in the run folders."
        return
    if methods[kept:]:
        yield f"Maps of {', '.join(methods[kept:])} are not on this page."
    if selection.num_images < shown.num_explained:
        yield (
            f"{selection.num_images} of {shown.num_explained} images are on this page, "
            "one of each class in turn."
        )
    if shown.num_single:
        yield from _say_single_runs(shown, methods[:kept], selection)
    if shown.others:
        yield f"Runs with maps of other images are left out: {', '.join(shown.others)}."


def _say_single_runs(shown: Shown, methods: list[str], selection: _Selection) -> Iterator[str]:
    most = max(selection.num_single)
    without = [name for name, count in zip(methods, selection.num_single, strict=True) if not count]
    if not most:
        yield "Single seeds are not on this page, means over seeds only."
        return
    said = say_sampled(len(shown.single_runs), len(shown.runs))
    if said:
        yield f"Single seeds are those of {said} by whole seeds; means are over all runs."
    if most < selection.num_images:
        yield f"Single seeds are there for the first {most} images, all others as means over seeds."
    if without:
        yield f"Of {', '.join(without)} there are means over seeds only."
