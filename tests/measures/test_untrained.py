import numpy as np
import pytest
import torch

from auglens.components import built
from auglens.explain import load_run
from auglens.explainer import Explainer, predict
from auglens.loaded_run import first_network
from auglens.measures.measure import Subject
from auglens.measures.untrained import MEANS, Untrained
from auglens.metrics.table import map_columns
from auglens.study.load import Run
from auglens.study.trust import UNTRAINED
from tests.conftest import Sweep
from tests.measures.subjects import make_task

# https://github.com/Lightning-AI/pytorch-lightning/issues/21326
pytestmark = pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")


@pytest.fixture(scope="module")
def subject(sweep: Sweep) -> Subject:
    folder = sweep.folder / "1-crop-s1-seed0"
    run = load_run(folder)
    settings = run.record.config["saliency"]["methods"]
    explainer = Explainer(
        probe=run.probe(),
        methods={"gradient": built(settings["gradient"])},
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


def test_the_study_reads_what_is_written() -> None:
    assert (*MEANS, "n") == UNTRAINED
