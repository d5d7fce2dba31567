import io
import itertools

import pytest
from rich.console import Console

from auglens.study.console import LONG_S, step_progress
from auglens.study.progress import untracked


def written(monkeypatch: pytest.MonkeyPatch, seconds_an_item: float, *, terminal: bool) -> str:
    """What is drawn while ten runs are measured."""
    if not terminal:
        # Rich, which draws on terminals, reads the same clock.
        times = itertools.count(100.0, seconds_an_item)
        monkeypatch.setattr("auglens.study.console.time.monotonic", lambda: next(times))
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100)
    with step_progress(console) as track:
        assert list(track(range(10), "Measuring maps")) == list(range(10))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_without_a_terminal_a_long_step_says_once_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = written(monkeypatch, LONG_S / 2, terminal=False)
    assert said == "Measuring maps: 3 of 10, about 52 s left\n"


def test_without_a_terminal_a_short_step_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert written(monkeypatch, LONG_S / 20, terminal=False) == ""


def test_on_a_terminal_a_step_has_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = written(monkeypatch, 0, terminal=True)
    assert "Measuring maps" in drawn
    assert "/10" in drawn
    # The line is erased at the end, and the cursor shown again.
    assert drawn.rstrip().endswith("\x1b[2K\x1b[?25h")


def test_untracked_items_are_handed_on() -> None:
    assert list(untracked([3, 1], "unseen")) == [3, 1]
