"""The study: from the files of finished runs to tables, figures and a report. Trains nothing.

Reads records and maps only, so a report can be built again wherever the files are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auglens.study.progress import Track, untracked

if TYPE_CHECKING:
    import pandas as pd

    from auglens.study.saved import Sweep

__all__ = ["Study", "build_study", "check_foreground_threshold", "check_kl_eps", "load_sweep"]


@dataclass(frozen=True)
class Study:
    """What a report was written from.

    Attributes:
        report: The HTML page; figures and tables lie beside it.
        runs: As in ``runs.csv``: one row a run, finished or not.
        maps: As in ``maps.csv``: one row a run, method and query image.
        table1: Accuracies, one row a comparison group and condition.
        metrics: Every measure of the maps, one row a group, method, condition and measure.
        failed: Names of the runs without a valid record.
        missing: Of each sweep whose latest command runs or was cut short, how far it came.
        similarity: Mean of every similarity to the baseline, by run folder and method; only runs
            with a reference.
        unread: Files that are missing, damaged or do not belong, a line each; they are left out.
    """

    report: Path
    runs: pd.DataFrame
    maps: pd.DataFrame
    table1: pd.DataFrame
    metrics: pd.DataFrame
    failed: list[str]
    missing: list[str]
    similarity: dict[Path, dict[str, dict[str, float]]]
    unread: Sequence[str] = ()

    def figures(self, number: int) -> list[Path]:
        """PNG files of Figure ``number``, sorted: one or two a group and saliency method."""
        return sorted((self.report.parent / "figures").glob(f"*fig{number}_*.png"))


def build_study(
    sweeps: Sequence[Path],
    *,
    out: Path,
    kl_eps: Sequence[float],
    foreground_threshold: float,
    reuse: Sequence[Path] = (),
    track: Track = untracked,
) -> Study:
    """Write ``runs.csv``, ``maps.csv`` and ``report/`` about one or several sweeps.

    Args:
        sweeps: Sweep folders, or folders of single runs.
        out: Folder to write to; created.
        kl_eps: Values that keep KL finite where a map is 0; the first is that of ``maps.csv``.
        foreground_threshold: Brightness in (0, 1) above which a pixel is foreground.
        reuse: Further sweep folders that reused runs may lie in; others are not followed.
        track: Shows how far it is, such as :func:`auglens.study.console.step_progress`.

    Raises:
        auglens.study.load.StudyError: If a folder is missing, no run in them is complete, or a
            folder of the report is a link.
        OSError: If the report cannot be written.
        ValueError: If ``kl_eps`` is empty, or a setting is not between 0 and 1.
    """
    check_kl_eps(kl_eps)
    check_foreground_threshold(foreground_threshold)
    from auglens.study.build import build

    return build(
        sweeps,
        out=out,
        kl_eps=kl_eps,
        foreground_threshold=foreground_threshold,
        reuse=reuse,
        track=track,
    )


def load_sweep(folder: str | Path) -> Sweep:
    """Read a sweep whose report was built, to go on with its numbers and maps.

    Args:
        folder: Where ``runs.csv``, ``maps.csv`` and ``report/`` lie: the sweep folder, or the
            ``out`` folder of its study.

    Raises:
        auglens.study.load.StudyError: If no report was built there by this version of AugLens;
            says the command that builds it.
    """
    from auglens.study.saved import read_sweep

    return read_sweep(Path(folder))


def check_kl_eps(kl_eps: Sequence[float]) -> None:
    """Refuse values that cannot keep the logarithm of KL finite.

    Raises:
        ValueError: If there is none, or one is not a number between 0 and 1.
    """
    listed = isinstance(kl_eps, Sequence) and not isinstance(kl_eps, str)
    if not listed or not kl_eps or not all(map(_is_fraction, kl_eps)):
        raise ValueError(f"kl_eps is a list of numbers between 0 and 1, got {kl_eps}.")


def check_foreground_threshold(threshold: float) -> None:
    """Refuse a brightness that no image could be parted by.

    Raises:
        ValueError: If it is not a number between 0 and 1.
    """
    if not _is_fraction(threshold):
        raise ValueError(f"foreground_threshold is a number between 0 and 1, got {threshold}.")


def _is_fraction(value: object) -> bool:
    return isinstance(value, float) and 0 < value < 1
