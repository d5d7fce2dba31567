"""Sweeps for the map browser, their evidence, and a page that holds nothing else."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from auglens.study.comparison import compare_maps
from auglens.study.conditions import find_groups
from auglens.study.evidence import Evidence
from auglens.study.load import load_sweeps
from auglens.study.map_browser import MapBrowser, map_browser
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import METHODS, NUM_PROBE, SHAPE, make_config, write_run

TWO_METHODS = {name: METHODS[name] for name in ("gradient", "random")}
AUGMENTS = ("crop", "blur", "none")
SEEDS = (0, 1)
UNDEFINED_IMAGE, NOT_FINITE_IMAGE = 4, 5

PAGE = """
{% extends "page.html.j2" %}
{% from "map_browser.html.j2" import map_browser_script, map_browser_style, show_map_browser %}
{% block title %}Maps{% endblock %}
{% block body %}
{{ map_browser_style() }}
{% for browser in browsers %}{{ show_map_browser(browser, browser.group ~ "_" if browsers | length > 1 else "") }}{% endfor %}
{{ map_browser_script() }}
{% endblock %}
"""


def write_map_sweep(folder: Path) -> Path:
    """Two methods and two seeds; of crop, seed 1, two maps are undefined."""
    for augment in AUGMENTS:
        for seed in SEEDS:
            config = make_config(augment, seed=seed)
            config["saliency"] = {"methods": TWO_METHODS}
            write_run(folder / f"{augment}-s1-seed{seed}", config, maps=_maps(augment, seed))
    config = make_config("crop", seed=0, strength=0.5)
    config["saliency"] = {"methods": TWO_METHODS}
    write_run(folder / "crop-s0.5-seed0", config)
    return folder


def evidence_of(folder: Path) -> list[Evidence]:
    """The evidence of each group of a sweep, as far as the map browser reads it."""
    runs = load_sweeps([folder]).results
    comparison = compare_maps(runs, **MEASURING)
    nothing = pd.DataFrame()
    return [
        Evidence(
            group=group,
            accuracies=nothing,
            measures=nothing,
            maps=_rows(comparison.frame, [run.name for run in group.runs]),
            curves=nothing,
            epochs=nothing,
            settings={method: [{"reduce": "sum"}] for method in TWO_METHODS},
            tables={},
            nulls={},
            results={},
            has_permuted=False,
        )
        for group in find_groups(runs)
    ]


def write_page(path: Path, browsers: Sequence[MapBrowser]) -> Path:
    """A page as the report's, with these browsers only."""
    environment = Environment(
        loader=PackageLoader("auglens.study"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.from_string(PAGE).render(browsers=browsers)
    path.write_text(text, encoding="utf-8")
    return path


def address_of(folder: Path, out: Path, max_bytes: int = 10_000_000) -> str:
    """Address of the page of a sweep's groups, written into a folder."""
    browsers = [map_browser(one, max_bytes=max_bytes) for one in evidence_of(folder)]
    return write_page(out / "page.html", [one for one in browsers if one]).as_uri()


def _rows(frame: pd.DataFrame, runs: list[str]) -> pd.DataFrame:
    return frame if frame.empty else frame[frame["run"].isin(runs)]


def _maps(augment: str, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    random = np.random.default_rng([seed, AUGMENTS.index(augment)])
    maps = random.gamma(1.0, size=(NUM_PROBE, *SHAPE[1:])).astype(np.float32)
    if (augment, seed) == ("crop", 1):
        maps[UNDEFINED_IMAGE] = 0
        maps[NOT_FINITE_IMAGE, 3, 3] = np.nan
    return maps
