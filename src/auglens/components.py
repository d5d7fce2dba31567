"""Builds and checks the parts of a run from its config, before anything is trained."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from pydoc import locate
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from pytorch_lightning import Trainer
from torch import Tensor

from auglens.augment.training_set import Augmentation
from auglens.config_rules import HYDRA_WORDS, check_config, check_parameters, shown
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
    check_packages(config)
    check_config(config, trainer=Trainer)
    if not config["saliency"]["methods"]:
        raise ValueError("saliency=[] explains nothing; name at least one method.")
    for name, node in config["measures"].items():
        built(node, f"measures.{name}")
    keep_freed_memory()
    torch.set_num_threads(config["num_threads"])
    inputs = identity_inputs(config, **_hardware(config["trainer"]))
    dataset = _dataset(config)
    originals, labels = training_images(config, dataset)
    augmentation = _augmentation(config, originals)
    _check_training(config, dataset.spec)
    return Components(
        config=config,
        inputs=inputs,
        dataset=dataset,
        originals=originals,
        labels=labels,
        augmentation=augmentation,
        explainer=_explainer(config, dataset, digest(inputs)),
    )


def build_network(config: Config, spec: ImageSpec) -> NormalizedNetwork:
    """The network of the config with its first weights, for images like ``spec``'s."""
    with seeded_globals(config["seeds"]["init"]), _naming("model.net"):
        net = built(config["model"]["net"], "model.net")(
            in_channels=spec.channels,
            height=spec.height,
            width=spec.width,
            num_classes=len(spec.class_names),
        )
    return NormalizedNetwork(net, mean=spec.mean, std=spec.std)


def _augmentation(config: Config, originals: Split) -> Augmentation:
    """The augmentation, tried on two images."""
    key = "augment.transform"
    augmentation: Augmentation = built(config["augment"]["transform"], key)
    images = originals.unit_images()[:2]
    generator = role_generator(config["seeds"]["augment"], Role.AUGMENT)
    with seeded_globals(config["seeds"]["init"]), _naming(key):
        augmented = augmentation(images, generator=generator)
        if augmented.shape != images.shape or augmented.dtype != images.dtype:
            raise ValueError(
                f"it turned images {tuple(images.shape)} {images.dtype} into "
                f"{tuple(augmented.shape)} {augmented.dtype}; shape and type must stay."
            )
    return augmentation


def _check_training(config: Config, spec: ImageSpec) -> None:
    """Make what is trained once, and throw it away: what cannot be made says so now.

    Raises:
        ValueError: Naming the setting.
    """
    built(config["logger"], "logger")
    net = build_network(config, spec)
    factory = built(config["optimizer"], "optimizer")
    with _naming("optimizer"):
        made = factory(net.parameters())
    if not isinstance(made, torch.optim.Optimizer):
        raise ValueError(  # noqa: TRY004 - a setting's value is wrong
            f"optimizer._target_ makes a {type(made).__name__}, which optimises nothing."
        )


def check_packages(config: Config) -> None:
    """Refuse methods and measures whose files lack the line that says where they belong.

    Args:
        config: With ``saliency`` and ``measures``.

    Raises:
        ValueError: Naming the line.
    """
    saliency, measures = _mapping(config, "saliency"), _mapping(config, "measures")
    misplaced = {
        "saliency": set(saliency) - {"methods"},
        "measures": {name for name, node in measures.items() if not _is_node(node)},
    }
    for group, keys in misplaced.items():
        if keys:
            package = "saliency.methods.<name>" if group == "saliency" else "measures.<name>"
            raise ValueError(
                f"{group} has {', '.join(sorted(keys))} where names belong: the first line of a "
                f"file in conf/{group}/ is `# @package {package}`."
            )


def _mapping(config: Config, key: str) -> Config:
    """A section; empty where it is none, which is said elsewhere."""
    section = config.get(key)
    return section if isinstance(section, Mapping) else {}


def _is_node(node: object) -> bool:
    return isinstance(node, Mapping) and "_target_" in node


def _hardware(trainer: Config) -> dict[str, Any]:
    """What the settings of accelerator, devices and strategy resolve to on this machine."""
    # Not a cluster's number of tasks: a run starts its processes itself.
    here = LightningEnvironment()
    with _naming("trainer"):
        probe = Trainer(**trainer, plugins=[here], logger=False, enable_checkpointing=False)
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
    with _naming("dataset"):
        dataset: ImageDataset = built(node.value, "dataset")(data_dir=Path(data_dir).absolute())
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
        methods={name: built(node, f"saliency.methods.{name}") for name, node in settings.items()},
        settings=settings,
        target=config["probe"]["target"],
        seed=config["seeds"]["explain"],
        identity=identity,
    )


def built(node: Config, key: str) -> Any:  # noqa: ANN401 - whatever the config names
    """What a config node with a ``_target_`` names.

    Args:
        node: The node.
        key: Where it is in the config; for messages.

    Raises:
        ValueError: If it cannot be built; says in one line which setting is the reason.
    """
    if not _is_node(node):
        raise ValueError(f"{key}={shown(node)} has no _target_, which names what to build.")
    with _naming(key):
        target = locate(str(node["_target_"]))
        if callable(target):
            check_parameters(key, set(node) - HYDRA_WORDS, target)
        return instantiate(node, _convert_="all")


@contextmanager
def _naming(key: str) -> Iterator[None]:
    """Say to which setting an error belongs; a file that is not there says enough itself."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # other people's constructors raise what they like
        raise ValueError(_said(error, key)) from error


def _said(error: Exception, key: str) -> str:
    """One line that begins with the setting at fault."""
    reason: BaseException = error
    # Hydra wraps what it meets.
    while isinstance(reason, InstantiationException) and reason.__cause__ is not None:
        reason = reason.__cause__
    words = " ".join(str(reason).split())
    if re.match(rf"{re.escape(key.split('.')[0])}[.=]|There is no setting", words):
        return words
    if re.match(r"\w+=", words):
        return f"{key}.{words}"
    return f"{key} cannot be used: {words or type(reason).__name__}"
