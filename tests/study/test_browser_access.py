"""The map browser for everyone: contrast, narrow windows, no script, several groups, and failures."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from auglens.study.map_browser import map_browser
from tests.study.chromium import (
    PHONE,
    WIDE,
    colour_of,
    contrast,
    luminance,
    opened,
    running_chromium,
)
from tests.study.generated_sweep import NUM_PROBE, make_config, write_run
from tests.study.map_pages import address_of, evidence_of, write_map_sweep, write_page
from tests.study.shown_maps import wait_for

# A colour of the page against its ground, as WCAG 2.2 asks of text, and of what shows a control.
LEAST_CONTRAST = 4.5
LEAST_CONTRAST_OF_CONTROLS = 3


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_map_sweep(tmp_path_factory.mktemp("maps") / "sweep")


@pytest.fixture(scope="module")
def address(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return address_of(folder, tmp_path_factory.mktemp("page"))


def test_a_phone_shows_it_without_scrolling_sideways(chromium: Browser, address: str) -> None:
    with opened(chromium.new_page(viewport=PHONE), address) as page:
        wait_for(page)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        right = page.locator(".map-browser").evaluate(
            "root => Math.max(...[...root.children].map(one => one.getBoundingClientRect().right))"
        )
        assert right <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_both_schemes(
    chromium: Browser, address: str, scheme: Literal["light", "dark"]
) -> None:
    with opened(chromium.new_page(viewport=WIDE, color_scheme=scheme), address) as page:
        wait_for(page)
        ground = colour_of(page, "body", "backgroundColor")
        assert (luminance(ground) < 0.1) == (scheme == "dark")
        for part in ("legend", ".map-browser-hint", "figcaption", "caption", "[role=status]", "td"):
            assert contrast(colour_of(page, part, "color"), ground) >= LEAST_CONTRAST
        button = "[data-control=image]"
        ground = colour_of(page, button, "backgroundColor")
        assert contrast(colour_of(page, button, "color"), ground) >= LEAST_CONTRAST


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_controls_are_told_from_their_ground_in_both_schemes(
    chromium: Browser, address: str, scheme: Literal["light", "dark"]
) -> None:
    with opened(chromium.new_page(viewport=WIDE, color_scheme=scheme), address) as page:
        wait_for(page)
        outside = colour_of(page, "body", "backgroundColor")
        for part in ("[data-control=image]", "[data-step]", "fieldset"):
            border = colour_of(page, f".map-browser {part}", "borderTopColor")
            assert contrast(border, outside) >= LEAST_CONTRAST_OF_CONTROLS
        for part in ("[data-control=image]", "[data-step]"):
            inside = colour_of(page, f".map-browser {part}", "backgroundColor")
            border = colour_of(page, f".map-browser {part}", "borderTopColor")
            assert contrast(border, inside) >= LEAST_CONTRAST_OF_CONTROLS


def test_a_wide_table_is_scrolled_by_the_keyboard(chromium: Browser, address: str) -> None:
    with opened(chromium.new_page(viewport=PHONE), address) as page:
        wait_for(page)
        table = page.get_by_role("region", name="Measures of the maps shown")
        table.focus()
        page.keyboard.press("ArrowRight")
        expect(table).to_be_focused()
        page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_maps_that_cannot_be_unpacked_are_said(
    chromium: Browser, folder: Path, tmp_path: Path
) -> None:
    whole = map_browser(evidence_of(folder)[0], max_bytes=10_000_000)
    assert whole is not None
    broken = replace(whole, payload=whole.payload.replace('"pixels":"', '"pixels":"!', 1))
    address = write_page(tmp_path / "page.html", [broken]).as_uri()
    with opened(chromium.new_page(viewport=WIDE), address) as page:
        expect(page.locator(".map-browser")).to_be_visible()
        expect(page.locator(".map-browser")).to_contain_text("The maps cannot be shown: ")


@pytest.fixture
def two_groups(tmp_path: Path) -> Path:
    """A sweep of two comparison groups."""
    for rate in (0.001, 0.01):
        optimizer = {"_target_": "torch.optim.Adam", "lr": rate}
        for augment in ("crop", "none"):
            config = make_config(augment, optimizer=optimizer)
            write_run(tmp_path / "sweep" / f"{augment}-{rate}", config)
    return tmp_path / "sweep"


def test_two_groups_keep_their_states_apart(
    chromium: Browser, two_groups: Path, tmp_path: Path
) -> None:
    address = address_of(two_groups, tmp_path)
    with opened(chromium.new_page(viewport=WIDE), address) as page:
        wait_for(page)
        both = page.locator(".map-browser")
        assert both.count() == 2
        both.nth(0).get_by_label("next image").click()
        both.nth(1).get_by_label("previous image").click()
        both.nth(1).get_by_label("over the image").check()
        last = f"Image {1000 + 7 * (NUM_PROBE - 1)}: star (20 of 20)"
        states = [
            "Image 1007: <script> (2 of 20); gradient; one seed; maps.",
            f"{last}; gradient; one seed; maps over the image.",
        ]
        for one, state in zip(both.all(), states, strict=True):
            expect(one.locator("[data-part=status]")).to_have_text(state)
        page.reload()
        for one, state in zip(both.all(), states, strict=True):
            expect(one.locator("[data-part=status]")).to_have_text(state)
        assert page.evaluate("Object.keys(window).includes('MapBrowser')") is False


def test_without_javascript_the_page_says_where_the_pictures_are(
    chromium: Browser, address: str
) -> None:
    page = chromium.new_page(java_script_enabled=False)
    page.goto(address)
    assert ": fig4_saliency_*.png" in page.locator("noscript").first.inner_text()
    expect(page.locator(".map-browser")).to_be_hidden()
    page.close()


def test_without_javascript_each_group_names_its_own_pictures(
    chromium: Browser, two_groups: Path, tmp_path: Path
) -> None:
    page = chromium.new_page(java_script_enabled=False)
    page.goto(address_of(two_groups, tmp_path))
    groups = [evidence.group.name for evidence in evidence_of(two_groups)]
    said = page.locator("noscript").all_inner_texts()
    assert len(groups) == len(set(groups)) == 2
    for group, line in zip(groups, said, strict=True):
        assert f": {group}_fig4_saliency_*.png" in line
    page.close()
