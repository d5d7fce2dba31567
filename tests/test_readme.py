"""What the README tells people to type and to write is run here."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from auglens.config_rules import check_processes
from auglens.explain import main as explain_main
from auglens.records.run import read_record, run_folders
from auglens.study.__main__ import main as study_main
from tests.built_runs import prepared
from tests.conftest import REPOSITORY, SMALL, Cli, Sweep

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [
    line.split("  #")[0].split(" # ")[0].strip()
    for language, block in BLOCKS
    if language == "bash"
    for line in block.splitlines()
    if line.strip() and not line.startswith("#")
]
TRAINING = [command for command in COMMANDS if command.startswith("python train.py")]
LAUNCHED = [command for command in TRAINING if "hydra/launcher=" in command]
SWEEPS = [command for command in TRAINING if " -m " in command and command not in LAUNCHED]


def test_every_command_is_of_a_kind_that_is_tested() -> None:
    kinds = (
        *("python train.py", "python -m auglens.study", "python -m auglens.explain"),
        *("make ", "wandb leet", "wandb sync"),
    )
    assert len(COMMANDS) > 10
    assert all(command.startswith(kinds) for command in COMMANDS), COMMANDS


def test_make_targets_do_what_the_readme_says() -> None:
    def recipe(target: str) -> str:
        return subprocess.run(
            ["make", "--dry-run", "--always-make", target],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    targets = {command.split()[1] for command in COMMANDS if command.startswith("make ")}
    assert targets == {"reproduce", "test"}
    # What is sweep, floor or study of the reference is a command of the README too.
    for experiment in ("seeds", "strength", "floor_order,floor_init,floor_all"):
        assert f"experiment={experiment} " in recipe("reference")
    assert SWEEPS[0].removeprefix("python ") in recipe("reproduce")
    assert "notebooks/01_poster.ipynb" in recipe("notebooks")
    for step in ("ruff check", "ruff format --check", "mypy", "pytest"):
        assert step in recipe("test")


def test_the_headline_is_that_of_the_results() -> None:
    results = (REPOSITORY / "docs" / "results.md").read_text(encoding="utf-8")
    found = {
        cells[0]: (cells[2].strip("*"), cells[3])
        for line in results.splitlines()
        if re.match(r"\| [CH]\d\w? \| .* \| .* \| .* \|", line)
        and len(cells := [cell.strip() for cell in line.strip("|").split(" | ")]) == 6
    }
    shown = {
        cells[0]: (cells[2], cells[3])
        for line in README.splitlines()
        if re.match(r"\| [CH]\d\w? \|", line)
        and (cells := [cell.strip() for cell in line.strip("|").split(" | ")])
    }
    assert {name[:2] for name in shown} == {f"C{number}" for number in range(1, 9)}
    assert shown == {name: found[name] for name in shown}


def test_pictures_are_there() -> None:
    for name in ("README.md", "docs/results.md"):
        page = REPOSITORY / name
        text = page.read_text(encoding="utf-8")
        for picture in re.findall(r'src="([^"]+\.png)"|\]\(([^)]+\.png)\)', text):
            path = page.parent / "".join(picture)
            assert path.stat().st_size < 500_000, path


def test_no_page_is_half_merged() -> None:
    pages = [*REPOSITORY.glob("*.*"), *(REPOSITORY / "docs").glob("*.*")]
    texts = [page for page in pages if page.suffix in {".md", ".toml", ".json", ".cff", ".py"}]
    assert len(texts) > 10
    for page in texts:
        found = re.search("^(<{7}|>{7}) ", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert found is None, page


@pytest.mark.long
def test_the_poster_from_one_command() -> None:
    done = subprocess.run(
        ["make", "reproduce"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    rows = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert len(rows) == 1 + 6
    report = Path(done.stdout.split("Report: ")[1].strip())
    assert (REPOSITORY / report).stat().st_size > 100_000


def reduced(words: list[str], reused: Path) -> list[str]:
    """The same command with fewer jobs where it is one of hundreds, and a folder that exists."""
    kept = [f"reuse=[{reused}]" if word.startswith("reuse=") else word for word in words]
    if not any(word.startswith("experiment=") for word in words):
        return kept
    fewer = {"seed": "seed=0,1"}
    if {"experiment=seeds", "experiment=strength"} & set(words):
        fewer["augment"] = "augment=crop,none"
    return [word for word in kept if word.split("=")[0] not in fewer] + list(fewer.values())


@pytest.mark.parametrize("command", SWEEPS[1:])
def test_sweeps(cli: Cli, sweep: Sweep, tmp_path: Path, command: str) -> None:
    folder = tmp_path / "day" / "time"
    arguments = reduced(shlex.split(command)[2:], sweep.folder)
    chosen = {word.split("=")[0] for word in arguments}
    small = [word for word in SMALL if word.split("=")[0] not in chosen]
    code = cli(*arguments, f"hydra.sweep.dir={folder}", *small, "logger=none", "figures=false")
    assert code == 0
    assert (folder / "report" / "report.html").exists()


def test_the_report_again_from_files_alone(sweep: Sweep, tmp_path: Path) -> None:
    again, joined = (
        [word.split("=")[0] for word in shlex.split(command)[3:]]
        for command in COMMANDS
        if "auglens.study" in command
    )
    assert sorted([again, joined]) == [["sweep"], ["sweep", "out"]]
    maps = (sweep.folder / "maps.csv").read_bytes()
    assert study_main([f"sweep={sweep.folder}", f"out={tmp_path / 'again'}"]) == 0
    assert (tmp_path / "again" / "maps.csv").read_bytes() == maps
    both = f"sweep=[{sweep.folder},{run_folders(sweep.folder)[0]}]"
    assert study_main([both, f"out={tmp_path / 'joined'}"]) == 0
    assert len((tmp_path / "joined" / "runs.csv").read_text().splitlines()) == 1 + 6


def test_what_the_explain_stage_adds(sweep: Sweep, data_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "day" / "time"
    run = run_folders(sweep.folder)[1]
    shutil.copytree(run, folder / run.name)
    commands = [command for command in COMMANDS if "auglens.explain" in command]
    assert len(commands) == 3
    for command in commands:
        words = [word for word in shlex.split(command)[3:] if not word.startswith("sweep=")]
        assert explain_main([f"sweep={folder}", f"data_dir={data_dir}", *words]) == 0
    made = {path.stem for path in (folder / run.name / "saliency").iterdir()}
    assert {"smoothgrad", "edge", "gradcam", "random"} <= made
    assert (folder / run.name / "measures" / "faithfulness.edge.json").exists()


def test_every_method_and_measure_is_in_the_readme() -> None:
    for group in ("saliency", "measures"):
        for path in (REPOSITORY / "conf" / group).glob("*.yaml"):
            assert f"`{path.stem}`" in README, path


def test_what_the_reader_adds(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _, block in BLOCKS:
        named = re.match(r"(?:# @package \S+\n)?# (\S+\.(?:py|yaml))\b", block)
        if named:
            path = tmp_path / named[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    command = TRAINING[-1]
    small = [word for word in SMALL if not word.startswith("dataset.")]
    code = cli(
        f"--config-dir={tmp_path / 'conf'}",
        *shlex.split(command)[2:],
        f"hydra.run.dir={tmp_path / 'run'}",
        *small,
    )
    assert code == 0
    record = read_record(tmp_path / "run")
    assert (record.augment, record.config["model"]["name"]) == ("rotate", "mlp")
    assert record.config["dataset"]["name"] == "digits"
    assert (tmp_path / "run" / "saliency" / "squared_gradient.npz").exists()


# https://github.com/facebookresearch/hydra/issues/1471
@pytest.mark.filterwarnings("ignore:\\n'hydra/launcher/.* is validated against:UserWarning")
@pytest.mark.parametrize("command", LAUNCHED)
def test_launchers_take_what_the_readme_sets(command: str) -> None:
    """They are run in tests/test_launchers.py, which needs their packages and minutes."""
    words = [word for word in shlex.split(command) if word.startswith("hydra")]
    with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
        config = compose("train", overrides=words, return_hydra_config=True)
    (name,) = (word.split("=")[1] for word in words if word.startswith("hydra/launcher="))
    assert config.hydra.runtime.choices["hydra/launcher"] == name
    for word in words:
        key, _, value = word.partition("=")
        if key.startswith("hydra.launcher."):
            assert str(OmegaConf.select(config, key)) == value
    shipped = REPOSITORY / "conf" / "hydra" / "launcher" / f"{name}.yaml"
    assert f"_target_: {config.hydra.launcher._target_}\n" in shipped.read_text()


def test_one_large_training(data_dir: Path) -> None:
    (command,) = (command for command in TRAINING if "trainer=ddp" in command)
    run = prepared([*shlex.split(command)[2:], "trainer.accelerator=cpu"], data_dir)
    assert run.inputs["trainer"]["world_size"] == 2
    check_processes(run.config, world_size=2, multirun=False)


def test_one_run_on_official_mnist(cli: Cli, tmp_path: Path, official_mnist: Path) -> None:
    (command,) = (command for command in TRAINING if "dataset=mnist" in command)
    small = [word for word in SMALL if not word.startswith("dataset.num_test")]
    arguments = shlex.split(command)[2:]
    folder = tmp_path / "run"
    data = f"paths.data_dir={official_mnist}"
    code = cli(*arguments, f"hydra.run.dir={folder}", *small, "logger=none", data_dir=data)
    assert code == 0
    assert sum(map(sum, read_record(folder).test_confusion)) == 10_000


def test_offline_runs_are_seen_by_wandbs_own_commands(sweep: Sweep) -> None:
    wandb = Path(sys.executable).parent / "wandb"
    run = run_folders(sweep.folder)[1] / "wandb"
    shown = subprocess.run(
        [str(wandb), "leet", "inspect", "--summary", str(run)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "crop-s1-seed0" in shown
    (pattern,) = {
        word.split("000000/")[1]
        for command in COMMANDS
        if command.startswith("wandb sync")
        for word in shlex.split(command)
        if "*/wandb" in word
    }
    # Six runs, and five of them a second time with their similarity.
    assert len(list(sweep.folder.glob(pattern))) == 6 + 5
