"""Builds and checks the parts of a run from its config, before anything is trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from pytorch_lightning import Trainer
from torch import Tensor

from auglens.augment.training_set import Augmentation
from auglens.datasets.spec import ImageDataset, ImageSpec, Split
from auglens.datasets.splits import balanced_probe, balanced_subset
from auglens.explainer import Explainer, ProbeImages
from auglens.memory import keep_freed_memory
from auglens.models.normalized import NormalizedNetwork
from auglens.records.identity import digest, identity_inputs
from auglens.seeding import Role, role_generator, seeded_globals

__all__ = [
    "Components",
    "Config",
    "build_components",
    "build_network",
    "built",
    "check_packages",
    "training_images",
]

Config = Mapping[str, Any]
DATA_MODES = ("static", "online")
PROBE_TARGETS = ("true_class", "predicted_class")


@dataclass(frozen=True)
class Components:
    """Everything of a run that exists, and was checked, before its training starts.

    Attributes:
        config: The resolved config.
        inputs: What identifies the run.
        dataset: Its data set.
        originals: Its training images.
        labels: Their labels ``(N,)``, permuted under label randomisation.
        augmentation: Makes copies of the originals.
        explainer: Makes its maps.
    """

    config: Config
    inputs: dict[str, Any]
    dataset: ImageDataset
    originals: Split
    labels: Tensor
    augmentation: Augmentation
    explainer: Explainer

    @property
    def identity(self) -> str:
        """Hash of the inputs."""
        return self.explainer.identity


def build_components(config: Config) -> Components:
    """Load the data and build what a run needs.

    Args:
        config: The resolved config as plain containers.

    Raises:
        ValueError: If a setting cannot work; the message names its key.
    """
    _check(config)
    for node in config["measures"].values():
        built(node)
    keep_freed_memory()
    torch.set_num_threads(config["num_threads"])
    inputs = identity_inputs(config, **_hardware(config["trainer"]))
    dataset = _dataset(config)
    originals, labels = training_images(config, dataset)
    return Components(
        config=config,
        inputs=inputs,
        dataset=dataset,
        originals=originals,
        labels=labels,
        augmentation=built(config["augment"]["transform"]),
        explainer=_explainer(config, dataset, digest(inputs)),
    )


def build_network(config: Config, spec: ImageSpec) -> NormalizedNetwork:
    """The network of the config with its first weights, for images like ``spec``'s."""
    with seeded_globals(config["seeds"]["init"]):
        net = built(config["model"]["net"])(
            in_channels=spec.channels,
            height=spec.height,
            width=spec.width,
            num_classes=len(spec.class_names),
        )
    return NormalizedNetwork(net, mean=spec.mean, std=spec.std)


def _check(config: Config) -> None:
    """Refuse what no part below would.

    Raises:
        ValueError: Naming the key, the value and what is allowed.
    """
    for key, value, allowed in (
        ("data.mode", config["data"]["mode"], DATA_MODES),
        ("probe.target", config["probe"]["target"], PROBE_TARGETS),
    ):
        if value not in allowed:
            raise ValueError(f"{key}={value!r} is not one of {list(allowed)}.")
    if not isinstance(config["num_threads"], int) or config["num_threads"] < 1:
        raise ValueError(f"num_threads={config['num_threads']!r} must be a whole number above 0.")
    if not config["paths"]["data_dir"]:
        raise ValueError(
            "paths.data_dir is empty: name a folder, or unset AUGLENS_DATA_DIR where it is set to "
            "nothing."
        )
    reuse = config["reuse"]
    if not isinstance(reuse, list) or not all(Path(sweep).is_dir() for sweep in reuse):
        raise ValueError(f"reuse={reuse} is not a list of existing folders: reuse=[<folder>,...].")
    check_packages(config)
    if not config["saliency"]["methods"]:
        raise ValueError("saliency=[] explains nothing; name at least one method.")


def check_packages(config: Config) -> None:
    """Refuse methods and measures whose files lack the line that says where they belong.

    Args:
        config: With ``saliency`` and ``measures``.

    Raises:
        ValueError: Naming the line.
    """
    misplaced = {
        "saliency": set(config["saliency"]) - {"methods"},
        "measures": {name for name, node in config["measures"].items() if not _is_node(node)},
    }
    for group, keys in misplaced.items():
        if keys:
            package = "saliency.methods.<name>" if group == "saliency" else "measures.<name>"
            raise ValueError(
                f"{group} has {', '.join(sorted(keys))} where names belong: the first line of a "
                f"file in conf/{group}/ is `# @package {package}`."
            )


def _is_node(node: object) -> bool:
    return isinstance(node, Mapping) and "_target_" in node


def _hardware(trainer: Config) -> dict[str, Any]:
    """What the accelerator setting resolves to on this machine."""
    probe = Trainer(accelerator=trainer["accelerator"], devices=trainer["devices"], barebones=True)
    return {"accelerator": probe.strategy.root_device.type, "world_size": probe.world_size}


def _dataset(config: Config) -> ImageDataset:
    node = config["dataset"]
    return _loaded_once(digest(node), config["paths"]["data_dir"], _Hidden(node))


@dataclass(frozen=True)
class _Hidden:
    """A value that takes no part in comparing cache keys."""

    value: Any = field(compare=False)


@lru_cache(maxsize=1)
def _loaded_once(identity: str, data_dir: str, node: _Hidden) -> ImageDataset:
    """All runs of a process share one copy of a data set."""
    del identity
    dataset: ImageDataset = built(node.value)(data_dir=Path(data_dir).absolute())
    return dataset


def training_images(config: Config, dataset: ImageDataset) -> tuple[Split, Tensor]:
    """The original training images of a run and their labels ``(N,)``, permuted where it asks so."""
    generator = role_generator(config["seeds"]["data"], Role.DATA)
    chosen = balanced_subset(
        dataset.pool.labels,
        config["data"]["train_size"],
        num_classes=len(dataset.spec.class_names),
        generator=generator,
    )
    originals = dataset.pool[chosen]
    if not config["data"]["permute_train_labels"]:
        return originals, originals.labels
    return originals, originals.labels[torch.randperm(len(originals), generator=generator)]


def _explainer(config: Config, dataset: ImageDataset, identity: str) -> Explainer:
    chosen = balanced_probe(
        dataset.test.labels,
        config["probe"]["size"],
        num_classes=len(dataset.spec.class_names),
        split_seed=config["dataset"]["split_seed"],
    )
    probe = dataset.test[chosen]
    settings = config["saliency"]["methods"]
    return Explainer(
        probe=ProbeImages(probe.unit_images(), probe.labels, probe.ids),
        methods={name: built(node) for name, node in settings.items()},
        settings=settings,
        target=config["probe"]["target"],
        seed=config["seeds"]["explain"],
        identity=identity,
    )


def built(node: Any) -> Any:  # noqa: ANN401 - whatever the config names
    """What a config node with a ``_target_`` names.

    Raises:
        ValueError: If it cannot be built; says in one line why.
    """
    try:
        return instantiate(node, _convert_="all")
    except InstantiationException as error:
        raise ValueError(" ".join(str(error).split())) from error
