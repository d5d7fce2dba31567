import random

import numpy as np
import pytest
import torch

from auglens.seeding import Role, role_generator, seeded_globals


def test_roles_and_seeds_give_independent_streams() -> None:
    states = {role_generator(seed, role).initial_seed() for seed in range(50) for role in Role}
    assert len(states) == 50 * len(Role)
    draws = torch.stack(
        [torch.randn(2000, generator=role_generator(0, role)) for role in Role]
        + [torch.randn(2000, generator=role_generator(1, Role.DATA))]
    )
    correlations = torch.corrcoef(draws) - torch.eye(len(draws))
    # Five standard errors of a correlation of 2,000 independent pairs.
    assert correlations.abs().max() < 5 / 2000**0.5


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0, got -1 for order"):
        role_generator(-1, Role.ORDER)


def test_global_generators_are_seeded_inside_and_put_back() -> None:
    def draw() -> tuple[float, float, float]:
        return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002

    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    expected = draw()
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    with seeded_globals(5):
        inside = draw()
    assert draw() == expected
    with seeded_globals(5):
        assert draw() == inside
    with seeded_globals(6):
        assert draw() != inside
