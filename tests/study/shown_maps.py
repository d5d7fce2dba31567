"""What the map browser shows in a real browser: its panels, their pixels, what is read there."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Locator, Page, expect

__all__ = [
    "choose",
    "number",
    "panel_names",
    "pixels_of",
    "point",
    "readings",
    "state_of_controls",
    "wait_for",
]

MINUS = "\N{MINUS SIGN}"


def wait_for(page: Page) -> None:
    """Wait until all maps are drawn for the first time."""
    for table in page.locator(".map-browser table").all():
        expect(table.locator("tbody tr").first).to_be_visible()


def panel(page: Page, title: str) -> Locator:
    """The panel with this title."""
    caption = page.locator("figcaption").get_by_text(title, exact=True)
    return page.locator(".map-browser-panels figure").filter(has=caption)


def panel_names(page: Page) -> list[str]:
    """Titles of all panels, from left to right."""
    return page.locator(".map-browser-panels figcaption").all_text_contents()


def pixels_of(page: Page, title: str) -> NDArray[np.float64]:
    """What stands on a panel's canvas, RGB ``(H, W, 3)`` in 0 to 255."""
    width, height, *data = (
        panel(page, title)
        .locator("canvas")
        .evaluate(
            "one => [one.width, one.height,"
            " ...one.getContext('2d').getImageData(0, 0, one.width, one.height).data]"
        )
    )
    return np.array(data, np.float64).reshape(height, width, 4)[..., :3]


def point(page: Page, title: str, row: int, column: int) -> dict[str, str]:
    """Point at a pixel of a panel; what is read there in each."""
    canvas = panel(page, title).locator("canvas")
    width, height = canvas.evaluate(
        "one => [one.clientWidth / one.width, one.clientHeight / one.height]"
    )
    canvas.hover(position={"x": (column + 0.5) * width, "y": (row + 0.5) * height})
    return readings(page)


def readings(page: Page) -> dict[str, str]:
    """What is read at the present pixel, by panel."""
    texts = page.locator(".map-browser-panels output").all_text_contents()
    return dict(zip(panel_names(page), texts, strict=True))


def number(text: str) -> float:
    """The value that a panel or a table says."""
    return float(text.removeprefix("≥ ").removeprefix("about ").replace(MINUS, "-"))


def choose(page: Page, control: str, label: str) -> None:
    """Choose in a list by what stands there."""
    page.locator(f"[data-control={control}]").select_option(label=label)


def state_of_controls(page: Page) -> list[Any]:
    """Value and mark of every control."""
    script = "all => all.map(one => [one.value, one.checked])"
    return list(page.locator(".map-browser select, .map-browser input").evaluate_all(script))
