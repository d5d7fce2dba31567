import math
from itertools import permutations

import numpy as np
import pytest
import torch
from torch import Tensor

from auglens.metrics.faithfulness import (
    Curves,
    Score,
    auc,
    deletion,
    insertion,
    perturbation_curves,
    srg,
    substrate,
)
from tests.metrics.drawn_maps import half_normal

WEIGHTS = torch.tensor([4.0, 3, 2, 1])


def linear(images: Tensor) -> Tensor:
    return images.flatten(1) @ WEIGHTS / 10


def curves_of(
    maps: Tensor, score: Score = linear, images: Tensor | None = None, num_steps: int = 4
) -> Curves:
    shown = torch.ones(len(maps), 1, *maps.shape[1:]) if images is None else images
    generator = torch.Generator().manual_seed(0)
    return perturbation_curves(
        score, shown, torch.zeros_like(shown), maps, num_steps=num_steps, generator=generator
    )


def wiggly(seed: int, num_pixels: int) -> Score:
    """A small network with one hidden layer, as a probability."""
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(num_pixels, 6, generator=generator)
    second = torch.randn(6, generator=generator)
    return lambda images: torch.sigmoid(torch.tanh(images.flatten(1) @ first) @ second)


@pytest.mark.parametrize(
    ("curve", "expected"),
    [([1, 0.5, 0.25, 0], 0.4166667), ([1, 1, 1, 1], 1), ([1, 0, 0, 0], 0.1666667)],
)
def test_areas_under_curves(curve: list[float], expected: float) -> None:
    area = auc(torch.tensor([curve]).double())
    assert area.tolist() == pytest.approx([expected], abs=5e-8)
    trapezia = np.trapezoid(curve, np.linspace(0, 1, len(curve)))
    assert area.tolist() == pytest.approx([trapezia])


def test_exact_map_of_a_linear_score() -> None:
    curves = curves_of(WEIGHTS.view(1, 2, 2))
    assert curves.most_important_first[0].tolist() == pytest.approx([1, 0.6, 0.3, 0.1, 0])
    assert curves.least_important_first[0].tolist() == pytest.approx([1, 0.9, 0.7, 0.4, 0])
    areas = [float(measure(curves)) for measure in (deletion, insertion, srg)]
    assert areas == pytest.approx([0.375, 0.625, 0.25])


def test_the_reverse_order_scores_the_opposite_and_all_orders_cancel() -> None:
    orders = torch.tensor(list(permutations([1.0, 2, 3, 4]))).view(24, 2, 2)
    gains = srg(curves_of(orders))
    assert float(gains.mean()) == pytest.approx(0, abs=1e-7)
    assert float(gains.max()) == pytest.approx(0.25)
    torch.testing.assert_close(srg(curves_of(-orders)), -gains)
    assert float(srg(curves_of(-WEIGHTS.view(1, 2, 2)))) == pytest.approx(-0.25)


def test_random_maps_gain_nothing_from_a_network_that_bends() -> None:
    maps = half_normal(2000, 4, 4, seed=1)
    images = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    gains = srg(curves_of(maps, wiggly(3, 16), images.expand(2000, -1, -1, -1), num_steps=8))
    assert float(gains.std()) > 0.02
    assert abs(float(gains.mean())) < 0.01


def test_insertion_passes_through_the_images_of_least_important_first() -> None:
    maps = half_normal(5, 4, 4, seed=4)
    images = torch.rand(5, 2, 4, 4, generator=torch.Generator().manual_seed(5))
    grounds = torch.rand(5, 2, 4, 4, generator=torch.Generator().manual_seed(6))
    score = wiggly(7, 32)
    curves = perturbation_curves(
        score, images, grounds, maps, num_steps=8, generator=torch.Generator()
    )
    inserted = [
        inserted_scores(score, image, ground, one)
        for image, ground, one in zip(images, grounds, maps, strict=True)
    ]
    # Batches of another size are summed in another order.
    torch.testing.assert_close(
        curves.least_important_first.flip(1), torch.stack(inserted), rtol=1e-5, atol=1e-6
    )
    torch.testing.assert_close(insertion(curves), auc(torch.stack(inserted)))


def inserted_scores(score: Score, image: Tensor, ground: Tensor, one: Tensor) -> Tensor:
    """Scores as two pixels at a time are put into the ground, the most important first."""
    order = one.flatten().argsort(descending=True)
    canvas, scores = ground.clone(), []
    for place in range(0, 18, 2):
        scores.append(score(canvas[None]).double())
        for pixel in order[place : place + 2].tolist():
            row, column = divmod(pixel, 4)
            canvas[:, row, column] = image[:, row, column]
    return torch.cat(scores)


def test_deletion_replaces_the_rounded_share_of_pixels() -> None:
    maps = half_normal(3, 5, 7, seed=8)
    images = torch.ones(3, 1, 5, 7)
    curves = curves_of(maps, lambda images: images.mean(dim=(1, 2, 3)), images, num_steps=4)
    left = [1 - round(35 * step / 4) / 35 for step in range(5)]
    for curve in (curves.most_important_first, curves.least_important_first):
        torch.testing.assert_close(curve, torch.tensor([left] * 3).double(), atol=1e-6, rtol=0)


