"""Deletion, insertion and their difference: does the network use the pixels a map names?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor

from auglens.measures.measure import Outcome, Subject, Task, optional_numbers
from auglens.metrics.faithfulness import (
    Curves,
    Substrate,
    deletion,
    insertion,
    perturbation_curves,
    srg,
    substrate,
)
from auglens.saliency.guard import explaining
from auglens.saliency.parameters import check_count, check_number, check_word
from auglens.study.load import Run

__all__ = ["Faithfulness"]


SUBSTRATES: tuple[str, ...] = get_args(Substrate)


@dataclass(kw_only=True)
class Faithfulness:
    """Deletion, insertion and SRG of the stored maps, for several substrates.

    The curve is the probability of the explained class while pixels are replaced. See
    :mod:`auglens.metrics.faithfulness`.

    Args:
        substrates: What pixels are replaced by: ``black``, ``blur``, ``mean``.
        num_steps: Equal shares of the pixels that are replaced one after the other.
        blur_sigma_px: Standard deviation of the ``blur`` substrate, in pixels.
        batch_size: Images at a time.

    Raises:
        ValueError: If a setting is outside its range.
    """

    per_method = True

    substrates: Sequence[Substrate]
    num_steps: int
    blur_sigma_px: float
    batch_size: int

    def __post_init__(self) -> None:
        _check_substrates(self.substrates)
        check_count("num_steps", self.num_steps)
        check_number("blur_sigma_px", self.blur_sigma_px, low=0, high=1000)
        check_count("batch_size", self.batch_size)

    def inputs(self, run: Run, runs: Sequence[Run]) -> Mapping[str, Any]:
        """Nothing of other runs."""
        del run, runs
        return {}

    def __call__(self, task: Task) -> Outcome:
        """Columns ``deletion_<substrate>``, ``insertion_<substrate>``, ``srg_<substrate>``."""
        subject = task.subject
        columns: dict[str, list[float | None]] = {}
        means: dict[str, dict[str, list[float | None]]] = {}
        for kind in self.substrates:
            curves = self._curves(task, kind)
            columns |= {
                f"{measure.__name__}_{kind}": optional_numbers(measure(curves))
                for measure in (deletion, insertion, srg)
            }
            means[kind] = {
                order: optional_numbers(curve.nanmean(dim=0))
                for order, curve in vars(curves).items()
            }
        ids = subject.explainer.probe.ids.tolist()
        return Outcome(probe_ids=ids, columns=columns, values={"curves": means})

    def _curves(self, task: Task, kind: Substrate) -> Curves:
        subject, maps = task.subject, task.subject.stored_maps(task.method)
        # One stream for all images of a substrate: ties are broken alike in every run.
        generator = subject.generator()
        parts = []
        for places in torch.split(torch.arange(len(maps)), self.batch_size):
            images = subject.images[places]
            with explaining(subject.net), torch.no_grad():
                parts.append(
                    perturbation_curves(
                        _target_probability(subject, places),
                        images,
                        substrate(images, kind, blur_sigma_px=self.blur_sigma_px),
                        maps[places],
                        num_steps=self.num_steps,
                        generator=generator,
                    )
                )
            task.advance(len(places))
        return Curves(
            *(
                torch.cat(curves)
                for curves in zip(*(vars(part).values() for part in parts), strict=True)
            )
        )


def _check_substrates(substrates: Sequence[Substrate]) -> None:
    if not isinstance(substrates, Sequence) or isinstance(substrates, str) or not substrates:
        raise ValueError(f"substrates={substrates!r} must be a list of {', '.join(SUBSTRATES)}.")
    for kind in substrates:
        check_word("substrates", kind, SUBSTRATES)


def _target_probability(subject: Subject, places: Tensor) -> Callable[[Tensor], Tensor]:
    targets = subject.targets[places, None]
    return lambda images: subject.net(images).softmax(dim=1).gather(1, targets)[:, 0]
