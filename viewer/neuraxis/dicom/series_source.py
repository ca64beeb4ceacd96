"""The voxels of one series, read when asked for: one array, filled in place by as many threads as there are cores."""

from __future__ import annotations

import contextlib
import threading
import weakref
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.dicom.attributes import Common
from neuraxis.dicom.elements import DamagedFileError
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.frame_reader import (
    open_file,
    read_stored,
)
from neuraxis.dicom.meaning import Meaning
from neuraxis.dicom.pictures import picture_of
from neuraxis.dicom.placing import Placement
from neuraxis.dicom.slice_filling import fill_slice
from neuraxis.dicom.stored_values import (
    AnyArray,
    Findings,
    HighBitsFoundError,
    NeedsFloatError,
    SlicePlan,
    high_bits_are_values,
)
from neuraxis.dicom.volume_reading import Progress, ShouldStop, VolumeReading
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import ReadError, UsageError


@dataclass
class SeriesSource:
    """Reads the slices of one series; `read_volume` keeps its result as long as somebody uses it.

    `frames` are in slice order. For volumes `placement.slots` says which frame fills which slice.
    """

    frames: list[Frame]
    placement: Placement
    meaning: Meaning
    series_id: str
    series_uid: str
    slice_thickness_mm: float | None
    caveats: tuple[str, ...] = ()
    plans: dict[int, SlicePlan] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    kept: Any = None
    keep_high_bits: bool | None = None
    refuse_high_bits: bool = False

    @property
    def slice_count(self) -> int:
        """Number of slices (volume) or pictures."""
        return len(self.placement.slots) if self.placement.geometry is not None else len(self.frames)

    def plan(self, common: Common) -> SlicePlan:
        """How slices with this header become numbers."""
        plan = self.plans.get(id(common))
        if plan is None:
            plan = self.plans[id(common)] = SlicePlan.of(common, self.meaning)
        return plan

    def read_volume(self, progress: Progress | None = None, should_stop: ShouldStop | None = None) -> Volume:
        """All voxels in real-world units; the middle slices are read first.

        Raises
        ------
        ReadError
            When no slice can be read or memory does not suffice.
        CancelledError
            When `should_stop` said so.
        """
        kept: Volume | None = self.kept() if self.kept is not None else None
        if kept is not None:
            return kept
        with self.lock:
            kept = self.kept() if self.kept is not None else None
            if kept is None:
                kept = VolumeReading(self, progress, should_stop).run()
                self.kept = weakref.ref(kept)
        return kept

    def read_slice(self, index: int) -> AnyArray:
        """One slice or picture in real-world units, (rows, columns), int16 or float32; colour pictures have no such.

        For a volume `index` counts its slices; a missing slice comes as the lowest value of its kind.
        """
        frame = self._frame_at(index)
        if isinstance(frame, tuple):
            low, high, weight = frame
            a, b = self._one(self.frames[low]), self._one(self.frames[high])
            return (a * (1 - weight) + b * weight).astype(np.float32)
        if frame is None:
            first = self.frames[0].common.pixel_format
            assert first is not None
            return np.full((first.rows, first.columns), -1024 if self.meaning.kind is ValueKind.HU else 0, np.int16)
        return self._one(frame)

    def read_picture(self, index: int) -> NDArray[np.uint8]:
        """One picture ready to show: (rows, columns) grey or (rows, columns, 3) RGB, 8 bit."""
        frame = self._frame_at(index)
        if not isinstance(frame, Frame):
            values = self.read_slice(index)
            return np.zeros(values.shape, np.uint8)
        try:
            with open_file() as opened:
                return picture_of(frame, opened, lambda: self._one(frame))
        except (DamagedFileError, OSError) as error:
            raise ReadError(f"{frame.name}: {error}", remedy="choose another picture") from None

    def decide_high_bits(self) -> None:
        """Decide once for the series what bits above BitsStored are; see `high_bits_are_values`.

        Where the pictures do not tell but only few of them have such bits, those slices are left out one by one.
        """
        samples, stored = [], 16
        with open_file() as opened:
            for frame in self.frames[:: max(1, len(self.frames) // 16)]:
                with contextlib.suppress(DamagedFileError, OSError):
                    raw, as_format = read_stored(frame, opened, Findings())
                    stored = as_format.stored
                    samples.append(raw.view(raw.dtype.str.replace("i", "u")).copy())
        beyond = [raw for raw in samples if int(raw.max()) >> stored]
        try:
            self.keep_high_bits = high_bits_are_values(beyond or samples, stored)
        except ReadError:
            if len(beyond) * 4 > len(samples):
                raise
            self.refuse_high_bits = True

    def _frame_at(self, index: int) -> Frame | tuple[int, int, float] | None:
        if not 0 <= index < self.slice_count:
            raise UsageError(f"slice {index}", expected=f"0 to {self.slice_count - 1}")
        if self.placement.geometry is None:
            return self.frames[index]
        slot = self.placement.slots[index]
        if slot >= 0:
            return self.frames[slot]
        return self.placement.blends[index] if self.placement.blends is not None else None

    def _one(self, frame: Frame) -> AnyArray:
        plan = self.plan(frame.common)
        f = plan.pixel_format
        if f.samples > 1:
            raise UsageError("a colour picture has no values", remedy="use read_picture")
        types: tuple[type[Any], ...] = (np.int16, np.float32) if plan.keeps_integers else (np.float32,)
        try:
            with open_file() as opened:
                for kind in types:
                    out = np.empty((f.rows, f.columns), kind)
                    try:
                        fill_slice(frame, plan, out, None, opened, Findings(keep_high_bits=self.keep_high_bits, refuse_high_bits=self.refuse_high_bits))
                    except NeedsFloatError:
                        continue
                    except HighBitsFoundError:
                        self.decide_high_bits()
                        return self._one(frame)
                    return out
        except (DamagedFileError, OSError) as error:
            raise ReadError(f"{frame.name}: {error}", remedy="choose another slice") from None
        raise ReadError(f"{frame.name}: values do not fit")
