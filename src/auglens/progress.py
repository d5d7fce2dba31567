"""Shows how far long work on images is, on a terminal only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

__all__ = ["image_progress"]


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
