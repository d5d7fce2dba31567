import subprocess
import sys
from itertools import chain
from typing import get_args

import pytest

from auglens.metrics.catalogue import (
    MEASURES,
    PRIMARY,
    RUN_MEASURES,
    Family,
    Measure,
    of_family,
)
from auglens.metrics.similarity import FLOAT64_EPS, similarities
from tests.metrics.drawn_maps import half_normal


def test_families_divide_the_measures_in_order() -> None:
    families = [of_family(family) for family in get_args(Family) if family != "run"]
    assert list(chain(*families)) == list(MEASURES)
    assert all(families)
    assert all(name == measure.name for name, measure in MEASURES.items())
    assert set(PRIMARY) < set(MEASURES)


def test_measures_of_a_run_are_none_of_a_map() -> None:
    assert all(name == measure.name for name, measure in RUN_MEASURES.items())
    assert {measure.family for measure in RUN_MEASURES.values()} == {"run"}
    assert not set(RUN_MEASURES) & set(MEASURES)


def test_nulls_of_a_map_are_numbers_simulated_or_of_the_random_method() -> None:
    nulls = {measure.null for measure in MEASURES.values()}
    assert {null for null in nulls if not isinstance(null, float)} == {"unrelated", None}


DECLARED = {**MEASURES, **RUN_MEASURES}


@pytest.mark.parametrize("measure", DECLARED.values(), ids=DECLARED)
def test_what_a_measure_says_of_itself_is_complete(measure: Measure) -> None:
    assert measure.low < measure.high
    assert measure.unit in ("", "nats", "bits", "px")
    assert (measure.unit == "px") == measure.name.endswith("_px")
    assert measure.about.endswith(".")
    assert measure.reference
    if isinstance(measure.null, float):
        assert measure.low <= measure.null <= measure.high


def test_titles_tell_measures_apart() -> None:
    assert len({measure.title for measure in DECLARED.values()}) == len(DECLARED)


def test_among_similarities_the_better_value_is_that_of_equal_maps() -> None:
    maps, others = half_normal(5, 28, 28, seed=0), half_normal(5, 28, 28, seed=1)
    equal = similarities(maps, maps, kl_eps=FLOAT64_EPS)
    different = similarities(maps, others, kl_eps=FLOAT64_EPS)
    for name in of_family("similarity"):
        closer_is_higher = (equal[name] > different[name]).tolist()
        assert closer_is_higher == [MEASURES[name].higher_is_better] * 5


def test_the_catalogue_is_read_without_torch() -> None:
    script = "import sys, auglens.metrics.catalogue\nassert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
