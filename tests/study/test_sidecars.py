"""Sidecars that no longer belong, are of other settings, or lead out of their folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auglens.records.maps import method_hash, read_map, write_map
from auglens.records.run import read_record, write_record
from auglens.study import Study, build_study
from auglens.study.comparison import Comparison, compare_maps
from auglens.study.load import load_sweeps
from tests.study.conftest import MEASURING
from tests.study.generated_measures import write_sidecar
from tests.study.generated_sweep import (
    GREY,
    METHODS,
    NUM_PROBE,
    PROBE_HASH,
    make_config,
    write_run,
    write_sweep,
    write_trusted_sweep,
)
from tests.study.html_page import Page

RUN = "0-none-s1-seed0"
MEASURES = (
    *("faithfulness", "infidelity", "sensitivity", "parameter_randomization"),
    *("label_randomization", "equivariance", "untrained"),
)


def compare(sweep: Path) -> Comparison:
    return compare_maps(load_sweeps([sweep]).results, **MEASURING)


def absences(study: Study) -> dict[str, list[str]]:
    summary = json.loads((study.report.parent / "summary.json").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = summary["absences"]
    return found


def change(folder: Path, name: str, **content: object) -> None:
    path = folder / "measures" / f"{name}.json"
    before = json.loads(path.read_text(encoding="utf-8"))
    del before["checksum"]
    path.write_text(json.dumps({**before, **content}), encoding="utf-8")


@pytest.mark.parametrize(
    "name", [*(f"{measure}.gradient" for measure in MEASURES), "affinity_diversity"]
)
@pytest.mark.parametrize(
    "content",
    [
        pytest.param({"inputs": {"twin": "f" * 64}}, id="another run behind it"),
        pytest.param({"seed": 1}, id="another seed"),
        pytest.param({"method_hash": "0" * 64}, id="other maps"),
        pytest.param({"settings": {"num_images": 1}}, id="other settings"),
    ],
)
def test_a_sidecar_whose_hash_does_not_follow_from_what_decided_it_is_left_out(
    tmp_path: Path, name: str, content: dict[str, Any]
) -> None:
    write_trusted_sweep(tmp_path, augments=["none"])
    before = len(compare(tmp_path).results[RUN])
    change(tmp_path / RUN, name, **content)
    comparison = compare(tmp_path)
    (line,) = comparison.damage
    assert f"measures/{name}.json measures other maps" in line
    assert len(comparison.results[RUN]) == before - 1


def test_maps_that_are_made_again_leave_all_their_measures_behind(tmp_path: Path) -> None:
    write_trusted_sweep(tmp_path, augments=["none"])
    old = read_map(tmp_path / RUN, "gradient")
    made = {**old.settings, "batch_size": 1}
    write_map(
        tmp_path / RUN,
        "gradient",
        maps=old.maps,
        probe_ids=old.probe_ids,
        method_hash=method_hash(read_record(tmp_path / RUN).identity, made, probe_hash=PROBE_HASH),
        settings=made,
    )
    comparison = compare(tmp_path)
    stale = {line.split("measures/")[1].split(".gradient.json")[0] for line in comparison.damage}
    assert stale == set(MEASURES)
    assert "affinity_diversity" in {one.measure for one in comparison.results[RUN]}


def test_measures_of_maps_that_are_gone_are_left_out(tmp_path: Path) -> None:
    write_trusted_sweep(tmp_path, augments=["none"])
    (tmp_path / RUN / "saliency" / "edge.npz").unlink()
    damage = compare(tmp_path).damage
    assert any("equivariance.edge.json measures maps that are not there" in one for one in damage)


@pytest.mark.parametrize("hostile", ["../../../../pwn", "/pwn", "..", "<img src=x>", ""])
def test_a_method_that_leads_out_of_its_folder_is_damage_and_writes_nothing(
    tmp_path: Path, hostile: str
) -> None:
    run, out = tmp_path / "deep" / "sweep" / "0-none", tmp_path / "deep" / "out"
    config = make_config("none")
    write_run(run, config)
    methods = {**config["saliency"]["methods"], hostile: {"reduce": "max_abs"}}
    record = read_record(run)
    changed = {**record.config, "saliency": {"methods": methods}}
    write_record(run, type(record)(**{**vars(record), "config": changed}))
    # Maps lie where such a name would lead.
    stray = tmp_path / "pwn.npz"
    stray.write_bytes((run / "saliency" / "gradient.npz").read_bytes())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    study = build_study([run.parent], out=out, **MEASURING)
    after = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert all(path.is_relative_to(out) for path in after - set(before))
    assert all(path.read_bytes() == content for path, content in before.items())
    lines = absences(study)["Files that could not be read"]
    assert lines == [f"0-none: {hostile!r} is no name of a saliency method or measure."]
    assert set(study.maps["method"]) == {"gradient"}


def test_measures_of_other_settings_enter_no_mean_and_are_named(tmp_path: Path) -> None:
    write_sweep(tmp_path, augments=["crop"], seeds=[0, 1, 2])
    for number, (steps, value) in enumerate(((28, 0.25), (14, 0.75), (28, 0.5))):
        folder = tmp_path / f"{number}-crop-s1-seed{number}"
        ids = [int(one) for one in read_map(folder, "gradient").probe_ids]
        settings = {"num_steps": steps, "batch_size": 1 + number}
        columns = {"srg_black": [value] * NUM_PROBE}
        falling = np.linspace(1, 0, steps + 1).tolist()
        curve = {"most_important_first": falling, "least_important_first": falling}
        write_sidecar(
            folder,
            "faithfulness",
            "gradient",
            probe_ids=ids,
            columns=columns,
            values={"curves": {"black": curve}},
            settings=settings,
        )
    study = build_study([tmp_path], out=tmp_path / "out", **MEASURING)
    (row,) = study.metrics.query("measure == 'srg_black'").to_dict("records")
    assert (row["mean"], row["n_runs"], row["n_maps"]) == (0.375, 2, 2 * NUM_PROBE)
    (lines,) = (one for topic, one in absences(study).items() if "other settings" in topic)
    (line,) = lines
    assert line == (
        "1-crop-s1-seed1: faithfulness was taken with num_steps 14, that of 0-crop-s1-seed0 with "
        "num_steps 28 (gradient)"
    )
    text = Page(study.report).text
    assert "num_steps 28, batch_size 1; or num_steps 14, batch_size 2" in text
    # It was measured, if otherwise, so nothing is missing.
    assert "faithfulness was not measured" not in text
    # maps.csv says of each run what was measured of it.
    assert set(study.maps["srg_black"]) == {0.25, 0.75, 0.5}


def test_curves_run_from_0_to_1_whatever_their_number_of_steps(trusted_study: Study) -> None:
    table = trusted_study.report.parent / "tables" / "faithfulness_curves.csv"
    rows = np.genfromtxt(table, delimiter=",", names=True, dtype=None, encoding="utf-8")
    np.testing.assert_allclose(rows["fraction"], rows["step"] / rows["step"].max())


def test_a_method_of_later_seeds_only_has_its_figure_of_the_first_that_has_it(
    tmp_path: Path,
) -> None:
    for seed, methods in enumerate((["gradient"], ["gradient", "edge"])):
        saliency = {"methods": {name: METHODS[name] for name in methods}}
        write_run(
            tmp_path / f"{seed}", make_config("none", seed=seed, saliency=saliency), shape=GREY
        )
    study = build_study([tmp_path], out=tmp_path / "out", **MEASURING)
    folder = study.report.parent / "methods"
    assert "from the models of seed 1." in Page(folder / "edge.html").text
    assert "from the models of seed 0." in Page(folder / "gradient.html").text
    assert sum("edge" in path.name for path in study.figures(4)) == 2
