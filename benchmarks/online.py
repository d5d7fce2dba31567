"""How training grows with the training set where copies are drawn anew, and where they are kept."""

from benchmarks.measuring import Comparison, Growth, Point, Timed, compared
from benchmarks.place import Place
from benchmarks.process import run_python
from benchmarks.training import Session, StepTurns, composed

__all__ = ["measure"]

ONLINE_SIZES = (100, 1_000, 10_000, 50_000)
# Eleven images for each original: more than these do not fit in most memories.
STATIC_SIZES = (100, 1_000, 10_000)
STEPS = 200
COMPARED_SIZE, PAIRS = 10_000, 7
COMMON = ("augment=crop", "dataset=mnist", "logger=none", "figures=false", "trainer.max_epochs=1")


def measure(place: Place) -> list[Growth | Comparison]:
    """Whole processes of 200 steps, and the steps alone."""
    return [
        _growth(place, "online", ONLINE_SIZES),
        _growth(place, "static", STATIC_SIZES),
        _steps(place),
    ]


def _growth(place: Place, mode: str, sizes: tuple[int, ...]) -> Growth:
    points = []
    for size in sizes:
        folder = place.scratch / f"{mode}-{size}"
        used = run_python("train.py", *_overrides(place, mode, size), f"hydra.run.dir={folder}")
        points.append(Point(size, used.seconds, used.memory_mb))
    drawn = {"online": "a copy is drawn whenever it is shown", "static": "ten copies each are kept"}
    work = (
        f"python train.py data.mode={mode} ({drawn[mode]}): {STEPS} steps of 110, from start to "
        "record, tests and maps included"
    )
    return Growth(work, "training images", points)


def _steps(place: Place) -> Comparison:
    # Both modes run in one process, so memory that AugLens keeps serves both alike.
    times = {mode: _step_s(place, mode) for mode in ("online", "static")}
    return compared(
        f"one training step on 110 of {COMPARED_SIZE:,} images and their copies, data.mode=online",
        "AugLens with data.mode=static, which drew all copies before",
        times["online"],
        times["static"],
        pairs=PAIRS,
    )


def _step_s(place: Place, mode: str) -> Timed:
    overrides = _overrides(place, mode, COMPARED_SIZE, steps=STEPS + 1)
    session = Session(composed(*overrides), place.scratch / f"steps-{mode}")

    def run() -> float:
        # The first share of a pair of turns warms up and is not counted.
        turns = StepTurns([], STEPS // 2)
        with session.running():
            session.trainer(turns).fit(session.module, datamodule=session.data)
        return turns.ours_s[0]

    return run


def _overrides(place: Place, mode: str, size: int, steps: int = STEPS) -> tuple[str, ...]:
    own = (f"data.mode={mode}", f"data.train_size={size}", f"data.steps_per_epoch={steps}")
    return (*COMMON, *own, f"paths.data_dir={place.mnist}")
