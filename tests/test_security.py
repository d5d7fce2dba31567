"""A folder from a stranger is studied and explained without running or leaking anything."""

import ast
import csv
import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

import auglens
from auglens.explainer import load_weights
from auglens.records.files import check_no_link
from auglens.records.identity import digest
from auglens.records.maps import read_map, read_probe
from auglens.records.names import visible, visible_name
from auglens.records.run import RecordError, RunState, write_status
from auglens.study import Study, build_study, load_sweep
from auglens.study.console import print_study
from auglens.study.load import StudyError, load_sweeps
from auglens.study.rebuilding import training_commands
from tests.conftest import SMALL, Cli
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import GREY, make_config, write_run, write_sweep
from tests.study.html_page import Page

SECRET = "5ecre7" * 8
HOSTILE = "<script>alert(1)</script>"
BREAKING = '"><img src=x onerror=alert(1)>'
FORMULA = '=HYPERLINK("http://x")'
ESCAPE = "\x1b[31mred"


def calls(tree: ast.AST) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def test_nothing_of_the_package_can_run_what_a_file_holds() -> None:
    root = Path(auglens.__file__).parent
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            alias.name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        imported |= {
            (node.module or "").split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
        }
        assert not imported & {"pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}, path
        for name, call in calls(tree):
            given = {word.arg: ast.unparse(word.value) for word in call.keywords}
            assert name not in ("eval", "exec", "compile", "os.system", "yaml.load"), path
            assert "allow_pickle" not in given or given["allow_pickle"] == "False", path
            assert "shell" not in given, path
            if name in ("np.load", "numpy.load"):
                assert path.parent.name == "datasets", f"{path} reads arrays without bounds"
                assert given["allow_pickle"] == "False", path
            if name == "torch.load":
                assert given.get("weights_only") == "True", path


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[Any, tuple[Path]]:
        return Path.touch, (self.flag,)


@pytest.mark.parametrize("how", ["plain pickle", "in an archive"])
def test_a_checkpoint_with_code_is_refused_and_runs_nothing(tmp_path: Path, how: str) -> None:
    flag, path = tmp_path / "flag", tmp_path / "best.ckpt"
    if how == "plain pickle":
        path.write_bytes(pickle.dumps(Bomb(flag)))
    else:
        torch.save({"state_dict": Bomb(flag)}, path)
    with pytest.raises(RecordError, match=r"best\.ckpt cannot be loaded"):
        load_weights(nn.Linear(1, 1), path)
    assert not flag.exists()
    pickle.loads(pickle.dumps(Bomb(flag)))  # the bomb is a live one
    assert flag.exists()


def test_a_checkpoint_that_unpacks_to_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "best.ckpt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/0", bytes(10**7))
    with pytest.raises(RecordError, match="unpacks to 10000000 bytes"):
        load_weights(nn.Linear(1, 1), path)


def test_arrays_of_objects_are_refused_and_run_nothing(tmp_path: Path) -> None:
    write_run(tmp_path / "0-none", make_config("none"))
    flag, path = tmp_path / "flag", tmp_path / "0-none" / "probe.npz"
    with np.load(path) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    np.savez(path, **{**held, "labels": np.array([Bomb(flag)], object)})
    with pytest.raises(RecordError, match=r"labels\.npy is of type object"):
        read_probe(tmp_path / "0-none")
    assert not flag.exists()


def test_a_header_of_a_terabyte_is_refused_before_anything_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "saliency" / "gradient.npz"
    path.parent.mkdir()
    header = io.BytesIO()
    described = {"descr": "<f4", "fortran_order": False, "shape": (10**6, 500, 500)}
    np.lib.format.write_array_header_1_0(header, described)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("maps.npy", header.getvalue() + bytes(10**6))
    with pytest.raises(RecordError, match=r"maps\.npy is not as long as its header says"):
        read_map(tmp_path, "gradient")


