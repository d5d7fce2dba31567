"""Every saliency method as conf/ ships it, and networks to explain."""

from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from auglens.components import build_network, built
from auglens.datasets.spec import ImageSpec
from auglens.saliency.attribution import Attribution, saliency_maps
from auglens.settings import CONFIG_FOLDER, compose_settings

NAMES = sorted(path.stem for path in (CONFIG_FOLDER / "saliency").glob("*.yaml"))
MODELS = sorted(path.stem for path in (CONFIG_FOLDER / "model").glob("*.yaml"))
STOCHASTIC = ("smoothgrad", "gradient_shap", "random")
OWN_NOISE = ("smoothgrad", "gradient_shap")
TRAIN_KEYS = (
    *("seed", "seeds", "num_threads", "dataset", "augment", "model", "optimizer", "saliency"),
    *("trainer", "logger", "data", "probe", "measures", "figures", "reuse", "fail_fast", "paths"),
)


def shipped(*names: str, cam_layer: str = "conv2") -> dict[str, Attribution]:
    """Methods by name, with their settings of conf/saliency."""
    overrides = [f"saliency=[{','.join(names)}]", f"model.cam_layer={cam_layer}"]
    config = compose_settings("train", overrides, keys=TRAIN_KEYS)
    nodes: Any = OmegaConf.to_container(config.saliency.methods, resolve=True)
    return {name: built(node, name) for name, node in nodes.items()}


def shipped_network(model: str, channels: int, height: int, width: int) -> tuple[nn.Module, str]:
    """A model of conf/model with its first weights, and its layer for activation maps."""
    config = compose_settings("train", [f"model={model}"], keys=TRAIN_KEYS)
    spec = ImageSpec(
        "x", channels, height, width, tuple("abcdefg"), (0.4,) * channels, (0.3,) * channels
    )
    plain = {"model": config.model, "seeds": {"init": 3}}
    return build_network(plain, spec), str(config.model.cam_layer)


def explain(
    method: Attribution, net: nn.Module, images: Tensor, targets: Tensor, seed: int = 0
) -> Tensor:
    """Maps with a fresh stream of random numbers."""
    generator = torch.Generator().manual_seed(seed)
    return saliency_maps(method, net, images, targets, generator=generator, advance=lambda _: None)
