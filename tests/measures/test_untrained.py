import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from auglens.components import built
from auglens.explain import load_run, main
from auglens.explainer import Explainer, predict
from auglens.loaded_run import first_network
from auglens.measures.measure import Subject
from auglens.measures.untrained import MEANS, Untrained
from auglens.metrics.table import map_columns
from auglens.records.identity import digest
from auglens.records.measures import measure_path
from auglens.study.load import Run
from auglens.study.trust import UNTRAINED
from tests.conftest import SMALL, Cli, Sweep
from tests.measures.subjects import make_task


@pytest.fixture(scope="module")
def subject(sweep: Sweep) -> Subject:
    folder = sweep.folder / "1-crop-s1-seed0"
    run = load_run(folder)
    settings = run.record.config["saliency"]["methods"]
    explainer = Explainer(
        probe=run.probe(),
        methods={"gradient": built(settings["gradient"], "gradient")},
        settings=settings,
        target="true_class",
        seed=0,
        identity=run.record.identity,
    )
    net = run.network()
    return Subject(
        Run(folder.name, folder, run.record), explainer, net, predict(net, run.probe().images)
    )


def test_values_are_those_of_a_network_built_anew(subject: Subject) -> None:
    found = Untrained(foreground_threshold=0.5)(make_task(subject, "gradient")).values
    net = first_network(subject.run.record, subject.explainer.probe)
    images = subject.images.clone().requires_grad_()
    targets = subject.explainer.probe.labels
    net(images)[torch.arange(len(targets)), targets].sum().backward()
    assert images.grad is not None
    maps = images.grad.abs().amax(dim=1)
    expected = map_columns(maps, subject.images, foreground_threshold=0.5)
    for name in MEANS:
        assert found[name] == pytest.approx(np.nanmean(expected[name]), rel=1e-5), name
    assert found["n"] == len(targets)


def test_the_network_has_its_first_weights_and_the_runs_own_stays(subject: Subject) -> None:
    before = {name: value.clone() for name, value in subject.net.state_dict().items()}
    first = Untrained(foreground_threshold=0.5)(make_task(subject, "gradient"))
    again = Untrained(foreground_threshold=0.5)(make_task(subject, "gradient"))
    assert first == again
    assert all(torch.equal(value, before[name]) for name, value in subject.net.state_dict().items())
    net = first_network(subject.run.record, subject.explainer.probe)
    trained = dict(subject.net.named_parameters())
    assert not any(torch.equal(value, trained[name]) for name, value in net.named_parameters())


def test_a_predicted_class_is_the_untrained_networks_own(subject: Subject) -> None:
    explainer = replace(subject.explainer, target="predicted_class")
    predicting = replace(subject, explainer=explainer)
    own = predict(first_network(subject.run.record, explainer.probe), explainer.probe.images)
    labels = own.argmax(dim=1)
    assert not torch.equal(labels, predicting.targets)
    told = replace(subject.explainer, probe=replace(explainer.probe, labels=labels))
    measure = Untrained(foreground_threshold=0.5)
    found = measure(make_task(predicting, "gradient"))
    assert found == measure(make_task(replace(subject, explainer=told), "gradient"))


def test_a_brightness_that_parts_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="foreground_threshold"):
        Untrained(foreground_threshold=1.5)


def test_a_run_that_learnt_nothing_has_the_maps_of_its_untrained_network(
    cli: Cli, tmp_path: Path
) -> None:
    folder = tmp_path / "day" / "time"
    still = ("augment=crop,none", "optimizer.lr=0", "measures=[untrained]")
    common = (f"hydra.sweep.dir={folder}", "logger=none", "figures=false", *SMALL)
    assert cli("-m", *still, "saliency=[gradient,smoothgrad]", *common) == 0
    maps = pd.read_csv(folder / "maps.csv").groupby(["run", "method"])[list(MEANS)].mean()
    found = pd.read_csv(folder / "report" / "tables" / "untrained.csv")
    assert found["n"].tolist() == [20] * 4
    found = found.set_index(["run", "method"])[list(MEANS)]
    pd.testing.assert_frame_equal(found.sort_index(), maps.sort_index(), rtol=1e-5)


def test_a_network_nobody_vouches_for_is_not_built(
    sweep: Sweep, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "day" / "time" / "1-crop-s1-seed0"
    shutil.copytree(sweep.folder / run.name, run)
    content: dict[str, Any] = json.loads((run / "record.json").read_text())
    for part in ("inputs", "config"):
        content[part]["model"]["net"]["_target_"] = "tests.conftest.Cnn2"
    content["identity"] = digest(content["inputs"])
    del content["checksum"]
    (run / "record.json").write_text(json.dumps(content))
    arguments = ("saliency=[gradient]", "measures=[untrained]", "figures=false")
    assert main([f"sweep={run.parent}", f"data_dir={data_dir}", *arguments]) == 1
    assert "trust=tests.conftest" in capsys.readouterr().out
    assert not measure_path(run, "untrained", "gradient").exists()


def test_measures_of_a_foreground_are_none_where_images_have_none(subject: Subject) -> None:
    dark = replace(subject.explainer.probe, images=torch.zeros_like(subject.images))
    task = make_task(replace(subject, explainer=replace(subject.explainer, probe=dark)), "gradient")
    values = Untrained(foreground_threshold=0.5)(task).values
    undefined = {name for name in MEANS if values[name] is None}
    assert undefined == {name for name in MEANS if "ground" in name}
    assert values["n"] == len(dark.images)


def test_the_study_reads_what_is_written() -> None:
    assert (*MEANS, "n") == UNTRAINED
