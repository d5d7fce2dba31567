import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from auglens.records.measures import (
    MeasureResult,
    belongs_to,
    has_measure,
    measure_hash,
    measure_path,
    read_measure,
    read_measures,
    write_measure,
)
from auglens.records.run import RecordError

DECIDED: dict[str, Any] = {
    "settings": {"num_steps": 28},
    "inputs": {"twin": "abc"},
    "method_hash": "m",
    "seed": 0,
}
RESULT = MeasureResult(
    measure="faithfulness",
    method="gradient",
    hash=measure_hash("identity", **DECIDED),
    probe_ids=[3, 7],
    columns={"srg_black": [0.5, None]},
    values={"curves": [1.0]},
    **DECIDED,
)


def test_a_measure_comes_back_as_it_was(tmp_path: Path) -> None:
    write_measure(tmp_path, RESULT)
    path = measure_path(tmp_path, "faithfulness", "gradient")
    assert path == tmp_path / "measures" / "faithfulness.gradient.json"
    assert read_measure(path) == RESULT
    assert has_measure(tmp_path, "faithfulness", "gradient", RESULT.hash)
    assert not has_measure(tmp_path, "faithfulness", "gradient", "other")
    assert not has_measure(tmp_path, "faithfulness", None, RESULT.hash)
    assert read_measures(tmp_path) == ([RESULT], [])


def test_it_belongs_to_its_run_and_maps_only() -> None:
    assert belongs_to(RESULT, "identity", "m")
    assert not belongs_to(RESULT, "another run", "m")
    assert not belongs_to(RESULT, "identity", "other maps")
    for name, value in (("settings", {}), ("inputs", {"twin": "x"}), ("seed", 1)):
        changed = MeasureResult(**{**asdict(RESULT), name: value})
        assert not belongs_to(changed, "identity", "m"), name


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"columns": {"srg_black": [0.5]}}, id="a value too few"),
        pytest.param({"columns": {"srg_black": [0.5, "x"]}}, id="a word for a number"),
        pytest.param({"columns": [1, 2]}, id="columns that are a list"),
        pytest.param({"probe_ids": [1.5, 2]}, id="half an id"),
        pytest.param({"probe_ids": 3}, id="ids that are a number"),
        pytest.param({"method": ["gradient"]}, id="a method that is a list"),
        pytest.param({"method": "../gradient"}, id="a method that leads elsewhere"),
        pytest.param({"method": "edge"}, id="another method than the file's name says"),
        pytest.param({"seed": "0"}, id="a seed in words"),
        pytest.param({"values": None}, id="no values"),
        pytest.param({"extra": 1}, id="an unknown key"),
    ],
)
def test_a_sidecar_of_another_form_is_damage(tmp_path: Path, change: dict[str, Any]) -> None:
    path = measure_path(tmp_path, "faithfulness", "gradient")
    path.parent.mkdir()
    path.write_text(json.dumps({**asdict(RESULT), **change}))
    with pytest.raises(RecordError):
        read_measure(path)
    results, damage = read_measures(tmp_path)
    assert not results
    assert len(damage) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "nan"])
def test_what_is_no_json_is_damage(tmp_path: Path, content: str) -> None:
    path = measure_path(tmp_path, "faithfulness", None)
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(RecordError):
        read_measure(path)
