"""Where the time of an epoch goes: its kernels by kind, and what is left for everything else."""

import time
from collections.abc import Mapping

from pytorch_lightning import Callback, LightningModule, Trainer
from torch.profiler import ProfilerActivity, profile

from benchmarks.measuring import Quantity
from benchmarks.place import Place
from benchmarks.training import Session, composed

__all__ = ["ProfiledEpochs", "measure", "shares"]

KINDS = {
    "convolutions, forwards and backwards": ("mkldnn_convolution", "convolution_backward"),
    "max-pooling, forwards and backwards": ("max_pool2d",),
    "filling memory, most of it for max-pooling backwards": ("fill_", "zero_"),
    "all other kernels": ("",),
}
REST = "everything else: Python, Lightning, history, checkpoints, the profiler itself"
WARM_UP, PROFILED, REPEATS = 3, 10, 3


def measure(place: Place) -> list[Quantity]:
    """Shares of the wall time of ten epochs, in percent."""
    found = [_profiled(place, number) for number in range(REPEATS)]
    return [
        Quantity(f"share of an epoch: {kind}", [100 * shares[kind] for shares in found], "%")
        for kind in (*KINDS, REST)
    ]


class ProfiledEpochs(Callback):
    """Profiles some epochs of a training, after some that are not.

    Attributes:
        kernels: Seconds of each operator itself, without those it calls, by name.
        seconds: Wall time of the profiled epochs.
    """

    def __init__(self) -> None:
        self.kernels: dict[str, float] = {}
        self.seconds = 0.0
        self._profiler = profile(activities=[ProfilerActivity.CPU])

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start after the warm-up, stop when enough is seen."""
        del pl_module
        if trainer.current_epoch == WARM_UP:
            self._profiler.start()
            self._started = time.perf_counter()
        elif trainer.current_epoch == WARM_UP + PROFILED:
            self.seconds = time.perf_counter() - self._started
            self._profiler.stop()
            self.kernels = {
                event.key: event.self_cpu_time_total / 1e6
                for event in self._profiler.key_averages()
                if event.key.startswith("aten::")
            }


def shares(kernels: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Part of the wall time that each kind of kernel takes; they add up to 1 with the rest.

    Args:
        kernels: Seconds of each operator itself, by name.
        seconds: Wall time.
    """
    by_kind = dict.fromkeys(KINDS, 0.0)
    for name, spent in kernels.items():
        kind = next(kind for kind, words in KINDS.items() if any(word in name for word in words))
        by_kind[kind] += spent / seconds
    return {**by_kind, REST: 1 - sum(by_kind.values())}


def _profiled(place: Place, number: int) -> dict[str, float]:
    epochs = WARM_UP + PROFILED + 1
    overrides = ("augment=crop", "dataset=mnist", "logger=csv", f"paths.data_dir={place.mnist}")
    config = composed(*overrides, f"trainer.max_epochs={epochs}")
    session = Session(config, place.scratch / str(number))
    watched = ProfiledEpochs()
    with session.running():
        session.trainer(watched).fit(session.module, datamodule=session.data)
    return shares(watched.kernels, watched.seconds)
