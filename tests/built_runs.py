"""From overrides to a run whose parts are all built, and nothing trained."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from auglens.components import Components, build_components, build_network
from auglens.settings import describe_refusal, resolved
from tests.conftest import REPOSITORY, SMALL

# Hydra answers augment=3 with a plain ValueError, augment=[3] with a TypeError.
COMPOSITION_ERRORS = (HydraException, OmegaConfBaseException, ValueError, TypeError)


class NotComposedError(ValueError):
    """Hydra itself refused the overrides; says it in the words of ``train.py``."""


def composed(overrides: Sequence[str], data_dir: Path) -> dict[str, Any]:
    """The resolved config of ``train.py``.

    Raises:
        NotComposedError: In one line, if Hydra refuses the overrides.
    """
    given = [*SMALL, "logger=none", "figures=false", f"paths.data_dir={data_dir}"]
    if any(word.lstrip("+~").startswith("logger") for word in overrides):
        given.remove("logger=none")
    words = [*given, *overrides]
    try:
        with initialize_config_dir(str(REPOSITORY / "conf"), version_base="1.3"):
            config = compose("train", overrides=words)
    except COMPOSITION_ERRORS as error:
        raise NotComposedError(describe_refusal(error, "train", words)) from error
    return resolved(config)


def prepared(overrides: Sequence[str], data_dir: Path) -> Components:
    """Do what a job does before its training; what it built.

    Raises:
        ValueError: If it would refuse.
    """
    run = build_components(composed(overrides, data_dir))
    run.explainer.rehearse(build_network(run.config, run.dataset.spec))
    return run


def refusal_of(overrides: Sequence[str], data_dir: Path) -> str:
    """The one line that refuses."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the caller reads the message
        prepared(overrides, data_dir)
    return " ".join(str(caught.value).split())
