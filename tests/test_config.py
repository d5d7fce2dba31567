import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.utils import get_class, get_method
from omegaconf import DictConfig, OmegaConf

from auglens.components import build_network
from auglens.datasets.spec import ImageSpec

CONF = Path(__file__).parents[1] / "conf"
GROUPS = (
    *("dataset", "augment", "model", "optimizer", "saliency", "trainer", "logger"),
    *("measures", "experiment"),
)
SAME_KEYS = ("dataset", "augment", "model", "trainer")
KEYS = {
    "seed": None,
    "seeds": {"data", "init", "order", "augment", "explain"},
    "num_threads": None,
    "dataset": {
        "_target_",
        "_partial_",
        "name",
        "class_names",
        "mean",
        "std",
        "split_seed",
        "num_val",
        "num_test",
    },
    "data": {
        "train_size",
        "batch_size",
        "steps_per_epoch",
        "eval_batch_size",
        "mode",
        "permute_train_labels",
    },
    "augment": {"name", "strength", "copies", "keep_original", "transform"},
    "model": {"name", "net", "cam_layer"},
    "optimizer": {"_target_", "_partial_", "lr", "betas", "eps", "weight_decay", "fused"},
    "trainer": {
        "max_epochs",
        "accelerator",
        "devices",
        "strategy",
        "precision",
        "accumulate_grad_batches",
        "gradient_clip_val",
        "gradient_clip_algorithm",
        "deterministic",
        "inference_mode",
        "num_sanity_val_steps",
        "log_every_n_steps",
        "enable_progress_bar",
        "enable_model_summary",
    },
    "probe": {"size", "target"},
    "saliency": {"methods"},
    "measures": None,
    "figures": None,
    "logger": {"_target_", "_partial_", "project", "entity", "mode"},
    "paths": {"data_dir", "resume"},
    "reuse": None,
    "fail_fast": None,
}


@pytest.fixture(autouse=True)
def _hydra() -> Iterator[None]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield
    GlobalHydra.instance().clear()


def options(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def composed(*overrides: str) -> DictConfig:
    return compose("train", overrides=list(overrides))


def plain(cfg: DictConfig) -> dict[str, Any]:
    container: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    return container


def targets(node: object) -> Iterator[dict[str, Any]]:
    """Every node with a ``_target_``, nested ones too."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield node
        for value in node.values():
            yield from targets(value)


def test_the_list_of_keys() -> None:
    cfg = composed()
    assert set(cfg) == set(KEYS)
    for key, expected in KEYS.items():
        if expected is not None:
            assert set(cfg[key]) == expected, key


def test_documented_defaults() -> None:
    cfg = plain(composed())
    assert cfg["data"] | cfg["probe"] == {
        "train_size": 100,
        "batch_size": 110,
        "steps_per_epoch": 10,
        "eval_batch_size": 200,
        "mode": "static",
        "permute_train_labels": False,
        "size": 200,
        "target": "true_class",
    }
    assert cfg["trainer"]["max_epochs"] == 30
    assert cfg["trainer"]["inference_mode"] is False
    assert cfg["optimizer"]["lr"] == 1e-3
    assert cfg["num_threads"] == 2
    assert list(cfg["saliency"]["methods"]) == ["gradient"]


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_composes_resolves_and_names_something_that_exists(group: str) -> None:
    assert options(group)
    for option in options(group):
        cfg = plain(composed(f"{group}={option}"))
        for node in targets(cfg):
            name = node["_target_"]
            assert callable(_found(name)), name


@pytest.mark.parametrize("group", SAME_KEYS)
def test_files_of_a_group_have_the_same_keys(group: str) -> None:
    keys = {frozenset(composed(f"{group}={option}")[group]) for option in options(group)}
    assert len(keys) == 1


def test_the_cross_product_of_augmentations_data_sets_and_methods_composes() -> None:
    for dataset, augment, saliency in itertools.product(
        options("dataset"), options("augment"), options("saliency")
    ):
        cfg = composed(
            f"dataset={dataset}",
            f"augment={augment}",
            "augment.strength=0.5",
            "augment.copies=3",
            "dataset.num_val=200",
            f"saliency={saliency}",
        )
        assert list(cfg.saliency.methods) == [saliency]
        if "strength" in cfg.augment.transform:
            assert cfg.augment.transform.strength == 0.5


def test_methods_chosen_as_a_list_stay_apart() -> None:
    methods = composed("saliency=[gradient,blur_perturbation]").saliency.methods
    assert list(methods) == ["gradient", "blur_perturbation"]
    assert methods.gradient["_target_"] != methods.blur_perturbation["_target_"]


def test_seeds_follow_the_seed_but_the_explaining_one() -> None:
    seeds = composed("seed=7", "seeds.order=3").seeds
    assert dict(seeds) == {"data": 7, "init": 7, "order": 3, "augment": 7, "explain": 0}


def test_yaml_is_the_only_source_of_defaults() -> None:
    ours = set()
    for group in GROUPS:
        for option in options(group):
            ours |= {
                node["_target_"]
                for node in targets(plain(composed(f"{group}={option}")))
                if node["_target_"].startswith("auglens.")
            }
    assert len(ours) > 10
    for name in ours:
        parameters = inspect.signature(_found(name)).parameters.values()
        for parameter in parameters:
            assert parameter.default is inspect.Parameter.empty, (name, parameter)
            assert parameter.kind is inspect.Parameter.KEYWORD_ONLY or parameter.name == "run"


@pytest.mark.parametrize("model", options("model"))
def test_every_model_builds_for_any_image_and_has_its_cam_layer(model: str) -> None:
    cfg = plain(composed(f"model={model}"))
    spec = ImageSpec("x", 3, 40, 36, tuple("abcdefg"), (0.5,) * 3, (0.2,) * 3)
    net = build_network(cfg, spec)
    assert cfg["model"]["cam_layer"] in dict(net.net.named_modules())


def _found(name: str) -> Any:  # noqa: ANN401
    try:
        return get_class(name)
    except ValueError:
        return get_method(name)
