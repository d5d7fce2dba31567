"""Trains what the command line composes; a sweep ends with a report."""

import sys
from pathlib import Path

import hydra
from dotenv import load_dotenv
from omegaconf import DictConfig

from auglens.startup import import_job
from auglens.sweep import run_to_the_end


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float:
    """Run one job; imported here because torch takes seconds."""
    job = import_job(with_wandb=cfg.logger._target_.endswith(".wandb_logger"))
    accuracy: float = job.run_job(cfg)
    return accuracy


if __name__ == "__main__":
    load_dotenv(Path(__file__).with_name(".env"))
    sys.exit(run_to_the_end(main))
