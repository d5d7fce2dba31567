"""Do maps move with what moves the image, and stay where it only changes its look?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from auglens.augment.transforms import StrengthTransform
from auglens.explainer import predict
from auglens.measures.measure import NotMeasurable, Outcome, Subject, Task, optional_numbers
from auglens.metrics.masked import masked_cc
from auglens.saliency.maps import reduce_channels
from auglens.saliency.parameters import check_count, check_number
from auglens.study.load import Run

__all__ = ["Equivariance"]

# A pixel that is read from the frame by at least this share counts as seen.
SEEN = 0.999


@dataclass(kw_only=True)
class Equivariance:
    """Correlation of ``S(g x)`` with ``g S(x)`` under every augmentation ``g`` of the sweep.

    For augmentations that move pixels the map is moved with them, and pixels that come from
    outside the frame (or were erased) are left out; under blurring the map itself is expected to
    stay. Beside it the network's own invariance, the cosine of its logits of both images. The same
    draws are used for every run, and the target stays that of the unchanged image.

    Args:
        num_images: Probe images measured, spread evenly over the classes.
        strength: Strength of the tested augmentations.

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Crabbé and van der Schaar, "Evaluating the robustness of interpretability methods through
        explanation invariance and equivariance", NeurIPS 2023, arXiv:2304.06715.
    """

    per_method = True

    num_images: int
    strength: float

    def __post_init__(self) -> None:
        check_count("num_images", self.num_images)
        check_number("strength", self.strength, low=0, high=2)

    def inputs(self, run: Run, runs: Sequence[Run]) -> Mapping[str, Any]:
        """The ``transforms`` to test: those of the run's group that have a strength, by name.

        Raises:
            NotMeasurable: If there is none, or one name stands for two transforms.
        """
        nodes: dict[str, dict[str, Any]] = {}
        for one in runs:
            if one.record.strength is None or one.record.group != run.record.group:
                continue
            node = {**one.record.config["augment"]["transform"], "strength": self.strength}
            if nodes.setdefault(one.record.augment, node) != node:
                raise NotMeasurable(f"{one.record.augment} stands for more than one transform")
        if not nodes:
            raise NotMeasurable("no augmentation that it can be compared with has a strength")
        return {"transforms": dict(sorted(nodes.items()))}

    def __call__(self, task: Task) -> Outcome:
        """Values ``augments``: by augmentation, ``map`` and ``model``, one number an image.

        Raises:
            NotMeasurable: If an augmentation cannot apply one draw twice.
        """
        subject = task.subject.part(self.num_images)
        maps = self._maps(task, subject, subject.images)
        found = {}
        for name, node in task.inputs["transforms"].items():
            transform = task.build(node)
            if not isinstance(transform, StrengthTransform):
                raise NotMeasurable(f"{name} is no StrengthTransform, so no draw can be repeated")
            found[name] = self._test(task, subject, maps, transform)
        ids = subject.explainer.probe.ids.tolist()
        return Outcome(ids, values={"augments": found})

    def _test(
        self, task: Task, subject: Subject, maps: Tensor, transform: StrengthTransform
    ) -> dict[str, list[float | None]]:
        images = subject.explainer.probe.images
        parameters = transform.sample(
            len(images), size=images.shape[2:], generator=subject.generator()
        )
        changed = transform.apply(images, parameters)
        expected, seen = maps, torch.ones_like(maps, dtype=torch.bool)
        if transform.moves_pixels:
            expected = transform.apply(maps[:, None], parameters)[:, 0]
            seen = transform.apply(torch.ones_like(maps)[:, None], parameters)[:, 0] > SEEN
        found = self._maps(task, subject, changed.to(subject.device))
        model = F.cosine_similarity(
            predict(subject.net, changed).double(), subject.logits.double(), dim=1
        )
        return {
            "map": optional_numbers(masked_cc(found, expected, seen)),
            "model": optional_numbers(model),
        }

    def _maps(self, task: Task, subject: Subject, images: Tensor) -> Tensor:
        reduction = subject.method(task.method).reduce
        return task.attribute(
            subject, subject.net, images, lambda signed: reduce_channels(signed, reduction)
        )
