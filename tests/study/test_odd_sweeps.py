"""Reports of sweeps that lack something, or where nothing differs."""

import itertools
from pathlib import Path

import numpy as np

from auglens.study.analysis_illustrations import (
    illustrate_classes,
    illustrate_runs,
    illustrate_seed_means,
)
from auglens.study.map_illustrations import illustrate_maps
from tests.study.generated_sweep import GREY, METHOD, NUM_PROBE, make_config, write_run
from tests.study.test_analysis_figures import gather, keep_findings, labels_of


def test_a_method_of_unusual_strengths_alone_has_no_figure_4(tmp_path: Path) -> None:
    for augment, strength in (("crop", 1.0), ("crop", 2.0), ("none", 1.0)):
        config = make_config(augment, strength=strength)
        if strength == 2.0:
            config["saliency"] = {"methods": {"occlusion": {"batch_size": 200}}}
        write_run(tmp_path / "in" / f"{augment}{strength}", config, shape=GREY)
    single = gather(tmp_path / "in", tmp_path / "out")
    assert "occlusion" in single.methods
    names = [one.name for one in illustrate_maps(single, "occlusion")]
    assert not [name for name in names if name.startswith("fig4")]
    assert [one for one in illustrate_maps(single, METHOD) if one.name.startswith("fig4")]


def test_a_baseline_with_a_label_of_its_own_is_what_figures_compare_with(tmp_path: Path) -> None:
    for seed in (0, 1):
        for number, (augment, copies) in enumerate((("crop", 10), ("none", 0), ("none", 10))):
            config = make_config(augment, seed=seed)
            config["augment"]["copies"] = copies
            write_run(tmp_path / "in" / f"{number}-{seed}", config, shape=GREY)
    own = gather(tmp_path / "in", tmp_path / "out")
    assert own.group.baseline is not None
    label = own.group.baseline.label
    assert label == "none (copies=0)"
    (classes,) = illustrate_classes(own)
    assert labels_of(classes.values) == ["crop", "none (copies=10)", label]
    (means,) = illustrate_seed_means(own, METHOD)
    assert f"that of {label}" in means.caption
    assert f"{label} 1.000" not in means.caption


def test_runs_without_any_distance_lie_on_one_point(tmp_path: Path) -> None:
    maps = np.random.default_rng(6).random((NUM_PROBE, *GREY[1:]), np.float32)
    for augment, seed in itertools.product(("crop", "none"), (0, 1)):
        config = make_config(augment, seed=seed)
        write_run(tmp_path / "in" / f"{augment}{seed}", config, shape=GREY, maps=maps)
    single = gather(tmp_path / "in", tmp_path / "out")
    (figure,) = illustrate_runs(single, METHOD)
    assert "All distances are 0." in figure.caption
    assert "nan" not in figure.caption


def test_what_single_analyses_leave_out_is_said(tmp_path: Path) -> None:
    for augment, seed in (("crop", 0), ("crop", 1), ("blur", 0), ("blur", 1), ("none", 0)):
        config = make_config(augment, seed=seed)
        if (augment, seed) == ("crop", 0):
            config["saliency"] = {"methods": {METHOD: {"reduce": "sum_abs", "batch_size": 200}}}
        write_run(tmp_path / "in" / f"{augment}{seed}", config, shape=GREY)
    said = keep_findings(tmp_path / "in", tmp_path / "out").absences
    seeds = said["Seeds that some training sets lack, left out of tests over all sets"]
    assert seeds == ["crop: seeds 1 not in none", "blur: seeds 1 not in none"]
    made = said["Maps made otherwise than most, left out of comparisons across seeds"]
    assert made == [f"crop0 ({METHOD})"]


def test_maps_that_are_zero_in_some_runs_or_all_stop_no_report(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    zeros = np.zeros((NUM_PROBE, *GREY[1:]), np.float32)
    for augment, seed in itertools.product(("crop", "blur", "none"), range(4)):
        maps = random.random(zeros.shape, np.float32)
        some = zeros if augment == "blur" or (augment, seed) == ("crop", 3) else maps
        config = make_config(augment, seed=seed)
        write_run(tmp_path / "some" / f"{augment}{seed}", config, shape=GREY, maps=some)
        write_run(tmp_path / "all" / f"{augment}{seed}", config, shape=GREY, maps=zeros)
    found = keep_findings(tmp_path / "some", tmp_path / "out")
    said = found.absences
    topic = "Training sets without a defined map, left out of comparisons across seeds"
    assert said[topic] == [f"blur ({METHOD})"]
    assert found.tables["permanova"]["n_runs"].tolist() == [6]
    everything = keep_findings(tmp_path / "all", tmp_path / "out")
    assert "permanova" not in everything.tables
    assert len(everything.absences[topic]) == 3
