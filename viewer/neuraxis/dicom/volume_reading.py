"""Reading a whole series into one array: jobs in blocks, the middle first, two threads and more, what went wrong named."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from neuraxis.dicom.elements import UNDEFINED, DamagedFileError
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.frame_reader import (
    OpenFile,
    decoders_agree,
    makes_the_same_codestream,
    open_file,
    read_stored,
)
from neuraxis.dicom.lone_formats import misread_slices, refuse_wrong_sign
from neuraxis.dicom.plausibility import lost_blocks, unlike_neighbours
from neuraxis.dicom.slice_filling import fill_slice
from neuraxis.dicom.stored_values import AnyArray, Findings, HighBitsFoundError, NeedsFloatError
from neuraxis.dicom.tags import HTJ2K, JPEG_2000, JPEG_LOSSLESS, RLE
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import CancelledError, ReadError

if TYPE_CHECKING:
    from neuraxis.dicom.series_source import SeriesSource

Progress = Callable[[float], None]
ShouldStop = Callable[[], bool]

CLEARLY_ODD = 3.0
WORTH_A_LOOK = 1.4
"""Ratios of `unlike_neighbours` from which a reversible JPEG 2000 slice is left out, or encoded again to see."""

TINY_SIDE = 128
"""Smaller pictures that are clearly odd are left out unproven; from here on they are kept and named."""

NO_TISSUE_HU = -1500
"""No matter is less dense than air (-1000 HU); beyond noise below it lies what scanners write outside their circle."""

MANY_VALUES = 32
"""Padding and what scanners write outside their circle have fewer different values than this."""

VERIFY_ALL_VOXELS = 8_500_000
"""Reversible JPEG 2000 series up to this size (32 slices of 512 x 512) are encoded again as a whole."""


class VolumeReading:
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
        """The volume; see `SeriesSource.read_volume`."""
        plans = [self.source.plan(c) for c in {id(f.common): f.common for _, f in self.jobs}.values()]
        kinds: list[type[Any]] = [np.int16] if all(p.keeps_integers for p in plans) else []
        kinds.append(np.float32)
        while True:
            kind = kinds[0]
            self._check_memory(np.dtype(kind).itemsize)
            self.array: AnyArray = np.empty(self.shape, kind)
            self.padding, self.failed, self.done = None, {}, 0
            self.findings = Findings(
                keep_high_bits=self.source.keep_high_bits, refuse_high_bits=self.source.refuse_high_bits
            )
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
        if self.source.meaning.kind is ValueKind.HU:
            # elsewhere values may turn over rightly: phase, velocity, fields
            refuse_wrong_sign(frames, slots, self.array, self.source.plan)
        self.failed.update(misread_slices({k: frames[k] for k in slots if k not in self.failed}, self.array, self.source.plan))
        damaged: list[int] = []
        syntaxes = {f.common.transfer_syntax if f.pixel_length == UNDEFINED else "" for f in frames.values()}
        if syntaxes and syntaxes <= JPEG_2000:
            damaged = self._damaged_jpeg_2000(slots, frames)
        elif syntaxes and syntaxes <= JPEG_LOSSLESS | HTJ2K:
            odd = unlike_neighbours(self.array, slots)
            damaged = [k for k, ratios in odd.items() if max(ratios) > WORTH_A_LOOK and decoders_agree(frames[k]) is False]
            if syntaxes <= HTJ2K:
                damaged = list({*damaged, *self._damaged_jpeg_2000(slots, frames)})
        elif syntaxes == {RLE}:
            damaged = self._clearly_odd(unlike_neighbours(self.array, slots), frames)
        for slot in damaged:
            self.failed[slot] = f"{frames[slot].name}: the compressed picture is damaged; slice left out"

    def _damaged_jpeg_2000(self, slots: list[int], frames: dict[int, Frame]) -> list[int]:
        """Slices unlike their neighbours whose codestream proves damaged; small ones go by how odd they are."""
        odd = unlike_neighbours(self.array, slots)
        if not odd:
            return []
        suspects = [k for k in sorted(odd, key=lambda k: -odd[k][1])[: max(3, len(slots) // 20)] if odd[k][1] > WORTH_A_LOOK]
        if self.array.size <= VERIFY_ALL_VOXELS:
            suspects = slots
        if not suspects:
            return []
        if not any(makes_the_same_codestream(frames[k]) for k in (slots[0], slots[-1])):
            return self._clearly_odd(odd, frames)
        with ThreadPoolExecutor(2) as pool:
            same = list(pool.map(lambda k: makes_the_same_codestream(frames[k]), suspects))
        return [k for k, answer in zip(suspects, same, strict=True) if answer is False]

    def _clearly_odd(self, odd: dict[int, tuple[float, float]], frames: dict[int, Frame]) -> list[int]:
        """Slices so unlike their neighbours that tiny ones are left out unproven; larger ones are kept and named."""
        slots = [slot for slot, (whole, _) in odd.items() if whole > CLEARLY_ODD]
        if min(self.shape[1:]) < TINY_SIDE:
            return slots
        for slot in slots:
            self.findings.say(f"{frames[slot].name} is unlike its neighbours: its compressed picture may be damaged")
        return []

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
            present = [k for k in range(len(array)) if k not in missing]
            if not present:
                raise ReadError(
                    f"no slice of series {source.series_id} can be computed: {next(iter(self.failed.values()))}",
                    expected="pixels as the header describes them", remedy="see the load report",
                )
            low = min(array[k].min() for k in present)
            padding = np.zeros(array.shape, np.bool_) if padding is None else padding
            for k in missing:
                array[k], padding[k] = low, True
        # after the missing slices, whose memory holds anything until they are filled
        if source.meaning.kind is ValueKind.HU and self.findings.lowest < NO_TISSUE_HU:
            self._refuse_lost_sign(array, padding)
            padding = self._mark_no_tissue(array, padding)
        array.flags.writeable = False
        caveats = (*source.meaning.caveats, *source.caveats, *self.findings.caveats, *(self.failed[k] for k in sorted(self.failed)))
        kind = source.meaning.kind
        return Volume(
            array, self.geometry, kind, source.meaning.unit, source.slice_thickness_mm, padding, tuple(sorted(missing)),
            source.series_id, source.series_uid, uids, tuple(dict.fromkeys(caveats)), tuple(sorted(refused)),
        )

    def _refuse_lost_sign(self, array: AnyArray, padding: AnyArray | None) -> None:
        """Padding has few values; many below air, from words with bits to spare, are dense tissue read with the wrong sign."""
        formats = [self.source.plan(frame.common).pixel_format for _, frame in self.jobs]
        if not all(f.signed and f.stored < 16 for f in formats):
            return
        outside = array < NO_TISSUE_HU if padding is None else (array < NO_TISSUE_HU) & ~padding
        if len(np.unique(array[outside])) >= MANY_VALUES:
            raise ReadError(
                f"values down to {float(array.min()):g} HU: the header says signed pixels, and they look unsigned",
                expected="PixelRepresentation as the pixels are stored", remedy="ask for the original images",
            )

    def _mark_no_tissue(self, array: AnyArray, padding: AnyArray | None) -> AnyArray:
        """Mark what lies far below air as outside the scanned field: padding that the header does not declare."""
        outside = array < NO_TISSUE_HU
        lowest = float(array.min())
        real = array[~outside] if padding is None else array[~(outside | padding)]
        array[outside] = real.min() if real.size else lowest
        self.findings.say(f"values down to {lowest:g} HU without PixelPaddingValue are taken for padding")
        return outside if padding is None else outside | padding

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
