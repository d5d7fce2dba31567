"""Each verdict comes out in each of its words, from tables written by hand."""

from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from auglens.study.evidence import Evidence
from auglens.study.verdicts import accuracy, maps, strengths
from auglens.study.verdicts.primary import PRIMARY, WITH_MAPS, WITHOUT_MAPS
from auglens.study.verdicts.verdict import WORDS, Outcome

SHOWN, CONTRADICTED, NOT_SHOWN, UNTOLD = WORDS
GRADIENT = {"method": "gradient"}


def evidence(**tables: list[dict[str, Any]]) -> Evidence:
    """Evidence that holds these rows and nothing else."""
    names = (
        *("differences", "contrasts", "levels", "untrained_contrasts", "permanova", "classifier"),
        *("shifts", "equivariance_diagonal", "strength_trends", "shift_trends", "associations"),
        "incremental",
    )
    frames = {name: pd.DataFrame(tables.get(name, []), columns=None) for name in names}
    empty = SimpleNamespace(
        tables=frames, measures=pd.DataFrame(), nulls={}, settings={}, methods=["gradient"]
    )
    return cast(Evidence, empty)


def difference(mean: float, p: float, **more: object) -> dict[str, Any]:
    ends = {"low": mean - 0.01, "high": mean + 0.01}
    half = p / 2 if mean > 0 else 1 - p / 2
    return {"n": 10, "mean": mean, **ends, "p": p, "p_greater": half, **more}


def word_of(outcome: Outcome) -> str:
    assert outcome.word in WORDS
    return outcome.word


def test_every_claim_and_hypothesis_has_one_analysis() -> None:
    names = [one.name for one in PRIMARY]
    assert len(set(names)) == len(names)
    assert set(names) == set(WITH_MAPS) | set(WITHOUT_MAPS)
    assert not set(WITH_MAPS) & set(WITHOUT_MAPS)


@pytest.mark.parametrize("name", [one.name for one in PRIMARY])
def test_nothing_is_told_without_numbers(name: str) -> None:
    nothing = evidence()
    outcome = (
        WITHOUT_MAPS[name](nothing)
        if name in WITHOUT_MAPS
        else WITH_MAPS[name](nothing, "gradient")
    )
    assert outcome.word == UNTOLD
    assert outcome.sentence.endswith(".")
    assert outcome.test == ""


@pytest.mark.parametrize(
    ("mean", "p", "expected"),
    [(2.0, 0.01, SHOWN), (-2.0, 0.01, CONTRADICTED), (2.0, 0.2, NOT_SHOWN)],
)
def test_slower_convergence(mean: float, p: float, expected: str) -> None:
    place = {"label": "mean of the augmentations", "measure": "epochs"}
    rows = [
        difference(mean, p, **place, against="none"),
        # What copies alone do never decides.
        difference(-mean, 0.001, **place, against="duplicate"),
    ]
    sets = [{"measure": "epochs", "label": name, "tested": True} for name in ("crop", "blur")]
    found = accuracy.converges_slower(evidence(contrasts=rows, differences=sets))
    assert word_of(found) == expected
    assert "mean of crop and blur" in found.sentence
    alone = accuracy.converges_slower(evidence(contrasts=rows, differences=sets[:1]))
    assert word_of(alone) == UNTOLD
    assert found.estimate == mean
    assert "Against untouched copies" in found.sentence


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([(2.0, 0.01), (1.0, 0.04)], SHOWN),
        ([(2.0, 0.01), (0.5, 0.4)], NOT_SHOWN),
        ([(2.0, 0.01), (-1.8, 0.001)], CONTRADICTED),
        # Two tests: .03 is not significant after Holm.
        ([(2.0, 0.5), (-1.8, 0.03)], NOT_SHOWN),
    ],
)
def test_slowest_of_all(others: list[tuple[float, float]], expected: str) -> None:
    rows = [
        difference(mean, p, label="distort", measure="epochs", against=name)
        for name, (mean, p) in zip(("crop", "blur"), others, strict=True)
    ]
    assert word_of(accuracy.distort_is_slowest(evidence(contrasts=rows))) == expected


@pytest.mark.parametrize(
    ("distort", "erase", "expected"),
    [(0.04, 0.02, SHOWN), (0.04, -0.02, CONTRADICTED), (0.04, 0.001, NOT_SHOWN)],
)
def test_both_must_do_well(distort: float, erase: float, expected: str) -> None:
    rows = [
        difference(
            mean,
            0.6 if abs(mean) < 0.01 else 0.001,
            label=name,
            augment=name,
            measure="test_accuracy",
            tested=True,
            p_holm=0.6 if abs(mean) < 0.01 else 0.005,
        )
        for name, mean in (("distort", distort), ("erase", erase))
    ]
    found = accuracy.others_do_well(evidence(differences=rows))
    assert word_of(found) == expected
    assert found.estimate == pytest.approx(100 * min(distort, erase))


@pytest.mark.parametrize(
    ("means", "expected"),
    [((0.1, 0.05), SHOWN), ((0.1, -0.05), CONTRADICTED), ((0.1, 0.002), NOT_SHOWN)],
)
@pytest.mark.parametrize(
    ("judge", "measure"),
    [
        (maps.no_background_bias, "foreground_auc"),
        (maps.heat_is_connected, "largest_component_share"),
    ],
)
def test_heat_is_read_against_untrained_networks(
    judge: Any,  # noqa: ANN401
    measure: str,
    means: tuple[float, float],
    expected: str,
) -> None:
    rows = [
        difference(
            mean,
            0.5 if abs(mean) < 0.01 else 0.001,
            **GRADIENT,
            measure=measure,
            label=label,
            trained=0.6 + mean,
            untrained=0.6,
        )
        for label, mean in zip(("crop", "none"), means, strict=True)
    ]
    found = judge(evidence(untrained_contrasts=rows), "gradient")
    assert word_of(found) == expected
    assert "0.600" in found.sentence


