"""What every measure is, declared once: name, unit, range, direction, null. No torch."""

import math
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from auglens.metrics.declaration import Family, Measure
from auglens.metrics.run_catalogue import RUN_MEASURES

__all__ = ["MEASURES", "PRIMARY", "RUN_MEASURES", "Family", "Measure", "of_family"]

BYLINSKII = "Bylinskii et al., TPAMI 2018, arXiv:1604.03605"
ADEBAYO = "Adebayo et al., NeurIPS 2018, arXiv:1810.03292"
ARRAS = "Arras et al., Information Fusion 2022, arXiv:2003.07258"
RISE = "Petsiuk et al., BMVC 2018, arXiv:1806.07421"
SRG = "Blücher et al., 2024, arXiv:2401.06654"
YEH = "Yeh et al., NeurIPS 2019, arXiv:1901.09392"


_similarity = partial(Measure, family="similarity", null="unrelated")
_complexity = partial(Measure, family="complexity", null="unrelated", higher_is_better=None)
_focus = partial(Measure, family="focus", unit="")
_shape = partial(_focus, null="unrelated", higher_is_better=None)
_faithfulness = partial(Measure, family="faithfulness", unit="")

_SIMILARITY = (
    _similarity(
        name="cc",
        title="CC",
        unit="",
        low=-1,
        high=1,
        higher_is_better=True,
        about="Pearson correlation with the baseline's map over pixels.",
        reference=BYLINSKII,
    ),
    _similarity(
        name="spearman",
        title="Spearman",
        unit="",
        low=-1,
        high=1,
        higher_is_better=True,
        about="Pearson correlation of the pixels' ranks, ties at their average rank.",
        reference=ADEBAYO,
    ),
    _similarity(
        name="kl",
        title="KL",
        unit="nats",
        low=0,
        high=math.inf,
        higher_is_better=False,
        about="Divergence KL(baseline || map) of the maps as distributions over pixels.",
        reference=BYLINSKII,
    ),
    _similarity(
        name="kl_reverse",
        title="KL reverse",
        unit="nats",
        low=0,
        high=math.inf,
        higher_is_better=False,
        about="Divergence KL(map || baseline) of the maps as distributions over pixels.",
        reference=BYLINSKII,
    ),
    _similarity(
        name="sim",
        title="SIM",
        unit="",
        low=0,
        high=1,
        higher_is_better=True,
        about="Histogram intersection, 1 minus the total variation distance to the baseline's map.",
        reference=BYLINSKII,
    ),
    _similarity(
        name="js",
        title="JS",
        unit="nats",
        low=0,
        high=math.log(2),
        higher_is_better=False,
        about="Jensen-Shannon divergence from the baseline's map.",
        reference="Lin, IEEE Transactions on Information Theory 1991",
    ),
    _similarity(
        name="top_overlap",
        title="Top overlap",
        unit="",
        low=0,
        high=1,
        higher_is_better=True,
        about="Share of the map's hottest tenth of pixels that is in the baseline's hottest tenth.",
        reference="Ghorbani et al., AAAI 2019, arXiv:1710.10547",
    ),
)

_COMPLEXITY = (
    _complexity(
        name="entropy",
        title="Entropy",
        unit="nats",
        low=0,
        high=math.inf,
        about="Shannon entropy of the map as a distribution over pixels; low is focused.",
        reference="Bhatt et al., IJCAI 2020, arXiv:2005.00631",
    ),
    _complexity(
        name="effective_area",
        title="Effective area",
        unit="",
        low=0,
        high=1,
        about="Share of the image in use, exp(entropy) / number of pixels.",
        reference="Bhatt et al., IJCAI 2020, arXiv:2005.00631",
    ),
    _complexity(
        name="entropy_histogram",
        title="Histogram entropy",
        unit="bits",
        low=0,
        high=8,
        about="Shannon entropy of the histogram of intensities in 256 bins; blind to position.",
        reference="Shannon, Bell System Technical Journal 1948",
    ),
    _complexity(
        name="gini",
        title="Gini",
        unit="",
        low=0,
        high=1,
        about="Gini index of the pixel values; high is sparse.",
        reference="Chalasani et al., ICML 2020, arXiv:1810.06583",
    ),
)


def _mass_measures(region: str, where: str, inner: bool) -> tuple[Measure, ...]:
    name = partial("{}_{}{}".format, region)
    suffix = "_inner" if inner else ""
    title = f"{region.capitalize()} {{}}{', inner' if inner else ''}"
    frame = ", the 2-px frame left out" if inner else ""
    mass = partial(_focus, low=0, higher_is_better=True, reference=ARRAS)
    return (
        mass(
            name=name("mass", suffix),
            title=title.format("mass"),
            high=1,
            null="unrelated",
            about=f"Share of the map's mass on {where}{frame}.",
        ),
        mass(
            name=name("lift", suffix),
            title=title.format("lift"),
            high=math.inf,
            null=1.0,
            about=f"Share of the map's mass on {where} over its share of the area{frame}.",
        ),
        mass(
            name=name("auc", suffix),
            title=title.format("AUC"),
            high=1,
            null=0.5,
            about=f"ROC-AUC of the map as a detector of {where}{frame}.",
        ),
    )


