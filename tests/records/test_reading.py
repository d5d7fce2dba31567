import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from auglens.records.reading import RecordError, inner_path, parse_json, read_json
from auglens.records.run import damaged_files, read_record, write_record
from tests.study.generated_sweep import make_config, make_record, write_run


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("[]", "no JSON object", id="list"),
        pytest.param('{"a": NaN}', "NaN is no number", id="NaN"),
        pytest.param('{"a": 1e999}', "not finite", id="infinite without the word"),
        pytest.param('{"a": 99999999999999999999}', "more than 64 bits", id="long integer"),
        pytest.param('{"a": ' + "[" * 60 + "]" * 60 + "}", "50 levels", id="deep"),
        pytest.param('{"a": ' + "[" * 10**5 + "]" * 10**5 + "}", "50 levels", id="very deep"),
        pytest.param('{"a": "\\ud800"}', "surrogates", id="no text"),
    ],
)
def test_json_that_nobody_could_compute_with_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_json(text)


def test_json_is_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auglens.records.reading.MOST_JSON_BYTES", 10)
    (tmp_path / "a.json").write_text('{"a": 123456}', encoding="utf-8")
    with pytest.raises(RecordError, match="has 13 bytes, at most 10"):
        read_json(tmp_path, "a.json")


@pytest.mark.parametrize("way", ["../outside", "absent", "folder", "loop", "a\0b", "x" * 300])
def test_only_regular_files_inside_are_read(tmp_path: Path, way: str) -> None:
    folder = tmp_path / "inside"
    (folder / "folder").mkdir(parents=True)
    (tmp_path / "outside").write_text("x", encoding="utf-8")
    (folder / "loop").symlink_to("loop")
    with pytest.raises(RecordError, match="cannot be read"):
        inner_path(folder, way)


@pytest.mark.parametrize(
    ("way", "value", "allowed"),
    [
        ("test_accuracy", 1.5, "a number from 0 to 1"),
        ("test_accuracy", "0.5", "a number from 0 to 1"),
        ("val_accuracy", True, "a number from 0 to 1"),
        ("best_epoch", 0, "a whole number from 1"),
        ("seconds", {"total": -1}, "seconds by phase"),
        ("test_confusion", [[1, 2]], "matrix of counts of 4 classes"),
        ("config.dataset.class_names", [], "a list of names"),
        ("config.seeds.data", 1.5, "a whole number"),
        ("config.saliency.methods", [], "settings by name"),
        ("config.data.train_size", 7, "config.data is not that of inputs"),
    ],
)
def test_a_field_out_of_range_is_named_with_what_is_allowed(
    tmp_path: Path, way: str, value: object, allowed: str
) -> None:
    content: Any = json.loads(json.dumps(asdict(make_record(make_config("crop")))))
    *parents, last = way.split(".")
    node = content
    for word in parents:
        node = node[word]
    node[last] = value
    (tmp_path / "record.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(RecordError, match=allowed) as caught:
        read_record(tmp_path)
    assert way in str(caught.value) or way.startswith("config.data.")


def test_a_changed_digit_is_noticed_and_an_earlier_record_without_checksum_is_read(
    tmp_path: Path,
) -> None:
    record = make_record(make_config("crop"))
    write_record(tmp_path, record)
    path = tmp_path / "record.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "val_accuracy": 0.5}), encoding="utf-8")
    with pytest.raises(RecordError, match="checksum is that of another content"):
        read_record(tmp_path)
    earlier = {key: value for key, value in content.items() if key not in ("checksum", "files")}
    path.write_text(json.dumps(earlier), encoding="utf-8")
    assert read_record(tmp_path) == record


def test_files_that_changed_after_their_record_are_named(tmp_path: Path) -> None:
    write_run(tmp_path / "run", make_config("crop"))
    record = read_record(tmp_path / "run")
    assert damaged_files(tmp_path / "run", record) == {}
    history = tmp_path / "run" / "history.csv"
    history.write_text(history.read_text(encoding="utf-8").replace("1", "2", 1), encoding="utf-8")
    (tmp_path / "run" / "samples.npz").unlink()
    assert sorted(damaged_files(tmp_path / "run", record)) == ["history.csv", "samples.npz"]
