"""Two commands at once, a study beside a running sweep, and runs whose process is gone."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest
from rich.console import Console

from auglens.records.files import write_json
from auglens.records.jobs import note_job, notes_since, what_is_missing
from auglens.records.locks import (
    FolderBusyError,
    hold_folder,
    identity_lock,
    is_worked_on,
    read_command,
)
from auglens.records.processes import is_running, this_process
from auglens.records.run import RunState, read_status, run_folders, write_status
from auglens.study import build_study
from auglens.study.console import print_study
from auglens.study.load import Unfinished, load_sweeps
from tests.conftest import REPOSITORY, SMALL, Cli
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import make_config, write_run
from tests.sweeps import QUIET


@pytest.fixture
def gone() -> dict[str, Any]:
    """A process of this host that has ended and was waited for."""
    process = psutil.Popen([sys.executable, "-c", ""])
    ended = {**this_process(), "pid": process.pid, "process_started": process.create_time()}
    process.wait()
    return ended


class TestProcesses:
    def test_this_one_runs(self) -> None:
        assert is_running(this_process()) is True

    def test_one_that_ended_is_gone(self, gone: dict[str, Any]) -> None:
        assert is_running(gone) is False

    def test_another_with_the_same_id_is_not_it(self) -> None:
        process = this_process()
        assert is_running({**process, "process_started": process["process_started"] - 60}) is False

    def test_of_another_host_nothing_is_known(self) -> None:
        assert is_running({**this_process(), "host": "elsewhere.example"}) is None

    @pytest.mark.parametrize(
        "written", [{}, {"pid": "1"}, {"pid": True}, {"process_started": None}], ids=str
    )
    def test_nothing_is_known_of_what_is_not_said(self, written: dict[str, Any]) -> None:
        named = {**this_process(), **written} if written else {}
        assert is_running(named) is None

    @pytest.mark.parametrize("pid", [-1, 2**80])
    def test_an_id_that_cannot_be_is_gone(self, pid: int) -> None:
        assert is_running({**this_process(), "pid": pid}) is False


class TestLocks:
    def test_a_held_folder_is_refused_and_says_who_holds_it(self, tmp_path: Path) -> None:
        held = hold_folder(tmp_path, num_jobs=3)
        said = (tmp_path / ".locks" / "command.json").read_bytes()
        with pytest.raises(FolderBusyError) as caught:
            hold_folder(tmp_path, num_jobs=5)
        assert f"process {os.getpid()} on {socket.gethostname()} since 20" in str(caught.value)
        assert (tmp_path / ".locks" / "command.json").read_bytes() == said
        held.release()
        hold_folder(tmp_path, num_jobs=5).release()
        assert read_command(tmp_path)["num_jobs"] == 5

    def test_a_killed_process_holds_nothing(self, tmp_path: Path) -> None:
        script = (
            "import os, pathlib, signal, auglens.records.locks as locks\n"
            f"held = locks.hold_folder(pathlib.Path({str(tmp_path)!r}), num_jobs=1)\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        done = subprocess.run([sys.executable, "-c", script], check=False)
        assert done.returncode == -signal.SIGKILL
        assert is_running(read_command(tmp_path)) is False
        hold_folder(tmp_path, num_jobs=1).release()

    def test_a_job_is_worked_on_until_its_process_is_gone(self, tmp_path: Path) -> None:
        script = (
            "import pathlib, time, auglens.records.locks as locks\n"
            f"with locks.job_lock(pathlib.Path({str(tmp_path)!r}), '0-none'):\n"
            "    print('has it', flush=True)\n"
            "    time.sleep(60)"
        )
        worker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        with worker, worker.stdout:
            assert worker.stdout.readline() == "has it\n"
            assert is_worked_on(tmp_path, "0-none")
            assert not is_worked_on(tmp_path, "1-crop")
            worker.kill()
        assert not is_worked_on(tmp_path, "0-none")

    def test_who_waits_for_an_identity_says_so_once(self, tmp_path: Path) -> None:
        said: list[str] = []

        def second() -> None:
            with identity_lock(tmp_path, "i" * 64, on_wait=lambda: said.append("waits")):
                said.append("has it")

        with identity_lock(tmp_path, "i" * 64, on_wait=lambda: said.append("never")):
            waiting = threading.Thread(target=second)
            waiting.start()
            deadline = time.monotonic() + 20
            while not said and time.monotonic() < deadline:
                time.sleep(0.01)
            assert said == ["waits"]
        waiting.join(20)
        assert said == ["waits", "has it"]


class TestWhatIsMissing:
    """A sweep of six jobs of which some left word."""

    def write(self, sweep: Path, process: Mapping[str, Any], *states: RunState) -> None:
        since = datetime.now(UTC) - timedelta(seconds=1)
        content = {**process, "since": since.isoformat(), "num_jobs": 6}
        write_json(sweep / ".locks" / "command.json", content)
        for number, state in enumerate(states):
            note_job(sweep, f"{number}-none", state, {})

    def test_of_a_running_sweep(self, tmp_path: Path) -> None:
        states = (RunState.COMPLETED, RunState.COMPLETED, RunState.FAILED, RunState.RUNNING)
        self.write(tmp_path, this_process(), *states)
        expected = "2 of 6 jobs finished, 1 failed, 1 running, 2 not started"
        assert what_is_missing(tmp_path) == expected

    def test_of_one_whose_process_is_gone(self, tmp_path: Path, gone: dict[str, Any]) -> None:
        self.write(tmp_path, gone, RunState.COMPLETED, RunState.RUNNING)
        expected = "1 of 6 jobs finished, 1 interrupted, 4 not started"
        assert what_is_missing(tmp_path) == expected

    def test_nothing_of_one_that_is_over(self, tmp_path: Path) -> None:
        self.write(tmp_path, this_process(), *[RunState.COMPLETED] * 5, RunState.FAILED)
        assert what_is_missing(tmp_path) is None

    def test_notes_of_earlier_commands_do_not_count(self, tmp_path: Path) -> None:
        self.write(tmp_path, this_process(), RunState.COMPLETED)
        old = {"state": "COMPLETED", "command": "2026-01-31T12:00:00.000+00:00", "wanted": {}}
        write_json(tmp_path / ".jobs" / "9-none.json", old)
        assert what_is_missing(tmp_path) == "1 of 6 jobs finished, 5 not started"

    @pytest.mark.parametrize(
        "content", ["", "[]", "{}", '{"num_jobs": "6", "since": 1}', '{"num_jobs": 6}'], ids=str
    )
    def test_nothing_is_said_of_a_sweep_that_does_not_say(
        self, tmp_path: Path, content: str
    ) -> None:
        (tmp_path / ".locks").mkdir()
        (tmp_path / ".locks" / "command.json").write_text(content)
        assert what_is_missing(tmp_path) is None

    @pytest.mark.parametrize(
        "content",
        [b"", b"\xff", b"[]", b'{"state": "DONE", "command": "", "wanted": {}}', b'{"state": 1}'],
        ids=str,
    )
    def test_a_note_that_cannot_be_read_is_still_a_job(
        self, tmp_path: Path, content: bytes
    ) -> None:
        (tmp_path / ".jobs").mkdir()
        (tmp_path / ".jobs" / "0-none.json").write_bytes(content)
        (note,) = notes_since(tmp_path, {})
        assert (note.run, note.state, note.wanted) == ("0-none", None, {})


class TestStudyBesideASweep:
    @pytest.fixture
    def sweep(self, tmp_path: Path) -> Path:
        write_run(tmp_path / "0-none-s1-seed0", make_config("none"))
        return tmp_path

    def only_unfinished(self, sweep: Path) -> Unfinished:
        (entry,) = load_sweeps([sweep]).unfinished
        return entry

    def test_a_run_under_way_is_running(self, sweep: Path) -> None:
        write_status(sweep / "1-crop-s1-seed0", RunState.RUNNING, phase="training")
        entry = self.only_unfinished(sweep)
        assert entry.status == "RUNNING"
        assert entry.error == f"process {os.getpid()} on {socket.gethostname()} is at it"

    def test_a_run_whose_process_is_gone_is_interrupted(
        self, sweep: Path, gone: dict[str, Any]
    ) -> None:
        folder = sweep / "1-crop-s1-seed0"
        write_status(folder, RunState.RUNNING)
        write_json(folder / "status.json", {**read_status(folder), **gone})
        entry = self.only_unfinished(sweep)
        assert (entry.status, entry.error) == ("INTERRUPTED", "its process is gone")

    def test_a_run_on_another_host_is_told_as_such(self, sweep: Path) -> None:
        folder = sweep / "1-crop-s1-seed0"
        write_status(folder, RunState.RUNNING)
        write_json(folder / "status.json", {**read_status(folder), "host": "elsewhere"})
        entry = self.only_unfinished(sweep)
        assert entry.status == "RUNNING"
        assert "on elsewhere, which cannot be seen from here" in entry.error


def start(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(REPOSITORY / "train.py"), "-m", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_commands_at_once(tmp_path: Path, data_dir: Path) -> None:
    """In folders of their own both complete; in one folder one runs and the other refuses."""
    common = ("augment=none", f"paths.data_dir={data_dir}", *SMALL, *QUIET)
    shared = tmp_path / "day" / "shared"
    commands = [
        start(*common, cwd=tmp_path),
        start(*common, cwd=tmp_path),
        start(*common, f"hydra.sweep.dir={shared}", cwd=tmp_path),
        start(*common, f"hydra.sweep.dir={shared}", cwd=tmp_path),
    ]
    said = [command.communicate(timeout=200) for command in commands]
    codes = [command.returncode for command in commands]
    assert codes[:2] == [0, 0], said[:2]
    own = list((tmp_path / "multirun").glob("*/*"))
    assert len(own) == 2
    for sweep in (*own, shared):
        assert pd.read_csv(sweep / "runs.csv")["status"].tolist() == ["COMPLETED"]
    assert sorted(codes[2:]) == [0, 1], said[2:]
    winner, loser = commands[2:] if codes[2] == 0 else commands[:1:-1]
    refused = said[commands.index(loser)]
    assert refused[0] == ""
    (line,) = refused[1].splitlines()
    assert line.startswith(f"{shared} is being written by process {winner.pid} on ")
    assert line.endswith("; wait for it, or use another hydra.sweep.dir.")


@pytest.mark.parametrize(("mode", "job"), [("sweep", ""), ("run", ""), ("run", "1-crop-s1-seed0")])
def test_a_folder_in_use_is_refused_before_anything_is_written(
    cli: Cli, tmp_path: Path, capfd: pytest.CaptureFixture[str], mode: str, job: str
) -> None:
    folder = tmp_path / "day" / "time"
    held = hold_folder(folder, num_jobs=1)
    before = sorted(path.name for path in folder.rglob("*"))
    words = ("-m",) if mode == "sweep" else ()
    assert cli(*words, "augment=none", f"hydra.{mode}.dir={folder / job}", *SMALL, *QUIET) == 1
    held.release()
    assert sorted(path.name for path in folder.rglob("*")) == before
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith(f"wait for it, or use another hydra.{mode}.dir.")


def test_the_study_of_a_running_sweep_says_what_is_missing(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the second of three jobs trains, a study from files is built beside it."""
    from auglens import job
    from auglens.training import train

    folder = tmp_path / "day" / "time"
    seen: list[str] = []

    def train_and_look(run: Any, into: Path, *others: Any) -> Any:  # noqa: ANN401
        if into.name.startswith("1-"):
            study = build_study([folder], out=tmp_path / "beside", **MEASURING)
            capsys.readouterr()
            print_study(study, Console(width=200))
            seen.append(capsys.readouterr().out)
        return train(run, into, *others)

    monkeypatch.setattr(job, "train", train_and_look)
    arguments = ("augment=none,crop,blur", f"hydra.sweep.dir={folder}")
    assert cli("-m", *arguments, *SMALL, *QUIET) == 0
    assert "time: 1 of 3 jobs finished, 1 running, 1 not started" in seen[0]
    beside = pd.read_csv(tmp_path / "beside" / "runs.csv")
    assert beside["status"].tolist() == ["COMPLETED", "RUNNING"]
    page = (tmp_path / "beside" / "report" / "report.html").read_text(encoding="utf-8")
    assert "1 of 3 jobs finished, 1 running, 1 not started" in page
    assert "jobs finished" not in capsys.readouterr().out
    assert len(run_folders(folder)) == 3
    assert json.loads((folder / ".locks" / "command.json").read_text())["num_jobs"] == 3
