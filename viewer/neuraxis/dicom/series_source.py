"""The voxels of one series, read when asked for: one array, filled in place by as many threads as there are cores."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis.dicom.attributes import Common
from neuraxis.dicom.elements import UNDEFINED, DamagedFileError
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.frame_reader import OpenFile, is_damaged_jpeg_2000, is_direct, open_file, read_direct, read_stored
from neuraxis.dicom.meaning import Meaning
from neuraxis.dicom.pictures import picture_of
from neuraxis.dicom.placing import Placement
from neuraxis.dicom.plausibility import lost_blocks, unlike_neighbours
from neuraxis.dicom.stored_values import (
    AnyArray,
    Findings,
    HighBitsFoundError,
    NeedsFloatError,
    SlicePlan,
    apply_plan,
    high_bits_are_values,
    pad_mask,
)
from neuraxis.dicom.tags import JPEG_2000
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import CancelledError, ReadError, UsageError

Progress = Callable[[float], None]
ShouldStop = Callable[[], bool]


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
                kept = _VolumeReading(self, progress, should_stop).run()
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
        """Decide once for the series what bits above BitsStored are; see `high_bits_are_values`."""
        samples, stored = [], 16
        with open_file() as opened:
            for frame in self.frames[:: max(1, len(self.frames) // 16)]:
                with contextlib.suppress(DamagedFileError, OSError):
                    raw, as_format = read_stored(frame, opened, Findings())
                    stored = as_format.stored
                    samples.append(raw.view(raw.dtype.str.replace("i", "u")).copy())
        self.keep_high_bits = high_bits_are_values(samples, stored)

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
                        fill_slice(frame, plan, out, None, opened, Findings(keep_high_bits=self.keep_high_bits))
                    except NeedsFloatError:
                        continue
                    except HighBitsFoundError:
                        self.decide_high_bits()
                        return self._one(frame)
                    return out
        except (DamagedFileError, OSError) as error:
            raise ReadError(f"{frame.name}: {error}", remedy="choose another slice") from None
        raise ReadError(f"{frame.name}: values do not fit")


def fill_slice(
    frame: Frame, plan: SlicePlan, out: AnyArray, padding: AnyArray | None, opened: OpenFile, findings: Findings
) -> bool:
    """Read one frame into `out` (rows, columns) in real-world units; returns whether it holds padding."""
    if plan.is_plain and out.dtype == np.int16 and is_direct(frame) and out.flags.c_contiguous:
        read_direct(frame, out.data.cast("B"), opened)
        findings.see(frame, out)
        quick = _finish_in_place(out, plan, padding)
        if quick is not None:
            return quick
        raw = out.view(np.uint16).copy()
        return apply_plan(raw, plan, out, padding, findings, frame.name)
    raw, as_format = read_stored(frame, opened, findings)
    if as_format != plan.pixel_format:
        plan = SlicePlan(as_format, plan.rescale, plan.lut, plan.padding, plan.overlay_bits)
    return apply_plan(raw, plan, out, padding, findings, frame.name)


def _finish_in_place(out: AnyArray, plan: SlicePlan, padding: AnyArray | None) -> bool | None:
    """Turn stored words in an int16 slice into values where they lie; None where that would not be exact."""
    f, offset = plan.pixel_format, int(plan.rescale.intercept)
    if f.signed:
        if f.stored < 16 or offset:
            low, high = int(out.min()), int(out.max())
            half = 1 << (f.stored - 1)
            if low < -half or high >= half or low + offset < -32768 or high + offset > 32767:
                return None
        stored: AnyArray = out
    else:
        stored = out.view(np.uint16)
        high = int(stored.max())
        if high >= 1 << f.stored or high + offset > 32767 or offset < -32768:
            return None
    mask = pad_mask(stored, plan)
    if offset:
        # sums stay within 16 bits (checked above), so adding modulo 2**16 is exact
        np.add(out, np.int16(offset), out=out)
    if mask is None:
        return False
    out[mask] = out[~mask].min()
    if padding is not None:
        padding[...] = mask
    return True


class _VolumeReading:
    """One reading of a volume: jobs, threads, what went wrong on the way."""

    def __init__(self, source: SeriesSource, progress: Progress | None, should_stop: ShouldStop | None) -> None:
        self.source, self.progress, self.should_stop = source, progress, should_stop
        self.findings = Findings()
        self.failed: dict[int, str] = {}
        self.padding: AnyArray | None = None
        self.padding_lock = threading.Lock()
        self.done = 0
        geometry = source.placement.geometry
        assert geometry is not None
        self.geometry = geometry
        rows, columns = geometry.shape_zyx[1:]
        self.shape = (len(source.frames), rows, columns) if source.placement.blends else geometry.shape_zyx
        slots = range(len(source.frames)) if source.placement.blends else source.placement.slots
        self.jobs = [(k, source.frames[f]) for k, f in enumerate(slots) if f >= 0]

    def run(self) -> Volume:
        plans = [self.source.plan(c) for c in {id(f.common): f.common for _, f in self.jobs}.values()]
        kinds: list[type[Any]] = [np.int16] if all(p.keeps_integers for p in plans) else []
        kinds.append(np.float32)
        while True:
            kind = kinds[0]
            self._check_memory(np.dtype(kind).itemsize)
            self.array: AnyArray = np.empty(self.shape, kind)
            self.padding, self.failed, self.done = None, {}, 0
            self.findings = Findings(keep_high_bits=self.source.keep_high_bits)
            try:
                self._read_all()
            except NeedsFloatError:
                kinds.pop(0)
                continue
            except HighBitsFoundError:
                self.source.decide_high_bits()
                continue
            break
        self._look_for_damage()
        if len(self.failed) == len(self.jobs):
            raise ReadError(
                f"no slice of series {self.source.series_id} can be read: {next(iter(self.failed.values()))}",
                expected="pixels as the header describes them", remedy="see the load report",
            )
        return self._volume()

    def _look_for_damage(self) -> None:
        """Leave out slices whose pixels show damage beside their neighbours."""
        slots = [slot for slot, _ in self.jobs if slot not in self.failed]
        frames = dict(self.jobs)
        if self.findings.zero_sectors:
            sectors = {
                slot: self.findings.zero_sectors[id(frame)] for slot, frame in self.jobs
                if id(frame) in self.findings.zero_sectors
            }
            with open_file() as opened:
                lost = lost_blocks(sectors, slots, lambda k: np.ascontiguousarray(read_stored(frames[k], opened, Findings())[0]))
            for slot, reason in lost.items():
                self.failed[slot] = f"{frames[slot].name}: {reason}; slice left out"
        if all(f.common.transfer_syntax in JPEG_2000 and f.pixel_length == UNDEFINED for f in frames.values()):
            for slot, ratio in unlike_neighbours(self.array, slots).items():
                if is_damaged_jpeg_2000(frames[slot], ratio):
                    self.failed[slot] = f"{frames[slot].name}: the compressed picture is damaged; slice left out"

    def _check_memory(self, width: int) -> None:
        need = float(np.prod(self.shape, dtype=np.float64)) * width
        try:
            total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError, AttributeError):
            total = 64 << 30
        if need > 0.8 * total:
            raise ReadError(f"the volume needs {need / 2**30:.1f} GB of memory", expected=f"at most {0.8 * total / 2**30:.1f} GB")

    def _read_all(self) -> None:
        """All jobs, the middle ones first, in blocks that stay together in the file order."""
        threads = min(max(2, os.cpu_count() or 1), 8, max(1, len(self.jobs)))
        middle = len(self.jobs) // 2
        block = max(1, min(16, len(self.jobs) // (threads * 4) or 1))
        starts = sorted(range(0, len(self.jobs), block), key=lambda s: abs(s + block // 2 - middle))
        if threads == 1 or len(self.jobs) == 1:
            for start in starts:
                self._block(start, block)
            return
        pending = iter(starts)
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    start = next(pending, None)
                if start is None:
                    return
                self._block(start, block)

        with ThreadPoolExecutor(threads) as pool:
            futures = [pool.submit(work) for _ in range(threads)]
            errors = [future.exception() for future in futures]
        for error in errors:
            if error is not None:
                raise error

    def _block(self, start: int, count: int) -> None:
        with open_file() as opened:
            for slot, frame in self.jobs[start : start + count]:
                if self.should_stop is not None and self.should_stop():
                    raise CancelledError("reading was stopped")
                self._one(slot, frame, opened)
        self.done += count
        if self.progress is not None:
            self.progress(min(1.0, self.done / len(self.jobs)))

    def _one(self, slot: int, frame: Frame, opened: OpenFile) -> None:
        plan = self.source.plan(frame.common)
        try:
            rows = None if plan.padding is None else self._padding_rows(slot)
            if fill_slice(frame, plan, self.array[slot], rows, opened, self.findings):
                return
        except ReadError:
            raise
        except (DamagedFileError, OSError) as error:
            self.failed[slot] = f"{frame.name}: {error}; slice left out"

    def _padding_rows(self, slot: int) -> AnyArray:
        with self.padding_lock:
            if self.padding is None:
                self.padding = np.zeros(self.shape, np.bool_)
        rows: AnyArray = self.padding[slot]
        return rows

    def _volume(self) -> Volume:
        source, placement = self.source, self.source.placement
        frames = {slot: frame for slot, frame in self.jobs if slot not in self.failed}
        array, padding = self.array, self.padding
        if placement.blends is not None:
            array, padding, missing, refused, uids = self._blend(frames)
        else:
            missing = set(placement.missing) | set(self.failed)
            refused = set(placement.refused) | set(self.failed)
            uids = tuple(frames[k].sop_instance_uid if k in frames else "" for k in range(self.shape[0]))
        if padding is not None and not padding.any():
            padding = None
        if missing:
            present = np.array([k not in missing for k in range(len(array))])
            low = min(array[k].min() for k in np.flatnonzero(present))
            padding = np.zeros(array.shape, np.bool_) if padding is None else padding
            for k in missing:
                array[k], padding[k] = low, True
        array.flags.writeable = False
        caveats = (*source.meaning.caveats, *source.caveats, *self.findings.caveats, *(self.failed[k] for k in sorted(self.failed)))
        kind = source.meaning.kind
        return Volume(
            array, self.geometry, kind, source.meaning.unit, source.slice_thickness_mm, padding, tuple(sorted(missing)),
            source.series_id, source.series_uid, uids, tuple(dict.fromkeys(caveats)), tuple(sorted(refused)),
        )

    def _blend(self, frames: dict[int, Frame]) -> tuple[AnyArray, AnyArray | None, set[int], set[int], tuple[str, ...]]:
        """The regular grid of an uneven stack from its native slices."""
        placement = self.source.placement
        assert placement.blends is not None
        native = self.array
        out = np.empty(self.geometry.shape_zyx, np.float32)
        padding = None if self.padding is None else np.zeros(out.shape, np.bool_)
        missing, refused, uids = set(placement.missing), set(), []
        for k, (low, high, weight) in enumerate(placement.blends):
            used = [i for i, w in ((low, 1 - weight), (high, weight)) if w > 0]
            if any(i not in frames for i in used):
                missing.add(k)
                refused.add(k)
                out[k] = 0
                uids.append("")
                continue
            if len(used) == 1:
                out[k] = native[used[0]]
            else:
                np.multiply(native[low], np.float32(1 - weight), out=out[k])
                out[k] += native[high] * np.float32(weight)
            uids.append(frames[used[0]].sop_instance_uid if len(used) == 1 else "")
            if padding is not None and self.padding is not None:
                padding[k] = np.logical_or.reduce([self.padding[i] for i in used])
        return out, padding, missing, refused, tuple(uids)
