"""Sorts runs into comparison groups and conditions (an augmentation at a strength)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auglens.records.identity import digest, group_inputs
from auglens.records.names import visible
from auglens.study.load import Run
from auglens.study.palette import BASELINE, condition_label, condition_order

__all__ = ["Condition", "Group", "find_groups", "is_baseline", "labelled_runs", "seeds_of"]


@dataclass(frozen=True)
class Condition:
    """The runs of one group that differ in their seeds only.

    Attributes:
        augment: Name of the augmentation.
        strength: Its strength; None where it has none.
        label: Unique in its group.
        runs: At least one, in the order of their folders.
    """

    augment: str
    strength: float | None
    label: str
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Group:
    """Runs that may be compared: equal in dataset, data, model, optimizer and trainer.

    Attributes:
        name: Short hash of what they share.
        conditions: In the order of the report.
        other_batches: Baselines that differ from the group in their batch size only.
        floor_runs: Baselines with seeds of their own, such as those of ``experiment=floor_order``:
            they show what order or first weights alone do, and are rows of no condition.
    """

    name: str
    conditions: tuple[Condition, ...]
    other_batches: tuple[Condition, ...]
    floor_runs: tuple[Run, ...] = ()

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs of the group's own conditions."""
        return tuple(run for condition in self.conditions for run in condition.runs)

    @property
    def baseline(self) -> Condition | None:
        """The runs of ``none``; None without any."""
        found = (one for one in self.conditions if all(map(is_baseline, one.runs)))
        return next(found, None)

    @property
    def usual(self) -> tuple[Condition, ...]:
        """Of every augmentation the condition whose strength is nearest to 1; of settings, all."""
        nearest: dict[str, float] = {}
        for one in self.conditions:
            distance = _distance_from_usual(one)
            nearest[one.augment] = min(distance, nearest.get(one.augment, distance))
        return tuple(
            one for one in self.conditions if _distance_from_usual(one) == nearest[one.augment]
        )

    @property
    def config(self) -> Mapping[str, Any]:
        """Resolved config of the first run, for what all of them share."""
        return self.runs[0].record.config

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return str(self.config["dataset"]["name"])


def _distance_from_usual(condition: Condition) -> float:
    return 0.0 if condition.strength is None else abs(condition.strength - 1)


def is_baseline(run: Run) -> bool:
    """Whether a run was trained on the originals only."""
    augment = run.record.inputs["augment"]
    return bool(augment["name"] == BASELINE and augment["copies"] == 0)


def seeds_of(run: Run) -> tuple[int, ...]:
    """Seeds of data, first weights, order and augmentation: runs that agree in them are paired."""
    seeds = run.record.inputs["seeds"]
    return tuple(int(seeds[role]) for role in ("data", "init", "order", "augment"))


def labelled_runs(groups: Iterable[Group]) -> Iterator[tuple[dict[str, str], Run]]:
    """Every run of the groups' own conditions with its place: ``group``, ``label``, ``run``."""
    for group in groups:
        for condition in group.conditions:
            for run in condition.runs:
                yield {"group": group.name, "label": condition.label, "run": run.name}, run


def find_groups(runs: Iterable[Run]) -> tuple[Group, ...]:
    """Comparison groups in the order their first run appears.

    A group of baselines only that differs from another one in its batch size is no group of its
    own: the other shows it.

    Args:
        runs: Complete runs trained on true labels.
    """
    families: dict[str, dict[str, list[Run]]] = {}
    for run in runs:
        family = families.setdefault(_family(run), {})
        family.setdefault(run.record.group, []).append(run)
    groups = [group for family in families.values() for group in _family_groups(family)]
    return tuple(groups)


def _family(run: Run) -> str:
    inputs = group_inputs(run.record.inputs)
    data = {key: value for key, value in inputs["data"].items() if key != "batch_size"}
    return digest({**inputs, "data": data})


def _family_groups(family: Mapping[str, list[Run]]) -> list[Group]:
    hosts = [name for name, runs in family.items() if not all(map(is_baseline, runs))]
    hosts = hosts or list(family)[:1]
    others = tuple(_other_batches(runs) for name, runs in family.items() if name not in hosts)
    return [_group(name, family[name], others) for name in hosts]


def _group(name: str, runs: Sequence[Run], others: tuple[Condition, ...]) -> Group:
    floors = _floor_runs(runs)
    of_floors = {run.name for run in floors}
    own = [run for run in runs if run.name not in of_floors]
    return Group(name, _conditions(own), others, floors)


def _floor_runs(runs: Sequence[Run]) -> tuple[Run, ...]:
    """Baselines whose seeds differ among themselves as those of no augmented run do.

    Where all baselines are such runs there is nothing else that could be the baseline.
    """
    augmented = {seeds_of(run) for run in runs if not is_baseline(run)}
    baselines = [run for run in runs if is_baseline(run)]
    floors = [
        run for run in baselines if len(set(seeds_of(run))) > 1 and seeds_of(run) not in augmented
    ]
    return tuple(floors) if len(floors) < len(baselines) else ()


def _other_batches(runs: Sequence[Run]) -> Condition:
    size = runs[0].record.inputs["data"]["batch_size"]
    return Condition(BASELINE, None, f"{BASELINE} (batches of {size})", tuple(runs))


def _conditions(runs: Iterable[Run]) -> tuple[Condition, ...]:
    alike: dict[str, list[Run]] = {}
    for run in runs:
        alike.setdefault(digest(run.record.inputs["augment"]), []).append(run)
    first = [members[0] for members in alike.values()]
    labels = _labels([run.record.inputs["augment"] for run in first])
    conditions = [
        Condition(run.record.augment, run.record.strength, label, tuple(members))
        for run, label, members in zip(first, labels, alike.values(), strict=True)
    ]
    return tuple(
        sorted(conditions, key=lambda one: (*condition_order(one.augment, one.strength), one.label))
    )


def _labels(augments: Sequence[Mapping[str, Any]]) -> list[str]:
    """Labels that tell all settings apart: what still differs is put in brackets."""
    plain = [condition_label(augment["name"], augment["strength"]) for augment in augments]
    labels = []
    for label, augment in zip(plain, augments, strict=True):
        alike = [other for name, other in zip(plain, augments, strict=True) if name == label]
        differing = _differing_leaves(augment, alike)
        labels.append(f"{label} ({differing})" if differing else label)
    return labels


def _differing_leaves(augment: Mapping[str, Any], alike: Sequence[Mapping[str, Any]]) -> str:
    leaves = _leaves(augment)
    others = [_leaves(other) for other in alike]
    return ", ".join(
        visible(f"{key}={value}")
        for key, value in leaves.items()
        if any(other.get(key) != value for other in others)
    )


def _leaves(settings: Mapping[str, Any]) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            leaves |= {f"{key}.{leaf}": item for leaf, item in _leaves(value).items()}
        else:
            leaves[key] = value
    return leaves
