"""Trains what the command line composes; a sweep ends with a report."""

from pathlib import Path

import hydra
from dotenv import load_dotenv
from omegaconf import DictConfig, OmegaConf

from auglens.startup import end_process, import_job
from auglens.sweep import run_to_the_end

ENVIRONMENT = Path(__file__).with_name(".env")


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float:
    """Run one job; imported here because torch takes seconds."""
    # A launcher's workers begin with an environment of their own.
    load_dotenv(ENVIRONMENT)
    logger = OmegaConf.select(cfg, "logger._target_", default=None)
    job = import_job(with_wandb=str(logger).endswith(".wandb_logger"))
    accuracy: float = job.run_job(cfg)
    return accuracy


if __name__ == "__main__":
    load_dotenv(ENVIRONMENT)
    end_process(run_to_the_end(main))
