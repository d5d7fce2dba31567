import numpy as np
import pandas as pd
import pytest
from scipy import stats

from auglens.metrics.catalogue import of_family
from auglens.study.analyses.exploratory import exploratory_rows
from tests.study.analyses.test_pairing import group_of, make_run

SEEDS = range(6)


def test_all_measures_are_searched_with_false_discoveries_held() -> None:
    random = np.random.default_rng(2)
    runs = [make_run(augment, seed=seed) for augment in ("crop", "blur", "none") for seed in SEEDS]
    group = group_of(runs)
    names = [*of_family("complexity"), *of_family("focus")]
    values = random.normal(size=(len(runs), len(names)))
    # One measure of crop is moved, one is undefined.
    values[: len(SEEDS), 0] += 10
    values[:, 1] = np.nan
    maps = pd.DataFrame(values, columns=names).assign(
        run=[run.name for run in runs], method="gradient"
    )
    found = pd.DataFrame(exploratory_rows(group, maps, "gradient"))
    of_images = sum(name.startswith("image_") for name in names)
    assert of_images > 0
    assert len(found) == 2 * (len(names) - 1 - of_images)
    assert names[1] not in set(found["measure"])
    expected = stats.false_discovery_control(found["p"])
    np.testing.assert_allclose(found["q"], expected)
    crop = found[(found["measure"] == names[0]) & (found["label"] == "crop")].iloc[0]
    plain = stats.ttest_rel(values[:6, 0], values[12:, 0])
    assert crop["p"] == pytest.approx(plain.pvalue)
    assert found["q"].idxmin() == crop.name
