"""Jobs in processes of a launcher, without any launcher: folders, lost processes, jobs that are done."""

import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from auglens.progress import SweepClock
from auglens.records.files import write_json
from auglens.records.jobs import latest_notes, note_job
from auglens.records.locks import hold_folder, job_lock
from auglens.records.run import RunState, read_status, write_status
from auglens.settings import CONFIG_FOLDER
from auglens.sweep import run_to_the_end
from auglens.sweep_folder import SweepFolder
from auglens.workers import LOST, Workers, is_dealt_with, prepare, quoted

NAMES = ("0-none", "1-crop", "2-blur")


@pytest.fixture
def sweep(tmp_path: Path) -> Iterator[Path]:
    """A sweep folder that a command holds."""
    held = hold_folder(tmp_path, num_jobs=len(NAMES))
    yield tmp_path
    held.release()


@pytest.fixture
def workers(sweep: Path) -> Workers:
    return Workers(sweep, SweepClock(len(NAMES)))


def lose(sweep: Path, run: str, last_word: RunState = RunState.RUNNING) -> None:
    """As if the process of this job were gone: no lock, and its note is another process's."""
    note_job(sweep, run, last_word, {})
    path = sweep / ".jobs" / f"{run}.json"
    (note,) = (one for one in latest_notes(sweep) if one.run == run)
    write_json(path, {**note.process, "process_started": 1.0})
    (sweep / run).mkdir(exist_ok=True)


def states(sweep: Path) -> Mapping[str, RunState | None]:
    return {note.run: note.state for note in latest_notes(sweep)}


def config_of(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONFIG_FOLDER), version_base="1.3"):
        config = compose("train", overrides=list(overrides), return_hydra_config=True)
    with open_dict(config):
        config.hydra.overrides.hydra = [word for word in overrides if "hydra" in word]
    return config


