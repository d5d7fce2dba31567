import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglens.records import files
from auglens.records.arrays import write_arrays
from auglens.records.maps import Probe, has_map, read_map, read_probe, write_map, write_probe
from auglens.records.run import (
    RecordError,
    RunState,
    find_record,
    read_record,
    read_status,
    run_folders,
    write_record,
    write_status,
)
from tests.study.generated_sweep import make_config, make_record

RECORD = make_record(make_config("crop"))


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    write_record(tmp_path, RECORD)
    assert read_record(tmp_path) == RECORD
    assert read_record(tmp_path).augment == "crop"
    assert read_record(tmp_path).strength == 1.0


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda text: text[: len(text) // 2], id="truncated"),
        pytest.param(lambda text: text.replace("crop", "blur"), id="other inputs"),
        pytest.param(lambda text: text.replace('"schema": 1', '"schema": 99'), id="schema"),
        pytest.param(lambda _: "[]", id="list"),
        pytest.param(lambda _: "", id="empty"),
        pytest.param(lambda text: text.replace("best_epoch", "best"), id="renamed"),
    ],
)
def test_a_damaged_record_is_no_record(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    write_record(tmp_path, RECORD)
    path = tmp_path / "record.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(RecordError, match=r"record\.json"):
        read_record(tmp_path)
    assert find_record(RECORD.identity, [tmp_path]) is None


def test_runs_are_found_by_identity_not_by_name(tmp_path: Path) -> None:
    for name in ("0-a", "10-b", "2-c"):
        (tmp_path / name).mkdir()
        write_status(tmp_path / name, RunState.COMPLETED)
    write_record(tmp_path / "10-b", RECORD)
    (tmp_path / "report").mkdir()
    assert [folder.name for folder in run_folders(tmp_path)] == ["0-a", "2-c", "10-b"]
    assert find_record(RECORD.identity, run_folders(tmp_path)) == tmp_path / "10-b"
    assert find_record("other", run_folders(tmp_path)) is None
    assert run_folders(tmp_path / "10-b") == [tmp_path / "10-b"]
    assert run_folders(tmp_path / "absent") == []


def test_nan_never_reaches_a_record(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(tmp_path, replace(RECORD, val_accuracy=float("nan")))
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.json"
    files.write_json(path, {"old": 1})

    def full(descriptor: int) -> None:
        del descriptor
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.json"]


def test_status_keeps_the_start_and_says_who(tmp_path: Path) -> None:
    write_status(tmp_path, RunState.RUNNING, phase="training")
    started = read_status(tmp_path)["started"]
    write_status(tmp_path, RunState.FAILED, error="ValueError: x")
    status = read_status(tmp_path)
    assert (status["state"], status["started"], status["pid"]) == ("FAILED", started, os.getpid())
    assert status["error"] == "ValueError: x"
    assert status["phase"] == "training"
    (tmp_path / "status.json").write_text("{")
    assert read_status(tmp_path) == {}


def test_maps_and_probe_come_back_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    maps = rng.random((4, 5, 6)).astype(np.float32)
    ids = np.arange(4)
    made = {"reduce": "sum", "target": "true_class", "seed": 0}
    write_map(tmp_path, "gradient", maps=maps, probe_ids=ids, method_hash="h", settings=made)
    read = read_map(tmp_path, "gradient")
    assert read.maps.tobytes() == maps.tobytes()
    assert (read.probe_ids == ids).all()
    assert (read.hash, read.settings) == ("h", made)
    assert has_map(tmp_path, "gradient", "h")
    assert not has_map(tmp_path, "gradient", "other")
    assert not has_map(tmp_path, "absent", "h")
    probe = Probe(rng.random((4, 1, 5, 6)).astype(np.float32), ids, ids, maps[:, 0], "p")
    write_probe(tmp_path, probe)
    assert read_probe(tmp_path).hash == "p"
    assert (read_probe(tmp_path).images == probe.images).all()


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    (tmp_path / "saliency").mkdir()
    path = tmp_path / "saliency" / "gradient.npz"
    settings = np.array("{}")
    objects = np.array([{}], dtype=object)
    np.savez(path, maps=objects, probe_ids=np.arange(1), hash=np.array("h"), settings=settings)
    with pytest.raises(RecordError, match="cannot be read"):
        read_map(tmp_path, "gradient")


@pytest.mark.parametrize("name", ["../../pwn", "a/b", "", ".hidden", "a\\b", "a b", "$x$", 3, None])
def test_a_name_that_leads_elsewhere_is_no_method(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError, match="no name of a saliency method"):
        read_map(tmp_path, name)
    assert not has_map(tmp_path, name, "h")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"maps": np.zeros((4, 5), np.float32)}, id="maps without width"),
        pytest.param({"maps": np.zeros((4, 5, 6))}, id="maps of another type"),
        pytest.param({"probe_ids": np.arange(3)}, id="an id too few"),
        pytest.param({"settings": np.array('{"seed": 0}')}, id="no target"),
        pytest.param({"settings": np.array("[1]")}, id="settings that are a list"),
        pytest.param({"settings": np.array("{")}, id="broken settings"),
    ],
)
def test_maps_of_another_form_are_damage(tmp_path: Path, change: dict[str, Any]) -> None:
    whole: dict[str, Any] = {
        "maps": np.zeros((4, 5, 6), np.float32),
        "probe_ids": np.arange(4),
        "hash": np.array("h"),
        "settings": np.array('{"target": "true_class", "seed": 0}'),
    }
    path = tmp_path / "saliency" / "gradient.npz"
    write_arrays(path, whole)
    assert read_map(tmp_path, "gradient").hash == "h"
    write_arrays(path, {**whole, **change})
    with pytest.raises(RecordError, match=r"gradient\.npz"):
        read_map(tmp_path, "gradient")
