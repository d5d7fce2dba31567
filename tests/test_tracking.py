from pathlib import Path

import pytest
import wandb

from auglens.tracking import TrackedRun, resolve_mode, run_name, sweep_name, wandb_logger


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
