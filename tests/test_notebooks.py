"""The notebooks and the page about the Python interface run, and show what they promise."""

import re
from pathlib import Path
from typing import Any

import matplotlib
import nbformat
import numpy as np
import pytest
from matplotlib import pyplot as plt
from nbclient import NotebookClient
from scipy import stats

from auglens.study import build_study, load_sweep
from tests.conftest import REPOSITORY, SMALL, Cli
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import make_config, write_run, write_sweep

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("0?_*[!d].ipynb"))
ABSENT = "Not in this sweep"
API = (REPOSITORY / "docs" / "api.md").read_text(encoding="utf-8")


def read(number: int) -> Any:  # noqa: ANN401 - nbformat has no types
    return nbformat.read(NOTEBOOKS[number - 1], as_version=4)  # type: ignore[no-untyped-call]


def execute(number: int, sweep: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Run a notebook in a kernel; what its cells show."""
    monkeypatch.setenv("AUGLENS_SWEEP", str(sweep))
    notebook = read(number)
    # Raises CellExecutionError if a cell fails.
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute(cwd=str(sweep))
    return [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]


def printed(outputs: list[Any]) -> str:
    return "".join(out.text for out in outputs if out.output_type == "stream")


def num_pictures(outputs: list[Any]) -> int:
    return sum("image/png" in out.data for out in outputs if "data" in out)


@pytest.fixture(scope="module")
def two_seeds(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four small runs: crop and none, two seeds, one strength."""
    folder = tmp_path_factory.mktemp("multirun") / "day" / "time"
    overrides = ("augment=crop,none", "seed=0,1", f"hydra.sweep.dir={folder}")
    assert cli("-m", *overrides, *SMALL, "logger=none", "figures=false") == 0
    return folder


@pytest.fixture(scope="module")
def strengths(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three augmentations at three strengths, duplicate and none; two seeds."""
    folder = tmp_path_factory.mktemp("strengths")
    kinds = [(name, level) for name in ("scale", "crop", "blur") for level in (0.5, 1.0, 2.0)]
    kinds += [("duplicate", 1.0), ("none", 1.0)]
    jobs = [(*kind, seed) for kind in kinds for seed in (0, 1)]
    for number, (name, level, seed) in enumerate(jobs):
        config = make_config(name, strength=level, seed=seed)
        write_run(folder / f"{number}-{name}-s{level:g}-seed{seed}", config)
    build_study([folder], out=folder, **MEASURING)
    return folder


def test_there_are_three() -> None:
    names = [path.stem for path in NOTEBOOKS]
    assert names == ["01_poster", "02_maps", "03_statistics"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_outputs_are_stripped_and_the_kernel_is_found_everywhere(number: int) -> None:
    notebook = read(number)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("number", [1, 2, 3])
def test_nothing_is_defined(number: int) -> None:
    code = [cell.source for cell in read(number).cells if cell.cell_type == "code"]
    assert not re.findall(r"\b(?:def|class|lambda)\b", "\n".join(code))


def test_the_poster_notebook_shows_the_table_and_six_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = execute(1, write_sweep(tmp_path / "sweep", seeds=[0]), monkeypatch)
    shown = [out.data for out in outputs if "data" in out]
    tables = [data["text/html"] for data in shown if "text/html" in data]
    assert any("crop" in table and "0.87" in table for table in tables)
    assert num_pictures(outputs) == 6


def test_the_notebook_of_maps_shows_them_and_makes_one_again(
    two_seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = execute(2, two_seeds, monkeypatch)
    # Maps, overlays, means, differences, and the map made again.
    assert num_pictures(outputs) == 5
    text = printed(outputs)
    assert "4 runs with maps of gradient, 20 images each: crop, none" in text
    assert "equal: True" in text
    assert ABSENT not in text


def test_the_notebook_of_statistics_relates_similarity_to_accuracy_over_strengths(
    strengths: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = execute(3, strengths, monkeypatch)
    # Similarities, the matrix of all pairs, and the curves.
    assert num_pictures(outputs) == 3
    text = printed(outputs)
    assert "22 runs with maps of gradient; against none: scale, crop, blur" in text
    assert "scale against none, 2 seeds, 20 images" in text
    assert "from 6 exchanges" in text
    assert ABSENT not in text


def test_the_notebook_of_statistics_says_what_a_small_sweep_lacks(
    two_seeds: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUGLENS_SWEEP", str(two_seeds))
    monkeypatch.setattr(plt, "show", plt.close)
    matplotlib.use("agg")
    found: dict[str, Any] = {}
    # In this process: a kernel takes as long to start as all of its cells.
    for cell in read(3).cells:
        if cell.cell_type == "code":
            exec(cell.source, found)  # noqa: S102 - the repository's own
    text = capsys.readouterr().out
    assert f"{ABSENT}: three augmentations at three common strengths" in text
    assert f"{ABSENT}: the floor" in text
    assert text.count(ABSENT) == 3
    accuracies = load_sweep(two_seeds).runs["test_accuracy"].to_numpy(np.float64)
    expected = stats.ttest_rel(accuracies[:2], accuracies[2:])
    assert found["differences"].loc["crop", "p"] == pytest.approx(expected.pvalue)
    assert found["differences"].loc["crop", "p_sign_flip"] == pytest.approx(0.5)
    _, maps = load_sweep(two_seeds).saliency_maps("gradient")
    pairs = [np.corrcoef(maps[0, place].ravel(), maps[3, place].ravel()) for place in range(20)]
    across = np.mean([pair[0, 1] for pair in pairs])
    others = [np.corrcoef(maps[1, place].ravel(), maps[2, place].ravel()) for place in range(20)]
    across = (across + np.mean([pair[0, 1] for pair in others])) / 2
    assert found["shifts"].loc["crop", "across"] == pytest.approx(across)


def test_the_page_about_the_python_interface_runs(two_seeds: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", API, flags=re.DOTALL)
    assert len(blocks) == 6
    found: dict[str, Any] = {}
    for block in blocks:
        here = re.sub(r'"multirun/[^"]*"', repr(str(two_seeds)), block)
        exec(here, found)  # noqa: S102 - the repository's own
    runs = found["sweep"].runs
    assert found["accuracies"]["crop"] == pytest.approx(runs["test_accuracy"][:2].mean())
    assert found["maps"].shape == (4, 20, 28, 28)
    assert found["predictions"].tolist() == found["sweep"].probe().logits.argmax(axis=1).tolist()
    assert found["explained"].shape == (5, 28, 28)
    assert list(found["found"]) == ["crop"]
    assert found["shift"].n == 2
