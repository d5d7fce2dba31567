"""What is declared of a measure, so that no table or figure has to say it again. No torch."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Family", "Measure", "Null"]

Family = Literal["similarity", "complexity", "focus", "faithfulness", "run"]
Null = float | Literal["unrelated", "same_class", "absent"] | None


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure of a saliency map, or of a run.

    Attributes:
        name: Column of maps.csv; of a run, the key in the catalogue.
        title: Short name for table heads and axes.
        unit: ``nats``, ``bits``, ``px`` or nothing.
        low: Smallest possible value.
        high: Largest possible value, infinite where it depends on size or settings.
        higher_is_better: Direction; among similarities, better means closer; None: descriptive.
        null: What a map that knows nothing, or an augmentation that does nothing, scores. A number
            holds always; ``unrelated`` is simulated on the images at hand; ``same_class`` is
            measured beside it, on the maps of two images of one class; None is read against the
            method ``random``; ``absent``: there is nothing to read it against.
        family: The kind of question it answers; ``run``: it is one of a run, not of a map.
        about: The definition, one sentence.
        reference: The paper.
    """

    name: str
    title: str
    unit: str
    low: float
    high: float
    higher_is_better: bool | None
    null: Null
    family: Family
    about: str
    reference: str
