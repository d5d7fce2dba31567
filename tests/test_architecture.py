"""The import law: leaves never know each other, the study never knows training."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import auglens

ROOT = Path(auglens.__file__).parent
LEAVES = ("augment", "datasets", "metrics", "models", "records", "saliency")
COMPOSITION = {
    "callbacks",
    "checkpoints",
    "components",
    "config_rules",
    "config_values",
    "datamodule",
    "explain",
    "explainer",
    "failures",
    "fitting",
    "job",
    "loaded_run",
    "memory",
    "module",
    "progress",
    "provenance",
    "ranks",
    "run_figures",
    "secrecy",
    "seeding",
    "settings",
    "stage",
    "startup",
    "sweep",
    "sweep_folder",
    "tracking",
    "training",
    "trust",
    "wandb_service",
    "workers",
}
STUDY_MAY_USE = (
    "auglens.metrics",
    "auglens.records",
    "auglens.saliency.overlay",
    "auglens.settings",
    "auglens.startup",
    "auglens.study",
)
ONE_HOME = {
    "captum": "saliency",
    "hydra": ("components", "job", "settings", "sweep", "sweep_folder"),
    "omegaconf": (
        "explain",
        "job",
        "settings",
        "study/__main__",
        "sweep",
        "sweep_folder",
        "workers",
    ),
    "wandb": ("tracking", "wandb_service"),
    "mlxtend": "datasets",
    "pandas": "study",
    "pytorch_lightning": (
        "callbacks",
        "checkpoints",
        "components",
        "datamodule",
        "fitting",
        "module",
        "ranks",
        "tracking",
        "training",
    ),
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def imports(path: Path) -> set[str]:
    """Dotted names imported anywhere in a file, in functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def relative(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


def test_every_module_is_a_leaf_the_study_or_composition() -> None:
    packages = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    files = {path.stem for path in ROOT.glob("*.py")} - {"__init__"}
    assert packages == {*LEAVES, "measures", "study"}
    assert files == COMPOSITION


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaves_know_no_other_part_of_auglens(leaf: str) -> None:
    for path in (ROOT / leaf).rglob("*.py"):
        own = {name for name in imports(path) if name.startswith("auglens")}
        assert all(name.startswith(f"auglens.{leaf}") for name in own), (path, own)


def test_the_study_reads_files_and_measures_only() -> None:
    for path in (ROOT / "study").rglob("*.py"):
        for name in imports(path):
            if name.startswith("auglens."):
                assert name.startswith(STUDY_MAY_USE), (path, name)


@pytest.mark.parametrize(("library", "homes"), ONE_HOME.items(), ids=ONE_HOME)
def test_a_library_is_imported_where_it_belongs_only(
    library: str, homes: str | tuple[str, ...]
) -> None:
    users = {
        relative(path)
        for path in modules()
        if any(name == library or name.startswith(f"{library}.") for name in imports(path))
    }
    assert users
    assert all(user.startswith(homes) for user in users), users


def test_what_starts_a_sweep_is_free_of_torch() -> None:
    script = (
        "import sys, auglens.sweep, auglens.records.run, auglens.study.__main__\n"
        "assert not {'torch', 'pytorch_lightning', 'wandb', 'pandas'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_module_says_what_it_is_for() -> None:
    for path in modules():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path
