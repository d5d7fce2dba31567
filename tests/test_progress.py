import itertools
import re

import pytest

from auglens.progress import LATEST, SweepClock


def ticking(monkeypatch: pytest.MonkeyPatch, *seconds: float) -> None:
    """Let the clock of the process move by these seconds from call to call."""
    times = itertools.accumulate(seconds, initial=100.0)
    monkeypatch.setattr("auglens.progress.time.monotonic", lambda: next(times))


def test_what_is_left_follows_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    ticking(monkeypatch, 10, 10)
    clock = SweepClock(7)
    for _ in range(2):
        clock.start()
        clock.end()
    assert clock.seconds_left == pytest.approx(5 * 10)
    assert re.fullmatch(r"2/7, about 50 s left \(till \d\d:\d\d\)", str(clock))


def test_jobs_that_were_only_looked_up_long_ago_no_longer_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ticking(monkeypatch, *[0.1] * 50, *[60.0] * LATEST)
    clock = SweepClock(100)
    clock.start()
    for _ in range(50 + LATEST):
        clock.end()
    assert clock.seconds_left == pytest.approx(30 * 60)


def test_days_are_said_with_the_date(monkeypatch: pytest.MonkeyPatch) -> None:
    ticking(monkeypatch, 24 * 3600)
    clock = SweepClock(3)
    clock.start()
    clock.end()
    assert re.search(r"till \d{4}-\d\d-\d\d \d\d:\d\d", str(clock))


def test_nothing_is_left_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ticking(monkeypatch, 5)
    clock = SweepClock(1)
    clock.start()
    clock.end()
    assert clock.seconds_left == 0
    assert str(clock) == "1/1"
