"""The notebooks run on a generated sweep and show what they promise."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.study.generated_sweep import write_sweep

POSTER = Path(__file__).parents[1] / "notebooks" / "01_poster.ipynb"


def read_poster() -> Any:  # noqa: ANN401 - nbformat has no types
    return nbformat.read(POSTER, as_version=4)  # type: ignore[no-untyped-call]


def test_outputs_are_stripped_and_the_kernel_is_found_everywhere() -> None:
    notebook = read_poster()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert notebook.metadata.kernelspec.name == "python3"


def test_nothing_is_defined() -> None:
    notebook = read_poster()
    lines = [line for cell in notebook.cells for line in cell.source.splitlines()]
    assert not [line for line in lines if line.lstrip().startswith(("def ", "class ", "lambda"))]


def test_the_poster_notebook_shows_the_table_and_six_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUGLENS_SWEEP", str(write_sweep(tmp_path / "sweep", seeds=[0])))
    notebook = read_poster()
    # Raises CellExecutionError if a cell fails.
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(tmp_path))
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    shown = [out.data for out in outputs if "data" in out]
    tables = [data["text/html"] for data in shown if "text/html" in data]
    assert any("crop" in table and "0.87" in table for table in tables)
    assert sum("image/png" in data for data in shown) == 6
