"""Several frames at one place: time points, acquisitions, repeats; split where an attribute tells them apart, else named."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuraxis.dicom.frame import Frame
from neuraxis.dicom.placing import depths

SAME_DEPTH_MM, SAME_PLACE_MM = 1e-3, 0.01
"""Slices closer than this along their normal, and in all, are at one place."""


@dataclass
class LeftOut:
    """Frames left out of a volume: shown as pictures, with the reason."""

    frames: list[Frame]
    reason: str


SOFT_KEYS: tuple[tuple[str, Callable[[Frame], Any]], ...] = (
    ("time points", lambda f: f.temporal_position),
    ("acquisitions", lambda f: f.acquisition_number),
    ("diffusion directions", lambda f: f.common.get("DiffusionGradientOrientation")),
    ("trigger times", lambda f: f.trigger_time),
    ("acquisition times", lambda f: f.acquisition_time),
    ("content times", lambda f: f.content_time),
    ("transfer syntaxes", lambda f: f.common.transfer_syntax),
)


def resolve_repeats(frames: list[Frame]) -> tuple[list[list[Frame]], list[str], list[LeftOut]]:
    """(parts without repeated places, remarks, frames left out) of placed frames of one kind."""
    places = _places(frames)
    if len(places) == len(frames):
        return [frames], [], []
    if len(places) == 1 and len(frames) > 1:
        return _one_place(frames)
    for label, key in SOFT_KEYS:
        parts: dict[Any, list[Frame]] = defaultdict(list)
        for frame in frames:
            parts[key(frame)].append(frame)
        if len(parts) < 2 or any(len(_places(p)) != len(p) for p in parts.values()):
            continue
        sizes = [len(p) for p in parts.values()]
        if min(sizes) * 2 >= len(places):
            ordered = sorted(parts.items(), key=lambda item: _natural(str(item[0])))
            return [p for _, p in ordered], [f"split into {len(sizes)} {label}: {', '.join(map(str, sizes[:8]))} images"], []
        main = max(parts.values(), key=len)
        if len(main) == len(places):
            return [main], [], _repeats(main, [f for p in parts.values() if p is not main for f in p])
    return _by_rank_or_leave(frames, places)


def _natural(text: str) -> tuple[float, str]:
    try:
        return float(text), text
    except ValueError:
        return 0.0, text


def _one_place(frames: list[Frame]) -> tuple[list[list[Frame]], list[str], list[LeftOut]]:
    parts: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        parts[frame.common.transfer_syntax].append(frame)
    if len(parts) == len(frames):
        return list(parts.values()), [f"{len(frames)} files show one slice in {len(parts)} transfer syntaxes: kept apart"], []
    return [], [], [LeftOut(frames, f"all {len(frames)} slices claim the same position")]


def _repeats(main: list[Frame], repeats: list[Frame]) -> list[LeftOut]:
    _, depth = depths(main)
    order = np.argsort(depth)
    _, own = depths(repeats)
    out = []
    for frame, where in zip(repeats, own, strict=True):
        number = int(np.argmin(np.abs(depth[order] - where))) + 1
        twin = main[int(order[number - 1])]
        out.append(LeftOut(
            [frame], f"2 images at the same position (slice {number}): {twin.name} was taken, {frame.name} is kept apart"
        ))
    return out


def _by_rank_or_leave(
    frames: list[Frame], places: dict[int, list[Frame]]
) -> tuple[list[list[Frame]], list[str], list[LeftOut]]:
    counts = {len(p) for p in places.values()}
    numbered = all(f.number is not None for f in frames) and len({f.number for f in frames}) == len(frames)
    if len(counts) == 1 and numbered:
        count = counts.pop()
        ranked = [sorted(p, key=lambda f: f.number or 0) for p in places.values()]
        parts = [[p[rank] for p in ranked] for rank in range(count)]
        return parts, [f"split into {count} by the order of InstanceNumber at each position: no other attribute tells them apart"], []
    single = [p[0] for p in places.values() if len(p) == 1]
    left = []
    for repeated in places.values():
        if len(repeated) > 1:
            names = " and ".join(f.name for f in repeated[:3])
            left.append(LeftOut(repeated, f"{len(repeated)} images at the same position: {names} differ, none was taken"))
    if len(single) >= 2:
        return [single], [], left
    return [], [], [LeftOut(frames, f"{len(frames)} images at {len(places)} positions, no attribute tells them apart")]


def _places(frames: list[Frame]) -> dict[int, list[Frame]]:
    """Frames by where they lie: neighbours along the normal that are hardly apart share a place."""
    positions, depth = depths(frames)
    order = np.lexsort((*positions.T, np.round(depth, 4)))
    apart = np.linalg.norm(np.diff(positions[order], axis=0), axis=1) >= SAME_PLACE_MM
    apart |= np.abs(np.diff(depth[order])) >= SAME_DEPTH_MM
    number = np.empty(len(frames), np.intp)
    number[order] = np.concatenate([[0], np.cumsum(apart)])
    out: dict[int, list[Frame]] = defaultdict(list)
    for frame, place in zip(frames, number.tolist(), strict=True):
        out[place].append(frame)
    return out
