import base64
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from auglens.records.maps import SaliencyMaps, map_path, read_map, read_probe
from auglens.study.evidence import Evidence
from auglens.study.load import Run
from auglens.study.map_browser import MapBrowser, map_browser
from auglens.study.map_material import choose_shown, collect
from auglens.study.map_stacks import round_robin, scale_limit
from tests.study.generated_sweep import CLASS_NAMES, NUM_PROBE, SHAPE, make_config, write_run
from tests.study.map_pages import NOT_FINITE_IMAGE, UNDEFINED_IMAGE, evidence_of, write_map_sweep

ENOUGH = 10_000_000
HEIGHT, WIDTH = SHAPE[1:]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_map_sweep(tmp_path_factory.mktemp("maps") / "sweep")


@pytest.fixture(scope="module")
def evidence(folder: Path) -> Evidence:
    (group,) = evidence_of(folder)
    return group


@pytest.fixture(scope="module")
def content(evidence: Evidence) -> dict[str, Any]:
    return content_of(browse(evidence))


def browse(evidence: Evidence, max_bytes: int = ENOUGH) -> MapBrowser:
    browser = map_browser(evidence, max_bytes=max_bytes)
    assert browser is not None
    return browser


def content_of(browser: MapBrowser) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(browser.payload)
    return loaded


