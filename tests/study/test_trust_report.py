"""The part of the report on trust, and a page a method."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from auglens.records.measures import MeasureResult, measure_hash, write_measure
from auglens.records.run import read_map, read_record
from auglens.study import Study, build_study
from tests.study.conftest import MEASURING
from tests.study.generated_sweep import (
    GREY,
    METHODS,
    make_config,
    write_run,
    write_sweep,
    write_trusted_sweep,
)
from tests.study.html_page import Page

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study of a sweep with four methods and every measure."""
    sweep = write_trusted_sweep(tmp_path_factory.mktemp("trusted"))
    return build_study([sweep], out=sweep, **MEASURING)


@pytest.fixture(scope="module")
def page(trusted: Study) -> Page:
    return Page(trusted.report)


def test_verdicts_stand_with_their_numbers(page: Page, trusted: Study) -> None:
    said = "pass: gradient, random; fail: edge; cannot be told: integrated_gradients."
    assert f"With signs dropped, {said}" in page.text
    assert (
        "Maps of integrated_gradients are 0 or next to it wherever the image is black" in page.text
    )
    edge = Page(trusted.report.parent / "methods" / "edge.html").text
    assert "edge fails:" in edge
    assert "its maps correlate 1.000 with the trained network's; the null is 0.500" in edge
    summary = json.loads((trusted.report.parent / "summary.json").read_text(encoding="utf-8"))
    verdicts = summary["groups"][0]["parameter_randomization_verdicts"]
    assert {method: one["absolute"] for method, one in verdicts.items()} == {
        "gradient": "passes",
        "integrated_gradients": "cannot be told",
        "random": "passes",
        "edge": "fails",
    }


def test_every_question_has_its_figure(trusted: Study) -> None:
    assert [len(trusted.figures(number)) for number in range(7, 13)] == [1, 1, 1, 4, 1, 4]
    assert [len(trusted.figures(number)) for number in range(3, 7)] == [4, 8, 4, 4]


def test_the_report_shows_the_main_method_and_links_the_others(page: Page) -> None:
    images = [attrs["alt"] for tag, attrs in page.tags if tag == "img"]
    # Figures 1 and 2, five of the first configured method, six on trust.
    assert len(images) == 2 + 5 + 6
    assert page.values("href") == [f"methods/{name}.html" for name in METHODS]
    assert not [attrs for tag, attrs in page.tags if tag == "details" and "open" in attrs]


def test_a_method_page_stands_alone_and_links_back(trusted: Study) -> None:
    folder = trusted.report.parent / "methods"
    assert sorted(path.stem for path in folder.iterdir()) == sorted(METHODS)
    for method in METHODS:
        page = Page(folder / f"{method}.html")
        images = [attrs for tag, attrs in page.tags if tag == "img"]
        assert all(attrs["src"].startswith("data:image/png") for attrs in images)
        # Figures 3, 4 twice, 5, 6, 10 and 12.
        assert len(images) == 7
        assert page.values("href")[0] == "../report.html"
        assert not {"link", "script", "iframe"} & {tag for tag, _ in page.tags}


def test_captions_say_how_the_maps_were_made(trusted: Study) -> None:
    text = Page(trusted.report.parent / "methods" / "integrated_gradients.html").text
    made = "logit of the true class; sum of absolute values over the channels, without sign"
    # Once above the figures, and in each caption of Figures 3 to 6.
    assert text.count(f"{made}; baseline a black image; num steps 32") == 1 + 5


def test_heads_say_unit_direction_and_null(page: Page, trusted: Study) -> None:
    summary = json.loads((trusted.report.parent / "summary.json").read_text(encoding="utf-8"))
    nulls = summary["groups"][0]["nulls"]
    assert f"KL, natslower is closerunrelated maps {nulls['kl']:.3f}" in page.text
    assert "Foreground AUChigher is betternull 0.5" in page.text
    assert "SRG, blackhigher is betternull 0" in page.text


def test_caveats_stand_beside_the_numbers(page: Page) -> None:
    assert "Replacing a pixel by black does nothing where the image is black already" in page.text
    assert "which keeps the lower layers as trained" in page.text
    assert "Blind to a black background by construction: integrated_gradients." in page.text


