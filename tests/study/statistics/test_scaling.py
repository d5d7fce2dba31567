import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from auglens.study.statistics.scaling import classical_scaling


def between(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(points[:, None] - points[None], axis=2))


def test_distances_in_a_plane_are_shown_as_they_are() -> None:
    distances = between(np.random.default_rng(0).normal(size=(9, 2)))
    found = classical_scaling(distances)
    np.testing.assert_allclose(between(found.coordinates), distances, atol=1e-12)
    np.testing.assert_allclose(found.coordinates.sum(axis=0), 0, atol=1e-12)
    assert found.share == pytest.approx(1)


def test_euclidean_distances_give_the_principal_components_and_their_share() -> None:
    points = np.random.default_rng(1).normal(size=(12, 5)) * [3, 2, 1, 1, 0.5]
    components = PCA(2).fit(points)
    found = classical_scaling(between(points))
    expected = components.transform(points)
    np.testing.assert_allclose(np.abs(found.coordinates), np.abs(expected), atol=1e-9)
    assert found.share == pytest.approx(components.explained_variance_ratio_.sum())


def test_what_is_not_euclidean_lowers_the_share() -> None:
    # No three points lie 1 from each other and 0.5 from a fourth.
    distances = 1 - np.eye(4)
    distances[3, :3] = distances[:3, 3] = 0.5
    found = classical_scaling(distances)
    centre = np.eye(4) - 1 / 4
    values = np.linalg.eigvalsh(-centre @ distances**2 @ centre / 2)
    assert values.min() < -0.01
    assert found.share == pytest.approx(values[-2:].sum() / np.abs(values).sum())


def test_the_picture_does_not_depend_on_the_order_of_the_runs() -> None:
    distances = between(np.random.default_rng(2).normal(size=(10, 4)))
    order = np.random.default_rng(3).permutation(10)
    found = classical_scaling(distances).coordinates
    shuffled = classical_scaling(distances[np.ix_(order, order)]).coordinates
    np.testing.assert_allclose(shuffled, found[order], atol=1e-9)
    assert (found[np.abs(found).argmax(axis=0), [0, 1]] > 0).all()


@pytest.mark.parametrize("num_runs", [1, 4])
def test_runs_without_distance_lie_on_one_point(num_runs: int) -> None:
    found = classical_scaling(np.zeros((num_runs, num_runs)))
    np.testing.assert_array_equal(found.coordinates, np.zeros((num_runs, 2)))
    assert math.isnan(found.share)


def test_undefined_distances_and_other_shapes_are_refused() -> None:
    distances = np.zeros((3, 3))
    distances[0, 1] = np.nan
    with pytest.raises(ValueError, match="finite"):
        classical_scaling(distances)
    with pytest.raises(ValueError, match=r"\(M, M\)"):
        classical_scaling(np.zeros((2, 3)))


def test_the_root_of_1_minus_cc_shows_the_principal_components_of_the_maps() -> None:
    maps = np.random.default_rng(4).normal(size=(8, 20))
    maps -= maps.mean(axis=1, keepdims=True)
    maps /= np.linalg.norm(maps, axis=1, keepdims=True)
    components = PCA(2).fit(maps)
    found = classical_scaling(np.sqrt((1 - np.corrcoef(maps)).clip(min=0)))
    # 1 - CC is half the squared Euclidean distance.
    expected = components.transform(maps) / np.sqrt(2)
    np.testing.assert_allclose(np.abs(found.coordinates), np.abs(expected), atol=1e-7)
    assert found.share == pytest.approx(components.explained_variance_ratio_.sum())
