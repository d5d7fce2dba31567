import json
import re
import shlex
from pathlib import Path

import pytest

from auglens.records.run import RunState, write_status
from auglens.study import Study, build_study
from auglens.study.__main__ import settings
from auglens.study.rebuilding import rebuild_command
from auglens.study.verdicts.primary import PRIMARY
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import make_config, write_run, write_sweep
from tests.study.html_page import Page


@pytest.fixture(scope="module")
def page(study: Study) -> Page:
    return Page(study.report)


def test_the_page_needs_no_network(page: Page) -> None:
    links = [value for _, attrs in page.tags for name, value in attrs.items() if name != "alt"]
    assert not [link for link in links if link.startswith(("http:", "https:", "//"))]
    assert not {"link", "iframe"} & {tag for tag, _ in page.tags}
    # Inline only: the map browser and its data.
    scripts = [attrs for tag, attrs in page.tags if tag == "script"]
    assert scripts
    assert all(set(attrs) == {"type"} for attrs in scripts)


def test_names_from_files_stay_text(page: Page, study: Study) -> None:
    markup = study.report.read_text(encoding="utf-8")
    assert markup.count("<script") == markup.count("<script type=") == markup.count("</script>")
    assert "20-<script>alert(1)-s1-seed0: FAILED" in page.text
    assert "<script>strength</script> is outside" in page.text


def test_every_figure_is_there_with_alternative_text(page: Page, study: Study) -> None:
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    names = sorted(path.name for path in (study.report.parent / "figures").iterdir())
    assert len(images) == len(names)
    assert all(attrs["alt"] and attrs["src"].startswith("data:image/png") for attrs in images)
    numbers = sorted(int(name.removeprefix("fig").split("_")[0]) for name in names)
    # No strengths, so no Figure 15; Figure 4 is there alone and over the images.
    assert numbers == [1, 2, 3, 4, 4, 5, 6, 13, 14, 16, 17, 18]


def test_figures_come_in_the_order_of_their_numbers(study: Study) -> None:
    markup = study.report.read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"<figcaption><strong>Figure (\d+)", markup)]
    assert numbers == [1, 2, 3, 4, 4, 5, 6, 13, 14, 16, 17, 18]


def test_figures_without_maps_stand_on_a_page_without_maps(tmp_path: Path) -> None:
    write_sweep(tmp_path, augments=["crop", "none"])
    for path in tmp_path.glob("*/saliency/*"):
        path.unlink()
    study = build_study([tmp_path], out=tmp_path, **MEASURING)
    page = Page(study.report)
    assert "These runs have no saliency maps." in page.text
    assert "Figure 13." in page.text
    images = [attrs for tag, attrs in page.tags if tag == "img"]
    assert len(images) == len(list((study.report.parent / "figures").iterdir())) > 2


def test_what_scrolls_has_a_name_and_takes_the_keyboard(page: Page) -> None:
    scrolled = [attrs for tag, attrs in page.tags if attrs.get("class") == "scroll"]
    assert len(scrolled) == sum(tag == "table" for tag, _ in page.tags)
    assert all(attrs["tabindex"] == "0" and attrs["role"] == "region" for attrs in scrolled)
    names = [attrs["aria-label"] for attrs in scrolled]
    assert {"Table 1: accuracy", "Values of Figure 2", "Noise floors"} <= set(names)
    assert all(0 < len(name) < 80 for name in names)


def test_verdicts_are_a_list_with_a_heading_each(page: Page) -> None:
    tags = [(tag, attrs.get("class")) for tag, attrs in page.tags]
    first = tags.index(("ul", "verdicts"))
    assert tags[first + 1 : first + 3] == [("li", "verdict"), ("h4", None)]
    assert tags.count(("li", "verdict")) == len(PRIMARY)


def test_tables_have_captions_and_scopes(page: Page) -> None:
    tags = [tag for tag, _ in page.tags]
    assert tags.count("table") == tags.count("caption") > 1
    assert all("scope" in attrs for tag, attrs in page.tags if tag == "th")


def test_what_is_missing_is_said(page: Page, study: Study) -> None:
    assert study.failed == [
        "20-<script>alert(1)-s1-seed0",
        "21-crop-s2-seed0",
        "22-blur-s1-seed9",
    ]
    assert all(name in page.text for name in study.failed)
    assert "26-blur-s1-seed5: no baseline" in page.text
    assert "Runs on permuted labels, in runs.csv only (1)" in page.text
    head, _, rest = page.text.partition("Verdicts")
    assert "Missing or left out: Runs that did not finish (3); " in head
    assert "Runs that did not finish (3)" in rest


