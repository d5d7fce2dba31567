"""Figures 3 to 6 of one saliency method with their captions. Collects data and calls figures."""

from collections.abc import Callable, Iterator

import numpy as np

from auglens.records.run import RecordError
from auglens.study import figures, mosaics
from auglens.study.evidence import Evidence, correlate
from auglens.study.figure_data import (
    condition_styles,
    distributions,
    first_runs_with_maps,
    saliency_panels,
    seed_of,
)
from auglens.study.illustrations import Illustration, finish, say_seeds
from auglens.study.method_settings import describe_settings
from auglens.study.palette import FLOOR

__all__ = ["illustrate_maps"]

SHOWN = ("cc", "kl")


def illustrate_maps(evidence: Evidence, method: str) -> Iterator[Illustration]:
    """Figures 3 to 6 of one method, as far as the runs hold what they show."""
    makers: tuple[Callable[[Evidence, str], Iterator[Illustration]], ...]
    makers = (_figure_3, _figure_4, _figure_5, _figure_6)
    for make in makers:
        yield from make(evidence, method)


def _figure_3(evidence: Evidence, method: str) -> Iterator[Illustration]:
    conditions = evidence.group.conditions
    maps = evidence.maps[evidence.maps["method"] == method]
    entropies = distributions(maps, conditions, "entropy")
    areas = distributions(maps, conditions, "effective_area")
    if not entropies:
        return
    drawn = figures.entropy_figure(
        entropies,
        areas,
        styles=condition_styles(evidence.group),
        note=f" ({method}; {say_seeds(evidence)})",
        unrelated=evidence.nulls,
    )
    grey = "The grey lines are where maps of independent half-normal pixels lie. "
    caption = (
        f"Spatial Shannon entropy of P = map / sum ({method}; left) and the effective area "
        "exp(entropy) / pixels (right), over the query images of all runs of a set. Box: "
        "quartiles; whiskers: 5th to 95th percentile; dot: one run's mean. 1 is a uniform map. "
        f"{grey if np.isfinite(evidence.nulls.get('entropy', np.nan)) else ''}{_making(evidence, method)}"
    )
    alt = f"Box plots of entropy and effective area for {', '.join(entropies)}."
    yield finish(f"fig3_entropy_{method}", f"Figure 3 ({method})", caption, alt, drawn)


def _figure_4(evidence: Evidence, method: str) -> Iterator[Illustration]:
    maps = evidence.maps[evidence.maps["method"] == method]
    runs = first_runs_with_maps(evidence.group, maps)
    try:
        panels = saliency_panels(runs, method)
    except RecordError:
        return
    if not panels.maps:
        return
    seed = min(map(seed_of, runs.values()))
    for over_images, how in ((False, "alone"), (True, "over the images")):
        undefined = "the bare image, dimmed" if over_images else "left white"
        caption = (
            f"Saliency maps ({method}) of the first query image of each class, {how}, from the "
            f"models of seed {seed}. Each map is divided by its sum; all panels share one scale "
            f"that ends at the 99.5th percentile of the figure. An undefined map is {undefined}. "
            f"{_making(evidence, method)}"
        )
        alt = f"Grid of saliency maps {how}: a row a query image, a column a model."
        name = f"fig4_saliency_{method}_{'overlay' if over_images else 'maps'}"
        drawn = mosaics.saliency_figure(panels, over_images=over_images)
        yield finish(name, f"Figure 4 ({method}, {how})", caption, alt, drawn)


def _figure_5(evidence: Evidence, method: str) -> Iterator[Illustration]:
    conditions = evidence.group.conditions
    maps = evidence.maps[evidence.maps["method"] == method]
    similarities = {measure: distributions(maps, conditions, measure) for measure in SHOWN}
    if not similarities["cc"]:
        return
    similarities = {measure: shown for measure, shown in similarities.items() if shown}
    floor = next((one.label for one in conditions if one.augment == FLOOR), None)
    floors = {name: by[floor] for name, by in similarities.items() if floor in by and floor}
    drawn = figures.similarity_figure(
        similarities,
        floors,
        styles=condition_styles(evidence.group),
        note=f" ({method}); {_pairing(evidence)}",
        unrelated=evidence.nulls,
    )
    caption = (
        "Left: Pearson correlation of the maps with the baseline's (1 = same). Right: "
        "KL(baseline || model) in nats (0 = same; undefined for signed maps). Each run is compared "
        f"with the baseline of its own seed. {_say_floor(bool(floors))} {_say_unrelated(evidence)}"
        f"Boxes as in Figure 3. {_making(evidence, method)}"
    )
    alt = f"Box plots of CC and KL against the baseline for {', '.join(similarities['cc'])}."
    yield finish(f"fig5_similarity_{method}", f"Figure 5 ({method})", caption, alt, drawn)


def _figure_6(evidence: Evidence, method: str) -> Iterator[Illustration]:
    correlated = {
        measure: found
        for measure, found in correlate(evidence, method).items()
        if not found[0].empty
    }
    if not correlated:
        return
    shown = next(iter(correlated.values()))[0]["label"]
    augments = [one.augment for one in evidence.group.conditions if one.label in set(shown)]
    dependent = len(set(augments)) < len(augments)
    drawn = figures.correlation_figure(
        {measure: points for measure, (points, _) in correlated.items()},
        {measure: correlation for measure, (_, correlation) in correlated.items()},
        styles=condition_styles(evidence.group),
        note=f" ({method}); {_pairing(evidence)}{'; points not independent' if dependent else ''}",
    )
    caption = (
        "One point an augmentation: mean similarity of its maps to the baseline's against its mean "
        "test accuracy, bars of one standard deviation over seeds where there are several. "
        "The baseline itself and untouched copies are no points. "
        + ("Strengths of one augmentation are not independent points. " if dependent else "")
        + _making(evidence, method)
    )
    alt = f"Scatter plots of CC and of KL against test accuracy for {', '.join(shown)}."
    yield finish(f"fig6_correlation_{method}", f"Figure 6 ({method})", caption, alt, drawn)


def _say_floor(drawn: bool) -> str:
    if not drawn:
        return "These runs have no floor: no run of duplicate shows what the order alone does."
    return (
        "The dashed line is the order-only floor: models trained on untouched copies (duplicate), "
        "which differ from the baseline in the order of the images only."
    )


def _say_unrelated(evidence: Evidence) -> str:
    said = [
        f"{title} {evidence.nulls[name]:.3f}"
        for name, title in (("cc", "CC"), ("kl", "KL"))
        if np.isfinite(evidence.nulls.get(name, np.nan))
    ]
    if not said:
        return ""
    return (
        "The grey line is where two maps of independent half-normal pixels lie "
        f"({', '.join(said)}). "
    )


def _making(evidence: Evidence, method: str) -> str:
    said = describe_settings(evidence.settings.get(method, ()))
    return f"Made with {method}: {said}." if said else ""


def _pairing(evidence: Evidence) -> str:
    """What every figure of similarity says of itself."""
    floor = any(one.augment == FLOOR for one in evidence.group.conditions)
    said = "floor: duplicate" if floor else "no floor in these runs"
    return f"same-seed pairing, {say_seeds(evidence)}, {said}"
