"""Affinity and diversity: how far an augmentation leads off, and how hard it is to learn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from auglens.augment.training_set import Augmentation, build_training_set
from auglens.components import training_images
from auglens.datasets.spec import ImageDataset
from auglens.explainer import predict
from auglens.measures.measure import NotMeasurable, Outcome, Subject, Task, last_train_loss
from auglens.records.identity import digest, reference_inputs
from auglens.saliency.parameters import check_count
from auglens.seeding import Role, role_generator
from auglens.study.conditions import is_baseline
from auglens.study.load import Run

__all__ = ["AffinityDiversity"]


@dataclass(kw_only=True)
class AffinityDiversity:
    """Affinity and diversity of a run's augmentation, each as ratio and as difference.

    Affinity is the accuracy of the un-augmented baseline's network on augmented validation images
    over that on clean ones: 1 means no shift. Diversity is the last epoch's training loss minus
    the baseline's, in nats; the ratio is recorded too, but explodes where the baseline's loss
    goes to 0. Beside them the mean entropy of the predictions on each model's own training set.

    Args:
        num_draws: Augmentations of the validation images that are averaged.

    Raises:
        ValueError: If a setting is outside its range.

    Reference:
        Gontijo-Lopes et al., "Affinity and diversity: quantifying mechanisms of data
        augmentation", arXiv:2002.08973.
    """

    per_method = False

    num_draws: int

    def __post_init__(self) -> None:
        check_count("num_draws", self.num_draws, most=10000)

    def inputs(self, run: Run, runs: Sequence[Run]) -> Mapping[str, Any]:
        """Identity of the ``reference``, the baseline of the same seeds and settings.

        Raises:
            NotMeasurable: If there is none.
        """
        own = digest(reference_inputs(run.record.inputs))
        for other in filter(is_baseline, runs):
            if not other.permuted and digest(reference_inputs(other.record.inputs)) == own:
                return {"reference": other.record.identity}
        raise NotMeasurable("no baseline (none) has the same seeds and settings")

    def __call__(self, task: Task) -> Outcome:
        """Eleven values; see the class.

        Raises:
            NotMeasurable: If a history cannot be read.
        """
        subject, reference = task.subject, task.other(task.inputs["reference"])
        own, clean = (last_train_loss(one.run) for one in (subject, reference))
        dataset = task.build(subject.run.record.config["dataset"])(data_dir=task.data_dir)
        augmentation = task.build(subject.run.record.config["augment"]["transform"])
        affinity = self._affinity(reference, dataset, augmentation)
        values = {
            **affinity,
            "num_draws": self.num_draws,
            "diversity": own - clean,
            "diversity_ratio": own / clean if clean > 0 else None,
            "train_loss": own,
            "reference_train_loss": clean,
            "prediction_entropy": _prediction_entropy(task, subject, dataset),
            "reference_prediction_entropy": _prediction_entropy(task, reference, dataset),
        }
        return Outcome(values=values)

    def _affinity(
        self, reference: Subject, dataset: ImageDataset, augmentation: Augmentation
    ) -> dict[str, float | None]:
        images, labels = dataset.val.unit_images(), dataset.val.labels
        generator = reference.generator()
        clean = _accuracy(reference, images, labels)
        drawn = [
            _accuracy(reference, augmentation(images, generator=generator), labels)
            for _ in range(self.num_draws)
        ]
        augmented = sum(drawn) / len(drawn)
        return {
            "affinity": augmented / clean if clean > 0 else None,
            "affinity_gap": augmented - clean,
            "clean_accuracy": clean,
            "augmented_accuracy": augmented,
        }


def _accuracy(subject: Subject, images: Tensor, labels: Tensor) -> float:
    return float((predict(subject.net, images).argmax(dim=1) == labels).double().mean())


def _prediction_entropy(task: Task, subject: Subject, dataset: ImageDataset) -> float:
    """Mean entropy in nats of a network's predictions on the set it was trained on."""
    config = subject.run.record.config
    originals, labels = training_images(config, dataset)
    training_set = build_training_set(
        originals.unit_images(),
        labels,
        augmentation=task.build(config["augment"]["transform"]),
        copies=config["augment"]["copies"],
        keep_original=config["augment"]["keep_original"],
        generator=role_generator(config["seeds"]["augment"], Role.AUGMENT),
    )
    shares = predict(subject.net, training_set.images).double().softmax(dim=1)
    return float(torch.special.entr(shares).sum(dim=1).mean())
