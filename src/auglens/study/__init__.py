"""The study: from the files of finished runs to tables, figures and a report. Trains nothing.

Reads records and maps only, so a report can be built again wherever the files are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Study", "build_study", "check_kl_eps"]


@dataclass(frozen=True)
class Study:
    """What a report was written from.

    Attributes:
        report: The HTML page; figures and tables lie beside it.
        runs: As in ``runs.csv``: one row a run, finished or not.
        maps: As in ``maps.csv``: one row a run, method and query image.
        table1: Accuracies, one row a comparison group and condition.
        metrics: Similarities and entropies, one row a group, method, condition and measure.
        failed: Names of the runs without a valid record.
        similarity: Mean ``cc, kl, kl_reverse, sim, js`` against the baseline, by run folder and
            method; only runs with a reference.
    """

    report: Path
    runs: pd.DataFrame
    maps: pd.DataFrame
    table1: pd.DataFrame
    metrics: pd.DataFrame
    failed: list[str]
    similarity: dict[Path, dict[str, dict[str, float]]]

    def figures(self, number: int) -> list[Path]:
        """PNG files of Figure ``number``, sorted: one or two a group and saliency method."""
        return sorted((self.report.parent / "figures").glob(f"*fig{number}_*.png"))


def build_study(sweeps: Sequence[Path], *, out: Path, kl_eps: Sequence[float]) -> Study:
    """Write ``runs.csv``, ``maps.csv`` and ``report/`` about one or several sweeps.

    Args:
        sweeps: Sweep folders, or folders of single runs.
        out: Folder to write to; created.
        kl_eps: Values that keep KL finite where a map is 0; the first is that of ``maps.csv``.

    Raises:
        auglens.study.load.StudyError: If a folder is missing or no run in them is complete.
        ValueError: If ``kl_eps`` is empty or not between 0 and 1.
    """
    check_kl_eps(kl_eps)
    from auglens.study.build import build

    return build(sweeps, out=out, kl_eps=kl_eps)


def check_kl_eps(kl_eps: Sequence[float]) -> None:
    """Refuse values that cannot keep the logarithm of KL finite.

    Raises:
        ValueError: If there is none, or one is not a number between 0 and 1.
    """
    listed = isinstance(kl_eps, Sequence) and not isinstance(kl_eps, str)
    if not listed or not kl_eps or not all(_is_small(eps) for eps in kl_eps):
        raise ValueError(f"kl_eps is a list of numbers between 0 and 1, got {kl_eps}.")


def _is_small(eps: object) -> bool:
    return isinstance(eps, float) and 0 < eps < 1
