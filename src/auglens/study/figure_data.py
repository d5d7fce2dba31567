"""Picks what each figure shows out of tables and run folders. Draws nothing."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auglens.records.maps import Probe
from auglens.study.analyses.sampling import sampled
from auglens.study.analyses.shifts import ORDER
from auglens.study.conditions import Condition, Group
from auglens.study.figures import Distribution, Floor, Style
from auglens.study.load import Run
from auglens.study.mosaics import SaliencyPanels, TrainingSample
from auglens.study.palette import FLOOR

__all__ = [
    "condition_styles",
    "correlation_points",
    "distributions",
    "dose_points",
    "first_of_each_class",
    "first_runs_with_maps",
    "first_seed_runs",
    "order_floor",
    "saliency_panels",
    "seed_of",
    "training_sample",
]

MOST_QUERY_IMAGES = 10
NO_COPIES = "original"
COPIES = (
    "models trained on untouched copies (duplicate), which differ from the baseline in the order "
    "of the images only"
)
ORDERS = "baselines that differ from each other in the order of the images only"


def condition_styles(conditions: Sequence[Condition]) -> dict[str, Style]:
    """How each of some conditions looks, in their order; its line tells it from its like there."""
    seen: dict[str, int] = {}
    styles = {}
    for condition in conditions:
        rank = seen.get(condition.augment, 0)
        seen[condition.augment] = rank + 1
        styles[condition.label] = Style.of(condition.augment, rank)
    return styles


def distributions(
    maps: pd.DataFrame, conditions: Sequence[Condition], measure: str
) -> dict[str, Distribution]:
    """Finite values of one measure by condition; conditions without any are left out.

    Args:
        maps: Rows of one method.
        conditions: Whose runs are shown.
        measure: Name of the column.
    """
    shown = {}
    for condition in conditions:
        own = maps[maps["run"].isin([run.name for run in condition.runs])]
        values = own[measure].to_numpy(np.float64)
        if np.isfinite(values).any():
            means = own.groupby("run")[measure].mean().dropna().to_numpy(np.float64)
            shown[condition.label] = Distribution(values[np.isfinite(values)], means)
    return shown


def order_floor(
    maps: pd.DataFrame, group: Group, floors: pd.DataFrame, measure: str
) -> Floor | None:
    """What the order of the images alone does to maps of one seed; None where no run shows it.

    Untouched copies against the baseline; without them baselines of one set of images and first
    weights. No other pairing's floor stands in.

    Args:
        maps: Rows of one method.
        group: The group.
        floors: Rows of the same method of the table ``floors``; may be without columns.
        measure: ``cc`` or ``kl``.
    """
    copies = [one for one in group.conditions if one.augment == FLOOR]
    shown = next(iter(distributions(maps, copies, measure).values()), None)
    if shown is not None and len(shown.run_means):
        means = shown.run_means
        ends = float(means.min()), float(means.max())
        return Floor("duplicate", COPIES, float(means.mean()), *ends, f"n = {len(means)} runs")
    if floors.empty:
        return None
    rows = floors[(floors["floor"] == ORDER) & (floors["measure"] == measure)]
    if rows.empty:
        return None
    one = rows.iloc[0]
    sample = sampled(rows)
    said = f"n = {one['n_pairs']} pairs of runs{f'; {sample}' if sample else ''}"
    return Floor("baselines in another order", ORDERS, one["mean"], one["low"], one["high"], said)


def dose_points(points: pd.DataFrame, conditions: Sequence[Condition]) -> pd.DataFrame:
    """The same points with what joins those of one augmentation.

    Args:
        points: See :func:`correlation_points`.
        conditions: Those of the points and any others.

    Returns:
        With ``augment``, and ``rank`` and ``ranks``: the place of the strength among those of the
        augmentation, from 1, and their number. Sorted by both.
    """
    of_label = {one.label: one for one in conditions}
    found = [of_label[label] for label in points["label"]]
    placed = points.assign(
        augment=[one.augment for one in found],
        strength=[0.0 if one.strength is None else one.strength for one in found],
    )
    strengths = placed.groupby("augment")["strength"]
    ranked = placed.assign(
        rank=strengths.rank(method="first").astype(int), ranks=strengths.transform("size")
    )
    return ranked.sort_values(["augment", "rank"], kind="stable").drop(columns="strength")


def correlation_points(
    accuracies: pd.DataFrame, measures: pd.DataFrame, measure: str, labels: Sequence[str]
) -> pd.DataFrame:
    """One point a condition: mean and standard deviation over seeds on both axes.

    Args:
        accuracies: Rows of one group of the accuracy table.
        measures: Rows of the same group and one method of the metric table.
        measure: ``cc`` or ``kl``.
        labels: Conditions to show.

    Returns:
        Columns ``label, x, x_sd, y, y_sd, val``.
    """
    own = measures[measures["measure"] == measure].set_index("label")
    rows = accuracies.set_index("label")
    kept = [label for label in labels if label in own.index and label in rows.index]
    columns = {
        "x": own.loc[kept, "mean"],
        "x_sd": own.loc[kept, "sd"],
        "y": rows.loc[kept, "test_accuracy_mean"],
        "y_sd": rows.loc[kept, "test_accuracy_sd"],
        "val": rows.loc[kept, "val_accuracy_mean"],
    }
    points = pd.DataFrame(columns, index=pd.Index(kept, name="label", dtype=object))
    return points.dropna(subset=["x", "y"]).reset_index()


def first_seed_runs(group: Group) -> dict[str, Run]:
    """Of each usual condition the run with the group's smallest seed, or else its own smallest."""
    return _first_seed_runs(group, group.runs)


