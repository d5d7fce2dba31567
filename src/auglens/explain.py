r"""The explain stage: maps and measures of finished runs, from their checkpoints.

    python -m auglens.explain sweep=multirun/<date>/<time> saliency=[gradient,gradcam]
    python -m auglens.explain sweep=multirun/<date>/<time> saliency=[gradient,random,edge] \
        measures=[faithfulness,parameter_randomization]

Nothing is trained, and what is there already is kept. Methods are the files of conf/saliency/,
measures those of conf/measures/; trust=[<module>] allows networks and augmentations of your own.
Settings and their meaning: conf/explain.yaml.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auglens.settings import compose_settings, existing_folder, existing_folders, resolved
from auglens.startup import end_process, import_quickly

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from auglens.loaded_run import LoadedRun

__all__ = ["load_run", "main"]

STAGE = "auglens.stage"
KEYS = ("sweep", "saliency", "measures", "trust", "reuse", "data_dir", "figures")
KINDS = (
    ("saliency", dict, "methods by name: saliency=[<method>,...]"),
    ("measures", dict, "measures by name: measures=[<name>,...]"),
    ("trust", (str, list), "a list of modules: trust=[<module>,...]"),
    ("data_dir", str, "a folder"),
    ("figures", bool, "true or false"),
)


def main(overrides: Sequence[str]) -> int:
    """Explain and measure what the overrides ask for.

    Returns:
        The exit code: 0; 1 after one line a mistake or failure; 130 if interrupted.
    """
    if {"-h", "--help"} & set(overrides):
        sys.stdout.write(__doc__ or "")
        return 0
    try:
        config = compose_settings("explain", overrides, keys=KEYS)
        plain = _checked(config)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return _explain(config, plain)


def load_run(folder: str | Path, trust: Sequence[str] = ()) -> "LoadedRun":
    """Read a finished run, to go on with its network, images and maps.

    Args:
        folder: The run folder.
        trust: Modules, or whole names of classes, that the record may build beside the classes of
            AugLens and torchvision.

    Raises:
        auglens.records.run.RecordError: If the folder holds no valid record.
    """
    from auglens.loaded_run import read_run

    return read_run(Path(folder), trust=trust)


def _resolved(config: "DictConfig", cam_layer: str | None) -> dict[str, Any]:
    """The settings for a model whose layer for activation maps is known."""
    from omegaconf import open_dict

    whole = config.copy()
    with open_dict(whole):
        whole.model = {"cam_layer": cam_layer}
    return resolved(whole)


def _checked(config: "DictConfig") -> dict[str, Any]:
    """The settings, for any model.

    Raises:
        ValueError: Naming the setting, its value and what is allowed.
    """
    from omegaconf import OmegaConf

    if OmegaConf.is_missing(config, "sweep") or not config.sweep:
        raise ValueError("Which sweep? Say sweep=<folder>.")
    plain = _resolved(config, None)
    for key, kind, allowed in KINDS:
        if not isinstance(plain[key], kind):
            raise ValueError(f"{key} is {allowed}, got {plain[key]!r}.")  # noqa: TRY004 - a user's mistake
    plain["sweep"] = existing_folder("sweep", plain["sweep"])
    plain["reuse"] = existing_folders("reuse", plain["reuse"])
    if not plain["data_dir"]:
        raise ValueError("data_dir is empty; name a folder.")
    methods = plain["saliency"].get("methods", {})
    if not isinstance(methods, dict):
        raise ValueError(f"saliency.methods is methods by name, got {methods!r}.")  # noqa: TRY004 - a user's mistake
    if not methods and not plain["measures"]:
        raise ValueError("Nothing to do: name saliency=[<method>,...] or measures=[<name>,...].")
    trust = [plain["trust"]] if isinstance(plain["trust"], str) else plain["trust"]
    if not all(isinstance(name, str) for name in trust):
        raise ValueError(f"trust={trust} must be a list of modules.")
    return {**plain, "trust": trust}


def _explain(config: "DictConfig", plain: dict[str, Any]) -> int:
    from rich.console import Console

    import_quickly(STAGE)
    from auglens.components import check_packages
    from auglens.stage import Request, explain_sweep

    def methods(cam_layer: str | None) -> Any:  # noqa: ANN401
        return _resolved(config, cam_layer)["saliency"]["methods"]

    request = Request(
        methods, plain["measures"], plain["trust"], Path(plain["data_dir"]), plain["figures"]
    )
    try:
        check_packages(plain)
        done = explain_sweep(plain["sweep"], request, Console(), plain["reuse"])
        return 0 if done else 1
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. What was made is kept; the same command goes on.\n")
        return 130


if __name__ == "__main__":
    end_process(main(sys.argv[1:]))
