"""One generated sweep and its study, shared by the tests that only read them."""

from pathlib import Path
from typing import TypedDict

import pytest

from auglens.study import Study, build_study
from tests.study.generated_sweep import write_failures, write_sweep, write_trusted_sweep

KL_EPS = (2.220446049250313e-16, 1e-12, 1e-7)


class Measuring(TypedDict):
    """How maps are measured."""

    kl_eps: tuple[float, ...]
    foreground_threshold: float


MEASURING = Measuring(kl_eps=KL_EPS, foreground_threshold=0.5)


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven conditions, two seeds, and everything that can go wrong."""
    return write_failures(write_sweep(tmp_path_factory.mktemp("multirun") / "sweep"))


@pytest.fixture(scope="session")
def study(sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study of that sweep, in a folder of its own."""
    return build_study([sweep], out=tmp_path_factory.mktemp("out"), **MEASURING)


@pytest.fixture(scope="session")
def trusted_sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three conditions of one-channel images, four methods, every measure."""
    return write_trusted_sweep(tmp_path_factory.mktemp("trusted") / "sweep")


@pytest.fixture(scope="session")
def trusted_study(trusted_sweep: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study of that sweep, in a folder of its own."""
    return build_study([trusted_sweep], out=tmp_path_factory.mktemp("trusted_out"), **MEASURING)
