import gc
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import wandb

from auglens import tracking, wandb_service
from auglens.records.run import read_status, run_folders
from auglens.study import build_study
from auglens.study.load import StudyError
from auglens.tracking import (
    TrackedRun,
    log_images,
    log_metrics,
    mirror_study,
    resolve_mode,
    run_name,
    sweep_name,
    wandb_logger,
)
from tests.conftest import REPOSITORY, SMALL, Cli, Sweep
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import make_config, write_run

LOGGER = {
    "_target_": "auglens.tracking.wandb_logger",
    "project": "auglens",
    "entity": None,
    "mode": "offline",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    return tmp_path


def tracked(sweep: str, identity: str) -> TrackedRun:
    return TrackedRun(name="n", folder=Path("f"), sweep=sweep, identity=identity, config={})


@pytest.mark.usefixtures("home")
def test_without_a_key_runs_stay_offline() -> None:
    assert resolve_mode(None) == "offline"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(("key", "mode"), [("k" * 40, "online"), ("", "offline")])
def test_a_key_in_the_environment_goes_online_an_empty_one_does_not(
    monkeypatch: pytest.MonkeyPatch, key: str, mode: str
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", key)
    assert resolve_mode(None) == mode


@pytest.mark.parametrize(
    ("machine", "mode"), [("api.wandb.ai", "online"), ("example.org", "offline")]
)
def test_netrc_counts_for_its_own_host_only(home: Path, machine: str, mode: str) -> None:
    path = home / ".netrc"
    path.write_text(f"machine {machine}\n  login user\n  password {'k' * 40}\n")
    path.chmod(0o600)
    assert resolve_mode(None) == mode


@pytest.mark.usefixtures("home")
def test_a_mode_that_is_named_is_taken_and_an_unknown_one_refused() -> None:
    assert resolve_mode("disabled") == "disabled"
    with pytest.raises(ValueError, match=r"logger\.mode='onlin' is not one of"):
        resolve_mode("onlin")


class _OpenRun:
    """As much of a W&B run as opening one needs."""

    def define_metric(self, *names: object, **settings: object) -> None:
        del names, settings


def test_a_wandb_that_does_not_answer_leaves_the_run_offline(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    modes = []

    def init(**settings: object) -> _OpenRun:
        modes.append(settings["mode"])
        if settings["mode"] == "online":
            raise wandb.errors.CommError("no route")
        return _OpenRun()

    monkeypatch.setattr(wandb, "init", init)
    assert wandb_logger(tracked("a", "x"), project="p", entity=None, mode="online")
    assert modes == ["online", "offline"]
    assert "no route" in caplog.text
    assert "stays offline" in caplog.text


def test_the_wandb_id_is_that_of_sweep_and_identity() -> None:
    ids = {tracked(sweep, identity).wandb_id for sweep in "ab" for identity in "xy"}
    assert len(ids) == 4
    assert tracked("a", "x").wandb_id == tracked("a", "x").wandb_id


def test_names_of_runs_and_groups() -> None:
    config = {"augment": {"name": "crop", "strength": 0.5}, "seed": 3}
    assert run_name(config) == "crop-s0.5-seed3"
    assert sweep_name(Path("multirun/2026-01-31/12-00-00-000000")) == "2026-01-31/12-00-00-000000"


def records(run: Path) -> list[dict[str, Any]]:
    """What an offline run holds, read with W&B's own command."""
    command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", "--json", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def mirrored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Path:
    """A sweep whose study is mirrored by a W&B that takes no table longer than its curves."""
    sweep = tmp_path / "day" / "time of day"
    for number, augment in enumerate(("crop", "none")):
        config = {**make_config(augment), "logger": LOGGER}
        write_run(sweep / f"{number}-{augment}-s1-seed0", config)
    study = build_study([sweep], out=sweep, **MEASURING)
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(tracking, "MOST_ROWS", len(pd.read_csv(tables(sweep)["curves"])))
    mirror_study(study, sweep)
    assert capfd.readouterr() == ("", "")
    return sweep


def tables(sweep: Path) -> dict[str, Path]:
    return {path.stem: path for path in (sweep / "report" / "tables").glob("*.csv")}


def test_the_study_has_every_table_that_wandb_takes_and_names_the_others(mirrored: Path) -> None:
    (run,) = (mirrored / "wandb").glob("offline-run-*")
    rows = {name: len(pd.read_csv(path)) for name, path in tables(mirrored).items()}
    long = {name for name, count in rows.items() if count > rows["curves"]}
    assert "metrics" in long
    logged = {path.name.split("_0_")[0]: path for path in run.rglob("*.table.json")}
    assert set(logged) == {"runs", *rows} - long
    content = json.loads(logged["table1"].read_text(encoding="utf-8"))
    table = pd.read_csv(tables(mirrored)["table1"])
    assert content["columns"] == table.columns.tolist()
    held = pd.DataFrame(content["data"], columns=content["columns"])
    pd.testing.assert_frame_equal(held.astype(table.dtypes.to_dict()), table)
    updates = [one["summary"].get("update", {}) for one in records(run) if "summary" in one]
    (said,) = (one["tables_left_out"] for one in updates if "tables_left_out" in one)
    assert set(said.split(", ")) == {f"{name} ({rows[name]} rows)" for name in long}


def test_the_report_is_a_panel_and_an_artifact(mirrored: Path) -> None:
    (run,) = (mirrored / "wandb").glob("offline-run-*")
    (page,) = (run / "files" / "media" / "html").iterdir()
    assert page.read_bytes() == (mirrored / "report" / "report.html").read_bytes()
    artifacts = [one["artifact"] for one in records(run) if one["type"] == "artifact"]
    (report,) = (one for one in artifacts if one["type"] == "report")
    assert report["name"] == "study-day-time-of-day"
    held = {one["path"]: Path(one["local_path"]) for one in report["manifest"]["contents"]}
    whole = [path for path in (mirrored / "report").rglob("*") if path.is_file()]
    assert set(held) == {path.relative_to(mirrored / "report").as_posix() for path in whole}
    assert {"results.md", "methods/gradient.html", "tables/table1.csv"} <= set(held)
    for name, staged in held.items():
        assert staged.read_bytes() == (mirrored / "report" / name).read_bytes()


@pytest.mark.parametrize("error", [StudyError, TypeError, ValueError, OSError, wandb.Error])
def test_a_study_that_cannot_be_mirrored_is_said_and_costs_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: type[Exception],
) -> None:
    def failing(**settings: object) -> None:
        raise error(f"no {settings['dataframe'] is not None} table")

    sweep = tmp_path / "day" / "time"
    write_run(sweep / "0-none", {**make_config("none"), "logger": LOGGER})
    study = build_study([sweep], out=sweep, **MEASURING)
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(wandb, "Table", failing)
    mirror_study(study, sweep)
    assert "W&B does not have the study (no True table); it is whole on disk." in caplog.text


def test_the_mirror_reads_no_table_of_single_maps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = tmp_path / "day" / "time"
    write_run(sweep / "0-none", {**make_config("none"), "logger": LOGGER})
    study = build_study([sweep], out=sweep, **MEASURING)
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    (sweep / "maps.csv").unlink()
    mirror_study(study, sweep)
    (run,) = (sweep / "wandb").glob("offline-run-*")
    assert list(run.rglob("table1_0_*.table.json"))


def test_what_the_page_about_wandb_names_is_what_is_logged(sweep: Sweep) -> None:
    page = (REPOSITORY / "docs" / "wandb.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:4] for line in page.splitlines() if line.startswith("|")][2:]
    train, study = rows[:5], rows[5:]
    assert [first.strip()[:8] for first in (train[0][0], study[0][0])] == ["each job", "the stud"]
    known = logged(sweep.folder / "1-crop-s1-seed0")
    told = {name for row in train for name in re.findall("`([^`]*)`", row[2])}
    assert {name.replace("<method>", "gradient") for name in told} <= known
    assert len(told) > 20
    study_names = re.findall(r"`(tables/\w+|report)`", study[0][2] + study[1][2])
    assert set(study_names) <= logged(sweep.folder)


def logged(folder: Path) -> set[str]:
    """Keys of history, summary and config that the W&B runs of a folder hold; nested with dots."""
    keys = set()
    for run in (folder / "wandb").glob("offline-run-*"):
        for record in records(run):
            config = record.get("run", {}).get("config", {})
            for update in (config, record.get("summary", {})):
                keys |= _dotted(update.get("update", {}))
    return keys


def _dotted(content: dict[str, Any]) -> set[str]:
    inner = {key: value for key, value in content.items() if isinstance(value, dict)}
    nested = {f"{key}.{name}" for key, value in inner.items() for name in value}
    # Media and tables are records of their own, of a certain type.
    return {key.removesuffix("._type") for key in (*content, *nested)}


Services = Callable[[], list[subprocess.Popen[bytes]]]


@pytest.fixture
def services() -> Iterator[Services]:
    """W&B's own processes that run; it never asks how they ended, which Python would warn of."""
    held = []

    def running() -> list[subprocess.Popen[bytes]]:
        gc.unfreeze()
        found = [one for one in gc.get_objects() if type(one) is subprocess.Popen]
        held.extend(found)
        return [one for one in found if "wandb-core" in str(one.args) and one.poll() is None]

    running()
    yield running
    running()
    for one in held:
        one.poll()


def own_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name.startswith("auglens")]


@pytest.mark.usefixtures("services")
class TestLostService:
    """W&B's own process is killed, hangs, or W&B raises: local files are whole, one line says so."""

    @pytest.fixture
    def run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrackedRun:
        monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
        config = {"augment": {"name": "none", "strength": 1}, "seed": 0}
        return TrackedRun(name="n", folder=tmp_path, sweep="s", identity="i", config=config)

    def open(self, run: TrackedRun) -> list[Any]:
        return list(wandb_logger(run, project="p", entity=None, mode="offline"))

    def test_killed_it_is_warned_of_once_and_the_next_run_has_another(
        self, run: TrackedRun, services: Services, caplog: pytest.LogCaptureFixture
    ) -> None:
        loggers = self.open(run)
        for service in services():
            service.kill()
            service.wait()
        for epoch in range(3):
            log_metrics(loggers, {"epoch": epoch})
        log_images(loggers, "maps", [np.zeros((4, 4, 3))], ["a"])
        wandb_service.finish(failed=False)
        (warning,) = own_lines(caplog)
        assert warning.startswith("W&B is lost (")
        assert warning.endswith("local files go on and are whole.")
        log_metrics(self.open(run), {"epoch": 1})
        wandb_service.finish(failed=False)
        assert len(own_lines(caplog)) == 1

    def test_hanging_it_is_given_up_in_bounded_time(
        self,
        run: TrackedRun,
        services: Services,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(wandb_service, "FINISH_TIMEOUT_S", 0.5)
        monkeypatch.setattr(wandb_service, "GRACE_S", 0.5)
        self.open(run)
        for service in services():
            service.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        wandb_service.finish(failed=False)
        assert time.monotonic() - started < 10
        (warning,) = own_lines(caplog)
        assert "W&B did not end its run (no answer for 1 s)" in warning
        assert not services()

    @pytest.mark.parametrize(
        "error", [RuntimeError("odd"), ConnectionResetError("gone"), wandb.Error("no")], ids=repr
    )
    def test_a_run_that_cannot_be_opened_leaves_the_job_without_a_mirror(
        self,
        run: TrackedRun,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
    ) -> None:
        def init(**settings: object) -> None:
            del settings
            raise error

        monkeypatch.setattr(wandb, "init", init)
        assert self.open(run) == []
        (warning,) = own_lines(caplog)
        assert warning == f"W&B cannot be used ({error}); n is in local files only."

    def test_an_init_that_hangs_is_given_up(
        self,
        run: TrackedRun,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(wandb_service, "INIT_TIMEOUT_S", 0.1)
        monkeypatch.setattr(wandb_service, "GRACE_S", 0.1)
        monkeypatch.setattr(wandb, "init", lambda **_: time.sleep(5))
        assert self.open(run) == []
        assert "no answer for 0 s" in caplog.text

    def test_a_finish_that_raises_is_warned_of(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def failing(**settings: object) -> None:
            raise RuntimeError(f"exit code {settings['exit_code']}")

        monkeypatch.setattr(wandb, "run", _OpenRun())
        monkeypatch.setattr(wandb, "finish", failing)
        wandb_service.finish(failed=True)
        assert "W&B did not end its run (exit code 1)" in caplog.text


def test_a_sweep_whose_service_is_killed_completes(
    cli: Cli,
    tmp_path: Path,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from auglens.callbacks import History

    folder = tmp_path / "day" / "time"
    killed: list[int] = []
    begin = History.on_train_epoch_start

    def kill_first(self: History, *arguments: Any) -> None:  # noqa: ANN401
        begin(self, *arguments)
        if self.rows and not killed:
            for service in services():
                service.kill()
                killed.append(service.wait())

    monkeypatch.setattr(History, "on_train_epoch_start", kill_first)
    arguments = ("augment=none,crop", "logger.mode=offline", f"hydra.sweep.dir={folder}")
    assert cli("-m", *arguments, "figures=false", *SMALL) == 0
    assert killed == [-signal.SIGKILL]
    said = capfd.readouterr().err
    assert said.count("W&B is lost") == 1
    assert "Traceback" not in said
    first, second = run_folders(folder)
    assert [read_status(one)["state"] for one in (first, second)] == ["COMPLETED"] * 2
    assert len(pd.read_csv(first / "history.csv")) == 2
    assert "test_accuracy" in logged(second)
