"""The analyses of a group as tables of the page, each with what it says and what it does not."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from auglens.study.analyses.sampling import sampled
from auglens.study.evidence import Evidence
from auglens.study.page_tables import PageRow, PageTable, RowGroup, bare_p, number
from auglens.study.palette import hex_colour

__all__ = ["describe_analyses"]

Row = Mapping[str, Any]
Cell = Callable[[Row], str]


@dataclass(frozen=True)
class _Layout:
    """How one analysis table is shown.

    Attributes:
        table: Its name in :attr:`Evidence.tables`.
        title: A few words to find it by.
        caption: What it says.
        corner: Head of the rows' names.
        label: Column of the rows' names.
        columns: Cells by their heads.
        by: Columns that part the rows into groups.
        only: Values of columns that rows must have.
    """

    table: str
    title: str
    caption: str
    corner: str
    label: str
    columns: Mapping[str, Cell]
    by: Sequence[str] = ()
    only: Mapping[str, object] | None = None


def _value(name: str, digits: int = 3, times: float = 1) -> Cell:
    return lambda row: number(times * row[name], digits)


def _count(name: str) -> Cell:
    return lambda row: number(row[name], 0)


def _p(name: str) -> Cell:
    return lambda row: bare_p(row[name])


def _ends(low: str, high: str, digits: int = 3, times: float = 1) -> Cell:
    return lambda row: (
        "-"
        if pd.isna(row[low]) or pd.isna(row[high])
        else f"{number(times * row[low], digits)} to {number(times * row[high], digits)}"
    )


DIFFERENCE: Mapping[str, Cell] = {
    "n": _count("n"),
    "difference": _value("mean"),
    "95 % t-interval": _ends("low", "high"),
    "p, t": _p("p"),
    "p, Holm": _p("p_holm"),
    "p, sign flip": _p("p_sign_flip"),
    "sign flip, Holm": _p("p_sign_flip_holm"),
    "d_z": _value("d_z", 2),
    "share of pairs above": _value("improvement", 2),
    "smallest found with 80 % power, uncorrected": _value("smallest"),
}
ASSOCIATION: Mapping[str, Cell] = {
    "augmentations": _count("num_augments"),
    "fewest seeds": _count("n_seeds"),
    "strengths": _count("num_strengths"),
    "correlation": _value("estimate"),
    "95 % interval": _ends("low", "high"),
    "its coverage": _value("coverage", 2),
    "p": _p("p"),
    "orders": _count("num_permutations"),
    "90 % interval": _ends("equivalence_low", "equivalence_high"),
    "p, equivalence": _p("equivalence_p"),
    "its power": _value("equivalence_power", 2),
    "rho of all points": _value("spearman"),
}
LAYOUTS = (
    _Layout(
        "accuracy_intervals",
        "Test accuracy",
        "Test accuracy over seeds. The interquartile mean leaves out the best and the worst quarter. "
        "The BCa bootstrap interval is 95 % in name; beside it, how often it held the truth in "
        "simulated normal samples of that size.",
        "training set",
        "label",
        {
            "n": _count("n"),
            "mean": _value("mean"),
            "95 % t-interval": _ends("low", "high"),
            "interquartile mean": _value("interquartile_mean"),
            "BCa interval": _ends("bca_low", "bca_high"),
            "its coverage": _value("bca_coverage", 2),
        },
    ),
    _Layout(
        "differences",
        "Differences to none in accuracy and convergence",
        "Differences to none, paired by seed: accuracies as fractions, epochs to 95 % of the own best "
        "validation accuracy and the mean validation accuracy over all epochs. Holm's correction is "
        "over the augmentations; untouched copies (duplicate) are a control beside them.",
        "training set",
        "label",
        DIFFERENCE,
        by=("measure",),
        only={"method": ""},
    ),
    _Layout(
        "differences",
        "Differences in measures of maps",
        "Differences paired by seed: entropies (nats; of 256 grey values, bits) against none's, and "
        "similarity to the baseline of the same seed against that of untouched copies, which differ "
        "from it in the order and make-up of batches alone. KL rises where CC falls.",
        "training set",
        "label",
        {"against": lambda row: str(row["against"]), **DIFFERENCE},
        by=("method", "measure"),
        only={"maps": True},
    ),
    _Layout(
        "exploratory",
        "Search through all measures of maps, not primary",
        "A search through all measures of single maps: differences to none, paired by seed. q is p "
        "after Benjamini and Hochberg over all measures and augmentations of the method; none of "
        "these is a primary analysis.",
        "training set",
        "label",
        {
            "n": _count("n"),
            "difference": _value("mean"),
            "95 % t-interval": _ends("low", "high"),
            "d_z": _value("d_z", 2),
            "p": _p("p"),
            "q": _p("q"),
        },
        by=("method", "measure"),
    ),
    _Layout(
        "untrained_contrasts",
        "Place and shape of the heat after and before training",
        "Means of every training set's networks and of the same networks before training, paired by "
        "seed. p is one-sided, for more after training, uncorrected.",
        "training set",
        "label",
        {
            "n": _count("n"),
            "trained": _value("trained"),
            "untrained": _value("untrained"),
            "difference": _value("mean"),
            "95 % t-interval": _ends("low", "high"),
            "p, one-sided": _p("p_greater"),
        },
        by=("method", "measure"),
    ),
    _Layout(
        "friedman",
        "Ranks of test accuracy",
        "Friedman's test of test accuracy with seeds as blocks (rank 1: the highest), so that it "
        "speaks of this data set alone.",
        "training set",
        "label",
        {
            "mean rank": _value("mean_rank", 2),
            "seeds": _count("n"),
            "chi2": _value("chi2", 2),
            "p": _p("p"),
            "F, Iman-Davenport": _value("f", 2),
            "p, F": _p("p_f"),
            "Kendall's W": _value("kendall_w"),
        },
    ),
    _Layout(
        "floors",
        "Noise floors",
        "Similarity of the maps of two baselines by what differs between them, over pairs of runs. "
        "Pairs that share a run are not independent. Same-seed values are read against the order "
        "floors, cross-seed values against the last one.",
        "what differs",
        "floor",
        {
            "mean": _value("mean"),
            "sd": _value("sd"),
            "range": _ends("low", "high"),
            "runs": _count("n_runs"),
            "pairs": _count("n_pairs"),
        },
        by=("method", "measure"),
    ),
    _Layout(
        "shifts",
        "Shift of the maps that all seeds share",
        "Cross-seed similarity to none's maps, and Delta: half the sum of both sets' own floors less "
        "that similarity, above 0 where the augmentation changes maps in a way that all seeds share. p "
        "by exchange within seeds, one-sided; the bootstrap interval tells the size only. rho*: the "
        "similarity corrected for both floors, 1 where maps are the same up to noise.",
        "training set",
        "label",
        {
            "n": _count("n"),
            "same seed": _value("same_seed"),
            "cross-seed": _value("across"),
            "own floor": _value("floor_a"),
            "floor of none": _value("floor_b"),
            "Delta": _value("delta"),
            "bootstrap interval": _ends("low", "high"),
            "its coverage": _value("coverage", 2),
            "p": _p("p"),
            "p, Holm": _p("p_holm"),
            "rho*": _value("rho_star", 2),
        },
        by=("method", "measure"),
    ),
    _Layout(
        "permanova",
        "Share of the augmentation in the maps (PERMANOVA)",
        "PERMANOVA between all runs of usual strength, whose squared distance is 1 - mean CC, the seed "
        "first: R2 is the augmentation's share of what the seed leaves; beside it, both shares of all.",
        "method",
        "method",
        {
            "runs": _count("n_runs"),
            "seeds": _count("n_seeds"),
            "F": _value("f", 2),
            "R2": _value("r2"),
            "seed's share of all": _value("r2_blocks"),
            "augmentation's share of all": _value("r2_total"),
            "p": _p("p"),
        },
    ),
    _Layout(
        "classifier",
        "Training sets told from maps (classifier)",
        "Classifier two-sample test: logistic regression on 50 principal components of single maps, "
        "trained on half of the seeds, names the training set of each run of the other seeds by a "
        "majority over its maps; labels permuted within seeds.",
        "method",
        "method",
        {
            "runs": _count("n"),
            "accuracy": _value("accuracy", 2),
            "chance": _value("chance", 2),
            "p": _p("p"),
        },
    ),
    _Layout(
        "strength_trends",
        "Strength and distance to the baseline, same seed",
        "Spearman's correlation of strength and 1 - CC with the baseline of the same seed: mean over "
        "seeds, t-interval, Page's one-sided test with Holm's correction; the last row is the mean of "
        "the augmentations, tested by sign flips of the seeds.",
        "augmentation",
        "augment",
        {
            "seeds": _count("n"),
            "strengths": _count("k"),
            "rho": _value("rho", 2),
            "95 % interval": _ends("low", "high", 2),
            "p": _p("p"),
            "p, Holm": _p("p_holm"),
        },
        by=("method",),
    ),
    _Layout(
        "shift_trends",
        "Strength and shift",
        "Spearman's correlation of strength and Delta; the last row is the mean of the augmentations, "
        "tested by permuting strengths within seeds, with a bootstrap interval over seeds.",
        "augmentation",
        "augment",
        {
            "seeds": _count("n"),
            "strengths": _count("k"),
            "rho": _value("rho", 2),
            "95 % interval": _ends("low", "high", 2),
            "p": _p("p"),
        },
        by=("method",),
    ),
    _Layout(
        "associations",
        "Similarity and accuracy within augmentations",
        "Similarity of the maps against accuracy within augmentations, adjusted for strength. Whole "
        "accuracy curves are permuted among the augmentations; the intervals are over augmentations, "
        "of which there are few. KL rises where CC falls, so that its correlation has the other sign. "
        "The correlation over all points has no p: strengths of one augmentation are not independent.",
        "similarity",
        "similarity",
        ASSOCIATION,
        by=("method", "accuracy"),
    ),
    _Layout(
        "incremental",
        "Accuracy foretold beyond affinity and diversity",
        "Leave-one-augmentation-out R2 of test accuracy from affinity and diversity, and with CC to the "
        "baseline added; below 0 it foretells worse than the mean.",
        "method",
        "method",
        {
            "fewest seeds": _count("n_seeds"),
            "R2 without": _value("without"),
            "R2 with": _value("with_added"),
            "gain": _value("gain"),
            "p": _p("p"),
            "orders": _count("num_permutations"),
        },
    ),
    _Layout(
        "repeated_measures",
        "Similarity and accuracy across seeds",
        "Across the seeds of one training set: repeated-measures correlation of similarity to the "
        "baseline and test accuracy. It asks whether a seed with nearer maps is more accurate, not "
        "whether an augmentation is. KL rises where CC falls.",
        "similarity",
        "similarity",
        {
            "runs": _count("n"),
            "r": _value("r"),
            "df": _count("df"),
            "p": _p("p"),
        },
        by=("method",),
    ),
)


def describe_analyses(evidence: Evidence) -> list[PageTable]:
    """Every analysis of the group that has rows, in the order of the appendix."""
    return [
        *(table for layout in LAYOUTS for table in _laid_out(evidence, layout)),
        *_consensus(evidence),
    ]


def _laid_out(evidence: Evidence, layout: _Layout) -> Iterator[PageTable]:
    rows = evidence.tables[layout.table]
    if rows.empty:
        return
    if "method" in rows and "measure" in rows:
        rows = rows.assign(maps=rows["method"] != "")
    for column, value in (layout.only or {}).items():
        rows = rows[rows[column] == value]
    if rows.empty:
        return
    titles = rows[list(layout.by)].astype(str).agg(", ".join, axis=1) if layout.by else ""
    groups = [
        RowGroup(str(title), [_page_row(layout, row) for row in own.to_dict("records")])
        for title, own in rows.assign(title=titles).groupby("title", sort=False)
    ]
    said = sampled(rows)
    caption = f"{layout.caption} From {said}." if said else layout.caption
    title = f"{layout.title} ({said})" if said else layout.title
    yield PageTable(caption, layout.corner, list(layout.columns), groups, title)


def _page_row(layout: _Layout, row: Mapping[Any, Any]) -> PageRow:
    colour = hex_colour(str(row["augment"])) if "augment" in row and layout.label == "label" else ""
    return PageRow(str(row[layout.label]), [cell(row) for cell in layout.columns.values()], colour)


def _consensus(evidence: Evidence) -> Iterator[PageTable]:
    rows = evidence.tables["consensus"]
    if rows.empty:
        return
    means = rows.groupby(["method", "label"], sort=False)["consensus"].agg(["mean", "std", "count"])
    groups = [
        RowGroup(str(method), list(map(_consensus_row, own.to_dict("records"))))
        for method, own in means.reset_index().groupby("method", sort=False)
    ]
    caption = (
        "Mean CC of a run's maps with the mean maps of all other augmentations, of other seeds: mean "
        "and standard deviation over runs."
    )
    heads = ["mean", "sd", "runs"]
    yield PageTable(caption, "training set", heads, groups, "Similarity to the consensus")


def _consensus_row(row: Mapping[Any, Any]) -> PageRow:
    cells = [number(row["mean"]), number(row["std"]), number(row["count"], 0)]
    return PageRow(str(row["label"]), cells)
