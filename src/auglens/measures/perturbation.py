"""Infidelity and max-sensitivity: Captum's measures under noise on the image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from auglens.measures.measure import Outcome, Task, optional_numbers
from auglens.saliency.attribution import saliency_maps
from auglens.saliency.captum_measures import infidelity, max_sensitivity
from auglens.saliency.parameters import check_count, check_number
from auglens.study.load import Run

__all__ = ["Infidelity", "Sensitivity"]


@dataclass(kw_only=True)
class Infidelity:
    """Normalised infidelity of the signed attribution, made anew.

    Methods without signs enter as they are. See
    :func:`auglens.saliency.captum_measures.infidelity`.

    Args:
        num_images: Probe images measured, spread evenly over the classes.
        stdev: Standard deviation of the noise, in units of the image's [0, 1].
        num_samples: Noise images for each image.
        batch_size: Images at a time, each with ``num_samples`` passes.

    Raises:
        ValueError: If a setting is outside its range.
    """

    per_method = True

    num_images: int
    stdev: float
    num_samples: int
    batch_size: int

    def __post_init__(self) -> None:
        check_count("num_images", self.num_images)
        check_number("stdev", self.stdev, low=0, high=10)
        check_count("num_samples", self.num_samples, most=10000)
        check_count("batch_size", self.batch_size)

    def inputs(self, run: Run, runs: Sequence[Run]) -> Mapping[str, Any]:
        """Nothing of other runs."""
        del run, runs
        return {}

    def __call__(self, task: Task) -> Outcome:
        """Column ``infidelity``."""
        subject = task.subject.part(self.num_images)
        attribution = task.attribute(subject, subject.net, subject.images, lambda signed: signed)
        generator = subject.generator()
        values = [
            infidelity(
                subject.net,
                subject.images[places],
                subject.targets[places],
                attribution[places],
                stdev=self.stdev,
                num_samples=self.num_samples,
                generator=generator,
            )
            for places in torch.split(torch.arange(len(attribution)), self.batch_size)
        ]
        ids = subject.explainer.probe.ids.tolist()
        return Outcome(ids, columns={"infidelity": optional_numbers(torch.cat(values))})


@dataclass(kw_only=True)
class Sensitivity:
    """Max-sensitivity of the maps.

    See :func:`auglens.saliency.captum_measures.max_sensitivity`; the method's own random numbers
    are the same for every draw.

    Args:
        num_images: Probe images measured, spread evenly over the classes.
        radius: Largest change of a pixel, in units of the image's [0, 1].
        num_samples: Changed images for each image.

    Raises:
        ValueError: If a setting is outside its range.
    """

    per_method = True

    num_images: int
    radius: float
    num_samples: int

    def __post_init__(self) -> None:
        check_count("num_images", self.num_images)
        check_number("radius", self.radius, low=0, high=1)
        check_count("num_samples", self.num_samples, most=10000)

    def inputs(self, run: Run, runs: Sequence[Run]) -> Mapping[str, Any]:
        """Nothing of other runs."""
        del run, runs
        return {}

    def __call__(self, task: Task) -> Outcome:
        """Column ``max_sensitivity``."""
        subject = task.subject.part(self.num_images)

        def explain(images: torch.Tensor) -> torch.Tensor:
            return saliency_maps(
                subject.method(task.method),
                subject.net,
                images,
                subject.targets,
                generator=subject.generator(),
                advance=task.advance,
            )

        values = max_sensitivity(
            explain,
            subject.images,
            radius=self.radius,
            num_samples=self.num_samples,
            generator=subject.generator(),
        )
        ids = subject.explainer.probe.ids.tolist()
        return Outcome(ids, columns={"max_sensitivity": optional_numbers(values)})