def test_claims_and_limits_are_said_with_their_numbers(page: Page, study: Study) -> None:
    assert all(f"{one.name} {one.statement}" in page.text for one in PRIMARY)
    assert "every augmentation was run at one strength" in page.text
    assert "with 5 points |rho| must be 1.000" in page.text
    assert "40 validation labels, beside 20 training labels" in page.text
    summary = json.loads((study.report.parent / "summary.json").read_text(encoding="utf-8"))
    (group,) = summary["groups"]
    rho = group["spearman_with_test_accuracy"]["gradient"]["cc"]
    assert (rho["n"], rho["critical"]) == (5, 1.0)
    assert f"rho {rho['rho']:.3f}" in page.text
    crop = next(row for row in group["accuracies"] if row["label"] == "crop")
    assert f"{crop['test_accuracy_mean']:.3f} ± {crop['test_accuracy_sd']:.3f}" in page.text


def test_one_seed_without_floor_or_baseline_is_said(tmp_path: Path) -> None:
    write_run(tmp_path / "0-crop", make_config("crop"))
    write_status(tmp_path / "1-none", RunState.FAILED, error="x")
    text = Page(build_study([tmp_path], out=tmp_path, **MEASURING).report).text
    assert "There is one seed." in text
    assert "There is no run of none" in text
    assert "no maps were compared with a baseline" in text


def test_strengths_are_told_and_called_dependent(tmp_path: Path) -> None:
    for number, strength in enumerate((0.5, 1.0, 2.0)):
        write_run(tmp_path / f"{number}-crop", make_config("crop", strength=strength))
    write_run(tmp_path / "3-none", make_config("none"))
    text = Page(build_study([tmp_path], out=tmp_path, **MEASURING).report).text
    assert "Strengths of one augmentation are not independent points." in text
    assert "These runs have no floor" in text
    assert "crop (gradient): mean CC with the baseline" in text


def test_each_comparison_group_is_a_part(tmp_path: Path) -> None:
    write_sweep(tmp_path, augments=["crop", "none"], seeds=[0])
    write_run(tmp_path / "9-crop", make_config("crop", optimizer={"lr": 0.1}))
    study = build_study([tmp_path], out=tmp_path, **MEASURING)
    sections = [attrs.get("id", "") for tag, attrs in Page(study.report).tags if tag == "section"]
    assert len([name for name in sections if name.startswith("group-")]) == 2
    assert study.table1["group"].nunique() == 2


def test_runs_without_maps_samples_or_history_still_make_a_report(tmp_path: Path) -> None:
    config = make_config("crop", saliency={"methods": {}})
    write_run(tmp_path / "0-crop", config)
    (tmp_path / "0-crop" / "samples.npz").unlink()
    (tmp_path / "0-crop" / "history.csv").unlink()
    page = Page(build_study([tmp_path], out=tmp_path / "out", **MEASURING).report)
    assert "These runs have no saliency maps." in page.text
    assert "history.csv cannot be read" in page.text


def test_how_maps_were_measured_is_said_and_repeated(tmp_path: Path) -> None:
    write_sweep(tmp_path, augments=["none"], seeds=[0])
    usual = Page(build_study([tmp_path], out=tmp_path, **MEASURING).report)
    assert f"python -m auglens.study sweep={tmp_path}\n" in usual.text
    assert "foreground brighter than 0.5" in usual.text
    study = build_study(
        [tmp_path], out=tmp_path / "b", kl_eps=(1e-10, 1e-7), foreground_threshold=0.25
    )
    command = (
        f"python -m auglens.study sweep={tmp_path} out={tmp_path / 'b'} "
        "'kl_eps=[1e-10,1e-07]' foreground_threshold=0.25"
    )
    assert f"{command}\n" in Page(study.report).text
    summary = json.loads((study.report.parent / "summary.json").read_text(encoding="utf-8"))
    assert (summary["kl_eps"], summary["foreground_threshold"]) == ([1e-10, 1e-7], 0.25)


@pytest.mark.parametrize(
    "name",
    [
        *("a", "a b", "a,b", "[a]", "{a}", "(a)", "a=b", "a:b", "null", "1_000", "1e3", "-1", "~"),
        *("${a}", "\\${a}", "it's", '"a"', '\\"a"', "a\\", "\\", "ä", "#", "..", "a*b?"),
    ],
)
def test_the_command_gives_back_its_settings(name: str) -> None:
    command = rebuild_command([Path(name)], Path(name), kl_eps=[1e-10], foreground_threshold=0.25)
    found = settings(shlex.split(command)[3:])
    assert found == {
        "sweep": name,
        "out": None,
        "reuse": [],
        "kl_eps": [1e-10],
        "foreground_threshold": 0.25,
    }
    again = rebuild_command([Path("a")], Path("a"), reuse=[Path(name)], **MEASURING)
    assert settings(shlex.split(again)[3:])["reuse"] == [name]
    joined = rebuild_command([Path(name), Path("b")], Path(name), **MEASURING)
    found = settings(shlex.split(joined)[3:])
    assert (found["sweep"], found["out"]) == ([name, "b"], name)