_FOREGROUND = tuple(
    measure
    for region, where in (
        ("foreground", "the foreground"),
        ("dilated", "the foreground grown by 1 px"),
    )
    for inner in (False, True)
    for measure in _mass_measures(region, where, inner)
)

_FOCUS = (
    *_FOREGROUND,
    _focus(
        name="foreground_rank",
        title="Foreground rank accuracy",
        low=0,
        high=1,
        higher_is_better=True,
        null="unrelated",
        about="Share of the K hottest pixels on the foreground, K being the foreground's size; of "
        "tied ones, the share.",
        reference=ARRAS,
    ),
    _focus(
        name="pointing_game",
        title="Pointing game",
        low=0,
        high=1,
        higher_is_better=True,
        null="unrelated",
        about="Whether the hottest pixel lies on the foreground; of tied ones, the share.",
        reference="Zhang et al., IJCV 2018, arXiv:1608.00507",
    ),
    _focus(
        name="far_background_mass",
        title="Far background mass",
        low=0,
        high=1,
        higher_is_better=False,
        null="unrelated",
        about="Share of the map's mass outside the foreground grown by 2 px.",
        reference=ARRAS,
    ),
    _shape(
        name="num_components",
        title="Components",
        low=1,
        high=math.inf,
        about="Number of 8-connected components of the hottest tenth of pixels.",
        reference="Rosenfeld and Pfaltz, Journal of the ACM 1966",
    ),
    _shape(
        name="image_num_components",
        title="Components of the image",
        low=1,
        high=math.inf,
        about="Number of 8-connected components of the brightest tenth of the image's own pixels, "
        "whatever the map.",
        reference="Rosenfeld and Pfaltz, Journal of the ACM 1966",
    ),
    _shape(
        name="largest_component_share",
        title="Largest component",
        low=0,
        high=1,
        about="Share of the hottest tenth of pixels in its largest 8-connected component.",
        reference="Rosenfeld and Pfaltz, Journal of the ACM 1966",
    ),
    partial(Measure, family="focus", null="unrelated", higher_is_better=None)(
        name="spread_px",
        title="Spread",
        unit="px",
        low=0,
        high=math.inf,
        about="Root of the trace of the covariance of the map as a distribution over pixels.",
        reference="Bachi, Papers of the Regional Science Association 1963",
    ),
    _shape(
        name="moran",
        title="Moran's I",
        low=-1.1,
        high=1.1,
        about="Correlation of pixels with their four neighbours; small grids pass 1 a little.",
        reference="Moran, Biometrika 1950",
    ),
)


def _flipping_measures(kind: str, substrate: str) -> tuple[Measure, ...]:
    return (
        _faithfulness(
            name=f"deletion_{kind}",
            title=f"Deletion, {kind}",
            low=0,
            high=1,
            higher_is_better=False,
            null=None,
            about=f"Area under the probability as the hottest pixels give way to {substrate}.",
            reference=RISE,
        ),
        _faithfulness(
            name=f"insertion_{kind}",
            title=f"Insertion, {kind}",
            low=0,
            high=1,
            higher_is_better=True,
            null=None,
            about=f"Area under the probability as the hottest pixels are put into {substrate}.",
            reference=RISE,
        ),
        _faithfulness(
            name=f"srg_{kind}",
            title=f"SRG, {kind}",
            low=-1,
            high=1,
            higher_is_better=True,
            null=0.0,
            about=f"Insertion minus deletion on the same network with {substrate}.",
            reference=SRG,
        ),
    )


_SUBSTRATES = {
    "black": "black",
    "blur": "the blurred image",
    "mean": "the image's mean colour",
}

_FAITHFULNESS = (
    *(one for item in _SUBSTRATES.items() for one in _flipping_measures(*item)),
    _faithfulness(
        name="infidelity",
        title="Infidelity",
        low=0,
        high=math.inf,
        higher_is_better=False,
        null=None,
        about="Mean squared gap between the change of the output under a perturbation and the "
        "change that the map predicts, the map rescaled to fit best.",
        reference=YEH,
    ),
    _faithfulness(
        name="max_sensitivity",
        title="Max-sensitivity",
        low=0,
        high=math.inf,
        higher_is_better=False,
        null=None,
        about="Largest relative change of the map under small perturbations of the image.",
        reference=YEH,
    ),
)

MEASURES: Mapping[str, Measure] = MappingProxyType(
    {measure.name: measure for measure in (*_SIMILARITY, *_COMPLEXITY, *_FOCUS, *_FAITHFULNESS)}
)
"""Measures of a map by name, in the order of the tables."""

PRIMARY = ("cc", "kl", "entropy", "foreground_auc", "srg_black")
"""The five that a report shows first."""


def of_family(family: Family) -> tuple[str, ...]:
    """Names of a family's measures, in the order of the tables."""
    return tuple(name for name, one in MEASURES.items() if one.family == family)
