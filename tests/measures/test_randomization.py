import copy
from pathlib import Path

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from auglens.measures.measure import NotMeasurable, Subject
from auglens.measures.randomization import (
    LabelRandomization,
    ParameterRandomization,
    next_of_same_class,
)
from auglens.saliency.attribution import Attribution
from auglens.saliency.gradients import Gradient, InputXGradient
from auglens.saliency.null_maps import EdgeMap, RandomMap
from auglens.saliency.randomization import cascade, layer_names, unforgettable
from tests.measures.subjects import labelled, linear_network, make_run, make_subject, make_task
from tests.saliency.shipped_methods import shipped_network

METHODS: dict[str, Attribution] = {
    "gradient": Gradient(reduce="max_abs", batch_size=50),
    "input_x_gradient": InputXGradient(reduce="max_abs", batch_size=50),
    "random": RandomMap(reduce="max_abs", batch_size=50),
    "edge": EdgeMap(reduce="max_abs", batch_size=50),
}


@pytest.fixture
def images() -> Tensor:
    return torch.rand(30, 1, 28, 28, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def linear(tmp_path: Path, images: Tensor) -> Subject:
    return make_subject(make_run(tmp_path), linear_network(784), METHODS, images, labelled(10))


def test_layers_go_from_the_output_to_the_input_and_add_up() -> None:
    net, _ = shipped_network("cnn2", 1, 28, 28)
    before = copy.deepcopy(net.state_dict())
    assert layer_names(net) == ["net.linear", "net.conv2", "net.conv1"]
    changed: list[set[str]] = []
    for name, randomized in cascade(net, generator=torch.Generator().manual_seed(0)):
        state = randomized.state_dict()
        changed.append(
            {key.rpartition(".")[0] for key in state if not torch.equal(state[key], before[key])}
        )
        assert name in changed[-1]
    assert changed == [
        {"net.linear"},
        {"net.linear", "net.conv2"},
        {"net.linear", "net.conv2", "net.conv1"},
    ]
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_new_weights_follow_the_generator_and_leave_the_global_one_alone() -> None:
    net = linear_network(4)
    drawn = []
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    for seed in (0, 0, 1):
        ((_, randomized),) = cascade(net, generator=torch.Generator().manual_seed(seed))
        drawn.append(randomized[1].weight.detach().clone())  # type: ignore[index]
    assert torch.equal(torch.rand(2), expected)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_weights_of_a_linear_network_pass(linear: Subject) -> None:
    outcome = ParameterRandomization(num_images=30, num_draws=3)(make_task(linear, "gradient"))
    assert outcome.values["layers"] == ["1"]
    for mode in ("absolute", "signed"):
        (similarity,) = outcome.values[mode]["similarity"]
        # Three draws of 784 independent weights: standard error 0.02.
        assert abs(sum(similarity) / 30) < 0.1
        # The gradient of a class is the same for all its images, so the null is 1.
        assert outcome.values[mode]["null"] == pytest.approx([1.0] * 30)


def test_edges_score_exactly_one_and_noise_nothing(linear: Subject) -> None:
    measure = ParameterRandomization(num_images=30, num_draws=2)
    edge = measure(make_task(linear, "edge")).values
    assert edge["absolute"]["similarity"] == [[1.0] * 30]
    assert edge["signed"]["similarity"] == [[1.0] * 30]
    assert all(null < 0.9 for null in edge["absolute"]["null"])
    noise = measure(make_task(linear, "random")).values["absolute"]["similarity"][0]
    assert abs(sum(noise) / 30) < 4 / (784 * 60) ** 0.5


def test_similarity_is_scipys_spearman_of_the_maps(linear: Subject) -> None:
    found = ParameterRandomization(num_images=30, num_draws=1)(
        make_task(linear, "input_x_gradient")
    ).values
    ((_, randomized),) = cascade(linear.net, generator=linear.generator())
    labels = linear.explainer.probe.labels
    partners = next_of_same_class(labels)
    maps = {
        name: (net[1].weight[labels].detach().view(30, 28, 28) * linear.images[:, 0])  # type: ignore[index]
        for name, net in (("trained", linear.net), ("randomized", randomized))
    }
    for mode, change in (("absolute", torch.abs), ("signed", lambda one: one)):
        trained, other = (change(maps[name]).flatten(1).numpy() for name in maps)
        expected = [spearmanr(a, b).statistic for a, b in zip(trained, other, strict=True)]
        assert found[mode]["similarity"][0] == pytest.approx(expected, abs=1e-6)
        nulls = [spearmanr(a, b).statistic for a, b in zip(trained, trained[partners], strict=True)]
        assert found[mode]["null"] == pytest.approx(nulls, abs=1e-6)


def test_partners_are_other_images_of_the_same_class() -> None:
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    partners = next_of_same_class(labels)
    assert (labels[partners] == labels).all()
    assert (partners != torch.arange(6)).tolist() == [True] * 5 + [False]


def test_an_image_alone_in_its_class_has_no_null(tmp_path: Path, images: Tensor) -> None:
    subject = make_subject(
        make_run(tmp_path), linear_network(784), METHODS, images[:3], torch.tensor([0, 0, 1])
    )
    outcome = ParameterRandomization(num_images=3, num_draws=1)(make_task(subject, "gradient"))
    assert [value is None for value in outcome.values["absolute"]["null"]] == [False, False, True]


class TestLabelRandomization:
    measure = LabelRandomization(num_images=30)

    def test_the_twin_differs_in_labels_and_epochs_only(self, tmp_path: Path) -> None:
        run = make_run(tmp_path / "a", "crop")
        permuted = {"permute_train_labels": True}
        twin = make_run(tmp_path / "b", "crop", data=permuted, trainer={"max_epochs": 150})
        short = make_run(tmp_path / "c", "crop", data=permuted)
        strangers = [
            make_run(tmp_path / "d", "blur", data=permuted),
            make_run(tmp_path / "e", "crop", seed=1, data=permuted),
        ]
        found = self.measure.inputs(run, [run, *strangers, short, twin])
        assert found == {"twin": twin.record.identity}
        with pytest.raises(NotMeasurable, match="experiment=label_randomization"):
            self.measure.inputs(run, [run, *strangers])

    def test_it_compares_the_two_networks_and_says_what_the_twin_learnt(
        self, linear: Subject, tmp_path: Path
    ) -> None:
        folder = tmp_path / "twin"
        folder.mkdir()
        (folder / "history.csv").write_text("epoch,train_loss\n1,2.0\n2,0.25\n")
        run = make_run(folder, data={"permute_train_labels": True})
        twin = make_subject(run, linear_network(784, seed=5), METHODS, linear.images, labelled(10))
        task = make_task(linear, "gradient", {"twin": "abc"}, other=lambda _: twin)
        values = self.measure(task).values
        assert (values["twin"], values["train_loss"], values["epochs"]) == ("abc", 0.25, 6)
        own, other = (
            net[1].weight.detach().abs().numpy()  # type: ignore[index]
            for net in (linear.net, twin.net)
        )
        expected = [spearmanr(own[label], other[label]).statistic for label in range(3)]
        assert values["absolute"]["similarity"][::10] == pytest.approx(expected, abs=1e-6)
        itself = self.measure(make_task(linear, "gradient", {"twin": "x"}, other=lambda _: twin))
        assert itself.values["absolute"]["null"] == pytest.approx([1.0] * 30)


def test_batch_norm_forgets_its_statistics_too() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    net(torch.rand(4, 1, 8, 8))
    assert layer_names(net) == ["1", "0"]
    _, randomized = next(iter(cascade(net, generator=torch.Generator())))
    assert torch.equal(randomized[1].running_mean, torch.zeros(2))  # type: ignore[index]


def test_parameters_that_no_layer_can_forget_are_named(tmp_path: Path) -> None:
    class WithToken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.zeros(3))
            self.linear = nn.Linear(784, 3)

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.linear(images.flatten(1)) + self.token
            return logits

    assert unforgettable(WithToken()) == ["token"]
    assert unforgettable(nn.MultiheadAttention(4, 2)) == ["in_proj_weight", "in_proj_bias"]
    assert unforgettable(shipped_network("cnn2", 1, 28, 28)[0]) == []
    images = torch.rand(3, 1, 28, 28)
    subject = make_subject(make_run(tmp_path), WithToken(), METHODS, images, torch.arange(3))
    with pytest.raises(NotMeasurable, match="token"):
        ParameterRandomization(num_images=3, num_draws=1)(make_task(subject, "gradient"))


def test_a_signed_reduction_has_an_absolute_mode_all_the_same(
    tmp_path: Path, images: Tensor
) -> None:
    methods: dict[str, Attribution] = {
        how: Gradient(reduce=how, batch_size=50) for how in ("max_abs", "sum")
    }
    subject = make_subject(make_run(tmp_path), linear_network(784), methods, images, labelled(10))
    values = [
        ParameterRandomization(num_images=30, num_draws=1)(make_task(subject, how)).values
        for how in methods
    ]
    assert values[0] == values[1]