def test_a_zip_bomb_is_refused_by_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("auglens.records.arrays.MOST_BYTES", 10**6)
    with zipfile.ZipFile(tmp_path / "probe.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", bytes(2 * 10**6))
    with pytest.raises(RecordError, match="take 2000000 bytes, at most 1000000"):
        read_probe(tmp_path)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A report about runs whose every name is an attack."""
    sweep = tmp_path_factory.mktemp("hostile") / "sweep"
    names = [HOSTILE, BREAKING, "$\\frac{$", "</script>"]
    for number, augment in enumerate(("none", HOSTILE, FORMULA, f"crop{ESCAPE}")):
        config = make_config(
            augment,
            dataset={"name": BREAKING, "class_names": names},
            model={"name": f"@{HOSTILE}"},
            probe={"target": BREAKING},
        )
        config["saliency"]["methods"]["gradient"][HOSTILE] = BREAKING
        write_run(sweep / f"{number}-run{BREAKING[:9]}", config, shape=GREY, finished=HOSTILE)
    write_status(
        sweep / f"=8{ESCAPE}\n\udcff", RunState.FAILED, error=f"-{HOSTILE}\n{ESCAPE}{BREAKING}"
    )
    return build_study([sweep], out=sweep, **MEASURING)


def test_names_are_text_in_every_page(hostile: Study) -> None:
    folder = hostile.report.parent
    pages = [hostile.report, *(folder / "methods").glob("*.html")]
    assert len(pages) == 2
    for path in pages:
        page = Page(path)
        assert not [attrs for _, attrs in page.tags if "onerror" in attrs]
        assert not [attrs for tag, attrs in page.tags if tag == "img" and attrs.get("src") == "x"]
        content = path.read_text(encoding="utf-8")
        assert HOSTILE not in content
        assert BREAKING not in content
        assert "\x1b" not in content
    results = (folder / "results.md").read_text(encoding="utf-8")
    assert HOSTILE not in results
    assert "\x1b" not in results


def test_names_are_printed_without_what_steers_a_terminal(hostile: Study) -> None:
    out = io.StringIO()
    print_study(hostile, Console(file=out, width=200))
    assert "\x1b" not in out.getvalue()
    (damaged,) = hostile.runs.loc[hostile.runs["status"] == "DAMAGED", "error"]
    assert "config.augment.name='crop\\x1b[31mred' is not text on one line" in damaged
    assert "not finished: =8\\x1b[31mred\\n\\udcff" in out.getvalue()


def test_no_cell_of_a_table_is_a_formula(hostile: Study) -> None:
    sweep = hostile.report.parents[1]
    for path in [*sweep.glob("*.csv"), *(sweep / "report" / "tables").glob("*.csv")]:
        with path.open(newline="", encoding="utf-8") as file:
            for cell in (cell for row in csv.reader(file) for cell in row):
                is_number = cell[1:2].isdigit() or cell[1:4] == "inf"
                assert not cell.startswith(("=", "+", "@", "\t", "\r")), (path, cell)
                assert not cell.startswith("-") or is_number, (path, cell)
    again = load_sweep(sweep)
    assert FORMULA in set(again.runs["augment"]) & set(again.maps["augment"])
    assert (again.maps["moran"] == hostile.maps["moran"]).all()


def test_text_is_visible_and_different_names_stay_different() -> None:
    assert visible("a\x07b\u202ec\r\nd") == "a\\x07b\\u202ec d"
    assert len({visible_name(name) for name in ("a\n", "a\\n", "a\\\\n", "a")}) == 4


def test_a_run_folder_that_is_a_link_to_elsewhere_is_not_read(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", augments=["none"], seeds=[0])
    write_run(tmp_path / "elsewhere" / "1-crop", make_config("crop"))
    (sweep / "1-crop").symlink_to(tmp_path / "elsewhere" / "1-crop")
    (sweep / "2-none").symlink_to(sweep / "0-none-s1-seed0")
    loaded = load_sweeps([sweep])
    assert [run.name for run in loaded.runs] == ["0-none-s1-seed0"]
    (entry,) = loaded.unfinished
    assert (entry.name, entry.status) == ("1-crop", "DAMAGED")
    assert "leads out of the sweep" in entry.error


def test_a_file_that_is_a_link_to_elsewhere_or_a_pipe_is_not_read(tmp_path: Path) -> None:
    run = tmp_path / "sweep" / "0-none"
    write_run(run, make_config("none"))
    (run / "record.json").replace(tmp_path / "record.json")
    (run / "record.json").symlink_to(tmp_path / "record.json")
    with pytest.raises(StudyError, match="No complete run"):
        load_sweeps([tmp_path / "sweep"])
    (run / "probe.npz").unlink()
    os.mkfifo(run / "probe.npz")
    with pytest.raises(RecordError, match="no regular file"):
        read_probe(run)


@pytest.mark.parametrize("place", ["report", "report/tables", "report/figures", "report/methods"])
def test_nothing_is_written_through_a_link(tmp_path: Path, place: str) -> None:
    sweep = write_sweep(tmp_path / "sweep", augments=["none"], seeds=[0])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (sweep / place).parent.mkdir(exist_ok=True)
    (sweep / place).symlink_to(elsewhere)
    with pytest.raises(StudyError, match="is a link or no folder"):
        build_study([sweep], out=sweep, **MEASURING)
    assert list(elsewhere.iterdir()) == []


def test_a_linked_table_is_replaced_and_not_followed(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "sweep", augments=["none"], seeds=[0])
    (tmp_path / "precious").write_text("precious", encoding="utf-8")
    (sweep / "runs.csv").symlink_to(tmp_path / "precious")
    build_study([sweep], out=sweep, **MEASURING)
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "precious"
    assert not (sweep / "runs.csv").is_symlink()
    check_no_link(tmp_path, "sweep", "report")


def test_hydras_own_file_is_bounded_and_no_pipe(tmp_path: Path) -> None:
    path = tmp_path / "multirun.yaml"
    laughs = "a: &a [x, x]\nb: &b [*a, *a]\nhydra: {overrides: {task: [seed=0, *b], hydra: []}}\n"
    path.write_text(laughs, encoding="utf-8")
    (command,) = training_commands([tmp_path])
    assert command.startswith("python train.py -m seed=0 hydra.sweep.dir=")
    path.write_text("!!python/object/apply:os.system ['false']", encoding="utf-8")
    assert training_commands([tmp_path]) == []
    path.unlink()
    os.mkfifo(path)
    assert training_commands([tmp_path]) == []


def test_no_secret_of_the_environment_is_written(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text(
        f"machine api.wandb.ai login user password {SECRET}n\n", encoding="utf-8"
    )
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    for name in ("WANDB_API_KEY", "MY_PASSWORD"):
        monkeypatch.setenv(name, SECRET)
    written = tmp_path / "day"
    wandb = ("logger=wandb", "logger.mode=offline", "figures=false", *SMALL)
    assert cli("-m", "augment=crop", f"hydra.sweep.dir={written / 'time'}", *wandb) == 0
    bad = ("augment=crop", "augment.strength=99", f"hydra.sweep.dir={written / 'bad'}")
    assert cli("-m", *bad, *wandb) == 1
    files = [path for path in written.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    "override",
    [
        f"+logger.api_key={SECRET}",
        "+logger.note=${oc.env:WANDB_API_KEY}",
        "experiment_note=${oc.env:MY_PASSWORD,none}",
        f"++data.auth_token={SECRET}",
    ],
)
def test_a_command_that_would_write_a_secret_is_refused_before_anything_is_written(
    cli: Cli, tmp_path: Path, override: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli("-m", "augment=crop", override, f"hydra.sweep.dir={tmp_path / 'sweep'}", *SMALL) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert override.split("=")[0] in said
    assert SECRET not in said
    assert not (tmp_path / "sweep").exists()


def test_maps_whose_settings_were_changed_are_left_out_and_named(tmp_path: Path) -> None:
    write_run(tmp_path / "0-none", make_config("none"))
    path = tmp_path / "0-none" / "saliency" / "gradient.npz"
    with np.load(path) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    settings = json.loads(str(held["settings"])) | {"_target_": "os.system"}
    np.savez(path, **{**held, "settings": np.array(json.dumps(settings))})
    study = build_study([tmp_path], out=tmp_path, **MEASURING)
    assert study.maps.empty
    assert any("maps of another run" in line for line in study.unread)
    assert digest(settings) != digest(json.loads(str(held["settings"])))
