from pathlib import Path

import pytest

from auglens.study.methods import explain_command, is_blind_to_background, ordered_methods


@pytest.mark.parametrize(
    ("method", "settings", "blind"),
    [
        pytest.param("blur_perturbation", {}, True, id="blurring"),
        pytest.param("input_x_gradient", {}, True, id="times the image"),
        pytest.param("integrated_gradients", {"baseline": 0.0}, True, id="black baseline"),
        pytest.param("occlusion", {"baseline": 0}, True, id="black window"),
        pytest.param("occlusion", {"baseline": 0.5}, False, id="grey window"),
        pytest.param("deeplift", {}, False, id="baseline not recorded"),
        pytest.param("gradient", {"baseline": 0.0}, False, id="gradient"),
        pytest.param("random", {}, False, id="null"),
    ],
)
def test_a_method_is_blind_where_it_multiplies_by_the_way_from_black(
    method: str, settings: dict[str, float], blind: bool
) -> None:
    assert is_blind_to_background(method, settings) is blind


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
