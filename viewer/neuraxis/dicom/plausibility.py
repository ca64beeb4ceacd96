"""Damage that no header shows, found by comparing a slice with its neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

AnyArray = NDArray[Any]

SECTOR_BYTES = 512
MIN_SECTORS = 2
_STRIDE = 3
SAMPLED_SIDE = 128
"""Pixels along the shorter side that are looked at in larger pictures: 16 along each of eight parts, so that noise stays below 1.3."""


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


def unlike_neighbours(array: AnyArray, slots: list[int]) -> dict[int, tuple[float, float]]:
    """How unlike the mean of its two neighbours each inner slice is: slot to (whole slice, worst of 8 x 8 parts).

    The whole slice is compared with the slices next but one on both sides (anatomy changes slowly), a part with the same
    part of all other slices. A slice less odd than one beside it is not named: a damaged slice makes its neighbours
    look odd too.
    """
    if len(slots) < 5:
        return {}
    inner = slots[1:-1]
    stride = max(_STRIDE, min(array.shape[1:]) // SAMPLED_SIDE)
    sampled = array[slots, ::stride, ::stride].astype(np.float32)
    difference = np.abs(sampled[1:-1] - (sampled[:-2] + sampled[2:]) / 2)
    rows, columns = (n // 8 * 8 for n in difference.shape[1:])
    whole = np.median(difference.reshape(len(inner), -1), axis=1).astype(np.float64)
    stacked = np.zeros((len(inner), 8, 8))
    if rows and columns:
        blocks = difference[:, :rows, :columns].reshape(len(inner), 8, rows // 8, 8, columns // 8)
        stacked[...] = np.median(blocks.transpose(0, 1, 3, 2, 4).reshape(len(inner), 8, 8, -1), axis=3)
    beside_a_gap = np.diff(slots)[1:] + np.diff(slots)[:-1] != 2
    whole[beside_a_gap], stacked[beside_a_gap] = math.inf, math.nan
    grain = 0.25 if array.dtype.kind == "i" else 1e-4 * float(np.ptp(array[slots[0]]))
    whole_ratio = _beside_next_but_one(whole, grain)
    if np.isnan(stacked).all():
        return {}
    part_ratio = np.nan_to_num(((stacked + grain) / (np.nanmedian(stacked, axis=0) + grain)).max(axis=(1, 2)), nan=0.0)
    out = {}
    for k, slot in enumerate(inner):
        beside = part_ratio[max(0, k - 1) : k + 2]
        if part_ratio[k] >= beside.max() or whole_ratio[k] >= whole_ratio[max(0, k - 1) : k + 2].max():
            out[slot] = (float(whole_ratio[k]), float(part_ratio[k]))
    return out


def _beside_next_but_one(scores: NDArray[np.float64], grain: float) -> NDArray[np.float64]:
    """Ratio of each score to the larger of those two places away; 1 where one of these does not exist."""
    out = np.ones(len(scores))
    for k in range(2, len(scores) - 2):
        if not math.isfinite(scores[k]):
            continue
        out[k] = (scores[k] + grain) / (max(scores[k - 2], scores[k + 2]) + grain)
    return out
