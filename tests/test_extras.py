"""Each extra installs alone into a fresh environment, and does there what it is for."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY, SMALL
from tests.sweeps import QUIET, states

pytestmark = pytest.mark.extras

NOTEBOOK = """
import nbclient, nbformat
cell = nbformat.v4.new_code_cell("import auglens")
book = nbformat.v4.new_notebook(cells=[cell])
nbclient.NotebookClient(book, kernel_name="python3").execute()
"""


@pytest.fixture
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Python of an environment that holds AugLens with one extra."""
    uv = Path(sys.executable).with_name("uv")
    python = tmp_path / "environment" / "bin" / "python"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    subprocess.run([uv, "venv", "-q", "-p", version, python.parents[1]], check=True)
    wanted = f"{REPOSITORY}[{request.param}]"
    subprocess.run([uv, "pip", "install", "-q", "-p", python, "-e", wanted], check=True)
    return python


def command(python: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python there, in the checkout."""
    return subprocess.run(
        [str(python), *words], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )


@pytest.mark.parametrize(
    ("environment", "launcher", "other"),
    [("joblib", "joblib", "ray"), ("ray", "ray", "slurm"), ("slurm", "slurm_local", "joblib")],
    indirect=["environment"],
)
def test_a_launchers_extra_runs_a_sweep(
    environment: Path, tmp_path: Path, launcher: str, other: str
) -> None:
    folder = tmp_path / "day" / "time"
    words = ("augment=none", f"hydra/launcher={launcher}", f"hydra.sweep.dir={folder}")
    places = (f"paths.data_dir={tmp_path}", *SMALL, *QUIET)
    done = command(environment, "train.py", "-m", *words, *places)
    assert done.returncode == 0, done.stderr
    assert list(states(folder).values()) == ["COMPLETED"]
    refused = command(environment, "train.py", "-m", f"hydra/launcher={other}")
    assert refused.returncode == 1
    assert refused.stderr.endswith(f"pip install -e '.[{other}]'.\n")


@pytest.mark.parametrize(
    ("environment", "smoke"),
    [
        ("notebooks", ["-c", NOTEBOOK]),
        ("dev", ["-m", "pytest", "-q", str(REPOSITORY / "tests" / "test_progress.py")]),
    ],
    indirect=["environment"],
    ids=["notebooks", "dev"],
)
def test_an_extra_does_what_it_is_for(environment: Path, smoke: list[str]) -> None:
    done = command(environment, *smoke)
    assert done.returncode == 0, done.stdout + done.stderr
