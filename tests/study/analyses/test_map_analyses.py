"""Floors, shifts, variation and consensus of run folders, against plain loops."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from auglens.records.maps import read_map
from auglens.study.analyses.map_similarity import GroupMaps, map_similarity, read_group_maps
from auglens.study.analyses.shifts import ALL, DUPLICATE, INIT, ORDER, floor_rows, shift_rows
from auglens.study.analyses.variation import (
    classifier_row,
    consensus_rows,
    permanova_row,
    scaling_rows,
    without_maps,
)
from auglens.study.conditions import Group, find_groups
from auglens.study.load import load_sweeps
from tests.study.generated_sweep import GREY, METHOD, NUM_PROBE, make_config, write_run, write_sweep

SEEDS = (0, 1, 2)


def read(folder: Path) -> tuple[Group, GroupMaps]:
    (group,) = find_groups(load_sweeps([folder]).results)
    return group, read_group_maps(group, METHOD)


def plain_cc(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Mean over images of NumPy's own correlation."""
    pairs = zip(first, second, strict=True)
    return float(np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]))


@pytest.fixture(scope="module")
def floors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of four training sets, and baselines that differ in less than everything."""
    folder = tmp_path_factory.mktemp("floors") / "sweep"
    write_sweep(folder, augments=("crop", "blur", "duplicate", "none"), seeds=SEEDS)
    for number, changed in enumerate(
        ({"order": 8}, {"order": 9}, {"order": 8, "init": 8}, {"init": 9})
    ):
        config = make_config("none")
        config["seeds"] = {**config["seeds"], **changed}
        write_run(folder / f"{40 + number}-none-s1-seed0", config)
    return folder


def test_floors_are_parted_by_what_differs(floors: Path) -> None:
    group, own = read(floors)
    rows = {row["floor"]: row for row in floor_rows(group, own, map_similarity(group, own, "cc"))}
    maps = {run.name: own.maps[place] for place, run in enumerate(own.runs)}
    base = [f"{9 + seed}-none-s1-seed{seed}" for seed in SEEDS]
    copies = [f"{6 + seed}-duplicate-s1-seed{seed}" for seed in SEEDS]
    first, second, third, fourth = (f"{40 + number}-none-s1-seed0" for number in range(4))
    expected = {
        DUPLICATE: list(zip(copies, base, strict=True)),
        ORDER: [(first, second), (first, base[0]), (second, base[0])],
        # third and fourth differ in order too; first and third share the order, so no pair.
        INIT: [
            (second, third),
            (third, fourth),
            (third, base[0]),
            (first, fourth),
            (second, fourth),
        ],
        ALL: list(combinations(base, 2)),
    }
    assert set(rows) == set(expected)
    for name, pairs in expected.items():
        values = [plain_cc(maps[one], maps[other]) for one, other in pairs]
        assert rows[name]["n_pairs"] == len(pairs), name
        assert rows[name]["mean"] == pytest.approx(np.mean(values), abs=1e-12), name
        assert rows[name]["sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-12), name


def test_shift_is_that_of_a_plain_loop(floors: Path) -> None:
    group, own = read(floors)
    rows = shift_rows(group, own, map_similarity(group, own, "cc"), "cc")
    crop = next(row for row in rows if row["label"] == "crop")
    maps = {run.name: own.maps[place] for place, run in enumerate(own.runs)}
    a = [maps[f"{seed}-crop-s1-seed{seed}"] for seed in SEEDS]
    b = [maps[f"{9 + seed}-none-s1-seed{seed}"] for seed in SEEDS]
    floor_a = np.mean([plain_cc(a[i], a[j]) for i, j in combinations(SEEDS, 2)])
    floor_b = np.mean([plain_cc(b[i], b[j]) for i, j in combinations(SEEDS, 2)])
    across = np.mean([plain_cc(a[i], b[j]) for i in SEEDS for j in SEEDS if i != j])
    assert crop["delta"] == pytest.approx((floor_a + floor_b) / 2 - across, abs=1e-12)
    assert crop["same_seed"] == pytest.approx(
        np.mean([plain_cc(one, other) for one, other in zip(a, b, strict=True)]), abs=1e-12
    )
    assert [row["label"] for row in rows if row["tested"]] == ["crop", "blur"]


def test_the_same_maps_have_no_shift_exactly(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for seed in SEEDS:
        maps = random.random((NUM_PROBE, *GREY[1:]), np.float32)
        for augment in ("crop", "none"):
            write_run(
                tmp_path / f"{augment}-seed{seed}", make_config(augment, seed=seed), maps=maps
            )
    group, own = read(tmp_path)
    for measure in ("cc", "spearman"):
        (row,) = shift_rows(group, own, map_similarity(group, own, measure), measure)
        assert row["delta"] == 0.0
        assert row["p"] == 1.0
        floor = row["floor_a"]
        assert isinstance(floor, float)
        rho_star = row["rho_star"]
        assert isinstance(rho_star, float)
        assert rho_star == 1.0 if floor > 0.05 else np.isnan(rho_star)


def test_maps_of_other_settings_are_left_out(tmp_path: Path) -> None:
    write_sweep(tmp_path, augments=("crop", "none"), seeds=(0, 1))
    config = make_config("crop", seed=2)
    config["saliency"] = {"methods": {METHOD: {"reduce": "sum_abs", "batch_size": 200}}}
    write_run(tmp_path / "9-crop-s1-seed2", config)
    group, own = read(tmp_path)
    assert len(group.runs) == 5
    assert len(own.runs) == 4
    assert own.left_out == ("9-crop-s1-seed2",)


def write_settings(folder: Path, jobs: list[tuple[str, int, str]]) -> None:
    """Runs in the order of the jobs: an augmentation, a seed, and how its maps are reduced."""
    for number, (augment, seed, reduce) in enumerate(jobs):
        config = make_config(augment, seed=seed)
        config["saliency"] = {"methods": {METHOD: {"reduce": reduce, "batch_size": 200}}}
        write_run(folder / f"{number}-{augment}-s1-seed{seed}", config)


def test_a_first_run_that_is_the_odd_one_is_left_out_itself(tmp_path: Path) -> None:
    odd, rest = ("crop", 0, "sum_abs"), [("crop", 1, "max_abs"), ("none", 0, "max_abs")]
    write_settings(tmp_path, [odd, *rest])
    group, own = read(tmp_path)
    assert group.runs[0].name == "0-crop-s1-seed0"
    assert own.left_out == ("0-crop-s1-seed0",)
    assert [run.name for run in own.runs] == ["1-crop-s1-seed1", "2-none-s1-seed0"]
    for run, maps in zip(own.runs, own.maps, strict=True):
        np.testing.assert_array_equal(maps, read_map(run.folder, METHOD).maps)


def test_of_equally_frequent_settings_those_of_the_baseline_are_kept(tmp_path: Path) -> None:
    write_settings(tmp_path, [("crop", 0, "sum_abs"), ("none", 0, "max_abs")])
    assert read(tmp_path)[1].left_out == ("0-crop-s1-seed0",)


def test_of_equally_frequent_settings_of_no_baseline_the_first_are_kept(tmp_path: Path) -> None:
    write_settings(tmp_path, [("crop", 0, "sum_abs"), ("blur", 0, "max_abs")])
    assert read(tmp_path)[1].left_out == ("1-blur-s1-seed0",)


def test_consensus_leaves_the_own_augmentation_seed_and_copies_out(floors: Path) -> None:
    group, own = read(floors)
    rows = {row["run"]: row for row in consensus_rows(group, own)}
    maps = {run.name: own.maps[place] for place, run in enumerate(own.runs)}

    def mean_map(name: str, first: int) -> NDArray[np.float64]:
        others = [seed for seed in SEEDS if seed != 0]
        runs = [maps[f"{first + seed}-{name}-s1-seed{seed}"].astype(float) for seed in others]
        return np.asarray(
            np.mean([one / one.sum(axis=(1, 2), keepdims=True) for one in runs], axis=0)
        )

    blur, none = mean_map("blur", 3), mean_map("none", 9)
    reference = ((blur + none) / 2).astype(np.float32)
    expected = plain_cc(maps["0-crop-s1-seed0"], reference)
    assert rows["0-crop-s1-seed0"]["consensus"] == pytest.approx(expected, abs=1e-6)


def test_consensus_of_a_single_seed_is_with_the_same_seed(tmp_path: Path) -> None:
    write_sweep(tmp_path, augments=("crop", "none"), seeds=(0,))
    group, own = read(tmp_path)
    rows = {row["run"]: row["consensus"] for row in consensus_rows(group, own)}
    assert list(rows) == [run.name for run in own.runs]
    assert list(rows.values()) == pytest.approx([plain_cc(*own.maps)] * 2, abs=1e-6)


def test_a_shared_seed_alone_makes_no_consensus(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    for seed in range(8):
        shared = random.gamma(1.0, size=(NUM_PROBE, *GREY[1:]))
        for augment in ("crop", "blur", "none"):
            maps = (shared + 0.1 * random.gamma(1.0, size=shared.shape)).astype(np.float32)
            write_run(tmp_path / f"{augment}{seed}", make_config(augment, seed=seed), maps=maps)
    values = [float(str(row["consensus"])) for row in consensus_rows(*read(tmp_path))]
    # 160 correlations of 120 independent pixels: 0 within some 0.02.
    assert np.mean(values) == pytest.approx(0, abs=0.05)


def write_zeros(folder: Path, zeros: set[tuple[str, int]], *, num_seeds: int) -> Path:
    """Three training sets of noise, of which some runs have maps that are all zero."""
    random = np.random.default_rng(4)
    for seed in range(num_seeds):
        for augment in ("crop", "blur", "none"):
            maps = random.random((NUM_PROBE, *GREY[1:]), np.float32)
            if (augment, seed) in zeros:
                maps = np.zeros_like(maps)
            write_run(folder / f"{augment}{seed}", make_config(augment, seed=seed), maps=maps)
    return folder


def test_a_run_without_a_defined_map_takes_its_seed_with_it(tmp_path: Path) -> None:
    group, own = read(write_zeros(tmp_path, {("crop", 2)}, num_seeds=5))
    similarity = map_similarity(group, own, "cc")
    row, told = permanova_row(group, own, similarity), classifier_row(group, own, similarity)
    assert row is not None
    assert (row["n_runs"], row["n_seeds"]) == (12, 4)
    assert told is not None
    # Two of four seeds are held out.
    assert told["n"] == 6
    assert without_maps(group, own, similarity) == []
    shown = [row["run"] for row in scaling_rows(group, own, similarity)]
    assert len(shown) == 14
    assert "crop2" not in shown


def test_a_condition_without_a_defined_map_is_left_out_and_named(tmp_path: Path) -> None:
    zeros = {("blur", seed) for seed in range(4)}
    group, own = read(write_zeros(tmp_path, zeros, num_seeds=4))
    similarity = map_similarity(group, own, "cc")
    assert without_maps(group, own, similarity) == ["blur"]
    row, told = permanova_row(group, own, similarity), classifier_row(group, own, similarity)
    assert row is not None
    assert (row["n_runs"], row["n_seeds"]) == (8, 4)
    assert told is not None
    assert told["chance"] == 0.5


def test_too_little_that_is_defined_gives_no_row(tmp_path: Path) -> None:
    zeros = {("crop", 0), ("crop", 1), ("none", 2)}
    group, own = read(write_zeros(tmp_path, zeros, num_seeds=4))
    similarity = map_similarity(group, own, "cc")
    assert permanova_row(group, own, similarity) is None
    assert classifier_row(group, own, similarity) is None


def test_variation_is_the_variance_of_the_standardised_maps(tmp_path: Path) -> None:
    group, own = read(write_zeros(tmp_path, set(), num_seeds=4))
    row = permanova_row(group, own, map_similarity(group, own, "cc"))
    assert row is not None
    flat = own.maps.astype(np.float64).reshape(*own.maps.shape[:2], -1)
    flat -= flat.mean(axis=2, keepdims=True)
    flat /= np.linalg.norm(flat, axis=2, keepdims=True)
    # Runs are sorted by augmentation, then by seed.
    table = flat.reshape(3, 4, -1)
    centred = table - table.mean(axis=(0, 1))
    sets, seeds = centred.mean(axis=1), centred.mean(axis=0)
    shares = [4 * (sets**2).sum(), 3 * (seeds**2).sum()] / (centred**2).sum()
    assert [row["r2_total"], row["r2_blocks"]] == pytest.approx(shares, abs=1e-9)


def test_variation_is_over_the_augmentations_and_the_baseline(floors: Path) -> None:
    group, own = read(floors)
    row = permanova_row(group, own, map_similarity(group, own, "cc"))
    assert row is not None
    assert (row["n_runs"], row["n_seeds"]) == (9, 3)
