"""One head without a lesion: its fields, and its pictures on each acquisition grid, made once for many lesions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neuraxis_phantom.frames import Grid, Rigid
from neuraxis_phantom.head import HIGH, LOW, NEAR_MM, STEP_MM, Head, build_fields, crop_layers
from neuraxis_phantom.implicit import Field
from neuraxis_phantom.place import PlacedLesion

ANATOMIES = 8
"""How many heads random cases share: their seed modulo this number is the seed of the head."""
DEEPEST_MM = -20.0
"""Sulci and folia end less deep than this in the brain: what changes below it shows nowhere."""
Index = tuple[int, int, int]


def anatomy_seed(case: str, seed: int) -> int:
    """The seed of the head: one of `ANATOMIES` in random cases, the case's own seed else."""
    return seed % ANATOMIES if case == "random" else seed


@dataclass
class Anatomy:
    """A head without a lesion. `keep` holds its pictures in memory (about 0.5 GB) for the next lesion in it."""

    seed: int
    keep: bool = False
    fields: dict[str, Field] = field(init=False)
    head: Head = field(init=False)
    _pictures: dict[str, list[Field]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Build the fields."""
        self.fields = build_fields(self.seed)
        self.head = Head(crop_layers(self.fields), LOW, STEP_MM)

    def picture(self, name: str, make: Callable[[], list[Field]]) -> list[Field]:
        """Arrays that the caller may change: a copy of what `make` once gave under this name."""
        if not self.keep:
            return make()
        if name not in self._pictures:
            self._pictures[name] = make()
        return [a.copy() for a in self._pictures[name]]


@dataclass(frozen=True)
class Scene:
    """A lesion in an anatomy: the head it deformed, and the model box (low, high; mm) outside which nothing changed."""

    anatomy: Anatomy
    head: Head
    placed: PlacedLesion
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def box_on(self, grid: Grid, model_from_frame: Rigid, margin: Index = (1, 1, 1)) -> tuple[Index, Index]:
        """Index box (first, past the last) of a grid that holds all that the lesion changed, grown by `margin` voxels."""
        corners = np.array([[(self.low, self.high)[(n >> b) & 1][b] for b in range(3)] for n in range(8)])
        index = grid.index(model_from_frame.inverse().apply(corners))
        first = np.floor(index.min(axis=0)).astype(int) - margin
        last = np.ceil(index.max(axis=0)).astype(int) + 1 + np.asarray(margin)
        first, last = np.clip(first, 0, grid.shape), np.clip(last, 0, grid.shape)
        last = np.maximum(first, last)
        return (int(first[0]), int(first[1]), int(first[2])), (int(last[0]), int(last[1]), int(last[2]))


def changed_box(
    before: dict[str, Field], after: dict[str, Field], placed: PlacedLesion
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Model box (low, high; mm) of all voxels where a field changed in a way that shows, and of the lesion itself."""
    lesion = placed.lesion
    half = max(lesion.diameters_mm) * (0.5 + lesion.lobulation) + lesion.rim_mm + 1.0
    low, high = placed.centre - half, placed.centre + half
    for name, values in after.items():
        old = before.get(name)
        if old is values:
            continue
        shows = (values < NEAR_MM + 1.0) if old is None else (
            (values != old) & (np.maximum(values, old) > DEEPEST_MM) & (np.minimum(values, old) < NEAR_MM + 1.0)
        )
        for axis in range(3):
            used = np.flatnonzero(shows.any(axis=tuple(a for a in range(3) if a != axis)))
            if len(used):
                n = 2 - axis
                low[n] = min(low[n], LOW[n] + (float(used[0]) - 1) * STEP_MM)
                high[n] = max(high[n], LOW[n] + (float(used[-1]) + 1) * STEP_MM)
    return np.maximum(low, LOW), np.minimum(high, HIGH)
