import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from auglens.records.maps import read_map, read_probe
from auglens.records.run import run_folders
from auglens.study import build_study
from auglens.study.__main__ import measure_settings
from benchmarks import study


def test_written_runs_are_a_whole_sweep_for_the_study(tmp_path: Path) -> None:
    study.write_runs(tmp_path, study.POSTER, num_runs=12, num_probe=20)
    built = build_study([tmp_path], out=tmp_path, **measure_settings())
    assert built.failed == []
    assert len(built.runs) == 12
    assert len(built.maps) == 12 * 20
    assert set(built.runs["augment"]) == set(study.AUGMENTS)
    # Every run is compared with the baseline of its own seed.
    compared = built.maps[built.maps["augment"] != "none"]
    assert compared["cc"].between(0, 1, inclusive="neither").all()
    with (tmp_path / "runs.csv").open(newline="") as file:
        assert len({row["identity"] for row in csv.DictReader(file)}) == 12


def test_maps_are_made_of_as_many_images_as_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    study.explain(str(tmp_path), "30")
    torch.set_num_threads(threads)
    assert float(capsys.readouterr().out) > 0
    maps = read_map(tmp_path, study.METHOD).maps
    assert maps.shape == (30, *study.SIZE_PX)
    assert (maps.max(axis=(1, 2)) > 0).all()
    assert np.array_equal(read_probe(tmp_path).labels, np.arange(30) % 10)


def test_sizes_are_what_the_points_say(tmp_path: Path) -> None:
    study.write_runs(tmp_path, study.POSTER, num_runs=6, num_probe=50)
    folders = run_folders(tmp_path)
    assert len(folders) == 6
    assert all(len(read_map(folder, study.METHOD).maps) == 50 for folder in folders)
