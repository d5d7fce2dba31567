from pathlib import Path

import pytest

from auglens.study.methods import (
    explain_command,
    is_bound_to_ink,
    is_zero_on_black,
    ordered_methods,
    twins_command,
)


@pytest.mark.parametrize(
    ("method", "settings", "zero", "bound"),
    [
        pytest.param("input_x_gradient", {}, True, False, id="times the image"),
        pytest.param("integrated_gradients", {"baseline": 0.0}, True, False, id="black baseline"),
        pytest.param("gradient_shap", {"baseline": 0}, False, False, id="black baseline and noise"),
        pytest.param("deeplift", {"baseline": 0.5}, False, False, id="grey baseline"),
        pytest.param("deeplift", {}, False, False, id="baseline not recorded"),
        pytest.param("blur_perturbation", {}, False, True, id="blurring"),
        pytest.param("occlusion", {"baseline": 0}, False, True, id="black window"),
        pytest.param("occlusion", {"baseline": 0.5}, False, False, id="grey window"),
        pytest.param("gradient", {"baseline": 0.0}, False, False, id="gradient"),
        pytest.param("edge", {}, False, False, id="null"),
    ],
)
def test_black_pixels_are_told_from_those_out_of_reach(
    method: str, settings: dict[str, float], zero: bool, bound: bool
) -> None:
    assert (is_zero_on_black(method, settings), is_bound_to_ink(method, settings)) == (zero, bound)


def test_methods_come_as_configured_then_by_name_then_the_nulls() -> None:
    names = ["edge", "gradcam", "random", "deeplift", "gradient", "gradcam"]
    assert ordered_methods(names, ["gradient", "edge", "absent"]) == [
        *("gradient", "deeplift", "gradcam", "random", "edge"),
    ]


def test_the_command_survives_a_shell() -> None:
    command = explain_command(
        [Path("a b"), Path("c")], methods=["random", "edge"], measures=["faithfulness"]
    )
    rest = "'saliency=[random,edge]' 'measures=[faithfulness]'"
    start = "python -m auglens.explain"
    assert command == f"{start} 'sweep=a b' {rest} && {start} sweep=c {rest}"


def test_twins_are_trained_into_their_sweep() -> None:
    command = twins_command(
        [Path("a b")], augments=["crop", "none"], strengths=[0.5, 1.0], seeds=[0, 1]
    )
    assert command == (
        "python train.py -m experiment=label_randomization augment=crop,none "
        "augment.strength=0.5,1.0 seed=0,1 'hydra.sweep.dir=a b'"
    )
