"""Measures what is asked for, keeps the figures as JSON, writes the page about them.

    python -m benchmarks                        everything (about an hour on two cores)
    python -m benchmarks augmentation metrics   these only; the other figures stay as they are
    python -m benchmarks --page                 the page again, from the figures

The figures are docs/benchmarks.json, the page docs/benchmarks.md.
"""

import argparse
import importlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from auglens.records.files import write_json
from benchmarks.machine import describe
from benchmarks.page import write_page
from benchmarks.place import Place
from benchmarks.process import REPOSITORY

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
    if not asked.page:
        with tempfile.TemporaryDirectory() as scratch:
            _measure(asked.names, asked, Path(scratch))
    write_page(json.loads(FIGURES.read_text(encoding="utf-8")), PAGE)
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


def _measure(names: Sequence[str], asked: argparse.Namespace, scratch: Path) -> None:
    figures: dict[str, Any] = {}
    if FIGURES.exists():
        figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    for name in names:
        folder = scratch / name
        folder.mkdir()
        sys.stdout.write(f"{name} ...\n")
        started = time.perf_counter()
        place = Place(asked.mnist.absolute(), asked.peers.absolute(), folder)
        measured = importlib.import_module(f"benchmarks.{name}").measure(place)
        rows = [{"kind": type(one).__name__, **one.as_json()} for one in measured]
        figures[name] = {"machine": describe(), "rows": rows}
        # Kept at once: a later benchmark may fail.
        write_json(FIGURES, figures)
        shutil.rmtree(folder)
        sys.stdout.write(f"{name}: {time.perf_counter() - started:.0f} s\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
