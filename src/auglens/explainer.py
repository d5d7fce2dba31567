"""Makes and writes the maps of one run's network; loads networks from checkpoints."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal
from zipfile import ZipFile

import torch
from torch import Tensor, nn

from auglens.records.maps import (
    Probe,
    has_map,
    map_path,
    method_hash,
    read_probe,
    write_map,
    write_probe,
)
from auglens.records.reading import inner_path
from auglens.records.run import RecordError, RunRecord
from auglens.saliency.attribution import Attribution, saliency_maps
from auglens.saliency.guard import explaining
from auglens.seeding import Role, role_generator

__all__ = [
    "LAST_CHECKPOINT",
    "Advance",
    "Explainer",
    "ProbeImages",
    "ProbeTarget",
    "check_probe",
    "checkpoint_name",
    "difference",
    "load_weights",
    "predict",
    "read_checkpoint",
]

ProbeTarget = Literal["true_class", "predicted_class"]
Advance = Callable[[str, int], object]
BEST_CHECKPOINT = "best.ckpt"
LAST_CHECKPOINT = "last.ckpt"
NETWORK_PREFIX = "net."
PROBE = "probe.npz"
PREDICTED_AT_ONCE = 200
# Tensors lie in it as they are, so its size is what reading it takes.
MOST_CHECKPOINT_BYTES = 2**36


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

    def __getitem__(self, index: slice | Tensor) -> "ProbeImages":
        """The images at some positions."""
        return ProbeImages(self.images[index], self.labels[index], self.ids[index])

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

    def explain(self, net: nn.Module, folder: Path, advance: Advance) -> dict[str, Tensor]:
        """Write ``probe.npz`` and the maps that ``folder`` lacks.

        Args:
            net: Maps images ``(N, C, H, W)`` to logits; left as it was.
            folder: The run folder.
            advance: Told the method and the number of images of each finished batch.

        Returns:
            The maps just made, ``float32 (N, H, W)`` on the CPU, by method.
        """
        missing = self.missing(folder)
        if not missing:
            return {}
        logits = predict(net, self.probe.images)
        if not (folder / PROBE).exists():
            self._write_probe(folder, logits)
        targets = self.targets(logits)
        return {name: self._map(net, targets, name, folder, advance) for name in missing}

    def rehearse(self, net: nn.Module) -> None:
        """Explain one image with every method, so that what cannot work says so before training.

        Args:
            net: The untrained network; left as it was.

        Raises:
            ValueError: If a method cannot explain this network; names it.
        """
        first = replace(self, probe=self.probe[:1])
        targets = first.targets(predict(net, first.probe.images))
        for name in self.methods:
            try:
                first.maps(net, targets, name, lambda _: None)
            except Exception as error:  # methods of other libraries raise what they like
                raise ValueError(
                    f"saliency.methods.{name} cannot explain this network: {error}"
                ) from error

    def missing(self, folder: Path) -> list[str]:
        """Methods whose maps, with exactly these settings, ``folder`` does not hold."""
        return [name for name in self.methods if not has_map(folder, name, self.hash(name))]

    def refuse_to_replace(self, folder: Path) -> None:
        """Keep maps of a sweep that is only reused from being replaced by others.

        Raises:
            ValueError: If ``folder`` holds maps of a method with other settings.
        """
        held = [name for name in self.missing(folder) if map_path(folder, name).exists()]
        if held:
            raise ValueError(
                f"{folder} belongs to a reused sweep and holds maps of {', '.join(held)} with "
                "other settings; use those settings, or explain in that sweep's own folder."
            )

    def targets(self, logits: Tensor) -> Tensor:
        """Whose logit is explained, ``(N,)``, from ``logits (N, K)``."""
        return self.probe.labels if self.target == "true_class" else logits.argmax(dim=1)

    def maps(
        self, net: nn.Module, targets: Tensor, name: str, advance: Callable[[int], object]
    ) -> Tensor:
        """Maps ``float32 (N, H, W)`` of the probe by one method, for ``targets (N,)``."""
        device = next(net.parameters()).device
        return saliency_maps(
            self.methods[name],
            net,
            self.probe.images.to(device),
            targets.to(device),
            # Each method has its own stream: its maps do not depend on which others run.
            generator=role_generator(self.seed, Role.EXPLAIN),
            advance=advance,
        )

    def _map(
        self, net: nn.Module, targets: Tensor, name: str, folder: Path, advance: Advance
    ) -> Tensor:
        maps = self.maps(net, targets, name, lambda count: advance(name, count))
        write_map(
            folder,
            name,
            maps=maps.numpy(),
            probe_ids=self.probe.ids.numpy(),
            method_hash=self.hash(name),
            settings=self.recorded_settings(name),
        )
        return maps

    def _write_probe(self, folder: Path, logits: Tensor) -> None:
        write_probe(
            folder,
            Probe(
                images=self.probe.images.numpy(),
                labels=self.probe.labels.numpy(),
                probe_ids=self.probe.ids.numpy(),
                logits=logits.numpy(),
                hash=self.probe.hash,
            ),
        )

    def recorded_settings(self, name: str) -> dict[str, Any]:
        """Everything about a method that its maps are compared by."""
        return {**self.settings[name], "target": self.target, "seed": self.seed}

    def hash(self, name: str) -> str:
        """Hash of everything that decides a method's maps of this run."""
        return method_hash(self.identity, self.recorded_settings(name), probe_hash=self.probe.hash)


