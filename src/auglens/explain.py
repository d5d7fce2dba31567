"""The explain stage: maps of finished networks. The only reader of checkpoints."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from auglens.records.run import (
    Probe,
    RecordError,
    RunRecord,
    has_map,
    method_hash,
    read_probe,
    write_map,
    write_probe,
)
from auglens.saliency.attribution import Attribution
from auglens.saliency.guard import explaining
from auglens.seeding import Role, role_generator

__all__ = [
    "LAST_CHECKPOINT",
    "Explainer",
    "ProbeImages",
    "ProbeTarget",
    "check_probe",
    "checkpoint_name",
    "load_weights",
]

ProbeTarget = Literal["true_class", "predicted_class"]
BEST_CHECKPOINT = "best.ckpt"
LAST_CHECKPOINT = "last.ckpt"
NETWORK_PREFIX = "net."


@dataclass(frozen=True)
class ProbeImages:
    """Held-out images every run explains.

    Attributes:
        images: ``float32 (N, C, H, W)`` in [0, 1].
        labels: ``int64 (N,)``.
        ids: Position of each image in its source file, ``int64 (N,)``.
    """

    images: Tensor
    labels: Tensor
    ids: Tensor

    @cached_property
    def hash(self) -> str:
        """sha256 of the images, labels and ids."""
        whole = hashlib.sha256()
        for part in (self.images, self.labels, self.ids):
            whole.update(part.contiguous().numpy().tobytes())
        return whole.hexdigest()


@dataclass(frozen=True)
class Explainer:
    """Makes the maps of one run's network on the probe and writes them into its folder.

    Attributes:
        probe: The images.
        methods: Attribution methods by name.
        settings: Resolved config of each method; part of its hash.
        target: Whose logit is explained.
        seed: ``seeds.explain``.
        identity: Of the run.
    """

    probe: ProbeImages
    methods: Mapping[str, Attribution]
    settings: Mapping[str, Mapping[str, Any]]
    target: ProbeTarget
    seed: int
    identity: str

    def explain(self, net: nn.Module, folder: Path) -> dict[str, Tensor]:
        """Write ``probe.npz`` and the maps that ``folder`` lacks.

        Args:
            net: Maps images ``(N, C, H, W)`` to logits; left as it was.
            folder: The run folder.

        Returns:
            The maps just made, ``float32 (N, H, W)`` on the CPU, by method.
        """
        missing = self.missing(folder)
        if not missing:
            return {}
        device = next(net.parameters()).device
        images, labels = self.probe.images.to(device), self.probe.labels.to(device)
        with explaining(net):
            with torch.no_grad():
                logits = net(images)
            self._write_probe(folder, logits)
            targets = labels if self.target == "true_class" else logits.argmax(dim=1)
            return {name: self._map(net, images, targets, name, folder) for name in missing}

    def missing(self, folder: Path) -> list[str]:
        """Methods whose maps, with exactly these settings, ``folder`` does not hold."""
        return [name for name in self.methods if not has_map(folder, name, self._hash(name))]

    def _map(
        self, net: nn.Module, images: Tensor, targets: Tensor, name: str, folder: Path
    ) -> Tensor:
        # Each method has its own stream: its maps do not depend on which others run.
        generator = role_generator(self.seed, Role.EXPLAIN)
        maps = self.methods[name](net, images.clone(), targets, generator=generator)
        maps = maps.detach().float().cpu()
        write_map(
            folder,
            name,
            maps=maps.numpy(),
            probe_ids=self.probe.ids.numpy(),
            method_hash=self._hash(name),
            settings=self._settings(name),
        )
        return maps

    def _write_probe(self, folder: Path, logits: Tensor) -> None:
        write_probe(
            folder,
            Probe(
                images=self.probe.images.numpy(),
                labels=self.probe.labels.numpy(),
                probe_ids=self.probe.ids.numpy(),
                logits=logits.detach().float().cpu().numpy(),
                hash=self.probe.hash,
            ),
        )

    def _settings(self, name: str) -> dict[str, Any]:
        return {**self.settings[name], "target": self.target, "seed": self.seed}

    def _hash(self, name: str) -> str:
        return method_hash(self.identity, self._settings(name), probe_hash=self.probe.hash)


def checkpoint_name(config: Mapping[str, Any]) -> str:
    """File that holds a run's model: the last epoch's under label randomisation, else the best."""
    return LAST_CHECKPOINT if config["data"]["permute_train_labels"] else BEST_CHECKPOINT


def load_weights(net: nn.Module, path: Path) -> None:
    """Load a checkpoint of a :class:`~auglens.module.ClassifierModule` into its network.

    Raises:
        RecordError: If the checkpoint is absent, damaged, or of another network.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
        weights = {
            name.removeprefix(NETWORK_PREFIX): value
            for name, value in state.items()
            if name.startswith(NETWORK_PREFIX)
        }
        net.load_state_dict(weights)
    except (OSError, RuntimeError, KeyError, EOFError) as error:
        raise RecordError(f"{path} cannot be loaded: {error}") from error


def check_probe(folder: Path, record: RunRecord, probe: ProbeImages) -> None:
    """Refuse to add maps of other images to a finished run.

    Raises:
        ValueError: If the run's record or ``probe.npz`` hold another probe.
    """
    if record.probe_hash != probe.hash or read_probe(folder).hash != probe.hash:
        size = record.config["probe"]["size"]
        raise ValueError(
            f"{folder} explains another probe (probe.size={size}); its maps cannot be compared "
            f"with new ones. Use probe.size={size}, or a new sweep folder."
        )
