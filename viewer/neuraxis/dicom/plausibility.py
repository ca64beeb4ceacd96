"""Damage that no header shows, found by comparing a slice with its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

AnyArray = NDArray[Any]

SECTOR_BYTES = 512
MIN_SECTORS = 2
_STRIDE = 3


def zero_sectors(raw: AnyArray) -> NDArray[np.intp] | None:
    """Which 512-byte blocks of a slice's stored bytes begin with eight zero bytes; None where none does.

    A cheap first look: a lost disk block or an unfinished transfer leaves whole blocks of zeros.
    """
    flat = raw.reshape(-1).view(np.uint8)
    whole = flat.size // SECTOR_BYTES * SECTOR_BYTES
    if whole < 2 * SECTOR_BYTES:
        return None
    found = np.flatnonzero(flat[:whole].view(np.uint64)[:: SECTOR_BYTES // 8] == 0)
    return found if found.size else None


def lost_blocks(sectors: dict[int, NDArray[np.intp]], slots: list[int], words: Callable[[int], AnyArray]) -> dict[int, str]:
    """Slices with a run of zero bytes where neither neighbour has zeros: slot to reason.

    `words(slot)` gives the stored words of a slice again. Slices at the ends have one neighbour only and are not judged.
    """
    out: dict[int, str] = {}
    for before, slot, after in zip(slots, slots[1:], slots[2:], strict=False):
        own = sectors.get(slot)
        if own is None:
            continue
        neighbours = np.union1d(sectors.get(before, _NONE), sectors.get(after, _NONE))
        odd = np.setdiff1d(own, neighbours)
        if odd.size < MIN_SECTORS:
            continue
        run = max(np.split(odd, np.flatnonzero(np.diff(odd) > 1) + 1), key=len)
        if len(run) < MIN_SECTORS:
            continue
        start, stop = int(run[0]) * SECTOR_BYTES, int(run[-1] + 1) * SECTOR_BYTES

        def part(k: int, start: int = start, stop: int = stop) -> AnyArray:
            return words(k).reshape(-1).view(np.uint8)[start:stop].view(np.uint16)

        if part(slot).any():
            continue
        if min(np.count_nonzero(part(before)), np.count_nonzero(part(after))) > 0.9 * (stop - start) / 2:
            out[slot] = f"{stop - start} bytes of its pixels are zero where its neighbours are not (lost block)"
    return out


_NONE: NDArray[np.intp] = np.empty(0, np.intp)


def unlike_neighbours(array: AnyArray, slots: list[int]) -> dict[int, float]:
    """Slices that differ from the mean of their two neighbours far more than others do: slot to the ratio.

    Only the highest of a group of suspects is named: a damaged slice makes its neighbours look odd too.
    """
    if len(slots) < 5:
        return {}
    scores = {}
    for before, slot, after in zip(slots, slots[1:], slots[2:], strict=False):
        a, b, c = (array[k, ::_STRIDE, ::_STRIDE].astype(np.float32) for k in (before, slot, after))
        scores[slot] = float(np.median(np.abs(b - (a + c) / 2)))
    usual = float(np.median(list(scores.values())))
    grain = 0.25 if array.dtype.kind == "i" else 1e-4 * float(np.ptp(array[slots[0]]))
    out = {}
    for slot, score in scores.items():
        near = [scores.get(slot - 1, 0.0), scores.get(slot + 1, 0.0)]
        if score > 1.3 * usual + 2 * grain and score >= max(near):
            out[slot] = (score + grain) / (usual + grain)
    return out
