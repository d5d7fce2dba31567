"""The part of the report on trust, and a page a method."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from auglens.records.maps import read_map
from auglens.records.measures import MeasureResult, measure_hash, write_measure
from auglens.records.run import read_record, write_record
from auglens.study import Study, build_study, trust_figures
from auglens.study.trust_figures import SanityLine, sanity_figure
from auglens.study.verdicts.primary import PRIMARY, WITH_MAPS
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
# What matplotlib takes for a formula that it cannot read.
MATHEMATICS = r"$\bad$"


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
    assert "Maps of integrated_gradients are 0 wherever the image is black" in page.text
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
    # Figures 1 and 2, five of the first configured method, three of the statistics, six on trust.
    assert len(images) == 2 + 5 + 3 + 6
    assert page.values("href") == [f"methods/{name}.html" for name in METHODS]
    assert not [attrs for tag, attrs in page.tags if tag == "details" and "open" in attrs]


def test_further_verdicts_are_folded_in_with_their_method(page: Page) -> None:
    names = [
        name for name in METHODS if f"The same analyses with {name} (not primary)" in page.text
    ]
    # Nulls explain nothing, and the first method's verdicts are the primary ones.
    assert names == ["integrated_gradients"]
    tags = [(tag, attrs.get("class")) for tag, attrs in page.tags]
    first, further = (n for n, one in enumerate(tags) if one == ("ul", "verdicts"))
    assert tags[further - 2 : further] == [("details", None), ("summary", None)]
    assert tags[first:further].count(("li", "verdict")) == len(PRIMARY)
    assert tags[further:].count(("li", "verdict")) == len(WITH_MAPS)


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
    assert "0 on a black background by construction: integrated_gradients." in page.text


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
    write_sweep(tmp_path, augments=["crop", "none"], seeds=[0, 1])
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
    twins = (
        "python train.py -m experiment=label_randomization augment=crop,none seed=0,1 "
        f"hydra.sweep.dir={tmp_path} && {start} 'saliency=[gradient]' "
        "'measures=[label_randomization]'"
    )
    assert twins in text


def test_twins_that_are_there_are_not_trained_again(tmp_path: Path) -> None:
    write_run(tmp_path / "0-none", make_config("none"))
    write_run(tmp_path / "1-none", make_config("none", data={"permute_train_labels": True}))
    text = Page(build_study([tmp_path], out=tmp_path, **MEASURING).report).text
    assert "'measures=[label_randomization]'" in text
    assert "experiment=label_randomization" not in text


def test_no_command_is_named_that_cannot_work(tmp_path: Path) -> None:
    write_run(tmp_path / "a" / "0-crop", make_config("crop"))
    crop = Page(build_study([tmp_path / "a"], out=tmp_path / "a", **MEASURING).report).text
    assert "need a baseline (none) of the same seeds and settings" in crop
    assert "measures=[affinity_diversity]" not in crop
    assert "measures=[equivariance]" in crop
    write_run(tmp_path / "b" / "0-none", make_config("none", model={"cam_layer": None}))
    none = Page(build_study([tmp_path / "b"], out=tmp_path / "b", **MEASURING).report).text
    assert "It needs a run with an augmentation that has a strength." in none
    assert "measures=[equivariance]" not in none
    assert "measures=[affinity_diversity]" in none
    assert "gradcam" not in none


@pytest.mark.parametrize(
    ("num_lacking", "said"),
    [
        pytest.param(2, " in 0-crop-s1-seed0, 1-crop-s1-seed1.", id="named"),
        pytest.param(4, " in 4 of 5 runs.", id="counted"),
    ],
)
def test_runs_that_lack_what_others_have_are_said(
    tmp_path: Path, num_lacking: int, said: str
) -> None:
    write_trusted_sweep(tmp_path, augments=["crop"], seeds=range(5))
    for number in range(num_lacking):
        measures = tmp_path / f"{number}-crop-s1-seed{number}" / "measures"
        for path in [*measures.glob("equivariance.edge.*"), *measures.glob("affinity*")]:
            path.unlink()
    text = Page(build_study([tmp_path], out=tmp_path, **MEASURING).report).text
    assert f"equivariance was not measured for edge{said}" in text
    assert f"{said[:-1]} need a baseline" in text


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


@pytest.mark.parametrize("hostile", [HOSTILE, MATHEMATICS])
def test_hostile_names_stay_text(tmp_path: Path, hostile: str) -> None:
    run = tmp_path / "0-none-s1-seed0"
    for number, augment in enumerate(("none", "crop")):
        config = make_config(augment, dataset={"class_names": [hostile, "$", "a$b$", "_"]})
        config["saliency"] = {"methods": {"gradient": {"reduce": hostile}}}
        config["augment"]["name"] = hostile if augment == "crop" else augment
        write_run(tmp_path / f"{number}-{augment}-s1-seed0", config, shape=GREY)
    mode = {"similarity": [[0.2, 0.3]], "null": [0.5, 0.4]}
    values = {"layers": [hostile], "absolute": mode, "signed": mode}
    _write(run, "parameter_randomization", "gradient", values)
    tested = {hostile: {"map": [0.5, 0.4], "model": [1.0, 0.9]}}
    _write(run, "equivariance", "gradient", {"augments": tested})
    falling = [1.0, 0.5]
    curve = {"most_important_first": falling, "least_important_first": falling}
    _write(run, "faithfulness", "gradient", {"curves": {hostile: curve}})
    study = build_study([tmp_path], out=tmp_path, **MEASURING)
    assert all(len(study.figures(number)) for number in (1, 2, 3, 4, 5, 7, 10, 12))
    for page in (Page(study.report), Page(study.report.parent / "methods" / "gradient.html")):
        assert hostile in page.text
        assert not [attrs for tag, attrs in page.tags if tag == "img" and "onerror" in attrs]
    assert f"after {hostile}" in Page(study.report).text


def test_a_step_without_a_value_is_a_gap_and_the_end_is_the_last_layer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, SanityLine] = {}

    def spy(lines: dict[str, SanityLine], *, layers: Sequence[str], note: str) -> Figure:
        drawn.update(lines)
        return sanity_figure(lines, layers=layers, note=note)

    monkeypatch.setattr(trust_figures, "sanity_figure", spy)
    run = tmp_path / "0-none-s1-seed0"
    write_sweep(tmp_path, augments=["none"], seeds=[0])
    absolute = {"similarity": [[0.75, 0.75], [None, None], [0.25, 0.25]], "null": [0.5, 0.5]}
    signed = {"similarity": [[0.75, 0.75], [0.5, 0.5], [None, None]], "null": [0.5, 0.5]}
    values = {"layers": ["a", "b", "c"], "absolute": absolute, "signed": signed}
    _write(run, "parameter_randomization", "gradient", values)
    page = Page(build_study([tmp_path], out=tmp_path, **MEASURING).report)
    means = [step.mean for step in drawn["gradient"].steps]
    np.testing.assert_array_equal(means, [0.75, np.nan, 0.25])
    assert drawn["gradient"].null == 0.5
    assert "With all layers: gradient 0.25." in " ".join(page.values("alt"))
    assert "With signs kept, cannot be told: gradient." in page.text
    assert " nan" not in page.text


def test_figure_10_names_the_class_that_was_explained(tmp_path: Path) -> None:
    config = make_config("none", probe={"target": "predicted_class"})
    write_run(tmp_path / "0-none-s1-seed0", config)
    falling = [1.0, 0.5]
    curve = {"most_important_first": falling, "least_important_first": falling}
    run = tmp_path / "0-none-s1-seed0"
    _write(run, "faithfulness", "gradient", {"curves": {"black": curve}})
    # The command line of the training said one class, the maps were made later for another.
    record = read_record(run)
    told = {**record.config, "probe": {**record.config["probe"], "target": "true_class"}}
    write_record(run, replace(record, config=told))
    text = Page(build_study([tmp_path], out=tmp_path, **MEASURING).report).text
    assert "Mean probability of the predicted class while pixels" in text
    assert "explain the logit of the predicted class, for right" in text
    assert "20 test images, logit of the predicted class" in text
    assert "true class" not in text


def test_measures_are_defined_with_range_direction_and_null(page: Page) -> None:
    assert "From 0 to 1; higher is better; null 0.5." in page.text
    assert "From 0 to infinity; lower is closer; null: unrelated maps." in page.text
    assert "From -1 to 1; lower is better; null: another image of the class." in page.text
    assert "Diversity, nats (diversity)" in page.text


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
        inputs={},
        method_hash=own,
        seed=0,
        probe_ids=[1000, 1007],
        values=values,
    )
    write_measure(run, result)