@pytest.mark.parametrize(
    ("loss", "said"),
    [
        pytest.param(0.1, "learned them by heart", id="fitted"),
        pytest.param(0.11, "were not fitted", id="not fitted"),
    ],
)
def test_a_twin_that_was_not_fitted_is_said(tmp_path: Path, loss: float, said: str) -> None:
    write_sweep(tmp_path, augments=["none"], seeds=[0])
    mode = {"similarity": [0.2, 0.3], "null": [0.5, 0.4]}
    values = {"absolute": mode, "signed": mode, "train_loss": loss, "epochs": 9, "twin": "f"}
    _write(tmp_path / "0-none-s1-seed0", "label_randomization", "gradient", values)
    assert said in Page(build_study([tmp_path], out=tmp_path, **MEASURING).report).text


def test_missing_measures_name_the_command(tmp_path: Path) -> None:
    write_sweep(tmp_path, augments=["crop", "none"], seeds=[0])
    text = Page(build_study([tmp_path], out=tmp_path, **MEASURING).report).text
    start = f"python -m auglens.explain sweep={tmp_path}"
    for measure in (
        "faithfulness",
        "infidelity",
        "sensitivity",
        "parameter_randomization",
        "label_randomization",
        "equivariance",
    ):
        assert f"{start} 'saliency=[gradient]' 'measures=[{measure}]'" in text
    assert f"{start} 'measures=[affinity_diversity]'" in text
    assert f"{start} 'saliency=[integrated_gradients,gradcam,random,edge]'" in text


def test_a_measure_missing_for_some_methods_names_them(page: Page) -> None:
    # The generated sweep has no label randomisation of the nulls.
    assert "label randomization was not measured for random, edge." in page.text
    assert "parameter randomization was not measured" not in page.text


def test_files_of_methods_that_are_gone_are_removed(tmp_path: Path) -> None:
    write_trusted_sweep(tmp_path, augments=["none"])
    study = build_study([tmp_path], out=tmp_path, **MEASURING)
    config = make_config("none")
    shutil.rmtree(tmp_path / "0-none-s1-seed0")
    write_run(tmp_path / "0-none-s1-seed0", config, shape=GREY)
    build_study([tmp_path], out=tmp_path, **MEASURING)
    assert [path.name for path in (study.report.parent / "methods").iterdir()] == ["gradient.html"]
    assert not [path for path in study.figures(3) if "edge" in path.name]
    assert Page(study.report).values("href") == ["methods/gradient.html"]


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    methods = {HOSTILE: {"reduce": HOSTILE}}
    run = tmp_path / "0-none-s1-seed0"
    write_run(run, make_config("none", saliency={"methods": methods}), shape=GREY)
    mode = {"similarity": [[0.2, 0.3]], "null": [0.5, 0.4]}
    values = {"layers": [HOSTILE], "absolute": mode, "signed": mode}
    _write(run, "parameter_randomization", HOSTILE, values)
    tested = {HOSTILE: {"map": [0.5, 0.4], "model": [1.0, 0.9]}}
    _write(run, "equivariance", HOSTILE, {"augments": tested})
    study = build_study([tmp_path], out=tmp_path, **MEASURING)
    own = Page(study.report.parent / "methods" / f"{HOSTILE}.html")
    for page in (Page(study.report), own):
        assert HOSTILE in page.text
        assert not [attrs for tag, attrs in page.tags if tag == "img" and "onerror" in attrs]
    assert f"after {HOSTILE}" in Page(study.report).text
    assert Page(study.report).values("href") == [
        "methods/%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E.html"
    ]


def test_the_summary_holds_the_new_tables(trusted: Study) -> None:
    summary = json.loads((trusted.report.parent / "summary.json").read_text(encoding="utf-8"))
    tables = summary["groups"][0]["tables"]
    # Three runs, four methods, two modes, three layers; three runs, six pairs of methods.
    assert len(tables["parameter_randomization"]) == 3 * 4 * 2 * 3
    assert len(tables["agreement"]) == 3 * 6
    assert {row["affinity"] for row in tables["affinity_diversity"]} == {0.75}


def _write(run: Path, measure: str, method: str, values: Mapping[str, object]) -> None:
    identity, own = read_record(run).identity, read_map(run, method).hash
    result = MeasureResult(
        measure=measure,
        method=method,
        hash=measure_hash(identity, {}, {}, method_hash=own, seed=0),
        settings={},
        probe_ids=[1000, 1007],
        values=values,
    )
    write_measure(run, result)
