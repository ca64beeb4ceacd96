"""Frames to volumes: one group per acquisition, every decision named."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neuraxis.dicom.attributes import Common
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.placing import Placement, Stack, depths, header_reason, place, split_stacks, unplaced_reason
from neuraxis.dicom.repeats import LeftOut, resolve_repeats
from neuraxis.dicom.splitting_keys import HARD_KEYS, SHAPE_KEYS, spacing_key

ORIENTATION_TOLERANCE = 1e-4


@dataclass
class Group:
    """Frames of one volume or picture set, its grid, and what was decided on the way."""

    frames: list[Frame]
    placement: Placement
    warnings: list[str] = field(default_factory=list)
    label: str = ""


def group_frames(frames: list[Frame], copies: Callable[[list[Frame]], tuple[list[Frame], list[str]]]) -> list[Group]:
    """Groups of all frames of a study, one per volume or picture set.

    `copies` takes frames that claim the same instance or place and returns those to keep with remarks (it compares bytes).
    """
    series: dict[Any, list[Frame]] = defaultdict(list)
    for frame in frames:
        series[_series_key(frame)].append(frame)
    out: list[Group] = []
    for members in series.values():
        out.extend(_SeriesGrouping(members, copies).groups())
    return out


def _series_key(frame: Frame) -> Any:
    common = frame.common
    key = common.series_key
    if not key:
        uid = common.get("SeriesInstanceUID")
        key = common.series_key = (common.get("StudyInstanceUID"), uid)
    return key if key[1] else (*key, os.path.dirname(frame.ref.path))


class _SeriesGrouping:
    def __init__(self, frames: list[Frame], copies: Callable[[list[Frame]], tuple[list[Frame], list[str]]]) -> None:
        self.frames = frames
        self.copies = copies
        self.notes: list[str] = []
        if not frames[0].common.get("SeriesInstanceUID"):
            self.notes.append("no SeriesInstanceUID: grouped by folder and geometry")

    def groups(self) -> list[Group]:
        self.frames, notes = self._without_copies(self.frames)
        self.notes.extend(notes)
        parts: dict[Any, list[Frame]] = defaultdict(list)
        for frame in self.frames:
            parts[_hard_key(frame.common)].append(frame)
        named = _describe_split([members[0].common for members in parts.values()], HARD_KEYS, [len(m) for m in parts.values()])
        out: list[Group] = []
        for members in parts.values():
            out.extend(self._split_shape(members, named))
        return out

    def _without_copies(self, frames: list[Frame]) -> tuple[list[Frame], list[str]]:
        by_uid: dict[Any, list[Frame]] = defaultdict(list)
        for frame in frames:
            by_uid[(frame.own[0], frame.index, frame.tiles)].append(frame)
        if len(by_uid) == len(frames):
            return frames, []
        kept: list[Frame] = []
        notes: list[str] = []
        repeated = 0
        for key, same in by_uid.items():
            if len(same) == 1 or not key[0].strip(b"\0 "):
                kept.extend(same)
            elif len({f.position for f in same}) == len(same) and same[0].position is not None:
                kept.extend(same)
                repeated += len(same)
            else:
                keep, remarks = self.copies(same)
                kept.extend(keep)
                notes.extend(remarks)
        if repeated:
            notes.append(f"{repeated} slices share SOPInstanceUIDs: annotations cannot be stored as DICOM")
        copied = sum(1 for n in notes if " is a copy of " in n)
        if copied:
            notes = [n for n in notes if " is a copy of " not in n]
            notes.append(f"{copied} file{'s are copies' if copied > 1 else ' is a copy'} of others and set aside")
        return kept, notes

    def _split_shape(self, frames: list[Frame], named: list[str]) -> list[Group]:
        """Split by matrix, spacing, rescale and orientation; odd ones inside a stack are set apart."""
        parts: dict[Any, list[Frame]] = defaultdict(list)
        clusters: list[tuple[float, ...]] = []
        keys: dict[int, tuple[Any, ...]] = {}
        for frame in frames:
            key = keys.get(id(frame.common))
            if key is None:
                key = keys[id(frame.common)] = (*_shape_key(frame.common), _orientation_cluster(frame.common, clusters))
            parts[key].append(frame)
        members = sorted(parts.values(), key=len, reverse=True)
        main = members[0]
        if len(clusters) > 3 and len(clusters) > len(frames) // 2:
            warning = f"{len(clusters)} orientations in {len(frames)} images: shown as pictures"
            return [Group(_by_number(frames), Placement(refusal=warning), [*self.notes, *named, warning])]
        left: list[LeftOut] = []
        stacks = [main]
        for other in members[1:]:
            if len(other) <= max(1, len(main) // 10) and len(main) >= 4 and _inside(other, main):
                left.append(LeftOut(other, _odd_reason(other[0], main[0])))
            else:
                stacks.append(other)
        extra = list(named)
        if len(stacks) > 1:
            extra += _describe_split([s[0].common for s in stacks], SHAPE_KEYS, [len(s) for s in stacks])
            if len({_orientation_cluster(s[0].common, clusters) for s in stacks}) > 1:
                extra.append(f"split by orientation: {len(stacks)} stacks of {', '.join(str(len(s)) for s in stacks)} images")
        out: list[Group] = []
        for rank, stack in enumerate(stacks):
            out.extend(self._split_repeats(stack, left if rank == 0 else [], extra))
        return out

    def _split_repeats(self, frames: list[Frame], left: list[LeftOut], named: list[str]) -> list[Group]:
        """Set apart frames without a place, and split where several frames lie at one place."""
        warnings = [*self.notes, *named]
        unplaced, placed = _by_place(frames)
        if not placed:
            return [*self._pictures(unplaced, unplaced_reason(unplaced[0]), warnings), *self._left(left, warnings)]
        left.extend(LeftOut([frame], f"{frame.name} {unplaced_reason(frame)}; left out") for frame in unplaced)
        parts, remarks, more = resolve_repeats(placed)
        left.extend(more)
        warnings = [*warnings, *remarks]
        out: list[Group] = []
        for number, part in enumerate(parts):
            out.extend(self._stacks(part, left if number == 0 else [], warnings))
        out.extend(self._left(left, warnings))
        return out

    def _stacks(self, frames: list[Frame], left: list[LeftOut], warnings: list[str]) -> list[Group]:
        return [self._finish(stack, left, warnings) for stack in split_stacks(frames)]

    def _finish(self, stack: Stack, left: list[LeftOut], warnings: list[str]) -> Group:
        placement = place(stack.frames) if stack.refusal is None else Placement(refusal=stack.refusal)
        said = [*warnings, *stack.warnings, *(item.reason for item in left)]
        mark_refused(placement, [f for item in left for f in item.frames])
        return Group(stack.frames, placement, said)

    def _pictures(self, frames: list[Frame], reason: str, warnings: list[str]) -> list[Group]:
        return [Group(_by_number(frames), Placement(refusal=reason), list(warnings))]

    def _left(self, left: list[LeftOut], warnings: list[str]) -> list[Group]:
        return [Group(_by_number(item.frames), Placement(refusal=item.reason), list(warnings)) for item in left]


def _by_place(frames: list[Frame]) -> tuple[list[Frame], list[Frame]]:
    """(frames without a place in the patient, frames with one)."""
    without = {id(c): bool(reason) for c, reason in ((f.common, header_reason(f.common)) for f in _one_per_header(frames))}
    unplaced = [f for f in frames if f.position is None or without[id(f.common)]]
    return unplaced, [f for f in frames if f.position is not None and not without[id(f.common)]]


def _one_per_header(frames: list[Frame]) -> list[Frame]:
    return list({id(f.common): f for f in frames}.values())


def _hard_key(common: Common) -> tuple[Any, ...]:
    if not common.split_key:
        common.split_key = tuple(key(common) for _, key in HARD_KEYS)
    return common.split_key


def _shape_key(common: Common) -> tuple[Any, ...]:
    if not common.shape_key:
        common.shape_key = tuple(key(common) for _, key in SHAPE_KEYS)
    return common.shape_key


def _orientation_cluster(common: Common, clusters: list[tuple[float, ...]]) -> Any:
    if common.orientation is None:
        return common.orientation_problem
    for number, known in enumerate(clusters):
        if max(abs(a - b) for a, b in zip(known, common.orientation, strict=True)) <= ORIENTATION_TOLERANCE:
            return number
    clusters.append(common.orientation)
    return len(clusters) - 1


def _describe_split(commons: list[Common], keys: Iterable[tuple[str, Callable[[Common], Any]]], sizes: list[int]) -> list[str]:
    """Which attributes tell the parts of a series apart, in words."""
    if len(commons) < 2:
        return []
    differing = []
    for label, key in keys:
        values = list(dict.fromkeys(_short(key(c)) for c in commons))
        if len(values) > 1:
            shown = ", ".join(values[:4]) + (", …" if len(values) > 4 else "")
            differing.append(f"{label} ({shown})")
    sizes_text = ", ".join(str(n) for n in sizes[:8])
    return [f"split into {len(commons)} by {'; '.join(differing[:3])}: {sizes_text} images"] if differing else []


def _short(value: Any) -> str:
    from neuraxis.dicom.byte_sources import printable

    if isinstance(value, tuple):
        return "\\".join(str(v) for v in value)[:60] or "none"
    return printable(str(value), 40) if value not in (None, "") else "none"


def _by_number(frames: list[Frame]) -> list[Frame]:
    return sorted(frames, key=lambda f: (f.number is None, f.number or 0, f.ref.path, f.index))


def _inside(other: list[Frame], main: list[Frame]) -> bool:
    """Whether frames lie within the stretch that a stack covers (one step beyond included), or have no place at all."""
    placed = [f for f in main if f.position is not None and f.common.orientation is not None]
    if len(placed) < 2:
        return False
    positions, depth = depths(placed)
    low, high = float(depth.min()), float(depth.max())
    step = (high - low) / (len(placed) - 1)
    normal = np.cross(placed[0].common.orientation[:3], placed[0].common.orientation[3:])  # type: ignore[index]
    spacing = placed[0].common.spacing_mm or (1.0, 1.0)
    pixel_format = placed[0].common.pixel_format
    reach = 1.0 if pixel_format is None else 1.1 * max(pixel_format.rows * spacing[0], pixel_format.columns * spacing[1])
    for frame in other:
        if frame.position is None:
            continue
        point = np.array(frame.position)
        projected = float(point @ normal)
        sideways = float(np.linalg.norm((point - positions[0]) - (projected - depth[0]) * normal))
        if not low - 1.5 * step <= projected <= high + 1.5 * step or sideways > 1.5 * reach:
            return False
        if frame.common.orientation is not None and _tilted(frame, normal):
            return False
    return True


def _tilted(frame: Frame, normal: Any) -> bool:
    assert frame.common.orientation is not None
    own = np.cross(frame.common.orientation[:3], frame.common.orientation[3:])
    return bool(abs(float(np.dot(own, normal))) < 0.99)


def _odd_reason(frame: Frame, main: Frame) -> str:
    a, b = frame.common, main.common
    if a.pixel_format and b.pixel_format and (a.pixel_format.rows, a.pixel_format.columns) != (
        b.pixel_format.rows, b.pixel_format.columns
    ):
        return (
            f"{frame.name} is {a.pixel_format.rows}x{a.pixel_format.columns}, "
            f"the series is {b.pixel_format.rows}x{b.pixel_format.columns}: left out"
        )
    if spacing_key(a) != spacing_key(b):
        if a.spacing_mm and b.spacing_mm:
            return f"{frame.name}: PixelSpacing {a.spacing_mm[0]:g}, the series has {b.spacing_mm[0]:g}: left out"
        return f"{frame.name}: {a.spacing_problem}: left out"
    if a.rescale.problem or a.rescale.present != b.rescale.present:
        return f"{frame.name}: {a.rescale.problem or 'has no rescale, the others have'}: left out"
    return f"{frame.name} has another orientation than the series: left out"


def mark_refused(placement: Placement, refused: list[Frame]) -> None:
    """Note which missing slices exist as files that were left out."""
    geometry = placement.geometry
    if geometry is None or not placement.missing:
        return
    slots = set()
    unknown = 0
    normal = np.asarray(geometry.slice_normal_lps)
    for frame in refused:
        if frame.position is None:
            unknown += 1
            continue
        depth = float((np.array(frame.position) - np.asarray(geometry.origin_lps_mm)) @ normal)
        slots.add(round(depth / geometry.slice_distance_mm))
    found = tuple(k for k in placement.missing if k in slots)
    if unknown and len(placement.missing) - len(found) <= unknown:
        found = placement.missing
    placement.refused = found
