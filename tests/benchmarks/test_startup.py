"""The commands whose answer is timed answer what the benchmark says they do."""

from pathlib import Path

import pytest

from benchmarks.startup import Command, answered_s, commands

NAMES = [command.what for command in commands(Path())]


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_a_command_answers_as_it_must(number: int, tmp_path: Path) -> None:
    assert answered_s(commands(tmp_path)[number]) > 0


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(Command("", ("-c", "print('fine')"), 1, "fine"), id="another exit code"),
        pytest.param(Command("", ("-c", "print('fine')"), 0, "bad"), id="another answer"),
    ],
)
def test_another_answer_is_an_error(command: Command) -> None:
    with pytest.raises(RuntimeError, match="ended with 0"):
        answered_s(command)
