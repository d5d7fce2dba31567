"""Tables of the appendix say the numbers of the analyses, each under its own title."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from auglens.study.analyses.tables import ANALYSES
from auglens.study.analysis_tables import LAYOUTS, describe_analyses
from auglens.study.evidence import Evidence
from auglens.study.page_tables import PageTable, bare_p
from auglens.study.verdicts.verdict import say_p

DIFFERENCE: Mapping[str, object] = {
    "label": "crop",
    "augment": "crop",
    "measure": "test_accuracy",
    "method": "",
    "against": "none",
    "n": 8,
    "mean": 0.0123,
    "low": -0.001,
    "high": 0.0256,
    "p": 0.0312,
    "p_holm": 0.0004,
    "p_sign_flip": np.nan,
    "p_sign_flip_holm": 1.0,
    "d_z": -0.5625,
    "improvement": 0.75,
    "smallest": 0.0199,
}


def evidence_of(tables: Mapping[str, Sequence[Mapping[str, object]]]) -> Evidence:
    """Evidence of which only these analyses have rows."""
    empty = pd.DataFrame({"group": []})
    held = {
        name: pd.DataFrame(list(map(dict, tables[name]))) if name in tables else empty
        for name in ANALYSES
    }
    return cast(Evidence, SimpleNamespace(tables=held))


def cells_of(table: PageTable, label: str) -> dict[str, str]:
    """The only row of this name, by the heads."""
    rows = [row for group in table.groups for row in group.rows if row.label == label]
    (row,) = rows
    return dict(zip(table.heads, row.cells, strict=True))


def test_a_row_says_the_numbers_of_its_table() -> None:
    (table,) = describe_analyses(evidence_of({"differences": [DIFFERENCE]}))
    assert table.title == "Differences to none in accuracy and convergence"
    assert [group.title for group in table.groups] == ["test_accuracy"]
    assert cells_of(table, "crop") == {
        "n": "8",
        "difference": "0.012",
        "95 % t-interval": "-0.001 to 0.026",
        "p, t": ".031",
        "p, Holm": "< .001",
        "p, sign flip": "-",
        "sign flip, Holm": "1.000",
        "d_z": "-0.56",
        "share of pairs above": "0.75",
        "smallest found with 80 % power, uncorrected": "0.020",
    }


def test_differences_of_maps_are_a_table_of_their_own() -> None:
    of_maps = {**DIFFERENCE, "measure": "cc", "method": "gradient", "against": "duplicate"}
    first, second = describe_analyses(evidence_of({"differences": [DIFFERENCE, of_maps]}))
    assert first.title != second.title
    assert [group.title for group in second.groups] == ["gradient, cc"]
    assert cells_of(second, "crop")["against"] == "duplicate"


def test_consensus_is_the_mean_over_runs() -> None:
    values = [0.25, 0.5, 0.9]
    rows = [{"method": "gradient", "label": "crop", "consensus": one} for one in values]
    (table,) = describe_analyses(evidence_of({"consensus": rows}))
    assert table.title == "Similarity to the consensus"
    expected = {"mean": f"{np.mean(values):.3f}", "sd": f"{np.std(values, ddof=1):.3f}"}
    assert cells_of(table, "crop") == {**expected, "runs": "3"}


def test_every_table_has_a_title_of_its_own_that_is_a_heading() -> None:
    titles = [one.title for one in LAYOUTS]
    assert len(set(titles)) == len(titles)
    for title in titles:
        assert len(title) <= 60
        assert title.count("(") == title.count(")")
        assert not title.endswith(".")


def test_where_both_similarities_stand_their_directions_are_said() -> None:
    both: dict[str, list[dict[str, Any]]] = {
        "differences": [
            {**DIFFERENCE, "method": "gradient", "measure": name} for name in ("cc", "kl")
        ],
        "repeated_measures": [
            {"method": "gradient", "similarity": name, "n": 8, "r": 0.1, "df": 3, "p": 0.2}
            for name in ("cc", "kl")
        ],
    }
    tables = describe_analyses(evidence_of(both))
    assert len(tables) == 2
    assert all("KL rises where CC falls" in table.caption for table in tables)


@pytest.mark.parametrize("p", [0.0123, 0.0012, 0.0009, 0.05, 0.9996, 1.0])
def test_a_bare_p_is_the_sentences_p(p: float) -> None:
    assert say_p(p).removeprefix("p ").removeprefix("= ") == bare_p(p)
