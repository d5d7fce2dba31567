"""Lightning callbacks: when things are written and shown. How is decided elsewhere."""

import csv
import io
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from auglens import run_figures
from auglens.explainer import Explainer
from auglens.metrics.entropy import entropy
from auglens.metrics.running import MapEntropy
from auglens.module import ClassifierModule
from auglens.progress import image_progress
from auglens.records.files import write_text
from auglens.tracking import log_histogram, log_images, log_metrics

__all__ = ["EpochProgress", "History", "SaliencyMaps"]

HISTORY_COLUMNS = ("epoch", "train_loss", "val_loss", "val_accuracy", "seconds")


class History(Callback):
    """Appends one row an epoch to ``history.csv``; epochs count from 1.

    Of several processes, each keeps the rows and the first writes them.

    Args:
        path: The file; begun with the rows of the epochs before an interruption.

    Attributes:
        rows: What was written so far.
        seconds_before: Of the epochs before an interruption; None if there was none.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []
        self.seconds_before: float | None = None

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after these rows."""
        self.rows = state_dict["rows"]
        self.seconds_before = sum(row["seconds"] for row in self.rows)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the header, and the rows before an interruption; what came after them is undone."""
        del pl_module
        self._write_whole(trainer)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the finished file once more, flushed to the disk."""
        del pl_module
        self._write_whole(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        del trainer, pl_module
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: ClassifierModule) -> None:  # type: ignore[override]
        """Write the epoch's row.

        Raises:
            ValueError: If the training or the validation loss is not finite.
        """
        # Lightning calls this before the module's own hook, which logs the training loss.
        metrics = {**trainer.callback_metrics, "train_loss": pl_module.train_loss}
        row = {"epoch": float(trainer.current_epoch + 1)}
        row |= {name: float(metrics[name]) for name in HISTORY_COLUMNS[1:-1]}
        row["seconds"] = time.perf_counter() - self._started
        self.rows.append(row)
        if trainer.is_global_zero:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                file.write(_csv([_cells(row)]))
        for name, words in (("train_loss", "training"), ("val_loss", "validation")):
            if not math.isfinite(row[name]):
                raise ValueError(
                    f"The {words} loss is {row[name]} in epoch {row['epoch']:.0f}; a smaller "
                    "optimizer.lr or trainer.gradient_clip_val may help."
                )

    def _write_whole(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            write_text(self.path, _csv([HISTORY_COLUMNS, *map(_cells, self.rows)]))

    @property
    def best_epoch(self) -> int:
        """The epoch with the best validation accuracy, the earliest if tied."""
        best = max(self.rows, key=lambda row: (row["val_accuracy"], -row["epoch"]))
        return int(best["epoch"])


def _cells(row: dict[str, float]) -> list[float]:
    return [int(row["epoch"]), *list(row.values())[1:]]


def _csv(rows: Iterable[Iterable[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


class EpochProgress(Callback):
    """A progress bar an epoch a step, on a terminal only.

    Args:
        label: What is being trained.
        console: Where to draw.
    """

    def __init__(self, label: str, console: Console) -> None:
        self.label = label
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("val {task.fields[accuracy]:.3f}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the bar."""
        del pl_module
        self.task = self.bar.add_task(
            self.label, total=trainer.max_epochs, completed=trainer.current_epoch, accuracy=0.0
        )
        self.bar.start()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Advance it."""
        del pl_module
        accuracy = float(trainer.callback_metrics["val_accuracy"])
        self.bar.update(self.task, advance=1, accuracy=accuracy)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take it away."""
        del trainer, pl_module
        self.bar.stop()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Take it away."""
        del trainer, pl_module, exception
        self.bar.stop()


class SaliencyMaps(Callback):
    """Explains the probe once, with the best-validation weights.

    Args:
        explainer: Makes and writes the maps.
        folder: The run folder.
        figures: Whether PNG files are drawn too.
        console: Where progress is shown.
    """

    def __init__(
        self, explainer: Explainer, folder: Path, *, figures: bool, console: Console
    ) -> None:
        self.explainer = explainer
        self.folder = folder
        self.figures = figures
        self.console = console

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Explain, write, draw, log; nothing after the test of the last epoch's weights."""
        if not isinstance(pl_module, ClassifierModule) or pl_module.tested_weights != "best":
            return
        total = len(self.explainer.methods) * len(self.explainer.probe.labels)
        with image_progress(self.console, total=total) as advance:
            made = self.explainer.explain(pl_module.net, self.folder, advance)
        for method, maps in made.items():
            self._show(trainer, method, maps)

    def _show(self, trainer: Trainer, method: str, maps: Tensor) -> None:
        mean_entropy = MapEntropy()
        mean_entropy.update(maps)
        entropies = entropy(maps)
        numbers = {
            f"saliency/{method}/entropy": float(mean_entropy.compute()),
            f"saliency/{method}/num_degenerate": float(entropies.isnan().sum()),
        }
        log_metrics(trainer.loggers, numbers)
        log_histogram(trainer.loggers, f"saliency/{method}/entropies", entropies.tolist())
        probe = self.explainer.probe
        shown = run_figures.first_of_each_class(probe.labels)
        panels = run_figures.MapPanels(probe.images[shown].numpy(), maps[shown].numpy())
        captions = [
            f"class {int(probe.labels[index])}, entropy {float(entropies[index]):.3f} nats"
            for index in shown
        ]
        for kind, images in (("maps", panels.alone()), ("overlays", panels.over_images())):
            log_images(trainer.loggers, f"saliency/{method}/{kind}", list(images), captions)
        if self.figures:
            run_figures.write_probe_figure(self.folder, method, probe, maps)
