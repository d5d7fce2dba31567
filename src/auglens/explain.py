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

from auglens.settings import compose_settings
from auglens.startup import end_process, import_quickly

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from auglens.loaded_run import LoadedRun

__all__ = ["load_run", "main"]

STAGE = "auglens.stage"
KEYS = ("sweep", "saliency", "measures", "trust", "reuse", "data_dir", "figures")


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
        sweep = _checked_sweep(config)
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return _explain(sweep, config)


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


def _checked_sweep(config: "DictConfig") -> Path:
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(config, resolve=False)
    if plain["sweep"] == "???" or not isinstance(plain["sweep"], str):
        raise ValueError("Which sweep? Say sweep=<folder>.")
    if not Path(plain["sweep"]).is_dir():
        raise ValueError(f"There is no folder {plain['sweep']}.")
    if not plain["saliency"]["methods"] and not plain["measures"]:
        raise ValueError("Nothing to do: name saliency=[<method>,...] or measures=[<name>,...].")
    if not isinstance(plain["trust"], (str, list)) or not plain["data_dir"]:
        raise ValueError("trust is a list of modules and data_dir a folder; neither can be null.")
    reuse = plain["reuse"]
    if not isinstance(reuse, list) or not all(Path(str(name)).is_dir() for name in reuse):
        raise ValueError(f"reuse={reuse} is not a list of existing folders: reuse=[<folder>,...].")
    return Path(plain["sweep"])


def _explain(sweep: Path, config: "DictConfig") -> int:
    from omegaconf import OmegaConf
    from rich.console import Console

    import_quickly(STAGE)
    from auglens.components import check_packages
    from auglens.stage import Request, explain_sweep

    def methods(cam_layer: str | None) -> Any:  # noqa: ANN401
        whole = OmegaConf.merge({"model": {"cam_layer": cam_layer}}, config)
        return OmegaConf.to_container(whole.saliency.methods, resolve=True)

    measures: Any = OmegaConf.to_container(config.measures, resolve=True)
    trust = [config.trust] if isinstance(config.trust, str) else list(config.trust)
    request = Request(methods, measures, trust, Path(config.data_dir), bool(config.figures))
    try:
        check_packages({"saliency": config.saliency, "measures": measures})
        reuse = [Path(str(name)) for name in config.reuse]
        return 0 if explain_sweep(sweep, request, Console(), reuse) else 1
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted. What was made is kept; the same command goes on.\n")
        return 130


if __name__ == "__main__":
    end_process(main(sys.argv[1:]))
