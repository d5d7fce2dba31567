"""Sanity checks: do the maps change when the network forgets what it learnt?

Legend: M images, L layers, H and W pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from auglens.measures.measure import (
    NotMeasurable,
    Outcome,
    Subject,
    Task,
    last_train_loss,
    optional_numbers,
)
from auglens.metrics.similarity import spearman
from auglens.records.identity import digest
from auglens.saliency.maps import reduce_channels
from auglens.saliency.parameters import check_count
from auglens.saliency.randomization import cascade, layer_names, unforgettable
from auglens.study.load import Run

__all__ = ["LabelRandomization", "ParameterRandomization", "next_of_same_class"]

MODES = ("absolute", "signed")
# Inside NormalizedNetwork.
INNER = "net."


@dataclass(kw_only=True)
class ParameterRandomization:
    """Cascading parameter randomisation: Spearman with the trained network's maps.

    Layers are re-initialised from the output to the input, cumulatively. Maps are compared as the
    method reduces them, without a sign (``absolute``), and as the sum over channels with its sign
    (``signed``). The null is
    the similarity of the trained network's maps of two different images of one class: a map that
    stays more alike than that does not depend on what was learnt.

    Args:
        num_images: Probe images measured, spread evenly over the classes.
        num_draws: Re-initialisations that are averaged.

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, arXiv:1810.03292; the
        null as in Arun et al., "Assessing the trustworthiness of saliency maps", 2021.
    """

    per_method = True

    num_images: int
    num_draws: int

    def __post_init__(self) -> None:
        check_count("num_images", self.num_images)
        check_count("num_draws", self.num_draws, most=10000)

    def inputs(self, run: Run, runs: Sequence[Run]) -> Mapping[str, Any]:
        """Nothing of other runs."""
        del run, runs
        return {}

    def __call__(self, task: Task) -> Outcome:
        """Values ``layers``, and similarity ``(L, M)`` and null ``(M,)`` by mode.

        Raises:
            NotMeasurable: If the network has parameters that cannot be re-initialised.
        """
        subject = task.subject.part(self.num_images)
        kept = unforgettable(subject.net)
        if kept:
            raise NotMeasurable(f"no layer can re-initialise the parameters {', '.join(kept)}")
        trained = _both_modes(task, subject, subject.net)
        generator = subject.generator()
        draws = torch.stack(
            [
                torch.stack(
                    [
                        _compare(_both_modes(task, subject, net), trained)
                        for _, net in cascade(subject.net, generator=generator)
                    ]
                )
                for _ in range(self.num_draws)
            ]
        )
        similarity, null = draws.mean(dim=0), _null(subject, trained)
        modes = {
            mode: {
                "similarity": [optional_numbers(layer[place]) for layer in similarity],
                "null": optional_numbers(null[place]),
            }
            for place, mode in enumerate(MODES)
        }
        layers = [name.removeprefix(INNER) for name in layer_names(subject.net)]
        ids = subject.explainer.probe.ids.tolist()
        return Outcome(ids, values={"layers": layers, **modes})


@dataclass(kw_only=True)
class LabelRandomization:
    """Spearman between the maps of a run and of its twin trained on permuted labels.

    The twin is the run equal in everything but ``data.permute_train_labels`` and the number of
    epochs, which it needs more of to learn labels by heart. The null is that of
    :class:`ParameterRandomization`.

    Args:
        num_images: Probe images measured, spread evenly over the classes.

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Adebayo et al., "Sanity checks for saliency maps", NeurIPS 2018, arXiv:1810.03292.
    """

    per_method = True

    num_images: int

    def __post_init__(self) -> None:
        check_count("num_images", self.num_images)

    def inputs(self, run: Run, runs: Sequence[Run]) -> Mapping[str, Any]:
        """Identity of the ``twin``.

        Raises:
            NotMeasurable: If there is none.
        """
        own = _twin_key(run)
        twins = [other for other in runs if other.permuted and _twin_key(other) == own]
        if not twins:
            raise NotMeasurable(
                "no run like it has permuted labels: python train.py -m "
                "experiment=label_randomization augment=... hydra.sweep.dir=<this sweep>"
            )
        longest = max(twins, key=lambda twin: (_epochs(twin), twin.record.identity))
        return {"twin": longest.record.identity}

    def __call__(self, task: Task) -> Outcome:
        """Values ``twin``, its ``train_loss`` and ``epochs``, similarity and null by mode."""
        subject = task.subject.part(self.num_images)
        twin = task.other(task.inputs["twin"])
        trained = _both_modes(task, subject, subject.net)
        similarity = _compare(_both_modes(task, subject, twin.net), trained)
        null = _null(subject, trained)
        modes = {
            mode: {
                "similarity": optional_numbers(similarity[place]),
                "null": optional_numbers(null[place]),
            }
            for place, mode in enumerate(MODES)
        }
        learnt = {"train_loss": last_train_loss(twin.run), "epochs": _epochs(twin.run)}
        ids = subject.explainer.probe.ids.tolist()
        return Outcome(ids, values={**task.inputs, **learnt, **modes})


def next_of_same_class(labels: Tensor) -> Tensor:
    """Another image of the same class for each image: the next one, the first after the last.

    Args:
        labels: Shape ``(M,)``; the order within a class is random already.

    Returns:
        Positions ``(M,)``; an image alone in its class is paired with itself.
    """
    partners = torch.arange(len(labels))
    for label in set(labels.tolist()):
        own = (labels == label).nonzero()[:, 0]
        partners[own] = own.roll(-1)
    return partners


def _both_modes(task: Task, subject: Subject, net: nn.Module) -> Tensor:
    """Maps ``(M, 2, H, W)`` in the order of :data:`MODES`."""
    reduction = subject.method(task.method).reduce

    def reduce(attribution: Tensor) -> Tensor:
        reduced = (reduce_channels(attribution, how) for how in (reduction, "sum"))
        absolute, signed = reduced
        return torch.stack([absolute.abs(), signed], dim=1)

    return task.attribute(subject, net, subject.images, reduce)


def _compare(maps: Tensor, reference: Tensor) -> Tensor:
    """Spearman ``(2, M)`` of two sets of maps ``(M, 2, H, W)``."""
    return torch.stack([spearman(maps[:, mode], reference[:, mode]) for mode in range(len(MODES))])


def _null(subject: Subject, maps: Tensor) -> Tensor:
    """Spearman ``(2, M)`` of each image's maps with those of another image of its class."""
    partners = next_of_same_class(subject.explainer.probe.labels)
    alone = partners == torch.arange(len(partners))
    return torch.where(alone, torch.nan, _compare(maps, maps[partners]))


def _twin_key(run: Run) -> str:
    inputs = run.record.inputs
    data = {key: value for key, value in inputs["data"].items() if key != "permute_train_labels"}
    trainer = {key: value for key, value in inputs["trainer"].items() if key != "max_epochs"}
    return digest({**inputs, "data": data, "trainer": trainer})


def _epochs(run: Run) -> int:
    return int(run.record.inputs["trainer"]["max_epochs"])