def first_runs_with_maps(group: Group, maps: pd.DataFrame) -> dict[str, Run]:
    """The same among the runs that have maps; conditions without any are left out.

    Args:
        group: The group.
        maps: Rows of one method.
    """
    names = set(maps["run"])
    return _first_seed_runs(group, [run for run in group.runs if run.name in names])


def _first_seed_runs(group: Group, among: Sequence[Run]) -> dict[str, Run]:
    smallest = min(map(seed_of, among), default=0)
    names = {run.name for run in among}
    chosen = {}
    for condition in group.usual:
        own = [run for run in condition.runs if run.name in names]
        if own:
            run = min(own, key=seed_of)
            seed = seed_of(run)
            label = condition.label if seed == smallest else f"{condition.label} (seed {seed})"
            chosen[label] = run
    return chosen


def training_sample(runs: Mapping[str, Run]) -> TrainingSample:
    """The stored training images of the first run, as every run's set holds them.

    Sets that were drawn from other images are left out.

    Args:
        runs: By label.

    Raises:
        RecordError: If a sample is absent or damaged.
    """
    samples = {label: run.samples() for label, run in runs.items()}
    first = next(iter(samples.values()))
    rows: dict[str, NDArray[np.floating]] = {NO_COPIES: first["originals"]}
    for label, sample in samples.items():
        if np.array_equal(sample["ids"], first["ids"]):
            copies = sample["augmented"]
            rows[label] = copies[:, 0] if copies.shape[1] else sample["originals"]
    names = next(iter(runs.values())).record.config["dataset"]["class_names"]
    return TrainingSample(rows, tuple(str(names[label]) for label in first["labels"]))


def saliency_panels(runs: Mapping[str, Run], method: str) -> SaliencyPanels:
    """The first query image of each class with every run's map of it.

    Runs with maps of other images than the first are left out; at most ten classes are shown.

    Args:
        runs: By label, all with such maps, at least one.
        method: Name of the saliency method.

    Raises:
        RecordError: If the maps of a run are damaged.
    """
    first = next(iter(runs.values()))
    probe = first.probe()
    places, titles = first_of_each_class(probe, first.record.config["dataset"]["class_names"])
    expected = (len(probe.probe_ids), *probe.images.shape[2:])
    maps = {}
    for label, run in runs.items():
        own = run.maps(method)
        if own.maps.shape == expected and np.array_equal(own.probe_ids, probe.probe_ids):
            maps[label] = own.maps[places]
    return SaliencyPanels(probe.images[places], titles, maps)


def first_of_each_class(
    probe: Probe, class_names: Sequence[str]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Places of the first query image of each class, at most ten, with the names of the classes."""
    _, places = np.unique(probe.labels, return_index=True)
    places = places[:MOST_QUERY_IMAGES]
    return places, tuple(str(class_names[label]) for label in probe.labels[places])


def seed_of(run: Run) -> int:
    """The seed that a run was started with."""
    return int(run.record.config["seed"])
