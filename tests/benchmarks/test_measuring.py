"""Ratios, intervals and exponents of the benchmarks, against values worked out by hand."""

import math

import pytest
from scipy import stats

from benchmarks.measuring import Comparison, Growth, Point, compared, fitted_exponent, timed


def test_the_ratio_is_the_median_over_pairs_not_of_medians() -> None:
    comparison = Comparison("w", "p", ours_s=[1.0, 4.0, 9.0], peer_s=[2.0, 2.0, 3.0])
    assert comparison.ratios == [0.5, 2.0, 3.0]
    assert comparison.ratio == 2.0


def test_the_interval_is_student_t_of_the_log_ratios() -> None:
    ratios = [0.8, 1.0, 1.3, 0.9]
    logs = [math.log(ratio) for ratio in ratios]
    mean = sum(logs) / 4
    error = math.sqrt(sum((value - mean) ** 2 for value in logs) / 3 / 4)
    half = 2.3533634348018264 * error  # t with 3 degrees of freedom, 95 %
    low, high = Comparison("w", "p", ratios, [1.0] * 4).interval
    assert low == pytest.approx(math.exp(mean - half), rel=1e-12)
    assert high == pytest.approx(math.exp(mean + half), rel=1e-12)


def test_ninety_of_a_hundred_intervals_hold_the_true_ratio() -> None:
    noise = stats.norm(scale=0.2).rvs(size=(2000, 2, 3), random_state=0)
    intervals = [
        Comparison(
            "w", "p", [0.5 * math.exp(x) for x in ours], [math.exp(x) for x in peer]
        ).interval
        for ours, peer in noise
    ]
    held = sum(low <= 0.5 <= high for low, high in intervals)
    assert 0.88 <= held / 2000 <= 0.92


def test_one_pair_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least two"):
        _ = Comparison("w", "p", [1.0], [1.0]).interval


def test_both_sides_take_turns_after_a_round_that_is_not_counted() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    comparison = compared("w", "p", lambda: side("a"), lambda: side("b"), pairs=3)
    assert "".join(order) == "ab" + "ab" + "ba" + "ab"
    assert comparison.ours_s == [3.0, 6.0, 7.0]
    assert comparison.peer_s == [4.0, 5.0, 8.0]


def test_timed_work_is_done_once_and_takes_its_time() -> None:
    done: list[int] = []
    assert timed(lambda: done.append(1))() >= 0
    assert done == [1]


@pytest.mark.parametrize("power", [0.0, 1.0, 1.5], ids=str)
def test_the_exponent_of_a_power_law_is_found(power: float) -> None:
    sizes = [10, 100, 1000]
    assert fitted_exponent(sizes, [3 * size**power for size in sizes]) == pytest.approx(power)


def test_what_every_size_pays_is_not_in_the_cost_of_one_more() -> None:
    points = [Point(size, 3.0 + 0.2 * size, 900.0) for size in (6, 60, 120)]
    found = Growth("w", "runs", points).as_json()
    assert found["seconds_each"] == pytest.approx(0.2)
    assert found["time_exponent"] < found["late_time_exponent"] < 1
    assert (found["memory_mb_each"], found["late_memory_exponent"]) == (0.0, pytest.approx(0.0))
