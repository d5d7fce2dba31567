from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from auglens.measures.measure import Subject
from auglens.measures.perturbation import Infidelity, Sensitivity
from auglens.saliency.attribution import Attribution
from auglens.saliency.captum_measures import infidelity, max_sensitivity
from auglens.saliency.gradients import Gradient, SmoothGrad
from auglens.saliency.null_maps import EdgeMap, RandomMap
from tests.measures.subjects import labelled, linear_network, make_run, make_subject, make_task

METHODS: dict[str, Attribution] = {
    "gradient": Gradient(reduce="max_abs", batch_size=3),
    "smoothgrad": SmoothGrad(reduce="max_abs", batch_size=3, num_samples=4, stdev=0.3),
    "random": RandomMap(reduce="max_abs", batch_size=3),
    "edge": EdgeMap(reduce="max_abs", batch_size=3),
}


@pytest.fixture
def images() -> Tensor:
    return torch.rand(12, 2, 6, 5, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def linear(tmp_path: Path, images: Tensor) -> Subject:
    return make_subject(make_run(tmp_path), linear_network(60), METHODS, images, labelled(4))


def test_the_exact_gradient_of_a_linear_network_is_faithful(linear: Subject) -> None:
    measure = Infidelity(num_images=12, stdev=0.2, num_samples=20, batch_size=5)
    outcome = measure(make_task(linear, "gradient"))
    assert outcome.probe_ids == list(range(100, 112))
    assert outcome.columns["infidelity"] == pytest.approx([0.0] * 12, abs=1e-8)
    others = measure(make_task(linear, "random")).columns["infidelity"]
    assert min(value or 0 for value in others) > 1e-4


def test_infidelity_is_a_numpy_re_derivation_and_blind_to_scale(images: Tensor) -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(60, 5), nn.Tanh(), nn.Linear(5, 3))
    targets = labelled(4)
    attribution = torch.randn(12, 2, 6, 5)

    def measured(scale: float) -> Tensor:
        generator = torch.Generator().manual_seed(7)
        return infidelity(
            net,
            images,
            targets,
            scale * attribution,
            stdev=0.5,
            num_samples=30,
            generator=generator,
        )

    found = measured(1.0)
    noise = 0.5 * torch.randn(360, 2, 6, 5, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        repeated = images.repeat_interleave(30, 0)
        pairs = (net(repeated), net(repeated - noise))
        fall = (pairs[0] - pairs[1]).gather(1, targets.repeat_interleave(30)[:, None])
    dot = (noise * attribution.repeat_interleave(30, 0)).flatten(1).sum(1).view(12, 30).numpy()
    drop = fall.view(12, 30).numpy()
    scale = (dot * drop).mean(1) / (dot**2).mean(1)
    expected = ((scale[:, None] * dot - drop) ** 2).mean(1)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(measured(100.0), found, rtol=1e-4, atol=1e-7)


def test_an_attribution_of_zeros_has_no_infidelity(images: Tensor) -> None:
    attribution = torch.ones(12, 1, 6, 5)
    attribution[3] = 0
    values = infidelity(
        linear_network(60),
        images,
        labelled(4),
        attribution,
        stdev=0.1,
        num_samples=2,
        generator=torch.Generator(),
    )
    assert values.isnan().tolist() == [place == 3 for place in range(12)]


def test_constant_gradients_are_not_sensitive_noise_is_and_edges_are_a_little(
    linear: Subject,
) -> None:
    measure = Sensitivity(num_images=6, radius=0.05, num_samples=4)
    for name in ("gradient", "smoothgrad"):
        outcome = measure(make_task(linear, name))
        # Its own noise is the same in every draw, so a constant gradient stays constant.
        assert outcome.columns["max_sensitivity"] == pytest.approx([0.0] * 6, abs=1e-6), name
        assert outcome.probe_ids == [100, 102, 104, 106, 108, 110]
    edges = measure(make_task(linear, "edge")).columns["max_sensitivity"]
    assert all(value is not None and 0 < value < 0.5 for value in edges)
    noise = measure(make_task(linear, "random")).columns["max_sensitivity"]
    assert all(value is not None and value > 0.5 for value in noise)


def test_sensitivity_is_a_re_derivation_by_hand(images: Tensor) -> None:
    def squares(batch: Tensor) -> Tensor:
        return batch.square().sum(dim=1)

    found = max_sensitivity(
        squares, images, radius=0.1, num_samples=7, generator=torch.Generator().manual_seed(2)
    )
    generator = torch.Generator().manual_seed(2)
    ratios = []
    for _ in range(7):
        moved = images + 0.1 * (2 * torch.rand(images.shape, generator=generator) - 1)
        change = (squares(moved) - squares(images)).flatten(1).norm(dim=1)
        ratios.append(change / squares(images).flatten(1).norm(dim=1))
    torch.testing.assert_close(found, torch.stack(ratios).amax(dim=0).double())


def test_a_map_of_zeros_has_no_sensitivity(images: Tensor) -> None:
    images = images.clone()
    images[2] = 0

    def nothing_on_black(batch: Tensor) -> Tensor:
        return torch.where(images.sum(dim=1) == 0, 0.0, batch.sum(dim=1))

    values = max_sensitivity(
        nothing_on_black, images, radius=0.1, num_samples=2, generator=torch.Generator()
    )
    assert values.isnan().tolist() == [place == 2 for place in range(12)]
