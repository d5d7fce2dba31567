"""Runs and tasks for measures, from networks whose answers are known."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from auglens.components import built
from auglens.explainer import Explainer, ProbeImages, predict
from auglens.measures.measure import Subject, Task
from auglens.records.maps import write_map
from auglens.saliency.attribution import Attribution
from auglens.study.load import Run
from tests.study.generated_sweep import make_config, make_record

NUM_CLASSES = 3


def make_run(folder: Path, augment: str = "none", /, **changes: Any) -> Run:  # noqa: ANN401
    """A run with a valid record, of which only what a test writes lies on disk."""
    return Run(folder.name, folder, make_record(make_config(augment, **changes)))


def make_subject(
    run: Run, net: nn.Module, methods: Mapping[str, Attribution], images: Tensor, labels: Tensor
) -> Subject:
    """A run with its network on these images."""
    probe = ProbeImages(images, labels, torch.arange(len(labels)) + 100)
    explainer = Explainer(
        probe=probe,
        methods=methods,
        settings=defaultdict(dict),
        target="true_class",
        seed=0,
        identity=run.record.identity,
    )
    return Subject(run, explainer, net, predict(net, images))


def store_maps(subject: Subject, name: str, maps: Tensor) -> None:
    """Write maps ``(N, H, W)`` where the measure looks for them."""
    ids = subject.explainer.probe.ids.numpy()
    write_map(
        subject.run.folder,
        name,
        maps=maps.float().numpy(),
        probe_ids=ids,
        method_hash=subject.explainer.hash(name),
        settings={"target": "true_class", "seed": 0},
    )


def make_task(
    subject: Subject,
    method: str,
    inputs: Mapping[str, Any] | None = None,
    other: Callable[[str], Subject] | None = None,
) -> Task:
    """One measure of one run."""

    def nobody(identity: str) -> Subject:
        raise AssertionError(f"asks for {identity}")

    return Task(
        subject=subject,
        method=method,
        inputs=inputs or {},
        other=other or nobody,
        build=lambda node: built(node, "build"),
        data_dir=Path("absent"),
        advance=lambda _: None,
    )


def linear_network(num_pixels: int, seed: int = 0) -> nn.Sequential:
    """Logits that are linear in the image."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(num_pixels, NUM_CLASSES))


def labelled(count: int) -> Tensor:
    """Labels that come class by class, as a probe's do."""
    return torch.arange(NUM_CLASSES).repeat_interleave(count)
