"""Mutilates copies of sweep folders, by seed: each mutilation is one that a disk or a stranger makes."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["MUTILATIONS", "mutilate"]

Mutilation = Callable[[Path, Path, np.random.Generator], None]
"""Changes one file of a run folder; the second path is another run's same file."""

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    "text",
    "<script>alert(1)</script>",
    "\x1b[31m",
    "\ud800",
    -1,
    0,
    10**30,
    1e300,
    float("nan"),
    float("inf"),
    [],
    {},
    [[1]],
    {"a": 1},
)


def truncate(file: Path, other: Path, random: np.random.Generator) -> None:
    del other
    content = file.read_bytes()
    file.write_bytes(content[: random.integers(len(content))])


def flip_bytes(file: Path, other: Path, random: np.random.Generator) -> None:
    del other
    content = bytearray(file.read_bytes())
    for place in random.integers(len(content), size=random.integers(1, 4)):
        content[place] ^= int(random.integers(1, 256))
    file.write_bytes(content)


def delete(file: Path, other: Path, random: np.random.Generator) -> None:
    del other, random
    file.unlink()


def empty(file: Path, other: Path, random: np.random.Generator) -> None:
    del other, random
    file.write_bytes(b"")


def as_folder(file: Path, other: Path, random: np.random.Generator) -> None:
    del other, random
    file.unlink()
    (file / "inside").mkdir(parents=True)


def as_pipe(file: Path, other: Path, random: np.random.Generator) -> None:
    del other, random
    file.unlink()
    os.mkfifo(file)


def as_link(file: Path, other: Path, random: np.random.Generator) -> None:
    del random
    file.unlink()
    file.symlink_to(other)


def as_endless_link(file: Path, other: Path, random: np.random.Generator) -> None:
    del other, random
    file.unlink()
    file.symlink_to(file.name)


def swap(file: Path, other: Path, random: np.random.Generator) -> None:
    del random
    shutil.copy(other, file)


def nest(file: Path, other: Path, random: np.random.Generator) -> None:
    del other
    deep = int(random.choice([60, 5_000, 200_000]))
    file.write_text("[" * deep + "]" * deep, encoding="utf-8")


def declare_huge(file: Path, other: Path, random: np.random.Generator) -> None:
    """The header of the first array says that it takes 4 TB; nothing else changes."""
    del other, random
    with np.load(file) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    first = next(iter(held))
    shape = held[first].shape
    np.savez(file, **held)
    content = file.read_bytes()
    file.write_bytes(content.replace(f"{shape}".encode(), b"(999999999999,)", 1))


def edit_arrays(file: Path, other: Path, random: np.random.Generator) -> None:
    """One array is gone, of another type, shorter, or no longer finite."""
    del other
    with np.load(file) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    name = str(random.choice(sorted(held)))
    changes: list[Callable[[Any], Any]] = [
        lambda _: np.array("odd"),
        lambda array: array.astype("U9"),
        lambda array: np.atleast_1d(array)[:-1],
        lambda array: np.array([array] * 2),
        lambda _: np.float32("nan"),
        lambda array: -np.ones_like(array, np.float32),
    ]
    held[name] = np.asarray(changes[random.integers(len(changes))](held[name]))
    np.savez(file, **held)


def edit_json(file: Path, other: Path, random: np.random.Generator) -> None:
    """One value, anywhere, is gone or odd."""
    del other
    content = json.loads(file.read_text(encoding="utf-8"))
    node: Any = content
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = keys[random.integers(len(keys))]
        if not isinstance(node[key], (dict, list)) or not node[key] or random.random() < 0.2:
            break
        node = node[key]
    if random.random() < 0.25:
        del node[key]
    else:
        node[key] = ODD_VALUES[random.integers(len(ODD_VALUES))]
    file.write_text(json.dumps(content), encoding="utf-8")


def forge_json(file: Path, other: Path, random: np.random.Generator) -> None:
    """The same without a checksum: a plausible number is nothing that could be noticed."""
    edit_json(file, other, random)
    content = json.loads(file.read_text(encoding="utf-8"))
    content.pop("checksum", None)
    file.write_text(json.dumps(content), encoding="utf-8")


ANY = (truncate, flip_bytes, delete, empty, as_folder, as_pipe, as_link, as_endless_link, swap)
MUTILATIONS: dict[str, tuple[Mutilation, ...]] = {
    ".json": (*ANY, nest, edit_json, forge_json, forge_json),
    ".npz": (*ANY, declare_huge, edit_arrays, edit_arrays),
    ".csv": ANY,
}


def mutilate(sweep: Path, seed: int) -> tuple[str, str]:
    """Damage one file of one run, or the run's folder as a whole.

    Returns:
        Name of the run, and what was done to it.
    """
    random = np.random.default_rng(seed)
    runs = sorted(path for path in sweep.iterdir() if path.is_dir() and path.name != ".jobs")
    run, other = (runs[place] for place in random.choice(len(runs), 2, replace=False))
    if random.random() < 0.1:
        return run.name, _mutilate_folder(run, sweep.parent, random)
    files = [path for path in sorted(run.rglob("*")) if path.suffix in MUTILATIONS]
    file = files[random.integers(len(files))]
    choices = MUTILATIONS[file.suffix]
    chosen = choices[random.integers(len(choices))]
    chosen(file, other / file.relative_to(run), random)
    return run.name, f"{chosen.__name__} {file.relative_to(run)}"


def _mutilate_folder(run: Path, outside: Path, random: np.random.Generator) -> str:
    what = str(random.choice(["gone", "a file", "a link", "no json", "no arrays"]))
    if what in ("gone", "a file"):
        shutil.rmtree(run)
    if what == "a file":
        run.write_text("no folder", encoding="utf-8")
    if what == "a link":
        shutil.move(run, outside / "moved")
        run.symlink_to(outside / "moved")
    for suffix in {"no json": ("json",), "no arrays": ("npz",)}.get(what, ()):
        for path in sorted(run.rglob(f"*.{suffix}")):
            path.unlink()
    return f"folder: {what}"
