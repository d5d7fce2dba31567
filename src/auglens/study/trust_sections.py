"""The report's part on whether maps can be trusted: sentences, figures and tables, by question."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from auglens.metrics.catalogue import MEASURES, RUN_MEASURES, of_family
from auglens.study.condition_means import bound_methods, zero_methods
from auglens.study.evidence import Evidence
from auglens.study.illustrations import Illustration
from auglens.study.methods import NULL_METHODS
from auglens.study.page_tables import (
    PageRow,
    PageTable,
    RowGroup,
    measure_facts,
    measure_head,
    number,
    spread,
)
from auglens.study.palette import hex_colour
from auglens.study.randomization_verdicts import FAILS, PASSES, UNTOLD, judge_methods, word
from auglens.study.trust_gaps import Note, missing_affinity, missing_measure, missing_methods
from auglens.study.trust_illustrations import (
    illustrate_agreement,
    illustrate_equivariance,
    illustrate_faithfulness,
    illustrate_labels,
    illustrate_perturbation,
    illustrate_sanity,
)

__all__ = ["TrustSection", "describe_trust", "sections_of_trust"]

UNFITTED_NATS = 0.1
SUMMARY = "srg"
FAITHFULNESS_MEASURES = ("faithfulness", "infidelity", "sensitivity")
# What the catalogue declares has its head from there.
AFFINITIES = {
    "affinity": "",
    "affinity_gap": "",
    "clean_accuracy": "baseline on clean validation images",
    "augmented_accuracy": "baseline on augmented ones",
    "diversity": "",
    "diversity_ratio": "",
    "train_loss": "own training loss, nats",
    "reference_train_loss": "baseline's training loss, nats",
    "prediction_entropy": "",
    "reference_prediction_entropy": "baseline's prediction entropy, nats",
}
FAITHFULNESS_NOTES = (
    Note(
        "Replacing a pixel by black does nothing where the image is black already: on a black "
        "background only ink counts. The blurred image and the mean colour stand beside it."
    ),
    Note(
        "Deletion and insertion both grow with a network's robustness to occlusion; their "
        "difference SRG is 0 on average for random maps on every network."
    ),
)


@dataclass(frozen=True)
class TrustSection:
    """One question with what answers it."""

    title: str
    notes: Sequence[Note]
    illustrations: Sequence[Illustration] = ()
    tables: Sequence[PageTable] = ()


def describe_trust(evidence: Evidence) -> dict[str, dict[str, str]]:
    """The outcome of parameter randomisation by method, for scripts."""
    verdicts = judge_methods(evidence.tables["parameter_randomization"], evidence.methods)
    return {
        one.method: {"absolute": one.absolute, "signed": one.signed, "sentence": one.sentence}
        for one in verdicts
    }


def sections_of_trust(evidence: Evidence, sweeps: Sequence[Path]) -> list[TrustSection]:
    """All questions in the order of the report; none where there are no maps."""
    if not evidence.methods:
        return []
    makers = (_sanity, _labels, _faithfulness, _agreement, _equivariance, _affinity)
    return [make(evidence, sweeps) for make in makers]


def _sanity(evidence: Evidence, sweeps: Sequence[Path]) -> TrustSection:
    name = "parameter_randomization"
    verdicts = describe_trust(evidence)
    notes = [Note(_summary(verdicts, mode)) for mode in ("absolute", "signed") if verdicts]
    if notes:
        notes += [
            *_undefined(evidence),
            *_shared_zeros(evidence),
            Note(
                "A method passes where the whole 95 % interval of the paired difference to the "
                "null lies below 0, in every run; it fails where it lies above 0 in every run."
            ),
            Note(
                "Layers are re-initialised from the output down, which keeps the lower layers as "
                "trained until the last step; noise in the maps lowers the similarity as a real "
                "change does; and dropping signs hides what only turns its sign."
            ),
        ]
    table = [_sanity_table(evidence)] if notes else []
    missing = missing_measure(evidence, sweeps, name)
    return TrustSection(
        "Do the maps depend on what the network learned?",
        [*notes, *missing],
        list(illustrate_sanity(evidence)),
        table,
    )


def _summary(verdicts: Mapping[str, Mapping[str, str]], mode: str) -> str:
    """Who passes and who does not, in one sentence."""
    by_word: dict[str, list[str]] = {}
    for method, verdict in verdicts.items():
        by_word.setdefault(verdict[mode], []).append(method)
    words = {PASSES: "pass", FAILS: "fail", UNTOLD: "cannot be told"}
    said = [f"{words[word]}: {', '.join(by_word[word])}" for word in words if by_word.get(word)]
    return f"With signs {'dropped' if mode == 'absolute' else 'kept'}, {'; '.join(said)}."


def _undefined(evidence: Evidence) -> list[Note]:
    """How many maps are all zero or not finite: they are in no mean below."""
    by_method = evidence.maps.groupby("method")["entropy"]
    missing, total = by_method.agg(lambda values: values.isna().sum()), by_method.size()
    said = [
        f"{missing[method]:.0f} of {total[method]} of {method}"
        for method in evidence.methods
        if missing[method]
    ]
    if not said:
        return []
    return [
        Note(
            f"Maps without any heat are undefined: {', '.join(said)}. They are left out of every "
            "mean below, which then is one over fewer images."
        )
    ]


def _shared_zeros(evidence: Evidence) -> list[Note]:
    zero = zero_methods(evidence)
    if not zero:
        return []
    return [
        Note(
            f"Maps of {', '.join(zero)} are 0 wherever the image is black, whatever the network"
            f": with signs dropped their ranks agree there by construction, so "
            "that failing says little; with signs kept the question is a fair one."
        )
    ]


def _sanity_table(evidence: Evidence) -> PageTable:
    table = evidence.tables["parameter_randomization"]
    layers = list(table.sort_values("step")["layer"].unique())
    verdicts = describe_trust(evidence)
    groups = []
    for mode, title in (("absolute", "signs dropped"), ("signed", "signs kept")):
        rows = []
        for method, verdict in verdicts.items():
            own = table[(table["method"] == method) & (table["mode"] == mode)]
            if own.empty:
                continue
            means = own.groupby("layer")["similarity"].mean()
            last = own[own["step"] == own["step"].max()]
            cells = [number(means.get(layer, np.nan)) for layer in layers]
            cells += [number(last["null"].mean()), _difference(last), verdict[mode]]
            rows.append(PageRow(method, cells))
        groups.append(RowGroup(title, rows))
    measure = RUN_MEASURES["parameter_randomization"]
    caption = (
        f"{measure.title}, {measure_facts(measure)}: {measure.about} After each layer, mean over "
        "images and runs; the null; and the paired difference to it after the last layer."
    )
    heads = [*(f"after {layer}" for layer in layers), "null", "difference", "verdict"]
    return PageTable(caption, "method", heads, groups)


def _labels(evidence: Evidence, sweeps: Sequence[Path]) -> TrustSection:
    name = "label_randomization"
    table = evidence.tables[name]
    notes = []
    tables = []
    if not table.empty:
        notes = [
            _say_fit(table),
            Note(
                "The twin has the same images and first weights and was trained on permuted "
                "labels. Two networks that differ in their seed only have different maps too; that "
                "floor is not measured here. Verdicts follow the rule above: each run's 95 % "
                "interval of the difference, paired by image."
            ),
        ]
        tables = [_label_table(evidence, table)]
    missing = missing_measure(evidence, sweeps, name)
    return TrustSection(
        "Do the maps depend on the labels?",
        [*notes, *missing],
        list(illustrate_labels(evidence)),
        tables,
    )


def _say_fit(table: pd.DataFrame) -> Note:
    loss = float(table["train_loss"].max())
    epochs = f"{table['epochs'].max():.0f} epochs"
    if loss > UNFITTED_NATS:
        return Note(
            f"The networks on permuted labels were not fitted: after {epochs} the training loss is "
            f"still up to {loss:.3f} nats, more than {UNFITTED_NATS:g}. Their maps are not those of "
            "a network that learned its labels by heart, so this check is weak."
        )
    return Note(
        f"The networks on permuted labels learned them by heart: after {epochs} the training loss "
        f"is at most {loss:.3f} nats."
    )


def _label_table(evidence: Evidence, table: pd.DataFrame) -> PageTable:
    groups = []
    for mode, title in (("absolute", "signs dropped"), ("signed", "signs kept")):
        rows = []
        for method in evidence.methods:
            own = table[(table["method"] == method) & (table["mode"] == mode)]
            if own.empty:
                continue
            cells = [number(own["similarity"].mean()), number(own["null"].mean())]
            cells += [_difference(own), word(own)]
            cells += [number(own["train_loss"].max()), str(len(own))]
            rows.append(PageRow(method, cells))
        groups.append(RowGroup(title, rows))
    measure = RUN_MEASURES["label_randomization"]
    caption = f"{measure.title}: {measure.about} Means over images and runs."
    head = measure_head(measure, evidence.nulls)
    heads = [head, "null", "difference", "verdict", "twin's training loss, nats", "runs"]
    return PageTable(caption, "method", heads, groups)


def _difference(rows: pd.DataFrame) -> str:
    """The mean paired difference; of one run with its interval, of several with their range."""
    mean = number(rows["difference"].mean())
    if rows["difference"].isna().all():
        return mean
    if len(rows) == 1:
        low, high = rows["difference_low"].iloc[0], rows["difference_high"].iloc[0]
        return f"{mean}\n95 % {number(low)} to {number(high)}"
    low, high = rows["difference"].min(), rows["difference"].max()
    return f"{mean}\nruns {number(low)} to {number(high)}"


def _faithfulness(evidence: Evidence, sweeps: Sequence[Path]) -> TrustSection:
    names = [name for name in of_family("faithfulness") if _with_values(evidence, [name])]
    names.sort(key=lambda name: not name.startswith(SUMMARY))
    notes = [*FAITHFULNESS_NOTES, *_say_blind(evidence)] if names else []
    missing = [
        line
        for measure in FAITHFULNESS_MEASURES
        for line in missing_measure(evidence, sweeps, measure)
    ]
    if names and not set(NULL_METHODS).issubset(evidence.methods):
        missing.append(missing_methods(evidence, sweeps, ["faithfulness"]))
    return TrustSection(
        "Do the maps point at what the network uses?",
        [*notes, *missing],
        [
            *illustrate_faithfulness(evidence),
            *illustrate_perturbation(evidence, evidence.methods[0]),
        ],
        [_faithfulness_table(evidence, names)] if names else [],
    )


def _faithfulness_table(evidence: Evidence, names: Sequence[str]) -> PageTable:
    rows = []
    for method in evidence.methods:
        own = evidence.maps[evidence.maps["method"] == method]
        run_means = own.groupby("run")[list(names)].mean()
        cells = [spread(run_means[name].mean(), run_means[name].std(ddof=1)) for name in names]
        if any(cell != "-" for cell in cells):
            rows.append(PageRow(method, cells))
    caption = "Faithfulness by method: mean ± standard deviation over all runs of the group."
    heads = [measure_head(MEASURES[name], evidence.nulls) for name in names]
    return PageTable(caption, "method", heads, [RowGroup("", rows)])


def _say_blind(evidence: Evidence) -> list[Note]:
    zero, bound = zero_methods(evidence), bound_methods(evidence)
    notes = []
    if zero:
        notes.append(
            f"0 on a black background by construction: {', '.join(zero)}. That "
            "their maps lie on the foreground says nothing about the network."
        )
    if bound:
        notes.append(
            "0 by construction farther from the ink than their window and stride reach: "
            f"{', '.join(bound)}. That their maps lie near the ink says nothing about the network."
        )
    return [Note(note) for note in notes]


def _agreement(evidence: Evidence, sweeps: Sequence[Path]) -> TrustSection:
    notes = []
    if evidence.tables["agreement"].empty:
        notes = [Note("Two methods or more are needed."), missing_methods(evidence, sweeps)]
    return TrustSection("Do the methods agree?", notes, list(illustrate_agreement(evidence)))


def _equivariance(evidence: Evidence, sweeps: Sequence[Path]) -> TrustSection:
    name = "equivariance"
    table = evidence.tables[name]
    notes = []
    if not table.empty:
        notes = [
            Note(
                "Both matrices are needed: maps that follow the image while the outputs change, or "
                "stay while the outputs do, mean different things. Nothing is subtracted."
            )
        ]
    missing = missing_measure(evidence, sweeps, name)
    figures = list(illustrate_equivariance(evidence, evidence.methods[0]))
    return TrustSection(
        "Do the maps follow the image when it is augmented?", [*notes, *missing], figures
    )


def _affinity(evidence: Evidence, sweeps: Sequence[Path]) -> TrustSection:
    table = evidence.tables["affinity_diversity"]
    title = "What do the augmentations do to the data?"
    missing = missing_affinity(evidence, sweeps)
    if table.empty:
        return TrustSection(title, missing)
    note = Note(
        "As a ratio, diversity explodes where the baseline's loss is near 0, as on few images; the "
        "difference is the one to read."
    )
    return TrustSection(title, [note, *missing], tables=[_affinity_table(evidence, table)])


def _affinity_table(evidence: Evidence, table: pd.DataFrame) -> PageTable:
    rows = []
    for condition in evidence.group.conditions:
        own = table[table["label"] == condition.label]
        if not own.empty:
            numbers = own[list(AFFINITIES)].astype(np.float64)
            cells = [spread(numbers[name].mean(), numbers[name].std(ddof=1)) for name in AFFINITIES]
            rows.append(PageRow(condition.label, cells, hex_colour(condition.augment)))
    caption = (
        "Affinity: the baseline's accuracy on augmented validation images over that on clean ones. "
        "Diversity: the training loss of the last epoch beyond the baseline's. Mean ± standard "
        "deviation over runs."
    )
    heads = [
        plain or measure_head(RUN_MEASURES[name], evidence.nulls)
        for name, plain in AFFINITIES.items()
    ]
    return PageTable(caption, "training set", heads, [RowGroup("", rows)])


def _with_values(evidence: Evidence, columns: Iterable[str]) -> set[str]:
    """Methods for which at least one of the columns holds a value."""
    known = [name for name in columns if name in evidence.maps]
    if not known:
        return set()
    holding = evidence.maps[evidence.maps[known].notna().any(axis=1)]
    return set(holding["method"])
