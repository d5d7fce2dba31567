"""What the three commands answer to mistakes: one line, before anything is trained."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from torchvision.datasets import MNIST

from auglens import explain
from auglens.datasets.mnist import UNPACKED
from auglens.settings import compose_settings, resolved
from auglens.study import __main__ as study
from tests.conftest import SMALL, Cli
from tests.sweeps import QUIET

REPOSITORY = Path(__file__).parents[1]
TRAIN_KEYS = (
    *("seed", "seeds", "num_threads", "data", "probe", "measures", "figures", "reuse"),
    *("fail_fast", "paths", "dataset", "augment", "model", "optimizer", "saliency", "trainer"),
    "logger",
)
# What is wrong at composing, and what the answer must say.
REFUSED = [
    ("augment=crp", "There is no augment=crp. Did you mean crop? Options are blur, crop, "),
    ("augment=3", "There is no augment=3. Options are blur"),
    ("saliency=[gradient,grdcam]", "There is no saliency=grdcam. Did you mean gradcam?"),
    ("+experiment=sedes", "There is no experiment=sedes. Did you mean seeds?"),
    ("+augment=crop", "augment is chosen already: say augment=<option>, without +."),
    ("augmnt=crop", "There is no setting augmnt. Did you mean augment?"),
    ("data.train_sise=3", "There is no setting data.train_sise. Did you mean data.train_size?"),
    ("~data.train_sise", "There is no setting data.train_sise. Did you mean data.train_size?"),
    ("lr=3", "There is no setting lr. Did you mean optimizer.lr?"),
    ("optimizer.momentun=0", "There is no setting optimizer.momentun."),
    ("zzzz=1", "There is no setting zzzz. Settings are seed, seeds, num_threads"),
    ("hydra.launcher.n_jobs=2", "hydra.launcher are _target_. A new one is added by +hydra.launch"),
    ("hydra.swep.dir=x", "There is no setting hydra.swep. Did you mean hydra.sweep?"),
    ("hydra.job.num=x", "Cannot use hydra.job.num=x: Value 'x' of type 'str'"),
    ("data.train_size=[1", "Cannot read data.train_size=[1: "),
    ("augment", "Cannot read augment: missing EQUAL"),
    ("augment=3", "There is no augment=3. Options are blur, crop"),
    ("augment=[crop,3]", "There is no augment=[crop,3]. Did you mean crop?"),
    ("augment=[[crop]]", "There is no augment=[[crop]]. "),
    ("seed=1,2", "seed=1,2 are several values: sweep over them with -m, or say seed=[1,2]."),
]
UNRESOLVED = [
    ("seed=${sed}", "seed=${sed} cannot be resolved. There is no setting sed. Did you mean seed?"),
    ("seed=${seed}", "seed=${seed} cannot be resolved: it refers to itself."),
    ("seed=???", "seed has no value; say seed=<value>."),
    ("seed=${oc.env:ABSENT_X}", "seed=${oc.env:ABSENT_X} cannot be resolved: "),
    ("data.mode=${absent:1}", "data.mode=${absent:1} cannot be resolved: "),
]


def one_line(error: str) -> str:
    """What was said, which must be one line."""
    assert error.count("\n") == 1, error
    assert "Traceback" not in error
    return error


@pytest.mark.parametrize(("override", "message"), REFUSED, ids=[one for one, _ in REFUSED])
def test_what_hydra_refuses_is_said_with_the_nearest_name(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        compose_settings("train", [override], keys=TRAIN_KEYS)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_names_are_those_of_the_options_chosen() -> None:
    with pytest.raises(ValueError, match=r"Did you mean optimizer\.momentum\?"):
        compose_settings("train", ["optimizer=sgd", "optimizer.momentun=0"], keys=TRAIN_KEYS)


@pytest.mark.parametrize(("override", "message"), UNRESOLVED, ids=[one for one, _ in UNRESOLVED])
def test_a_value_that_cannot_be_had_is_named(override: str, message: str) -> None:
    config = compose_settings("train", [override], keys=TRAIN_KEYS)
    with pytest.raises(ValueError, match=r".") as raised:
        resolved(config)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_circles_through_two_settings_are_seen() -> None:
    circle = ["seeds.data=${seeds.init}", "seeds.init=${seeds.data}"]
    with pytest.raises(ValueError, match=r"seeds\.data=\$\{seeds\.init\} .* refers to itself"):
        resolved(compose_settings("train", circle, keys=TRAIN_KEYS))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["augment=crp"], "Did you mean crop?"),
        (["data.train_sise=3"], "Did you mean data.train_size?"),
        (["seed=${sed}"], "There is no setting sed. Did you mean seed?"),
        (["seed=${seed}"], "it refers to itself"),
        (["seed=???"], "seed has no value"),
        (["~augment"], "There is no setting augment.name."),
        (["--config-name=trian"], "Cannot find primary config 'trian'."),
        (["-m", "augment=crp,none"], "Did you mean crop?"),
        (["-m", "seed=0,${sed}"], "There is no setting sed. Did you mean seed?"),
        (["-m", "seed=0,${seed}"], "it refers to itself"),
        (["-m", "seed=0,???"], "seed has no value"),
        (["-m", "augment=crop,none", "augment.transform.max_aspekt=1"], "augment.transform"),
        (["-m", "seed=0,1", "reuse=[nowhere]"], "there is no folder nowhere"),
        (["-m", "seed=[0,1"], "Cannot read seed=[0,1"),
    ],
    ids=" ".join,
)
def test_training_refuses_before_the_first_job(
    words: list[str],
    message: str,
    cli: Cli,
    tmp_path: Path,
    data_dir: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "day" / "time"
    # Where the folder's name depends on the mistake, the folder is not made either.
    own = [f"hydra.sweep.dir={folder}"] if "-m" in words else []
    assert cli(*words, *own) == 1
    said = capfd.readouterr()
    assert message in one_line(said.err)
    assert said.out == ""
    assert not [*tmp_path.rglob("status.json")]
    assert not (data_dir / "outputs").exists()


def test_asked_for_the_traceback_is_shown(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert cli("augment=crp") == 1
    assert "Traceback" in capfd.readouterr().err


def test_help_and_the_composed_config_are_printed_as_ever(
    cli: Cli, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli("--cfg", "job") == 0
    assert "train_size: 100" in capfd.readouterr().out
    assert cli("--help") == 0
    assert "Powered by Hydra" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("main", "override", "message"),
    [
        (explain.main, "saliency=[grdcam]", "Did you mean gradcam?"),
        (explain.main, "figures=3", "figures is true or false, got 3"),
        (explain.main, "figures=null", "figures is true or false, got None"),
        (explain.main, "trust=[1]", "trust=[1] must be a list of modules"),
        (explain.main, "reuse=x", "reuse='x' is not a list of existing folders"),
        (explain.main, "reuse=[absent]", "there is no folder absent"),
        (explain.main, "data_dir=''", "data_dir is empty"),
        (explain.main, "data_dir=[a]", "data_dir is a folder, got ['a']"),
        (explain.main, "data_dir=${absent}", "data_dir=${absent} cannot be resolved."),
        (explain.main, "data_dir=???", "data_dir has no value"),
        (explain.main, "saliency.methods=3", "saliency.methods is methods by name, got 3"),
        (explain.main, "sweep=[conf,src]", "sweep=['conf', 'src'] is not the name of a folder"),
        (explain.main, f"sweep={'x' * 300}", "there is no folder xxx"),
        (explain.main, "~saliency", "saliency cannot be taken away"),
        (study.main, "kl_eps=[nan]", "kl_eps is a list of numbers between 0 and 1"),
        (study.main, "kl_eps=[]", "kl_eps is a list of numbers between 0 and 1"),
        (study.main, "kl_eps=${kl_ep}", "There is no setting kl_ep. Did you mean kl_eps?"),
        (study.main, "foreground_threshold=inf", "foreground_threshold is a number between"),
        (study.main, "out=[1]", "out=[1] is not the name of a folder"),
        (study.main, "out=''", "out='' is not the name of a folder"),
        (study.main, "sweep=''", "sweep='' is not the name of a folder"),
        (study.main, "reuse=null", "reuse=None is not a list of existing folders"),
        (study.main, "kl_esp=[0.1]", "Did you mean kl_eps?"),
    ],
)
def test_settings_of_the_other_commands(
    main: Callable[[list[str]], int],
    override: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = [] if override.startswith("sweep=") else [f"sweep={tmp_path}"]
    assert main([*named, override]) == 1
    assert message in one_line(capsys.readouterr().err)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.train_size=15", "a multiple of the 10 classes, from 10 to "),
        ("data.train_size=99990", "data.train_size=99990 is not possible"),
        ("probe.size=990", "probe.size=990 is not possible: it must be a multiple of the 10"),
        (
            "dataset.num_val=4900",
            "[4900, 200] images cannot be taken from 5000 images; each needs at",
        ),
        ("dataset.num_test=99999", "together at most 4999 (dataset.num_val, dataset.num_test)"),
    ],
)
def test_sizes_that_the_data_cannot_give_name_the_largest(
    override: str,
    message: str,
    cli: Cli,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    key = override.partition("=")[0]
    small = [word for word in SMALL if not word.startswith(key)]
    assert cli(override, f"hydra.run.dir={tmp_path / 'run'}", *small, *QUIET) == 1
    said = capfd.readouterr()
    assert message in one_line(said.out + said.err)
    assert not (tmp_path / "run" / "record.json").exists()


def damaged_mnist(folder: Path, content: bytes) -> Path:
    """A data folder whose four MNIST files are not whole."""
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in UNPACKED:
        (raw / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("content", [b"", b"\x00\x00\x08\x03half", b"\xff" * 5000])
def test_damaged_mnist_names_files_and_sums_in_one_line(
    content: bytes, cli: Cli, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = damaged_mnist(tmp_path / "data", content)
    folder = f"hydra.run.dir={tmp_path / 'run'}"
    assert cli("dataset=mnist", folder, *QUIET, data_dir=f"paths.data_dir={data}") == 1
    said = capfd.readouterr()
    line = one_line(said.out + said.err)
    for name, md5 in UNPACKED.items():
        assert f"{data / 'MNIST' / 'raw' / name} is damaged: {len(content)} bytes" in line
        assert f"expected MD5 {md5}" in line


def test_absent_mnist_names_what_to_put_where_in_one_line(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(MNIST, "mirrors", ["http://127.0.0.1:9/"])
    folder = f"hydra.run.dir={tmp_path / 'run'}"
    assert cli("dataset=mnist", folder, *QUIET, data_dir=f"paths.data_dir={tmp_path / 'none'}") == 1
    failed = [line for line in capfd.readouterr().out.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1
    assert f"MNIST is not in {tmp_path / 'none' / 'MNIST' / 'raw'}" in failed[0]
    assert all(f"{name} MD5 {md5}" in failed[0] for name, md5 in MNIST.resources)


def test_a_file_for_a_data_folder_is_one_line(
    cli: Cli, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("not a folder")
    data = f"paths.data_dir={tmp_path / 'file'}"
    assert cli(f"hydra.run.dir={tmp_path / 'run'}", *SMALL, *QUIET, data_dir=data) == 1
    said = capfd.readouterr()
    assert str(tmp_path / "file") in one_line(said.out + said.err)


def test_images_without_structure_are_trained_explained_and_counted(
    cli: Cli, tmp_path: Path
) -> None:
    folder = tmp_path / "day" / "time"
    code = cli(
        "-m",
        f"--config-dir={REPOSITORY / 'tests' / 'conf'}",
        "dataset=constant",
        "augment=crop,none",
        "saliency=[gradient,edge,input_x_gradient]",
        "data.train_size=28",
        "data.steps_per_epoch=3",
        "data.batch_size=30",
        "probe.size=14",
        "trainer.max_epochs=2",
        f"hydra.sweep.dir={folder}",
        *QUIET,
    )
    assert code == 0
    maps = pd.read_csv(folder / "maps.csv")
    assert len(maps) == 2 * 3 * 14
    assert pd.read_csv(folder / "runs.csv")["status"].tolist() == ["COMPLETED"] * 2
    compared = maps[maps["augment"] != "none"]
    # Edges of such an image are one value everywhere, and image times gradient is 0 where it is black.
    black = compared[(compared["method"] == "input_x_gradient") & (compared["label"] == 0)]
    assert len(black) == 2
    assert black[["cc", "kl", "sim", "js"]].isna().all(axis=None)
    assert compared.loc[compared["method"] == "edge", "cc"].isna().all()
    assert compared.loc[compared["method"] == "gradient", "cc"].notna().all()
    said = (folder / "report" / "report.html").read_text(encoding="utf-8")
    assert "undefined" in said
