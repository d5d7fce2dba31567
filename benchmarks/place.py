"""Where a benchmark finds its files and leaves its rubbish."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Place"]


@dataclass(frozen=True)
class Place:
    """Folders of one call.

    Attributes:
        mnist: Folder above ``MNIST/raw``, which holds the four official files, unpacked.
        peers: Folder of ``plain.py``, ``tuned.py`` and ``lightning_usual.py``.
        scratch: An empty folder that is removed afterwards.
    """

    mnist: Path
    peers: Path
    scratch: Path

    @property
    def raw(self) -> Path:
        """Where the four files are."""
        return self.mnist / "MNIST" / "raw"
