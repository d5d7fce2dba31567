import numpy as np
import pandas as pd
import pytest

from auglens.study.randomization_verdicts import judge_methods


def planted(*intervals: tuple[float, float], mode: str = "absolute") -> pd.DataFrame:
    """The table of one method: before the last layer every map is as alike as can be."""
    rows: list[dict[str, object]] = []
    for number, (low, high) in enumerate(intervals):
        place: dict[str, object] = {"run": f"run {number}", "method": "gradient", "mode": mode}
        first = {"similarity": 1.0, "null": 0.5, "difference": 0.5}
        rows.append({**place, "step": 1, **first, "difference_low": 0.4, "difference_high": 0.6})
        middle = (low + high) / 2
        last = {"similarity": 0.5 + middle, "null": 0.5, "difference": middle}
        rows.append({**place, "step": 2, **last, "difference_low": low, "difference_high": high})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("intervals", "word"),
    [
        pytest.param([(-0.3, -0.1)], "passes", id="below"),
        pytest.param([(0.1, 0.3)], "fails", id="above"),
        pytest.param([(-0.1, 0.1)], "cannot be told", id="around"),
        pytest.param([(-0.1, 0.0)], "cannot be told", id="touches from below"),
        pytest.param([(0.0, 0.1)], "cannot be told", id="touches from above"),
        pytest.param([(-0.3, -0.1), (-0.2, -0.1)], "passes", id="below in every run"),
        pytest.param([(0.5, 0.5), (0.1, 0.2)], "fails", id="above in every run"),
        pytest.param([(-0.3, -0.1), (-0.1, 0.1)], "cannot be told", id="below in one of two"),
        pytest.param([(-0.3, -0.1), (0.1, 0.3)], "cannot be told", id="runs contradict"),
        pytest.param([(np.nan, np.nan)], "cannot be told", id="no interval"),
    ],
)
def test_the_word_follows_the_interval_after_the_last_layer(
    intervals: list[tuple[float, float]], word: str
) -> None:
    (verdict,) = judge_methods(planted(*intervals), ["gradient"])
    assert (verdict.absolute, verdict.signed) == (word, "")
    assert verdict.sentence.startswith(f"gradient {word}:")


def test_signs_have_a_word_of_their_own() -> None:
    both = [planted((-0.3, -0.1)), planted((0.1, 0.3), mode="signed")]
    (verdict,) = judge_methods(pd.concat(both), ["gradient"])
    assert (verdict.absolute, verdict.signed) == ("passes", "fails")


def test_sentences_hold_their_numbers() -> None:
    (one,) = judge_methods(planted((-0.3, -0.1)), ["gradient"])
    assert "paired difference -0.200, 95 % interval -0.300 to -0.100" in one.sentence
    (two,) = judge_methods(planted((-0.3, -0.1), (0.1, 0.3)), ["gradient"])
    assert "below 0 in 1 and above 0 in 1 of 2 runs" in two.sentence


def test_what_is_undefined_after_the_last_layer_is_said_in_words() -> None:
    rows = planted((-0.3, -0.1))
    rows.loc[rows["step"] == 2, rows.columns.difference(["run", "method", "mode", "step"])] = np.nan
    (verdict,) = judge_methods(rows, ["gradient"])
    assert verdict.absolute == "cannot be told"
    assert "are undefined" in verdict.sentence
    assert "nan" not in verdict.sentence


def test_one_image_has_no_interval() -> None:
    rows = planted((-0.3, -0.1)).assign(difference_low=np.nan, difference_high=np.nan)
    (verdict,) = judge_methods(rows, ["gradient"])
    assert "paired difference -0.200, from one image, without an interval" in verdict.sentence


def test_methods_without_a_measurement_get_no_verdict() -> None:
    assert judge_methods(planted((0.1, 0.2)), ["gradcam"]) == []
    assert judge_methods(planted(), ["gradient"]) == []
