"""A sweep as its report left it: tables and maps for people who go on. Writes and concludes nothing.

Letters of shapes: R runs, N images, C channels, H height, W width.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from auglens.records.maps import Probe, SaliencyMaps, read_map, read_probe
from auglens.study.csv_files import read_csv
from auglens.study.load import StudyError
from auglens.study.tables import MAPS_COLUMNS, RUNS_COLUMNS

__all__ = ["SavedTables", "Sweep", "read_sweep"]

COMPLETE = "COMPLETED"
MAPS_TYPES = {
    **dict.fromkeys(MAPS_COLUMNS, "Float64"),
    **dict.fromkeys(("run", "augment", "method"), "str"),
    **dict.fromkeys(("seed", "probe_id", "label", "prediction"), "Int64"),
}


class SavedTables(Mapping[str, pd.DataFrame]):
    """Tables of a report by name; each is read once, when it is first asked for.

    Args:
        folder: The report's folder of tables.
    """

    def __init__(self, folder: Path) -> None:
        self._paths = {path.stem: path for path in sorted(folder.glob("*.csv"))}
        self._read: dict[str, pd.DataFrame] = {}

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._read:
            self._read[name] = read_csv(self._paths[name])
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __repr__(self) -> str:
        return f"SavedTables({', '.join(self)})"


@dataclass(frozen=True)
class Sweep:
    """A sweep whose report was built.

    Attributes:
        folder: Where its tables lie.
        runs: ``runs.csv``: one row a run, finished or not.
        maps: ``maps.csv``: one row a run, saliency method and probe image, with every measure.
    """

    folder: Path
    runs: pd.DataFrame
    maps: pd.DataFrame

    @property
    def methods(self) -> tuple[str, ...]:
        """Saliency methods with rows in ``maps``, sorted."""
        return tuple(sorted(self.maps["method"].unique()))

    @cached_property
    def tables(self) -> SavedTables:
        """The tables of ``report/tables`` by the names of their files, such as ``table1``."""
        return SavedTables(self.folder / "report" / "tables")

    def run_folder(self, run: str) -> Path:
        """Folder of a run.

        Raises:
            ValueError: If no row of ``runs`` has this name.
        """
        return self.folder / self._value(run, "folder")

    def probe(self, run: str | None = None) -> Probe:
        """The explained images, with the logits of one run.

        Args:
            run: Name of a complete run; None for the first one. All runs of a comparison group
                explain the same images.

        Raises:
            ValueError: If there is no such run, or it is not complete.
            auglens.records.run.RecordError: If its ``probe.npz`` is absent or damaged.
        """
        name = self.runs.loc[self.runs["status"] == COMPLETE, "run"].iloc[0] if run is None else run
        return read_probe(self._complete(name))

    def saliency_maps(
        self, method: str, runs: Sequence[str] | None = None
    ) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        """The maps of several runs of one comparison group, image by image in the same order.

        Args:
            method: Name of a saliency method.
            runs: Names of complete runs; None for all that have rows of the method in ``maps``.

        Returns:
            The names in the order of ``runs.csv``, and maps ``float32 (R, N, H, W)``.

        Raises:
            ValueError: If there is no such run or no map, a run is not complete, or the runs are
                of several comparison groups or explain different images.
            auglens.records.run.RecordError: If a file of maps is absent or damaged.
        """
        names = self._chosen(method, runs)
        found = [read_map(self.run_folder(name), method) for name in names]
        _check_same_images(names, found)
        return names, np.stack([one.maps for one in found])

    def _chosen(self, method: str, runs: Sequence[str] | None) -> tuple[str, ...]:
        named = self.maps.loc[self.maps["method"] == method, "run"] if runs is None else runs
        wanted = set(named)
        if not wanted:
            known = ", ".join(self.methods) or "none"
            raise ValueError(f"No run of {self.folder} has maps of {method!r}; methods: {known}.")
        for name in sorted(wanted):
            self._complete(name)
        groups = {self._value(name, "group") for name in wanted}
        if len(groups) > 1:
            raise ValueError(
                f"These runs are of {len(groups)} comparison groups ({', '.join(sorted(groups))}); "
                "choose runs=[...] of one group, by the column `group` of runs."
            )
        return tuple(name for name in self.runs["run"] if name in wanted)

    def _complete(self, run: str) -> Path:
        status = self._value(run, "status")
        if status != COMPLETE:
            raise ValueError(f"{run} is {status}, not {COMPLETE}.")
        return self.run_folder(run)

    def _value(self, run: str, column: str) -> str:
        values = self.runs.loc[self.runs["run"] == run, column]
        if values.empty:
            raise ValueError(f"There is no run {run!r} in {self.folder / 'runs.csv'}.")
        return str(values.iloc[0])


def read_sweep(folder: Path) -> Sweep:
    """See :func:`auglens.study.load_sweep`."""
    columns = {"runs.csv": tuple(RUNS_COLUMNS), "maps.csv": MAPS_COLUMNS}
    for name, expected in columns.items():
        path = folder / name
        held = tuple(read_csv(path, num_rows=0).columns) if path.is_file() else ()
        if held != expected:
            found = "is of another version of AugLens" if held else "is not there"
            command = f"python -m auglens.study sweep={shlex.quote(str(folder))}"
            raise StudyError(f"{path} {found}; build the report first: {command}")
    return Sweep(
        folder=folder,
        runs=read_csv(folder / "runs.csv", types=RUNS_COLUMNS),
        maps=read_csv(folder / "maps.csv", types=MAPS_TYPES),
    )


def _check_same_images(names: Sequence[str], found: Sequence[SaliencyMaps]) -> None:
    first = found[0]
    for name, one in zip(names, found, strict=True):
        same_ids = np.array_equal(one.probe_ids, first.probe_ids)
        if not same_ids or one.maps.shape != first.maps.shape:
            raise ValueError(f"{name} explains other images than {names[0]}; leave it out.")
