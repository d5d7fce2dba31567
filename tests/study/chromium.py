"""A real browser for tests of pages: the system's Chromium, driven by playwright."""

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

__all__ = ["PHONE", "WIDE", "colour_of", "contrast", "luminance", "opened", "running_chromium"]

WIDE = ViewportSize(width=1100, height=1000)
PHONE = ViewportSize(width=390, height=844)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """Start Chromium and end it again; the test that wants it is skipped where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on the PATH")
    arguments = ["--no-sandbox", "--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@contextmanager
def opened(page: Page, address: str) -> Iterator[Page]:
    """Open a page; at the end nothing was complained of and nothing but the page was asked for."""
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url.split("#")[0]))
    page.goto(address)
    yield page
    page.close()
    assert complaints == []
    assert set(requests) <= {address.split("#")[0], "about:blank"}


def colour_of(page: Page, part: str, name: str) -> list[float]:
    """A computed colour of the first such element, RGB in 0 to 255."""
    text = page.locator(part).first.evaluate("(one, name) => getComputedStyle(one)[name]", name)
    return [float(value) for value in text.removeprefix("rgb(").removesuffix(")").split(",")]


def luminance(colour: list[float]) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    linear = [
        value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4
        for value in (part / 255 for part in colour)
    ]
    return math.fsum(
        weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )


def contrast(one: list[float], other: list[float]) -> float:
    """Contrast ratio as WCAG 2.2 defines it, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)
