"""A finished run with its network, for people who go on: built only from what they trust."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from auglens.components import build_network
from auglens.datasets.spec import ImageSpec
from auglens.explainer import ProbeImages, checkpoint_name, load_weights, predict
from auglens.models.normalized import NormalizedNetwork
from auglens.records.maps import read_map, read_probe
from auglens.records.run import RecordError, RunRecord, read_record
from auglens.trust import check_recorded

__all__ = ["LoadedRun", "first_network", "read_run", "recorded_network", "recorded_probe"]

# Other hardware rounds otherwise; other weights differ by far more.
LOGITS_TOLERANCE = 0.01


@dataclass(frozen=True)
class LoadedRun:
    """A finished run.

    Attributes:
        folder: The run folder.
        record: Its record.
        trust: Modules and names that the record may use beside AugLens and torchvision.
    """

    folder: Path
    record: RunRecord
    trust: tuple[str, ...]

    def network(self) -> NormalizedNetwork:
        """A new network with the weights that were explained, in eval mode on the CPU.

        It maps images ``(N, C, H, W)`` in [0, 1] to logits ``(N, K)``.

        Raises:
            auglens.trust.UntrustedError: If the record names a class that is not trusted; says
                the ``trust`` that would allow it.
            RecordError: If the checkpoint is absent, damaged, or of another run: its logits are
                not those in ``probe.npz``.
        """
        probe = self.probe()
        net = recorded_network(self.folder, self.record, probe, trust=self.trust).eval()
        stored = torch.from_numpy(read_probe(self.folder).logits)
        difference = (predict(net, probe.images) - stored).abs().max()
        if not difference <= LOGITS_TOLERANCE * stored.abs().max():
            path = self.folder / checkpoint_name(self.record.config)
            raise RecordError(f"{path} is of another run: its logits are not those of the record.")
        return net

    def probe(self) -> ProbeImages:
        """The explained images, their labels and ids.

        Raises:
            RecordError: If ``probe.npz`` is absent, damaged, or holds other images.
        """
        return recorded_probe(self.folder, self.record)

    def maps(self, method: str) -> Tensor:
        """Maps of one method on the probe, ``float32 (N, H, W)``.

        Raises:
            RecordError: If they are absent, damaged, or of other images.
        """
        found = read_map(self.folder, method)
        if found.probe_ids.tolist() != self.probe().ids.tolist():
            raise RecordError(f"{self.folder} holds maps of {method} of other images.")
        return torch.from_numpy(found.maps)


def read_run(folder: Path, *, trust: Sequence[str]) -> LoadedRun:
    """See :func:`auglens.explain.load_run`."""
    try:
        record = read_record(folder)
    except RecordError as error:
        raise RecordError(f"{folder} holds no finished run: {error}") from error
    return LoadedRun(folder, record, (trust,) if isinstance(trust, str) else tuple(trust))


def recorded_probe(folder: Path, record: RunRecord) -> ProbeImages:
    """The images that a run explained, as :meth:`LoadedRun.probe`."""
    stored = read_probe(folder)
    parts = (stored.images, stored.labels, stored.probe_ids)
    probe = ProbeImages(*(torch.from_numpy(part) for part in parts))
    if probe.hash != record.probe_hash:
        path = folder / "probe.npz"
        raise RecordError(f"{path} holds other images than the run explained.")
    return probe


def recorded_network(
    folder: Path, record: RunRecord, probe: ProbeImages, *, trust: Sequence[str]
) -> NormalizedNetwork:
    """The network of a record with its checkpoint's weights, on the CPU.

    Args:
        folder: The run folder.
        record: Its record.
        probe: Images of the size that the network takes.
        trust: As for :func:`auglens.trust.check_recorded`.

    Raises:
        auglens.trust.UntrustedError: If the record names a class that is not trusted.
        RecordError: If the checkpoint is absent, damaged, or of another network.
    """
    check_recorded(record.config["model"]["net"], trust=trust)
    net = build_network(record.config, _image_spec(record.config, probe))
    load_weights(net, folder / checkpoint_name(record.config))
    return net


def first_network(record: RunRecord, probe: ProbeImages) -> NormalizedNetwork:
    """The network of a record as it was before its first step, in eval mode on the CPU.

    Its class is built without asking for trust: call it for records whose network was built.

    Args:
        record: Of the run.
        probe: Images of the size that the network takes.
    """
    return build_network(record.config, _image_spec(record.config, probe)).eval()


def _image_spec(config: Mapping[str, Any], probe: ProbeImages) -> ImageSpec:
    dataset = config["dataset"]
    channels, height, width = probe.images.shape[1:]
    names, mean, std = (tuple(dataset[key]) for key in ("class_names", "mean", "std"))
    return ImageSpec(dataset["name"], channels, height, width, names, mean, std)