def test_tied_pixels_are_ordered_by_chance_and_by_nothing_else() -> None:
    maps = torch.full((3000, 2, 2), 0.5)
    first_step = curves_of(maps).most_important_first[:, 1]
    frequencies = [
        float((first_step - 1 + weight / 10).abs().lt(1e-6).double().mean()) for weight in WEIGHTS
    ]
    # Three standard errors of a share of one in four.
    assert frequencies == pytest.approx([0.25] * 4, abs=3 * math.sqrt(0.25 * 0.75 / 3000))
    ranked = half_normal(20, 2, 2, seed=9)
    arguments = (linear, torch.ones(20, 1, 2, 2), torch.zeros(20, 1, 2, 2), ranked)
    runs = [
        perturbation_curves(*arguments, num_steps=4, generator=torch.Generator().manual_seed(seed))
        for seed in (1, 2)
    ]
    torch.testing.assert_close(runs[0].most_important_first, runs[1].most_important_first)


def test_only_the_order_of_a_map_counts() -> None:
    maps = half_normal(10, 4, 4, seed=10)
    images = torch.rand(10, 1, 4, 4, generator=torch.Generator().manual_seed(11))
    score = wiggly(12, 16)
    for other in (1e300 * maps, 1e-300 * maps, maps**2 - 5):
        torch.testing.assert_close(
            srg(curves_of(other, score, images)), srg(curves_of(maps, score, images))
        )


def test_degenerate_maps_are_undefined_and_change_no_other() -> None:
    maps = half_normal(4, 4, 4, seed=13)
    images = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(14))
    whole = srg(curves_of(maps, wiggly(15, 16), images))
    spoilt = maps.clone()
    spoilt[1], spoilt[2, 0, 0] = 0, math.nan
    gains = srg(curves_of(spoilt, wiggly(15, 16), images))
    assert gains.isnan().tolist() == [False, True, True, False]
    torch.testing.assert_close(gains[[0, 3]], whole[[0, 3]])


def test_every_call_scores_all_images_in_order_and_leaves_them_alone() -> None:
    images = torch.arange(1.0, 4).view(3, 1, 1, 1).expand(3, 1, 4, 4).clone()
    before, seen = images.clone(), []

    def score(shown: Tensor) -> Tensor:
        seen.append(shown.amax(dim=(1, 2, 3)))
        return shown.mean(dim=(1, 2, 3)).requires_grad_()

    curves = curves_of(half_normal(3, 4, 4, seed=16), score, images, num_steps=5)
    assert len(seen) == 10
    assert sum(float(one.sum()) == 6 for one in seen) == 9
    assert torch.equal(images, before)
    assert curves.most_important_first.dtype == torch.float64
    assert not curves.most_important_first.requires_grad


def test_a_single_step_knows_both_ends_only() -> None:
    curves = curves_of(WEIGHTS.view(1, 2, 2), num_steps=1)
    assert curves.most_important_first.tolist() == [[1, 0]]
    assert float(srg(curves)) == 0


def test_black_and_mean_substrates() -> None:
    images = torch.rand(3, 2, 5, 6, generator=torch.Generator().manual_seed(17))
    assert not substrate(images, "black", blur_sigma_px=1).any()
    mean = substrate(images, "mean", blur_sigma_px=1)
    expected = images.numpy().reshape(3, 2, -1).mean(axis=2)
    np.testing.assert_allclose(mean[:, :, 3, 2].numpy(), expected, rtol=1e-6)
    assert (mean == mean[:, :, :1, :1]).all()


def test_blur_widens_a_dot_by_its_variance_and_keeps_images_apart() -> None:
    images = torch.zeros(2, 2, 31, 29, dtype=torch.float64)
    images[0, 1, 15, 14] = 1
    images[1] = 0.3
    blurred = substrate(images, "blur", blur_sigma_px=2.0)
    assert not blurred[0, 0].any()
    torch.testing.assert_close(blurred[1], images[1])
    rows, columns = blurred[0, 1].sum(dim=1), blurred[0, 1].sum(dim=0)
    assert float(rows.sum()) == pytest.approx(1)
    # SciPy cuts the kernel at four sigma.
    assert float((rows * (torch.arange(31) - 15) ** 2).sum()) == pytest.approx(4, abs=0.02)
    assert float((columns * (torch.arange(29) - 14) ** 2).sum()) == pytest.approx(4, abs=0.02)


def test_misuse_is_named() -> None:
    images, maps = torch.ones(2, 1, 4, 4), half_normal(2, 4, 4, seed=18)
    with pytest.raises(ValueError, match="num_steps"):
        curves_of(maps, num_steps=0)
    with pytest.raises(ValueError, match="need the shapes"):
        curves_of(maps[:1], images=images)
    with pytest.raises(ValueError, match="black, blur or mean"):
        substrate(images, "white", blur_sigma_px=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="T >= 1"):
        auc(torch.ones(3, 1))