@pytest.fixture
def packed_once(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is cut to several sizes is read and packed the first time only."""
    material = collect(choose_shown(evidence, max_pixels=ENOUGH))
    monkeypatch.setattr("auglens.study.map_browser.collect", lambda _: material)


def unpack(text: str, rows: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Levels and numbers of one packed text."""
    packed = zlib.decompress(base64.b64decode(text))
    area = rows * HEIGHT * WIDTH
    levels = np.frombuffer(packed[:area], np.uint8).reshape(rows, HEIGHT, WIDTH)
    return levels, np.frombuffer(packed[area:], "<f4").reshape(rows, -1)


def multiples(run: Path, method: str) -> NDArray[np.float64]:
    """P times the number of pixels, written down anew."""
    maps = np.abs(read_map(run, method).maps.astype(np.float64))
    with np.errstate(invalid="ignore"):
        shares: NDArray[np.float64] = maps / maps.sum(axis=(1, 2), keepdims=True)
    return shares * HEIGHT * WIDTH


def run_folders(folder: Path, label: str) -> list[Path]:
    stem = label.replace(" ", "-") if " " in label else f"{label}-s1"
    return sorted(folder.glob(f"{stem}-seed*"))


def expected_means(folder: Path, label: str, method: str) -> NDArray[np.float64]:
    runs = np.stack([multiples(run, method) for run in run_folders(folder, label)])
    defined = np.isfinite(runs[:, :, :1, :1]).all(axis=(2, 3), keepdims=True)
    defined &= np.isfinite(runs).all(axis=(2, 3), keepdims=True)
    means: NDArray[np.float64] = np.where(defined, runs, 0).sum(axis=0) / defined.sum(axis=0)
    return means


def assert_within_half_a_level(
    levels: NDArray[np.uint8], maps: NDArray[np.floating], limit: float
) -> None:
    shown = levels.astype(np.float64) * limit / 63
    # float32 of the mean, on top of half a level.
    np.testing.assert_allclose(shown, maps.clip(0, limit), rtol=0, atol=limit / 126 * 1.0001)


@pytest.mark.parametrize("method", ["gradient", "random"])
def test_decoded_means_equal_the_maps_within_half_a_level(
    folder: Path, content: dict[str, Any], method: str
) -> None:
    own = next(one for one in content["methods"] if one["name"] == method)
    labels = [one["label"] for one in content["conditions"]]
    expected = np.stack([expected_means(folder, label, method) for label in labels])
    assert labels == ["crop s0.5", "crop", "blur", "none"]
    assert len(own["means"]) == NUM_PROBE
    for image, text in enumerate(own["means"]):
        levels, _ = unpack(text, len(labels))
        assert_within_half_a_level(levels, expected[:, image], own["limit"])


def test_decoded_single_runs_equal_the_maps_within_half_a_level(
    folder: Path, content: dict[str, Any]
) -> None:
    (method, *_), runs = content["methods"], content["runs"]
    for number, run in enumerate(runs):
        label = content["conditions"][run["condition"]]["label"]
        own = run_folders(folder, label)[int(content["seeds"][run["seed"]])]
        maps = multiples(own, method["name"])
        for image, text in enumerate(method["singles"]):
            if np.isfinite(maps[image]).all():
                levels, _ = unpack(text, len(runs))
                assert_within_half_a_level(levels[number], maps[image], method["limit"])


def test_one_scale_ends_at_a_percentile_of_everything_of_a_method(
    folder: Path, content: dict[str, Any]
) -> None:
    for method in content["methods"]:
        labels = [one["label"] for one in content["conditions"]]
        means = [expected_means(folder, label, method["name"]) for label in labels]
        singles = [
            multiples(run, method["name"]) for label in labels for run in run_folders(folder, label)
        ]
        values = np.concatenate([np.ravel(maps) for maps in [*means, *singles]])
        # An undefined map has no pixel on the scale, also where one of its pixels is finite.
        expected = np.percentile(values[np.isfinite(values)], 99.5)
        assert method["limit"] == pytest.approx(expected, rel=1e-5)


def test_an_undefined_map_is_flagged_and_in_no_mean(folder: Path, content: dict[str, Any]) -> None:
    method, labels = content["methods"][0], [one["label"] for one in content["conditions"]]
    crop = labels.index("crop")
    run = content["runs"].index({"condition": crop, "seed": content["seeds"].index("1")})
    first = multiples(run_folders(folder, "crop")[0], "gradient")
    for image in (UNDEFINED_IMAGE, NOT_FINITE_IMAGE):
        levels, _ = unpack(method["singles"][image], len(content["runs"]))
        assert (levels[run] == content["undefined"]).all()
        levels, numbers = unpack(method["means"][image], len(labels))
        assert_within_half_a_level(levels[crop], first[image], method["limit"])
        assert numbers[:, 0].tolist() == [1, 1, 2, 2]


def test_measures_are_those_of_the_study_and_their_means(
    evidence: Evidence, content: dict[str, Any]
) -> None:
    maps = evidence.maps[evidence.maps["method"] == "gradient"]
    titles = [one["title"] for one in content["measures"]]
    assert titles == ["CC", "KL", "Entropy", "Effective area"]
    blur = [one["label"] for one in content["conditions"]].index("blur")
    for image, text in enumerate(content["methods"][0]["means"]):
        own = maps[(maps["augment"] == "blur") & (maps["probe_id"] == 1000 + 7 * image)]
        expected = own[["cc", "kl", "entropy", "effective_area"]].mean()
        _, numbers = unpack(text, len(content["conditions"]))
        # float32 of values of about 1, which may cancel in the mean.
        np.testing.assert_allclose(numbers[blur], [2, *expected], rtol=1e-6, atol=1e-7)


def test_predictions_are_the_largest_logits(folder: Path, content: dict[str, Any]) -> None:
    for number, run in enumerate(content["runs"]):
        label = content["conditions"][run["condition"]]["label"]
        own = run_folders(folder, label)[int(content["seeds"][run["seed"]])]
        shown = [image["predictions"][number] for image in content["images"]]
        assert shown == read_probe(own).logits.argmax(axis=1).tolist()


def test_images_are_the_probe_in_eight_bits(folder: Path, content: dict[str, Any]) -> None:
    probe = read_probe(run_folders(folder, "none")[0])
    for number, image in enumerate(content["images"]):
        assert (image["id"], image["label"]) == (probe.probe_ids[number], number % 4)
        pixels = np.frombuffer(zlib.decompress(base64.b64decode(image["pixels"])), np.uint8)
        expected = 255 * np.moveaxis(probe.images[number], 0, -1)
        np.testing.assert_allclose(pixels.reshape(expected.shape), expected, rtol=0, atol=0.501)


def test_by_default_the_plain_strengths_are_chosen(content: dict[str, Any]) -> None:
    chosen = {one["label"]: one["chosen"] for one in content["conditions"]}
    assert chosen == {"crop s0.5": False, "crop": True, "blur": True, "none": True}
    assert content["conditions"][content["baseline"]]["label"] == "none"


def test_names_of_classes_cannot_end_the_element(
    evidence: Evidence, content: dict[str, Any]
) -> None:
    payload = browse(evidence).payload
    assert not set("<>&") & set(payload)
    assert payload.isascii()
    assert content["classes"] == CLASS_NAMES
    assert "<script>" in content["classes"]


def test_each_map_file_is_read_once(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[Path, str]] = []

    def counting(run: Run, method: str) -> SaliencyMaps:
        read.append((run.folder, method))
        return read_map(run.folder, method)

    monkeypatch.setattr(Run, "maps", counting)
    browse(evidence)
    assert len(read) == len(set(read)) == 2 * len(evidence.group.runs)


@pytest.mark.usefixtures("packed_once")
def test_what_does_not_fit_is_left_out_in_order_and_said(evidence: Evidence) -> None:
    whole = browse(evidence)
    assert whole.left_out == ()
    kept = []
    for share in np.linspace(1.01, 0.02, 60):
        max_bytes = int(share * len(whole.payload))
        browser = browse(evidence, max_bytes)
        assert len(browser.payload) <= max_bytes
        if browser.payload:
            content = content_of(browser)
            singles = [len(one["singles"]) for one in content["methods"]]
            kept.append((*singles, len(content["images"]), *browser.left_out))
    states = list(dict.fromkeys(kept))
    most = "Single seeds are there for the first {} images, all others as means over seeds."
    assert states[:5] == [
        (20, 20, 20),
        (10, 10, 20, most.format(10)),
        (5, 5, 20, most.format(5)),
        (5, 0, 20, most.format(5), "Of random there are means over seeds only."),
        (0, 0, 20, "Single seeds are not on this page, means over seeds only."),
    ]
    assert states[5][2:4] == (19, "19 of 20 images are on this page, one of each class in turn.")
    assert states[-1][:3] == (0, 0, 1)


@pytest.mark.usefixtures("packed_once")
def test_the_last_to_go_are_the_later_methods(evidence: Evidence) -> None:
    sizes = range(3000, 7000, 50)
    least = next(one for one in (browse(evidence, size) for size in sizes) if one.payload)
    content = content_of(least)
    assert [one["name"] for one in content["methods"]] == ["gradient"]
    assert len(content["images"]) == 1
    assert least.left_out[0] == "Maps of random are not on this page."


def test_a_page_too_small_for_any_map_says_so(evidence: Evidence) -> None:
    browser = browse(evidence, 1000)
    assert browser.payload == ""
    assert browser.left_out[0].startswith("The maps are too large for this page")


def test_without_maps_there_is_no_browser(tmp_path: Path) -> None:
    config = make_config("none")
    config["saliency"] = {"methods": {}}
    write_run(tmp_path / "0-none", config)
    (evidence,) = evidence_of(tmp_path)
    assert map_browser(evidence, max_bytes=ENOUGH) is None


def test_one_run_a_condition_is_its_own_mean(tmp_path: Path) -> None:
    for augment in ("crop", "none"):
        write_run(tmp_path / augment, make_config(augment))
    (evidence,) = evidence_of(tmp_path)
    browser = browse(evidence)
    (method,) = content_of(browser)["methods"]
    assert method["singles"] == []
    assert browser.left_out == ()


def test_runs_without_a_method_or_with_other_images_are_told_apart(tmp_path: Path) -> None:
    folder = write_map_sweep(tmp_path / "sweep")
    map_path(folder / "blur-s1-seed1", "random").unlink()
    write_run(folder / "blur-s1-seed2", make_config("blur", seed=2), probe_hash="1" * 64)
    (evidence,) = evidence_of(folder)
    browser = browse(evidence)
    content = content_of(browser)
    assert browser.left_out == ("Runs with maps of other images are left out: blur-s1-seed2.",)
    blur = [one["label"] for one in content["conditions"]].index("blur")
    assert content["conditions"][blur]["runs"] == 2
    run = content["runs"].index({"condition": blur, "seed": content["seeds"].index("1")})
    levels, _ = unpack(content["methods"][1]["singles"][0], len(content["runs"]))
    assert (levels[run] == content["absent"]).all()


def test_classes_take_turns_in_the_order_of_ids() -> None:
    random = np.random.default_rng(0)
    labels = random.permutation(np.repeat([0, 1, 2], [5, 3, 4]))
    ids = random.permutation(100)[: len(labels)]
    order = round_robin(labels, ids)
    assert sorted(order) == list(range(len(labels)))
    assert labels[order[:9]].tolist() == [0, 1, 2] * 3
    for label in range(3):
        own = ids[order][labels[order] == label]
        assert (np.diff(own) > 0).all()


def test_a_scale_of_nearly_empty_maps_ends_at_their_largest_value() -> None:
    maps = np.zeros((1, 40, 40))
    maps[0, 3, 4] = 1600
    assert scale_limit(maps) == 1600
    assert scale_limit(np.full((1, 2, 2), np.nan)) == 1
