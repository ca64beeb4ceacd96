"""Questions that a foreign object raises: nothing doubtful is taken silently, the user may say yes by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from neuraxis.domain.study import Series
from neuraxis.errors import NeuraxisError
from neuraxis.interop.source_images import patient_differs

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

PATIENT = "patient"
"""Accept an object that names another patient."""
IMAGES = "images"
"""Accept an object whose images are not in the study; it is placed by position."""
GRID = "grid"
"""Accept a segmentation on another grid; it is resampled to the series, nearest voxel."""


class DoubtError(NeuraxisError, ValueError):
    """An object that fits the study only if the user says so.

    `key` is what to pass as `accept` (or `threshold` for probabilities) when it shall be taken nevertheless.
    """

    def __init__(self, key: str, found: str, *, expected: str, remedy: str) -> None:
        super().__init__(found, expected=expected, remedy=remedy)
        self.key = key


def ask_unless_accepted(key: str, accept: Collection[str], found: str, *, expected: str, remedy: str = "") -> str:
    """The finding as a warning where the user accepted it.

    Raises DoubtError where not.
    """
    if key not in accept:
        advice = remedy or f"if that is right, read it again accepting {key!r}"
        raise DoubtError(key, found, expected=expected, remedy=advice)
    return f"{found} (accepted)"


def patient_notes(dataset: Dataset, series: Sequence[Series], accept: Collection[str]) -> list[str]:
    """Warnings on whether object and images name the same patient; DoubtError where not and not accepted.

    The identifiers themselves stay out of the messages: those end up in logs.
    """
    differs = patient_differs(dataset, series)
    if differs is None:
        return ["no image could be read: whether it is the same patient was not compared"]
    if not differs:
        return []
    return [ask_unless_accepted(
        PATIENT, accept, "the object names another patient than the images", expected="the same Patient ID",
    )]