class TestFolders:
    @pytest.mark.parametrize(
        "name", ["a b", "it's", "a=b,c", "[x]", "{y}", "ü", "a\\b", "$x", "a#b"]
    )
    def test_any_folder_is_one_value_of_hydras_grammar(self, name: str) -> None:
        path = Path("/somewhere") / name
        (parsed,) = OverridesParser.create().parse_overrides([f"x={quoted(path)}"])
        assert parsed.value() == str(path)

    def test_a_job_has_absolute_folders_and_no_launcher(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("auglens.workers.find_spec", lambda _: True)
        monkeypatch.delenv("AUGLENS_DATA_DIR", raising=False)
        monkeypatch.chdir(tmp_path)
        config = config_of("hydra.job.chdir=false", "hydra.launcher._target_=a.b.Absent")
        prepare(config, tmp_path / "sweep")
        assert list(config.hydra.overrides.hydra) == [
            "hydra.job.chdir=false",
            f"hydra.sweep.dir='{tmp_path / 'sweep'}'",
            f"paths.data_dir='{tmp_path / 'data'}'",
        ]

    def test_packages_that_are_absent_are_named_with_their_extra(self, tmp_path: Path) -> None:
        config = config_of()
        with open_dict(config):
            config.hydra.launcher = {"_target_": "hydra_plugins.absent.Launcher"}
            OmegaConf.update(config, "hydra.runtime.choices", {"hydra/launcher": "slurm_local"})
        with pytest.raises(ValueError, match=r"hydra/launcher=slurm_local needs .*'\.\[slurm\]'"):
            prepare(config, tmp_path)


class TestWhatIsLeft:
    def test_only_what_an_earlier_pass_ended_is_dealt_with(self, sweep: Path) -> None:
        assert not is_dealt_with(sweep, "0-none", fail_fast=False)
        note_job(sweep, "0-none", RunState.RUNNING, {})
        assert not is_dealt_with(sweep, "0-none", fail_fast=False)
        note_job(sweep, "0-none", RunState.COMPLETED, {})
        assert is_dealt_with(sweep, "0-none", fail_fast=False)
        assert not is_dealt_with(sweep, "1-crop", fail_fast=False)

    def test_what_an_interrupted_process_left_is_still_to_do(
        self, sweep: Path, workers: Workers
    ) -> None:
        """SLURM may have queued it again, or nobody has: then it is lost."""
        lose(sweep, "1-crop", RunState.INTERRUPTED)
        assert not is_dealt_with(sweep, "1-crop", fail_fast=False)
        assert workers.take_loss()
        assert states(sweep) == {"1-crop": RunState.FAILED}

    def test_one_failure_ends_a_sweep_that_fails_fast(self, sweep: Path) -> None:
        note_job(sweep, "0-none", RunState.FAILED, {})
        assert is_dealt_with(sweep, "1-crop", fail_fast=True)

    def test_notes_of_an_earlier_command_say_nothing(self, tmp_path: Path) -> None:
        hold_folder(tmp_path, num_jobs=1).release()
        note_job(tmp_path, "0-none", RunState.FAILED, {})
        path = tmp_path / ".locks" / "command.json"
        path.write_text(path.read_text().replace('"since": "20', '"since": "19'))
        assert not is_dealt_with(tmp_path, "0-none", fail_fast=True)


class TestLoss:
    def test_a_job_lost_alone_has_failed(
        self, sweep: Path, workers: Workers, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lose(sweep, "1-crop")
        note_job(sweep, "0-none", RunState.RUNNING, {})
        with job_lock(sweep, "0-none"):
            assert workers.take_loss()
        assert states(sweep) == {"0-none": RunState.RUNNING, "1-crop": RunState.FAILED}
        assert read_status(sweep / "1-crop")["error"] == LOST
        assert "FAILED  1-crop: its worker process was lost" in capsys.readouterr().out
        assert not workers.next_alone()

    def test_of_several_each_is_repeated_alone(self, sweep: Path, workers: Workers) -> None:
        note_job(sweep, "0-none", RunState.COMPLETED, {})
        lose(sweep, "1-crop")
        lose(sweep, "2-blur")
        assert workers.take_loss()
        assert is_dealt_with(sweep, "1-crop", fail_fast=False)
        assert workers.next_alone()
        assert not is_dealt_with(sweep, "1-crop", fail_fast=False)
        assert is_dealt_with(sweep, "2-blur", fail_fast=False)
        lose(sweep, "1-crop")
        assert workers.take_loss()
        assert states(sweep)["1-crop"] is RunState.FAILED
        assert workers.next_alone()
        assert not workers.next_alone()

    def test_one_whose_record_is_there_is_looked_at_again(
        self, sweep: Path, workers: Workers
    ) -> None:
        """Once: it may kill its process when a method is added to it. Its own status stays."""
        lose(sweep, "1-crop")
        (sweep / "1-crop" / "record.json").write_text("{}")
        write_status(sweep / "1-crop", RunState.COMPLETED)
        assert workers.take_loss()
        assert states(sweep)["1-crop"] is RunState.INTERRUPTED
        assert workers.next_alone()
        lose(sweep, "1-crop")
        assert workers.take_loss()
        assert states(sweep)["1-crop"] is RunState.FAILED
        assert not workers.next_alone()
        assert read_status(sweep / "1-crop")["state"] == "COMPLETED"

    def test_an_error_that_cost_no_job_and_left_none_done_is_not_repeated(
        self, sweep: Path, workers: Workers
    ) -> None:
        assert not workers.take_loss()
        note_job(sweep, "0-none", RunState.COMPLETED, {})
        assert workers.take_loss()
        assert not workers.take_loss()

    def test_the_command_launches_again_what_is_left(
        self, sweep: Path, workers: Workers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.argv", ["train.py", "-m", "augment=none"])
        monkeypatch.setattr(SweepFolder, "workers", workers)
        ran: list[list[str]] = []

        def main() -> None:
            ran.append([run for run in NAMES if not is_dealt_with(sweep, run, fail_fast=False)])
            for run in ran[-1]:
                if run == "0-none" or len(ran) > 1:
                    note_job(sweep, run, RunState.COMPLETED, {})
                else:
                    lose(sweep, run)
            if len(ran) == 1:
                raise RuntimeError("a process is gone")

        assert run_to_the_end(main) == 0
        assert ran == [list(NAMES), [], ["1-crop"], ["2-blur"]]
        assert sys.argv == ["train.py", "-m", "augment=none", f"hydra.sweep.dir='{sweep}'"]

    def test_a_launcher_that_answers_sigterm_itself(self) -> None:
        """Ray replaces the command's handler, and has the process aborted soon after."""
        stop = SystemExit(1)
        stop.ray_terminate_msg = "Exit code: 15."  # type: ignore[attr-defined]

        def main() -> None:
            signal.alarm(3)
            raise stop

        assert run_to_the_end(main) == 128 + signal.SIGTERM
        assert signal.alarm(0) == 0

    def test_progress_counts_jobs_that_ended(
        self, sweep: Path, workers: Workers, capsys: pytest.CaptureFixture[str]
    ) -> None:
        workers.watch()
        note_job(sweep, "0-none", RunState.COMPLETED, {})
        note_job(sweep, "1-crop", RunState.RUNNING, {})
        note_job(sweep, "2-blur", RunState.FAILED, {})
        workers.unwatch()
        assert "2/3, about" in capsys.readouterr().out
