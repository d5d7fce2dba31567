"""Measures what is asked for, keeps the figures as JSON, writes the page about them.

    python -m benchmarks                        everything (about half an hour on two cores)
    python -m benchmarks augmentation metrics   these only; the other figures stay as they are
    python -m benchmarks --page                 the page again, from the figures

The figures are docs/benchmarks.json, the page docs/benchmarks.md.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from auglens.components import built
from auglens.records.files import write_json
from benchmarks.machine import describe
from benchmarks.page import write_headline, write_page
from benchmarks.place import Place
from benchmarks.process import REPOSITORY
from benchmarks.training import composed

__all__ = ["BENCHMARKS", "main"]

BENCHMARKS = (
    *("sweep", "training", "marginal", "startup", "memory"),
    *("augmentation", "attribution", "metrics", "study", "online", "precision", "bounds"),
)
FIGURES = REPOSITORY / "docs" / "benchmarks.json"
PAGE = REPOSITORY / "docs" / "benchmarks.md"


def main(arguments: Sequence[str]) -> int:
    """Measure and write.

    Returns:
        The exit code.
    """
    asked = _parser().parse_args(arguments)
    if not asked.page and len(asked.names) > 1:
        # One leaves settings of the process behind that another must not find.
        folders = ["--mnist", str(asked.mnist), "--peers", str(asked.peers)]
        codes = [
            subprocess.call([sys.executable, "-m", "benchmarks", name, *folders], cwd=REPOSITORY)
            for name in asked.names
        ]
        return max(codes)
    if not asked.page:
        with tempfile.TemporaryDirectory() as scratch:
            _measure(asked.names[0], asked, Path(scratch))
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    write_page(figures, PAGE)
    write_headline(figures, REPOSITORY / "README.md")
    sys.stdout.write(f"{PAGE}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", type=_known, default=BENCHMARKS, metavar="NAME")
    parser.add_argument("--page", action="store_true", help="measure nothing")
    mnist = os.environ.get("AUGLENS_DATA_DIR", str(REPOSITORY / "data"))
    parser.add_argument("--mnist", type=Path, default=Path(mnist), help="folder above MNIST/raw")
    peers = REPOSITORY / "benchmarks" / "peers"
    parser.add_argument("--peers", type=Path, default=peers, help="folder of the peers' scripts")
    return parser


def _known(name: str) -> str:
    if name not in BENCHMARKS:
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(BENCHMARKS)}.")
    return name


def _measure(name: str, asked: argparse.Namespace, scratch: Path) -> None:
    sys.stdout.write(f"{name} ...\n")
    started = time.perf_counter()
    place = Place(asked.mnist.absolute(), asked.peers.absolute(), scratch)
    if not (place.raw / "train-images-idx3-ubyte").exists():
        # Fetches and unpacks the files, or says where to put them.
        built(composed("dataset=mnist")["dataset"], "dataset")(data_dir=place.mnist)
    measured = importlib.import_module(f"benchmarks.{name}").measure(place)
    rows = [{"kind": type(one).__name__, **one.as_json()} for one in measured]
    figures: dict[str, Any] = {}
    if FIGURES.exists():
        figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    figures[name] = {"machine": describe(), "rows": rows}
    write_json(FIGURES, figures)
    sys.stdout.write(f"{name}: {time.perf_counter() - started:.0f} s\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
