"""Sidecars of the explain stage: one JSON file a measure, and a saliency method where it has one."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from auglens.records.files import write_json
from auglens.records.identity import digest
from auglens.records.run import RecordError

__all__ = [
    "MeasureResult",
    "has_measure",
    "measure_hash",
    "measure_path",
    "read_measure",
    "read_measures",
    "write_measure",
]


@dataclass(frozen=True, kw_only=True)
class MeasureResult:
    """What one measure says of one run.

    Attributes:
        measure: Name of the measure.
        method: The saliency method whose maps were measured; None if it needs no maps.
        hash: Of everything that decided the values, every identity used included.
        settings: The measure's config.
        probe_ids: The probe images that were measured, ``(M,)``.
        columns: One value an image by column of maps.csv, each ``(M,)``; None is undefined.
        values: Whatever is not one value an image.
    """

    measure: str
    method: str | None
    hash: str
    settings: Mapping[str, Any]
    probe_ids: Sequence[int] = ()
    columns: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


def measure_path(folder: Path, measure: str, method: str | None) -> Path:
    """Where a measure of a run lies: ``measures/<measure>[.<method>].json``."""
    return folder / "measures" / f"{'.'.join(filter(None, (measure, method)))}.json"


def measure_hash(
    identity: str,
    settings: Mapping[str, Any],
    inputs: Mapping[str, Any],
    *,
    method_hash: str | None,
    seed: int,
) -> str:
    """Hash of everything that decides a measure.

    Args:
        identity: Of the measured run.
        settings: The measure's config.
        inputs: Identities and settings of other runs that it uses.
        method_hash: Of the maps measured, if any.
        seed: ``seeds.explain``.
    """
    return digest([identity, settings, inputs, method_hash, seed])


def write_measure(folder: Path, result: MeasureResult) -> None:
    """Write a sidecar; ``record.json`` stays as it is."""
    write_json(measure_path(folder, result.measure, result.method), asdict(result))


def has_measure(folder: Path, measure: str, method: str | None, hash_: str) -> bool:
    """Whether the folder holds a readable sidecar of exactly this hash."""
    try:
        return read_measure(measure_path(folder, measure, method)).hash == hash_
    except RecordError:
        return False


def read_measures(folder: Path) -> tuple[list[MeasureResult], list[str]]:
    """All sidecars of a run, sorted by name, and a line for each that cannot be read."""
    results, damage = [], []
    for path in sorted((folder / "measures").glob("*.json")):
        try:
            results.append(read_measure(path))
        except RecordError as error:
            damage.append(str(error))
    return results, damage


def read_measure(path: Path) -> MeasureResult:
    """Read and check one sidecar.

    Raises:
        RecordError: If it is absent, damaged, or its columns do not fit its images.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RecordError(f"{path} cannot be read: {error}") from error
    names = {field.name for field in fields(MeasureResult)}
    if not isinstance(content, dict) or set(content) != names:
        raise RecordError(f"{path} is no measure of this version of AugLens.")
    result = MeasureResult(**content)
    if any(len(column) != len(result.probe_ids) for column in result.columns.values()):
        raise RecordError(f"{path} has columns that do not fit its {len(result.probe_ids)} images.")
    return result
