import math

import numpy as np
import pytest
import torch

from auglens.metrics.masked import masked_cc


def test_against_numpy_on_the_chosen_pixels() -> None:
    generator = torch.Generator().manual_seed(0)
    maps, reference = (torch.rand(20, 6, 5, generator=generator) for _ in range(2))
    mask = torch.rand(20, 6, 5, generator=generator) > 0.4
    expected = [
        np.corrcoef(one[inside].numpy(), two[inside].numpy())[0, 1]
        for one, two, inside in zip(maps, reference, mask, strict=True)
    ]
    assert masked_cc(maps, reference, mask).tolist() == pytest.approx(expected, abs=1e-6)


def test_pixels_outside_have_no_influence() -> None:
    maps = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(3, 4, 4, dtype=torch.bool)
    mask[:, :2] = True
    spoilt = torch.where(mask, maps, torch.inf)
    assert masked_cc(spoilt, maps, mask).tolist() == pytest.approx([1.0] * 3)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e30])
def test_undefined_cases(value: float) -> None:
    maps = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(2))
    mask = torch.ones(1, 4, 4, dtype=torch.bool)
    constant = torch.full((1, 4, 4), value)
    alone = torch.zeros(1, 4, 4, dtype=torch.bool)
    alone[0, 1, 1] = True
    for first, second, inside in (
        (maps, constant, mask),
        (constant, maps, mask),
        (maps, maps, alone),
        (maps, torch.full((1, 4, 4), math.nan), mask),
    ):
        assert masked_cc(first, second, inside).isnan().all()
    with pytest.raises(ValueError, match="same shape"):
        masked_cc(maps, maps, mask[:, :3])
