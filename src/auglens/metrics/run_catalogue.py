"""Measures of a run and its network that are no column of maps.csv, declared once. No torch."""

import math
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType

from auglens.metrics.declaration import Measure

__all__ = ["RUN_MEASURES"]

SANITY = (
    "Adebayo et al., NeurIPS 2018, arXiv:1810.03292; the null as in Arun et al., Radiology: "
    "Artificial Intelligence 2021"
)
CRABBE = "Crabbé and van der Schaar, NeurIPS 2023, arXiv:2304.06715"
GONTIJO_LOPES = "Gontijo-Lopes et al., arXiv:2002.08973"

_run = partial(Measure, family="run")
_sanity = partial(
    _run, unit="", low=-1, high=1, higher_is_better=False, null="same_class", reference=SANITY
)
_equivariance = partial(_run, unit="", low=-1, high=1, higher_is_better=True, reference=CRABBE)
_augmentation = partial(_run, higher_is_better=None, reference=GONTIJO_LOPES)

_DECLARED = (
    _sanity(
        name="parameter_randomization",
        title="Similarity after parameter randomisation",
        about="Spearman correlation of the trained network's map with that of the network whose "
        "layers are re-initialised, from the output down.",
    ),
    _sanity(
        name="label_randomization",
        title="Similarity after label randomisation",
        about="Spearman correlation of the network's map with that of its twin trained on permuted "
        "labels.",
    ),
    _run(
        name="untrained",
        title="Maps before training",
        unit="",
        low=-math.inf,
        high=math.inf,
        higher_is_better=None,
        null="absent",
        reference=SANITY,
        about="Place and shape of the heat in maps of the same network before its first step: what "
        "the architecture and the image show without any training.",
    ),
    _equivariance(
        name="equivariance_map",
        title="Equivariance of maps",
        null=None,
        about="Pearson correlation of the changed image's map with the image's map changed alike, "
        "over the pixels that both show.",
    ),
    _equivariance(
        name="model_invariance",
        title="Invariance of outputs",
        null="absent",
        about="Cosine between the network's logits of the changed image and of the image.",
    ),
    _augmentation(
        name="affinity",
        title="Affinity",
        unit="",
        low=0,
        high=math.inf,
        null=1.0,
        about="Accuracy of the baseline's network on augmented validation images over that on "
        "clean ones.",
    ),
    _augmentation(
        name="affinity_gap",
        title="Affinity as a gap",
        unit="",
        low=-1,
        high=1,
        null=0.0,
        about="Accuracy of the baseline's network on augmented validation images minus that on "
        "clean ones.",
    ),
    _augmentation(
        name="diversity",
        title="Diversity",
        unit="nats",
        low=-math.inf,
        high=math.inf,
        null=0.0,
        about="Training loss of the last epoch minus the baseline's; larger is harder to fit.",
    ),
    _augmentation(
        name="diversity_ratio",
        title="Diversity as a ratio",
        unit="",
        low=0,
        high=math.inf,
        null=1.0,
        about="Training loss of the last epoch over the baseline's; explodes where that nears 0.",
    ),
    _run(
        name="prediction_entropy",
        title="Prediction entropy",
        unit="nats",
        low=0,
        high=math.inf,
        higher_is_better=None,
        null="absent",
        about="Mean Shannon entropy of the network's predictions on its own training set.",
        reference="Shannon, Bell System Technical Journal 1948",
    ),
)

RUN_MEASURES: Mapping[str, Measure] = MappingProxyType(
    {measure.name: measure for measure in _DECLARED}
)
"""By name, in the order of the report."""
