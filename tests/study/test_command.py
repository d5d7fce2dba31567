"""The command and what is printed."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from auglens.study import Study
from auglens.study.__main__ import main
from auglens.study.console import print_study
from tests.study.generated_sweep import write_sweep


def test_the_command_builds_the_report_into_the_sweep(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sweep(tmp_path / "sweep", augments=["crop", "none"], seeds=[0])
    assert main([f"sweep={tmp_path / 'sweep'}"]) == 0
    assert (tmp_path / "sweep" / "report" / "report.html").is_file()
    assert (tmp_path / "sweep" / "runs.csv").is_file()
    assert "0.88 / 0.87" in capsys.readouterr().out


def test_sweeps_are_joined_into_out(tmp_path: Path) -> None:
    write_sweep(tmp_path / "a", augments=["crop"], seeds=[0])
    write_sweep(tmp_path / "b", augments=["none"], seeds=[0])
    joined = f"sweep=[{tmp_path / 'a'},{tmp_path / 'b'}]"
    assert main([joined, f"out={tmp_path / 'out'}"]) == 0
    runs = (tmp_path / "out" / "runs.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in runs[1:]] == ["a/0-crop-s1-seed0", "b/0-none-s1-seed0"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        pytest.param([], "Which sweep?", id="no sweep"),
        pytest.param(["swep=x"], "swep", id="misspelt key"),
        pytest.param(["sweep=x", "+extra=1"], "extra", id="added key"),
        pytest.param(["sweep=x", "~kl_eps"], "Settings are", id="removed key"),
        pytest.param(["sweep=no_such_folder"], "no folder no_such_folder", id="missing folder"),
        pytest.param(["sweep=[a,b]"], "out=<folder>", id="several without out"),
        pytest.param(["sweep=conf"], "No complete run in conf", id="nothing complete"),
        pytest.param(["sweep=x", "kl_eps=[-1]"], "kl_eps", id="negative eps"),
        pytest.param(["sweep=x", "kl_eps=1e-7"], "kl_eps is a list", id="one eps"),
        pytest.param(["sweep=x", "foreground_threshold=1.0"], "foreground_threshold", id="white"),
        pytest.param(["sweep=x", "foreground_threshold=x"], "foreground_threshold", id="a word"),
        pytest.param(["sweep"], "sweep", id="no override"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(
    overrides: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(overrides) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_print_is_plain_in_a_pipe_and_names_failures(study: Study) -> None:
    out = io.StringIO()
    print_study(study, Console(file=out, width=80))
    text = out.getvalue()
    assert "\x1b" not in text
    assert all(len(line) <= 80 for line in text.splitlines() if line.startswith(("|", "+")))
    assert "not finished: 20-<script>alert(1)-s1-seed0" in text
    assert f"Report: {study.report}" in text
    assert "none (batches of 10)" in text
