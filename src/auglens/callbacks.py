"""Lightning callbacks: when things are written and shown. How is decided elsewhere."""

import csv
import math
import time
from pathlib import Path

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
from auglens.tracking import log_histogram, log_images, log_metrics

__all__ = ["EpochProgress", "History", "SaliencyMaps"]

HISTORY_COLUMNS = ("epoch", "train_loss", "val_loss", "val_accuracy", "seconds")


class History(Callback):
    """Appends one row an epoch to ``history.csv``; epochs count from 1.

    Args:
        path: The file, begun anew.

    Attributes:
        rows: What was written so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the header."""
        del trainer, pl_module
        with self.path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(HISTORY_COLUMNS)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        del trainer, pl_module
        self._started = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: ClassifierModule) -> None:  # type: ignore[override]
        """Write the epoch's row.

        Raises:
            ValueError: If the training loss is not finite.
        """
        # Lightning calls this before the module's own hook, which logs the training loss.
        metrics = {**trainer.callback_metrics, "train_loss": pl_module.train_loss}
        row = {"epoch": float(trainer.current_epoch + 1)}
        row |= {name: float(metrics[name]) for name in HISTORY_COLUMNS[1:-1]}
        row["seconds"] = time.perf_counter() - self._started
        self.rows.append(row)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([int(row["epoch"]), *list(row.values())[1:]])
        if not math.isfinite(row["train_loss"]):
            raise ValueError(
                f"The training loss is {row['train_loss']} in epoch {row['epoch']:.0f}; a smaller "
                "optimizer.lr or trainer.gradient_clip_val may help."
            )

    @property
    def best_epoch(self) -> int:
        """The epoch with the best validation accuracy, the earliest if tied."""
        best = max(self.rows, key=lambda row: (row["val_accuracy"], -row["epoch"]))
        return int(best["epoch"])


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
        self.task = self.bar.add_task(self.label, total=trainer.max_epochs, accuracy=0.0)
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
