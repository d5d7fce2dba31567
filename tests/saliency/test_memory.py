"""Peak memory of a whole process that explains a large probe."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

SCRIPT = """
import resource, sys, torch
from tests.saliency.shipped_methods import explain, shipped, shipped_network
net, _ = shipped_network("cnn2", 1, 28, 28)
images, targets = torch.rand(2000, 1, 28, 28), torch.zeros(2000, dtype=torch.long)
maps = explain(shipped("integrated_gradients")["integrated_gradients"], net, images, targets)
assert maps.shape == (2000, 28, 28)
kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(kib // 1024 if sys.platform != "darwin" else kib // 2**20)
"""


@pytest.mark.long
def test_2000_images_with_integrated_gradients_stay_under_2_gib() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 2048