def predict(net: nn.Module, images: Tensor) -> Tensor:
    """Logits ``(N, K)`` of ``images (N, C, H, W)`` on the CPU; the network is left as it was."""
    device = next(net.parameters()).device
    with explaining(net), torch.no_grad():
        parts = [
            net(part.to(device)).float().cpu() for part in torch.split(images, PREDICTED_AT_ONCE)
        ]
    return torch.cat(parts)


def checkpoint_name(config: Mapping[str, Any]) -> str:
    """File that holds a run's model: the last epoch's under label randomisation, else the best."""
    return LAST_CHECKPOINT if config["data"]["permute_train_labels"] else BEST_CHECKPOINT


def load_weights(net: nn.Module, path: Path) -> None:
    """Load a checkpoint of a :class:`~auglens.module.ClassifierModule` into its network.

    Raises:
        RecordError: If the checkpoint is absent, damaged, or of another network.
    """
    weights = {
        name.removeprefix(NETWORK_PREFIX): value
        for name, value in read_checkpoint(path)["state_dict"].items()
        if name.startswith(NETWORK_PREFIX)
    }
    other = difference(weights, net.state_dict())
    if other:
        raise RecordError(f"{path} cannot be loaded: it is of another network: {other}")
    net.load_state_dict(weights)


def read_checkpoint(path: Path, *, map_location: Any = "cpu") -> dict[str, Any]:  # noqa: ANN401
    """Content of a checkpoint: tensors and plain values, never code.

    Args:
        path: The file.
        map_location: Where its tensors go, as for ``torch.load``.

    Raises:
        RecordError: If it is absent, damaged, or no checkpoint with a ``state_dict`` of tensors.
    """
    # torch and zipfile raise a wide family of errors on damaged files.
    try:
        _check_archive(inner_path(path.parent, path.name, most_bytes=MOST_CHECKPOINT_BYTES))
        content: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split()).split(". ")[0] or type(error).__name__
        raise RecordError(f"{path} cannot be loaded: {reason}") from error
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(one, Tensor) for one in state.values()):
        raise RecordError(f"{path} cannot be loaded: it holds no state_dict of tensors")
    return content


def difference(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """The first way in which weights are of another network than the expected ones.

    Args:
        weights: Tensors of any shape by name.
        expected: The same of the network they are for; only names and shapes ``(...)`` are compared.

    Returns:
        Words that end a sentence; empty if there is none.
    """
    for name in expected:
        if name not in weights:
            return f"it lacks {name}"
        held, wanted = tuple(weights[name].shape), tuple(expected[name].shape)
        if held != wanted:
            return f"{name} is {held} there and {wanted} here"
    surplus = [name for name in weights if name not in expected]
    return f"it has {surplus[0]}" if surplus else ""


def _check_archive(path: Path) -> None:
    """Refuse what unpacks to more than the file holds: torch stores tensors as they are.

    Raises:
        ValueError: If it does.
    """
    with ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > path.stat().st_size:
        raise ValueError(f"it unpacks to {unpacked} bytes")


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
