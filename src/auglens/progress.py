"""Shows how far long work is: a sweep at every job, work on images on a terminal only."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

__all__ = ["SweepClock", "image_progress"]

# Jobs that are only looked up and jobs that are trained take turns, so the pace is that of the last few.
LATEST = 20


class SweepClock:
    """Says how many jobs of a sweep are over and when, at the pace of the latest, all will be."""

    def __init__(self, num_jobs: int) -> None:
        self.num_jobs = num_jobs
        self.num_over = 0
        self._times: deque[float] = deque(maxlen=LATEST + 1)

    def start(self) -> None:
        """Call when a job starts."""
        if not self._times:
            self._times.append(time.monotonic())

    def end(self) -> None:
        """Call when a job is over, however it ended."""
        self.num_over += 1
        self._times.append(time.monotonic())

    @property
    def seconds_left(self) -> float:
        """Of all jobs that are not over."""
        pace = (self._times[-1] - self._times[0]) / max(len(self._times) - 1, 1)
        return pace * (self.num_jobs - self.num_over)

    def __str__(self) -> str:
        """Such as ``12/70, about 5 min left (till 10:41)``."""
        said = f"{self.num_over}/{self.num_jobs}"
        if self.num_over >= self.num_jobs:
            return said
        end = datetime.now().astimezone() + timedelta(seconds=self.seconds_left)
        form = "%H:%M" if self.seconds_left < 12 * 3600 else "%Y-%m-%d %H:%M"
        seconds = self.seconds_left
        left = f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
        return f"{said}, about {left} left (till {end:{form}})"


@contextmanager
def image_progress(console: Console, *, total: int) -> Iterator[Callable[[str, int], None]]:
    """A bar while images are worked on.

    Args:
        console: Where to draw.
        total: How much there is to do, in images or in whole tasks.

    Yields:
        Called with what is being done and how much of ``total`` that finished.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task("", total=total)
    with bar:
        yield lambda label, count: bar.update(task, advance=count, description=label)
