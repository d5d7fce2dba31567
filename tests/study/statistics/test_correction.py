import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auglens.study.statistics.correction import benjamini_hochberg, holm
from auglens.study.statistics.paired import paired_difference

PS = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def holm_by_definition(p: list[float]) -> list[float]:
    ranked = sorted(range(len(p)), key=lambda i: p[i])
    return [
        min(1.0, max((len(p) - r) * p[j] for r, j in enumerate(ranked[: ranked.index(i) + 1])))
        for i in range(len(p))
    ]


def test_published_vector() -> None:
    p = np.array([0.04, 0.001, 0.2, 0.01, 0.02])
    before = p.copy()
    assert holm(p) == pytest.approx([0.08, 0.005, 0.2, 0.04, 0.06])
    assert benjamini_hochberg(p) == pytest.approx([0.05, 0.005, 0.2, 0.025, 1 / 30])
    assert (p == before).all()


@given(PS)
def test_holm_agrees_with_its_definition(p: list[float]) -> None:
    assert holm(p) == pytest.approx(holm_by_definition(p))


@given(PS)
def test_holm_is_never_below_benjamini_and_hochberg_nor_that_below_p(p: list[float]) -> None:
    strict, mild = holm(p), benjamini_hochberg(p)
    assert (strict >= mild - 1e-12).all()
    assert (mild >= np.array(p) - 1e-12).all()
    assert (strict <= 1).all()


def test_nan_is_kept_and_not_counted() -> None:
    p = [0.01, np.nan, 0.04]
    for correct in (holm, benjamini_hochberg):
        corrected = correct(p)
        assert np.isnan(corrected[1])
        assert corrected[[0, 2]] == pytest.approx(correct([0.01, 0.04]))
        assert np.isnan(correct([np.nan])).all()
        assert correct([]).shape == (0,)


def test_what_is_no_p_is_refused() -> None:
    for correct in (holm, benjamini_hochberg):
        with pytest.raises(ValueError, match="must lie in"):
            correct([0.5, 1.5])


def test_five_comparisons_of_equal_conditions_seldom_find_any() -> None:
    rng = np.random.default_rng(11)
    num_sets, num_seeds = 1_000, 10
    seeds = rng.normal(size=(num_sets, num_seeds, 1))
    values = seeds + rng.standard_t(3, size=(num_sets, num_seeds, 7))
    values = rng.permuted(values + np.arange(7), axis=2)
    found = {"p": 0, "p_sign_flip": 0}
    for conditions in values.transpose(0, 2, 1):
        tests = [paired_difference(each, conditions[5], rng=rng) for each in conditions[:5]]
        for name in found:
            found[name] += bool((holm([getattr(test, name) for test in tests]) < 0.05).any())
    # 5 % and two standard errors of a share of 1,000 data sets.
    assert max(found.values()) / num_sets <= 0.064
