"""The images that a run explains, and its maps of them. Reads back only what it can check."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auglens.records.arrays import is_array, read_named_arrays, write_arrays
from auglens.records.identity import digest
from auglens.records.names import plain_name
from auglens.records.reading import RecordError, parse_json
from auglens.records.run import RunRecord

__all__ = [
    "Probe",
    "SaliencyMaps",
    "has_map",
    "map_path",
    "method_hash",
    "read_map",
    "read_own_map",
    "read_probe",
    "read_samples",
    "write_map",
    "write_probe",
]


@dataclass(frozen=True)
class Probe:
    """The images every run explains, and what one run makes of them.

    Attributes:
        images: ``float32 (N, C, H, W)`` in [0, 1].
        labels: ``int64 (N,)``.
        probe_ids: Position of each image in its source file, ``int64 (N,)``.
        logits: ``float32 (N, K)``, best-validation weights.
        hash: sha256 of images, labels and ids.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    probe_ids: NDArray[np.int64]
    logits: NDArray[np.float32]
    hash: str


@dataclass(frozen=True)
class SaliencyMaps:
    """Maps of one method on the probe.

    Attributes:
        maps: ``float32 (N, H, W)``.
        probe_ids: ``int64 (N,)``, as in :class:`Probe`.
        hash: Of everything that decided the maps.
        settings: The method's config, its target and its seed.
    """

    maps: NDArray[np.float32]
    probe_ids: NDArray[np.int64]
    hash: str
    settings: dict[str, Any]


def write_probe(folder: Path, probe: Probe) -> None:
    """Write ``probe.npz``."""
    arrays: dict[str, NDArray[Any]] = {
        name: np.asarray(value) for name, value in vars(probe).items()
    }
    write_arrays(folder / "probe.npz", arrays)


def read_probe(folder: Path) -> Probe:
    """Read ``probe.npz``.

    Raises:
        RecordError: If it is absent, damaged, or its arrays do not fit each other.
    """
    path = folder / "probe.npz"
    arrays = read_named_arrays(folder, path.name, names={field.name for field in fields(Probe)})
    probe = Probe(**{**arrays, "hash": str(arrays["hash"])})
    count = probe.labels.size
    if not (
        is_array(probe.images, np.float32, (count, None, None, None))
        and is_array(probe.labels, np.int64, (count,))
        and is_array(probe.probe_ids, np.int64, (count,))
        and is_array(probe.logits, np.float32, (count, None))
    ):
        raise RecordError(f"{path} holds no images (N, C, H, W) with N labels, ids and logits.")
    if len(np.unique(probe.probe_ids)) < count:
        raise RecordError(f"{path} holds an image twice.")
    if not (probe.images.min() >= 0 and probe.images.max() <= 1):
        raise RecordError(f"{path} holds images that are not in [0, 1].")
    if probe.labels.min() < 0 or probe.labels.max() >= probe.logits.shape[1]:
        raise RecordError(f"{path} holds labels without a logit.")
    return probe


def map_path(folder: Path, method: str) -> Path:
    """Where the maps of one saliency method lie.

    Raises:
        RecordError: If ``method`` is no plain name.
    """
    return folder / "saliency" / f"{plain_name(method)}.npz"


def write_map(
    folder: Path,
    method: str,
    *,
    maps: NDArray[np.float32],
    probe_ids: NDArray[np.int64],
    method_hash: str,
    settings: Mapping[str, Any],
) -> None:
    """Write the maps ``(N, H, W)`` of one method on the probe, and how they were made."""
    arrays: dict[str, NDArray[Any]] = {
        "maps": maps,
        "probe_ids": probe_ids,
        "hash": np.array(method_hash),
        "settings": np.array(json.dumps(settings, sort_keys=True)),
    }
    write_arrays(map_path(folder, method), arrays)


def read_map(folder: Path, method: str) -> SaliencyMaps:
    """Read the maps of one method.

    Raises:
        RecordError: If the file is absent or damaged.
    """
    path = map_path(folder, method)
    names = {field.name for field in fields(SaliencyMaps)}
    arrays = read_named_arrays(folder, *path.parts[-2:], names=names)
    maps, ids = arrays["maps"], arrays["probe_ids"]
    shaped = is_array(maps, np.float32, (ids.size, None, None))
    if not shaped or not is_array(ids, np.int64, (ids.size,)) or len(np.unique(ids)) < ids.size:
        raise RecordError(f"{path} holds no maps (N, H, W) with N probe ids.")
    return SaliencyMaps(maps, ids, hash=str(arrays["hash"]), settings=_settings(path, arrays))


def read_own_map(folder: Path, method: str, record: RunRecord) -> SaliencyMaps:
    """Read the maps of one method, if they are of this run and probe.

    Raises:
        RecordError: If they are not, or as of :func:`read_map`.
    """
    found = read_map(folder, method)
    if found.hash != method_hash(record.identity, found.settings, probe_hash=record.probe_hash):
        raise RecordError(f"{map_path(folder, method)} holds maps of another run or other images.")
    return found


def read_samples(folder: Path) -> dict[str, NDArray[Any]]:
    """Read ``samples.npz``: training images and their copies.

    Returns:
        ``ids (M,)``, ``labels (M,)``, ``originals (M, C, H, W)`` in [0, 1] and
        ``augmented (M, copies, C, H, W)``.

    Raises:
        RecordError: If it is absent or damaged.
    """
    path = folder / "samples.npz"
    arrays = read_named_arrays(folder, path.name, names={"ids", "labels", "originals", "augmented"})
    originals, augmented, count = arrays["originals"], arrays["augmented"], arrays["ids"].size
    if not (
        is_array(originals, np.float32, (count, None, None, None))
        and is_array(arrays["ids"], np.int64, (count,))
        and is_array(arrays["labels"], np.int64, (count,))
        and augmented.dtype == np.float32
        and augmented.shape[:1] + augmented.shape[2:] == originals.shape
    ):
        raise RecordError(f"{path} holds no training images with their copies.")
    return arrays


def has_map(folder: Path, method: str, method_hash: str) -> bool:
    """Whether the folder holds readable maps of exactly these settings."""
    try:
        return read_map(folder, method).hash == method_hash
    except RecordError:
        return False


def method_hash(identity: str, settings: Mapping[str, Any], *, probe_hash: str) -> str:
    """Hash of everything that decides one method's maps of one run, ``seeds.explain`` included."""
    return digest([identity, settings, probe_hash])


def _settings(path: Path, arrays: Mapping[str, Any]) -> dict[str, Any]:
    try:
        settings = parse_json(str(arrays["settings"]))
    except ValueError as error:
        raise RecordError(f"{path} does not say how its maps were made: {error}") from error
    if not {"target", "seed"} <= set(settings):
        raise RecordError(f"{path} does not say for which target and seed its maps were made.")
    return settings
