"""Sidecars of the explain stage: one JSON file a measure, and a saliency method where it has one."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from auglens.records.files import write_json
from auglens.records.identity import digest
from auglens.records.names import plain_name
from auglens.records.reading import RecordError, read_json
from auglens.records.seals import sealed, unsealed

__all__ = [
    "MeasureResult",
    "belongs_to",
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
        hash: Of everything that decided the values, see :func:`measure_hash`.
        settings: The measure's config.
        inputs: Identities and settings of other runs that it used.
        method_hash: Of the maps measured; None if it needs no maps.
        seed: ``seeds.explain``.
        probe_ids: The probe images that were measured, ``(M,)``.
        columns: One value an image by column of maps.csv, each ``(M,)``; None is undefined.
        values: Whatever is not one value an image.
    """

    measure: str
    method: str | None
    hash: str
    settings: Mapping[str, Any]
    inputs: Mapping[str, Any]
    method_hash: str | None
    seed: int
    probe_ids: Sequence[int] = ()
    columns: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


def measure_path(folder: Path, measure: str, method: str | None) -> Path:
    """Where a measure of a run lies: ``measures/<measure>[.<method>].json``.

    Raises:
        RecordError: If a name is no plain name.
    """
    words = [plain_name(word) for word in (measure, method) if word is not None]
    return folder / "measures" / f"{'.'.join(words)}.json"


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
    write_json(measure_path(folder, result.measure, result.method), sealed(asdict(result)))


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
        RecordError: If it is absent, damaged, of another form, or its columns do not fit its
            images.
    """
    content = unsealed(path, read_json(path.parents[1], *path.parts[-2:]))
    names = {field.name for field in fields(MeasureResult)}
    if set(content) != names or not _is_well_formed(content):
        raise RecordError(f"{path} is no measure of this version of AugLens.")
    name, method = content["measure"], content["method"]
    if measure_path(path.parents[1], name, method).name != path.name:
        raise RecordError(f"{path} holds {name} of {method}, which its name does not say.")
    return MeasureResult(**content)


def belongs_to(result: MeasureResult, identity: str, method_hash: str | None) -> bool:
    """Whether a measure was taken of this run and, if it needs maps, of the maps it now has.

    Args:
        result: Read from the run's folder.
        identity: Of the run.
        method_hash: Of the maps of the measure's method; None if it has none.
    """
    if result.method_hash != method_hash:
        return False
    return result.hash == measure_hash(
        identity,
        result.settings,
        result.inputs,
        method_hash=result.method_hash,
        seed=result.seed,
    )


def _is_well_formed(content: Mapping[str, Any]) -> bool:
    mappings = ("settings", "inputs", "columns", "values")
    optional = (content["method"], content["method_hash"])
    ids, columns = content["probe_ids"], content["columns"]
    return (
        all(isinstance(content[name], dict) for name in mappings)
        and all(isinstance(content[name], str) for name in ("measure", "hash"))
        and all(one is None or isinstance(one, str) for one in optional)
        and type(content["seed"]) is int
        and isinstance(ids, list)
        and all(type(one) is int for one in ids)
        and all(_is_column(column, len(ids)) for column in columns.values())
    )


def _is_column(column: object, length: int) -> bool:
    if not isinstance(column, list) or len(column) != length:
        return False
    return all(value is None or type(value) in (int, float) for value in column)
