"""The map browser in a real browser: what it draws is compared with NumPy."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from matplotlib import colormaps
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect

from auglens.records.maps import read_map, read_probe
from auglens.saliency.overlay import overlay, relative
from auglens.study.map_browser import map_browser
from tests.study.chromium import PHONE, WIDE, opened, running_chromium
from tests.study.generated_sweep import SHAPE
from tests.study.map_pages import UNDEFINED_IMAGE, address_of, evidence_of, write_map_sweep
from tests.study.shown_maps import (
    MINUS,
    choose,
    number,
    panel_names,
    pixels_of,
    point,
    readings,
    state_of_controls,
    wait_for,
)

HEIGHT, WIDTH = SHAPE[1:]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_map_sweep(tmp_path_factory.mktemp("maps") / "sweep")


@pytest.fixture(scope="module")
def limits(folder: Path) -> dict[str, float]:
    """Upper end of each method's scale, tested beside this file."""
    browser = map_browser(evidence_of(folder)[0], max_bytes=10_000_000)
    assert browser is not None
    methods = json.loads(browser.payload)["methods"]
    found = {one["name"]: one["limit"] for one in methods}
    return {**found, "difference": methods[0]["differenceLimit"]}


@pytest.fixture(scope="module")
def address(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return address_of(folder, tmp_path_factory.mktemp("page"))


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    with opened(chromium.new_page(viewport=WIDE), address) as page:
        wait_for(page)
        yield page


def maps_of(folder: Path, run: str, method: str = "gradient") -> NDArray[np.float64]:
    """Multiples of the uniform value, written down anew."""
    maps = np.abs(read_map(folder / run, method).maps.astype(np.float64))
    with np.errstate(invalid="ignore"):
        shares: NDArray[np.float64] = maps / maps.mean(axis=(1, 2), keepdims=True)
    return shares


def mean_of(folder: Path, augment: str, method: str = "gradient") -> NDArray[np.float64]:
    runs = [maps_of(folder, f"{augment}-s1-seed{seed}", method) for seed in (0, 1)]
    return np.asarray(np.mean(runs, axis=0))


def colours_of(values: NDArray[np.float64], limit: float) -> NDArray[np.float64]:
    levels = np.rint(values.clip(0, limit) / limit * 63)
    return np.asarray(255 * colormaps["inferno"](levels / 63)[..., :3])


def test_the_image_and_the_plain_sets_stand_side_by_side(page: Page, folder: Path) -> None:
    assert panel_names(page) == ["image 1000: circle", "crop", "blur", "none"]
    image = read_probe(folder / "none-s1-seed0").images[0]
    drawn = pixels_of(page, "image 1000: circle")
    np.testing.assert_allclose(drawn, 255 * np.moveaxis(image, 0, -1), rtol=0, atol=0.51)
    boxes = [one.bounding_box() for one in page.locator(".map-browser-panels canvas").all()]
    assert len({round(box["y"]) for box in boxes if box}) == 1


def test_a_pixel_reads_the_mean_over_seeds_in_every_panel(
    page: Page, folder: Path, limits: dict[str, float]
) -> None:
    read = point(page, "blur", 5, 7)
    for augment in ("crop", "blur", "none"):
        expected = min(mean_of(folder, augment)[0, 5, 7], limits["gradient"])
        # Half a level of the scale, and half of the last digit.
        assert number(read[augment]) == pytest.approx(
            expected, abs=limits["gradient"] / 126 + 0.005
        )
    assert "Row 6, column 8" in page.locator("[data-part=pixel]").inner_text()


def test_panels_are_drawn_in_the_colours_of_their_values(
    page: Page, folder: Path, limits: dict[str, float]
) -> None:
    for augment in ("crop", "blur", "none"):
        expected = colours_of(mean_of(folder, augment)[0], limits["gradient"])
        np.testing.assert_allclose(pixels_of(page, augment), expected, rtol=0, atol=0.51)


def test_image_method_and_seed_change_what_is_drawn(
    page: Page, folder: Path, limits: dict[str, float]
) -> None:
    page.get_by_label("next image").click()
    page.get_by_label("next image").click()
    expect(page.locator("figcaption").get_by_text("image 1014: square")).to_be_visible()
    choose(page, "seed", "seed 1")
    choose(page, "method", "random")
    expect(page.locator("[data-part=status]")).to_have_text(
        "Image 1014: square (3 of 20); random; seed 1; maps."
    )
    expect(page.locator(".map-browser-scale figcaption")).to_contain_text("random:")
    expected = colours_of(maps_of(folder, "blur-s1-seed1", "random")[2], limits["random"])
    np.testing.assert_allclose(pixels_of(page, "blur"), expected, rtol=0, atol=0.51)
    own = read_probe(folder / "blur-s1-seed1").logits[2].argmax()
    cell = page.get_by_role("row", name="blur").locator("td").first
    word = "right" if own == 2 else "wrong"
    expect(cell).to_have_text(f"{['circle', '<script>', 'square', 'star'][own]} ({word})")


def test_the_overlay_is_the_one_of_the_figures(
    page: Page, folder: Path, limits: dict[str, float]
) -> None:
    choose(page, "seed", "seed 0")
    page.get_by_label("over the image").check()
    expect(page.locator("[data-part=status]")).to_contain_text("maps over the image")
    images = read_probe(folder / "blur-s1-seed0").images[:1]
    maps = relative(read_map(folder / "blur-s1-seed0", "gradient").maps[:1])
    levels = np.rint(maps.clip(0, limits["gradient"]) / limits["gradient"] * 63) / 63
    (expected,) = overlay(images, levels, limit=1)
    drawn = pixels_of(page, "blur")
    # Image, colour and sum are each rounded to 8 bits.
    np.testing.assert_allclose(drawn, 255 * expected, rtol=0, atol=1.5)


@pytest.mark.parametrize("seed", [None, 0, 1])
def test_a_difference_is_the_run_minus_the_baseline(
    page: Page, folder: Path, limits: dict[str, float], seed: int | None
) -> None:
    if seed is not None:
        choose(page, "seed", f"seed {seed}")
    page.get_by_label("difference to the baseline").check()
    expect(page.locator(".map-browser-scale figcaption")).to_contain_text("minus the baseline's P")
    read = point(page, "crop", 3, 2)
    for augment in ("crop", "blur", "none"):
        maps = [
            (mean_of(folder, name) if seed is None else maps_of(folder, f"{name}-s1-seed{seed}"))
            for name in (augment, "none")
        ]
        own, baseline = (min(one[0, 3, 2], limits["gradient"]) for one in maps)
        assert number(read[augment]) == pytest.approx(
            own - baseline, abs=limits["gradient"] / 63 + 0.005
        )
    ticks = page.locator(".map-browser-scale div span").all_text_contents()
    end = f"{limits['difference']:.2f}"
    assert (ticks[0], ticks[2], ticks[4]) == (f"≤ {MINUS}{end}", "0.00", f"≥ {end}")


def test_no_difference_has_the_colour_in_the_middle(page: Page) -> None:
    page.get_by_label("difference to the baseline").check()
    expect(page.locator("[data-part=status]")).to_contain_text("maps minus")
    middle = 255 * np.array(colormaps["RdBu_r"](0.5)[:3])
    drawn = pixels_of(page, "none")
    np.testing.assert_allclose(drawn, np.broadcast_to(middle, drawn.shape), rtol=0, atol=1.5)


def test_boxes_choose_the_panels_and_the_rows(page: Page) -> None:
    page.get_by_label("crop s0.5").check()
    page.get_by_label("blur", exact=True).uncheck()
    expect(page.locator(".map-browser-panels figure")).to_have_count(4)
    assert panel_names(page)[1:] == ["crop s0.5", "crop", "none"]
    rows = page.locator(".map-browser tbody th").all_text_contents()
    assert rows == ["crop s0.5", "crop", "none"]


def test_an_undefined_map_is_said_and_not_black(page: Page) -> None:
    page.locator("[data-control=image]").select_option(index=UNDEFINED_IMAGE)
    choose(page, "seed", "seed 1")
    expect(page.get_by_text("undefined", exact=True)).to_be_visible()
    assert point(page, "blur", 0, 0)["crop"] == "undefined"
    assert pixels_of(page, "crop").min() > 50
    page.get_by_label("crop s0.5").check()
    expect(page.get_by_text("no run of this seed").first).to_be_visible()


def test_the_table_holds_the_measures_of_the_study(page: Page, folder: Path) -> None:
    (evidence,) = evidence_of(folder)
    maps = evidence.maps[
        (evidence.maps["method"] == "gradient") & (evidence.maps["augment"] == "blur")
    ]
    own = maps[maps["probe_id"] == 1000]
    names = ["cc", "kl", "entropy", "effective_area"]
    row = page.get_by_role("row", name="blur").locator("td")
    right = int((own["prediction"] == own["label"]).sum())
    assert row.all_text_contents()[:2] == [f"{right} of 2 right", "2"]
    shown = [number(text) for text in row.all_text_contents()[2:]]
    np.testing.assert_allclose(shown, own[names].mean(), rtol=0, atol=0.00051)
    choose(page, "seed", "seed 1")
    expect(row).to_have_count(5)
    shown = [number(text) for text in row.all_text_contents()[1:]]
    expected = own.loc[own["seed"] == 1, names].to_numpy()[0]
    np.testing.assert_allclose(shown, expected, rtol=0, atol=0.00051)


def test_measures_stand_with_their_units(page: Page) -> None:
    heads = page.locator(".map-browser thead th").all_inner_texts()
    said = [" ".join(head.split()) for head in heads]
    assert said[:3] == ["training set", "prediction", "maps"]
    assert said[3:] == ["CC", "KL nats", "Entropy nats", "Effective area"]


def test_the_address_holds_the_whole_state(page: Page, chromium: Browser) -> None:
    assert "#" not in page.url
    choose(page, "method", "random")
    page.locator(".map-browser-strip button").nth(6).click()
    choose(page, "seed", "seed 1")
    page.get_by_label("difference to the baseline").check()
    page.get_by_label("crop", exact=True).uncheck()
    state = "image:1042;method:random;seed:1;view:difference;conditions:2.3"
    assert unquote(page.url).endswith(f"={state}")
    assert unquote(page.url).split("#")[1].startswith("maps-")
    other = chromium.new_page(viewport=WIDE)
    with opened(other, page.url) as again:
        wait_for(again)
        assert panel_names(again) == panel_names(page)
        for name in ("blur", "none"):
            assert (pixels_of(again, name) == pixels_of(page, name)).all()
        assert state_of_controls(again) == state_of_controls(page)


def test_a_changed_address_changes_the_page_and_another_part_of_it_does_not(page: Page) -> None:
    page.get_by_label("next image").click()
    changed = page.url.replace("1007", "1021")
    assert changed != page.url
    page.evaluate("address => { location.href = address; }", changed)
    expect(page.locator("[data-part=status]")).to_contain_text("Image 1021")
    page.evaluate("location.hash = 'missing'")
    expect(page.locator("[data-part=status]")).to_contain_text("Image 1021")


def test_a_state_that_the_page_lacks_falls_back(page: Page) -> None:
    page.get_by_label("next image").click()
    changed = page.url.replace("1007", "9").replace("gradient", "none-such").replace("0.", "9.")
    page.goto("about:blank")
    page.goto(changed.replace("%3Amap", "%3AtoString"))
    wait_for(page)
    expect(page.locator("[data-part=status]")).to_contain_text("Image 1000: circle (1 of 20)")
    assert page.locator("[data-control=method]").input_value() == "0"


def test_a_seed_that_is_not_kept_goes_to_the_mean_and_says_so(
    chromium: Browser, folder: Path, tmp_path: Path
) -> None:
    whole = map_browser(evidence_of(folder)[0], max_bytes=10_000_000)
    assert whole is not None
    address = address_of(folder, tmp_path, max_bytes=int(0.8 * len(whole.payload)))
    with opened(chromium.new_page(viewport=WIDE), address) as page:
        wait_for(page)
        expect(page.locator("[data-part=seeds]")).to_have_text("single seeds: images 1 to 10")
        choose(page, "seed", "seed 1")
        page.locator("[data-control=image]").select_option(index=10)
        expect(page.locator("[data-part=status]")).to_contain_text(
            "Single seeds are here for the first 10 images only; this is the mean."
        )
        assert page.locator("[data-control=seed]").input_value() == "mean"
        assert "first 10 images" in page.locator("ul").inner_text()


def test_everything_works_from_the_keyboard(page: Page, folder: Path) -> None:
    page.keyboard.press("Tab")
    assert page.locator("[data-control=image]").evaluate("one => one === document.activeElement")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-part=status]")).to_contain_text("Image 1007")
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-part=status]")).to_contain_text("maps over the image")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator(".map-browser-panels figure")).to_have_count(5)
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-part=status]")).to_contain_text("Image 1000")
    for _ in range(3):
        page.keyboard.press("Tab")
    for key in ("ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    read = readings(page)
    spoken = page.locator("[data-part=status]").inner_text()
    assert spoken.startswith("Row 6, column 7:")
    assert f"blur {read['blur']}" in spoken
    assert number(read["blur"]) == pytest.approx(mean_of(folder, "blur")[0, 5, 6], abs=0.1)


def test_touching_a_map_reads_it(chromium: Browser, address: str) -> None:
    page = chromium.new_page(viewport=PHONE, has_touch=True, is_mobile=True)
    with opened(page, address) as touched:
        wait_for(touched)
        touched.locator(".map-browser-panels canvas").nth(1).tap(position={"x": 2, "y": 2})
        assert "Row 1, column 1" in touched.locator("[data-part=pixel]").inner_text()
        assert all(readings(touched).values())


def test_a_class_named_like_a_tag_stays_text(page: Page) -> None:
    page.get_by_label("next image").click()
    expect(page.locator("figcaption").get_by_text("image 1007: <script>")).to_be_visible()
    assert "<script>" in page.locator("[data-control=image] option").nth(1).inner_text()
    assert page.locator("script").count() == 2
