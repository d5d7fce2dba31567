"""The imports of a job: without looking for garbage, and W&B before torch."""

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from auglens import startup

RECORDER = "import builtins, gc\nbuiltins.imported.append((__name__, gc.isenabled()))\n"


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """What the planted modules say when they are imported, instead of job and W&B."""
    order: list[tuple[str, bool]] = []
    monkeypatch.setattr("builtins.imported", order, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, constant in (("planted_job", "JOB"), ("planted_wandb", "WANDB_LAUNCH")):
        (tmp_path / f"{name}.py").write_text(RECORDER, encoding="utf-8")
        monkeypatch.setattr(startup, constant, name)
        monkeypatch.delitem(sys.modules, name, raising=False)
    return order


def test_wandb_comes_first_and_garbage_waits(imported: list[tuple[str, bool]]) -> None:
    job = startup.import_job(with_wandb=True)
    assert job.__name__ == "planted_job"
    assert imported == [("planted_wandb", False), ("planted_job", False)]
    assert gc.isenabled()


def test_wandb_stays_out_where_it_is_not_used(imported: list[tuple[str, bool]]) -> None:
    assert startup.import_job(with_wandb=False) is startup.import_job(with_wandb=True)
    assert imported == [("planted_job", False)]


def test_a_wandb_without_that_package_is_no_error(
    imported: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(startup, "WANDB_LAUNCH", "no_such_package.launch")
    startup.import_job(with_wandb=True)
    assert imported == [("planted_job", False)]


def test_the_end_of_a_process_runs_exit_handlers_and_writes_everything() -> None:
    script = (
        "import atexit, sys\n"
        "from auglens.startup import end_process\n"
        "atexit.register(lambda: sys.stdout.write('handled'))\n"
        "sys.stdout.write('written, ')\n"
        "sys.stderr.write('said')\n"
        "end_process(3)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "written, handled", "said")
