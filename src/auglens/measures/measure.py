"""What a measure of the explain stage is given and what it gives back."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from auglens.explainer import Explainer
from auglens.records.maps import read_map
from auglens.records.run import RecordError
from auglens.saliency.attribution import Attribution, attribute
from auglens.seeding import Role, role_generator
from auglens.study.load import Run

__all__ = [
    "Measure",
    "NotMeasurable",
    "Outcome",
    "Subject",
    "Task",
    "last_train_loss",
    "optional_numbers",
]


class NotMeasurable(ValueError):  # noqa: N818 - no mistake: something a measure needs is not there
    """A run lacks what a measure needs, such as another run; says what."""


@dataclass(frozen=True)
class Subject:
    """A finished run with its network.

    Attributes:
        run: Folder and record.
        explainer: Its probe, target, and the saliency methods to measure.
        net: Its network, with the weights that were explained.
        logits: Of the probe, ``(N, K)`` on the CPU.
    """

    run: Run
    explainer: Explainer
    net: nn.Module
    logits: Tensor

    @property
    def images(self) -> Tensor:
        """The probe ``(N, C, H, W)`` in [0, 1] on the network's device."""
        return self.explainer.probe.images.to(self.device)

    @property
    def targets(self) -> Tensor:
        """Whose logit is explained, ``(N,)`` on the network's device."""
        return self.explainer.targets(self.logits).to(self.device)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.net.parameters()).device

    def generator(self) -> torch.Generator:
        """A fresh stream of ``seeds.explain``: the same numbers for every run."""
        return role_generator(self.explainer.seed, Role.EXPLAIN)

    def method(self, name: str) -> Attribution:
        """A saliency method by name."""
        return self.explainer.methods[name]

    def stored_maps(self, name: str) -> Tensor:
        """Maps ``(N, H, W)`` of the run folder.

        Raises:
            RecordError: If they are absent, damaged, or of other settings than the method has.
        """
        found = read_map(self.run.folder, name)
        if found.hash != self.explainer.hash(name):
            raise RecordError(f"{self.run.folder} holds maps of {name} with other settings.")
        return torch.from_numpy(found.maps)

    def part(self, num_images: int) -> "Subject":
        """The same run with ``num_images`` images spread evenly over its probe, or all of them.

        Raises:
            ValueError: If ``num_images`` is below 1.
        """
        if num_images < 1:
            raise ValueError(f"num_images={num_images} must be at least 1.")
        total = len(self.logits)
        places = torch.arange(min(num_images, total)) * total // min(num_images, total)
        explainer = replace(self.explainer, probe=self.explainer.probe[places])
        return replace(self, explainer=explainer, logits=self.logits[places])


@dataclass(frozen=True)
class Task:
    """One measure of one run, and of one saliency method if the measure has them.

    Attributes:
        subject: The run.
        method: Name of the saliency method; empty for a measure without.
        inputs: What :meth:`Measure.inputs` found.
        other: Loads another run by its identity.
        build: Builds what a node of a recorded config names, if that is allowed.
        data_dir: Where data sets lie.
        advance: Told the number of images of each finished batch.
    """

    subject: Subject
    method: str
    inputs: Mapping[str, Any]
    other: Callable[[str], Subject]
    build: Callable[[Mapping[str, Any]], Any]
    data_dir: Path
    advance: Callable[[int], object]

    def attribute(
        self, subject: Subject, net: nn.Module, images: Tensor, reduce: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """Explain ``images (N, C, H, W)`` with ``net`` for the targets of ``subject``."""
        return attribute(
            subject.method(self.method),
            net,
            images,
            subject.targets,
            generator=subject.generator(),
            reduce=reduce,
            advance=self.advance,
        )


@dataclass(frozen=True)
class Outcome:
    """What a measure found; see :class:`auglens.records.measures.MeasureResult`.

    Attributes:
        probe_ids: The measured images ``(M,)``.
        columns: One value an image by column of maps.csv.
        values: Everything else, ready for JSON.
    """

    probe_ids: Sequence[int] = ()
    columns: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


class Measure(Protocol):
    """A measure of finished runs.

    Attributes:
        per_method: Whether it is taken once for every saliency method.
    """

    per_method: bool

    def inputs(self, run: Run, runs: Sequence[Run]) -> Mapping[str, Any]:
        """What of other runs decides the values: identities and settings, ready for JSON.

        Args:
            run: The measured run.
            runs: All complete runs of the sweep.

        Raises:
            NotMeasurable: If something is not there.
        """

    def __call__(self, task: Task) -> Outcome:
        """Take the measure."""


def optional_numbers(values: Tensor) -> list[float | None]:
    """Numbers of a vector ``(M,)`` for JSON; NaN and infinities, which are undefined, become None.

    >>> optional_numbers(torch.tensor([0.5, float("nan")]))
    [0.5, None]
    """
    return [value if abs(value) < float("inf") else None for value in values.double().tolist()]


def last_train_loss(run: Run) -> float:
    """Training loss of a run's last epoch, in nats.

    Raises:
        NotMeasurable: If its history cannot be read.
    """
    path = run.folder / "history.csv"
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return float(list(csv.DictReader(file))[-1]["train_loss"])
    except (OSError, ValueError, LookupError) as error:
        raise NotMeasurable(f"{path} cannot be read: {error}") from error