def test_coarse_maps_hang_together_by_construction() -> None:
    assert "construction" in maps.heat_is_connected(evidence(), "gradcam").sentence


def entropy_row(label: str, mean: float, p_holm: float, alike: float) -> dict[str, Any]:
    place = {**GRADIENT, "measure": "entropy", "tested": True, "label": label}
    return difference(mean, p_holm / 5, p_holm=p_holm, equivalence_p=alike, **place)


@pytest.mark.parametrize(
    ("rows", "expected", "largest"),
    [
        ([("crop", 0.12, 0.001, 0.99), ("blur", 0.01, 0.9, 0.01)], CONTRADICTED, 0.12),
        # Significant, and too small to matter: equivalent.
        ([("crop", 0.02, 0.001, 0.001), ("blur", 0.01, 0.9, 0.01)], SHOWN, 0.02),
        ([("crop", 0.09, 0.3, 0.8), ("blur", 0.01, 0.9, 0.01)], UNTOLD, 0.09),
        # The largest difference is not the one that is significant.
        ([("crop", 0.2, 0.3, 0.99), ("blur", 0.07, 0.01, 0.6)], CONTRADICTED, 0.07),
    ],
)
def test_entropy(
    rows: list[tuple[str, float, float, float]], expected: str, largest: float
) -> None:
    found = maps.entropy_is_alike(
        evidence(differences=[entropy_row(*row) for row in rows]), "gradient"
    )
    assert word_of(found) == expected
    assert found.estimate == largest


@pytest.mark.parametrize(
    ("mean", "p", "expected"),
    [(0.02, 0.01, SHOWN), (-0.02, 0.01, CONTRADICTED), (0.02, 0.3, NOT_SHOWN)],
)
def test_equivariance(mean: float, p: float, expected: str) -> None:
    row = difference(mean, p, **GRADIENT, inside=0.8, outside=0.8 - mean)
    found = maps.equivariance_is_diagonal(evidence(equivariance_diagonal=[row]), "gradient")
    assert word_of(found) == expected


def association(
    similarity: str,
    accuracy: str = "test_accuracy",
    *,
    p: float,
    alike: float,
    estimate: float = 0.1,
    **more: float,
) -> dict[str, Any]:
    counts = {"num_augments": 5, "num_strengths": 6, "num_permutations": 120, "n_seeds": 8}
    equal = {"low": -0.2, "high": 0.4, "p": alike, "power": 0.3}
    return {
        **GRADIENT,
        "similarity": similarity,
        "accuracy": accuracy,
        "estimate": estimate,
        "low": estimate - 0.3,
        "high": estimate + 0.3,
        "p": p,
        "spearman": 0.2,
        "coverage": 0.9,
        **{f"equivalence_{name}": value for name, value in equal.items()},
        **counts,
        **more,
    }


def all_four(**of_kl_and_val: float) -> list[dict[str, Any]]:
    pairs = [(one, other) for one in ("cc", "kl") for other in ("test_accuracy", "val_accuracy")]
    rows = [association(*pair, p=0.6, alike=0.01) for pair in pairs]
    named = {"alike": "equivalence_p"}
    changed = {named.get(key, key): value for key, value in of_kl_and_val.items()}
    return [*rows[:-1], {**rows[-1], **changed}]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, SHOWN),
        # One of the four is enough to contradict, after Holm.
        ({"p": 1 / 120}, CONTRADICTED),
        ({"p": 3 / 120}, SHOWN),
        ({"alike": 0.3}, UNTOLD),
        # Three augmentations have six orders.
        ({"num_permutations": 6.0}, SHOWN),
    ],
)
def test_no_correlation(changes: dict[str, float], expected: str) -> None:
    found = strengths.similarity_is_unrelated(
        evidence(associations=all_four(**changes)), "gradient"
    )
    assert word_of(found) == expected


def test_too_few_augmentations_or_seeds_tell_nothing() -> None:
    for change in ({"num_permutations": 6}, {"n_seeds": 2}):
        rows = [{**row, **change} for row in all_four()]
        for judge in (strengths.similarity_is_unrelated, strengths.similarity_is_equivalent):
            assert word_of(judge(evidence(associations=rows), "gradient")) == UNTOLD


@pytest.mark.parametrize(
    ("estimate", "p", "expected"),
    [(0.7, 1 / 120, SHOWN), (-0.7, 119 / 120, CONTRADICTED), (0.2, 0.4, NOT_SHOWN)],
)
def test_consensus(estimate: float, p: float, expected: str) -> None:
    rows = [association("consensus", p=p, alike=0.9, estimate=estimate)]
    assert word_of(strengths.consensus_helps(evidence(associations=rows), "gradient")) == expected


@pytest.mark.parametrize(
    ("gain", "p", "expected"), [(0.1, 0.01, SHOWN), (0.1, 0.2, NOT_SHOWN), (-0.1, 0.01, NOT_SHOWN)]
)
def test_what_saliency_adds(gain: float, p: float, expected: str) -> None:
    row = {
        **GRADIENT,
        "without": 0.3,
        "with_added": 0.3 + gain,
        "gain": gain,
        "p": p,
        "num_permutations": 120,
        "num_augments": 5,
        "k": 6,
        "n_seeds": 8,
    }
    assert word_of(strengths.saliency_adds(evidence(incremental=[row]), "gradient")) == expected
