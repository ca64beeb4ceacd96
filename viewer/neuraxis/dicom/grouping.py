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

ORIENTATION_TOLERANCE = 1e-4
SAME_PLACE_MM = 1e-3


@dataclass
class Group:
    """Frames of one volume or picture set, its grid, and what was decided on the way."""

    frames: list[Frame]
    placement: Placement
    warnings: list[str] = field(default_factory=list)
    label: str = ""


@dataclass
class _Left:
    """Frames left out of a volume: shown as pictures, with the reason."""

    frames: list[Frame]
    reason: str


def _spacing_key(common: Common) -> Any:
    return tuple(round(s, 4) for s in common.spacing_mm) if common.spacing_mm else common.spacing_problem


def _echo_key(common: Common) -> Any:
    echo = common.value("EchoTime")
    return None if echo is None else round(echo, 2)


def _b_value(common: Common) -> float | None:
    for keyword in ("DiffusionBValue", "PhilipsBValue", "SiemensBValue"):
        value = common.value(keyword)
        if value is not None:
            return value
    text = common.get("GeBValue").split("\\")[0]
    number = float(text) if text.strip().lstrip("-").isdigit() and common.get("GeCreator") == "GEMS_PARM_01" else None
    return None if number is None else number % 100000


def _ge_kind(common: Common) -> Any:
    if common.get("GeCreator") != "GEMS_PARM_01":
        return None
    kind = common.value("GeImageKind")
    return {0: "magnitude", 1: "phase", 2: "real", 3: "imaginary"}.get(int(kind)) if kind is not None else None


HARD_KEYS: tuple[tuple[str, Callable[[Common], Any]], ...] = (
    ("patient", lambda c: c.get("PatientID")),
    ("frame of reference", lambda c: c.get("FrameOfReferenceUID")),
    ("kind of object", lambda c: c.get("SOPClassUID")),
    ("modality", lambda c: c.get("Modality")),
    ("image type", lambda c: c.image_type),
    ("complex component", lambda c: c.get("ComplexImageComponent")),
    ("magnitude or phase", _ge_kind),
    ("GE image flag", lambda c: c.value("GeCollapseFlag") if c.get("GeCreator") == "GEMS_PARM_01" else None),
    ("Philips image kind", lambda c: c.get("PhilipsImageKind")),
    ("echo time", _echo_key),
    ("echo number", lambda c: c.value("EchoNumbers")),
    ("b-value", _b_value),
    ("inversion time", lambda c: c.value("InversionTime")),
    ("reconstruction kernel", lambda c: c.get("ConvolutionKernel")),
    ("tube voltage", lambda c: c.value("KVP")),
    ("stack", lambda c: c.get("StackID")),
    ("contrast agent", lambda c: c.get("ContrastBolusAgent")),
    ("series description", lambda c: c.get("SeriesDescription")),
    ("colour", lambda c: c.pixel_format and (c.pixel_format.samples, _colour(c.pixel_format.photometric))),
    ("number format", lambda c: c.pixel_format and c.pixel_format.pixel_tag),
    ("lossy compression", lambda c: c.lossy),
)
SHAPE_KEYS: tuple[tuple[str, Callable[[Common], Any]], ...] = (
    ("matrix", lambda c: c.pixel_format and (c.pixel_format.rows, c.pixel_format.columns)),
    ("pixel spacing", _spacing_key),
    ("rescale", lambda c: (c.rescale.problem, c.rescale.present, "ModalityLUTSequence" in c.raw)),
)


def _colour(photometric: str) -> str:
    return "MONOCHROME" if photometric in ("MONOCHROME1", "MONOCHROME2") else photometric


SOFT_KEYS: tuple[tuple[str, Callable[[Frame], Any]], ...] = (
    ("time points", lambda f: f.temporal_position),
    ("acquisitions", lambda f: f.acquisition_number),
    ("diffusion directions", lambda f: f.common.get("DiffusionGradientOrientation")),
    ("trigger times", lambda f: f.trigger_time),
    ("acquisition times", lambda f: f.acquisition_time),
    ("content times", lambda f: f.content_time),
    ("transfer syntaxes", lambda f: f.common.transfer_syntax),
)


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
        left: list[_Left] = []
        stacks = [main]
        for other in members[1:]:
            if len(other) <= max(1, len(main) // 10) and len(main) >= 4 and _inside(other, main):
                left.append(_Left(other, _odd_reason(other[0], main[0])))
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

    def _split_repeats(self, frames: list[Frame], left: list[_Left], named: list[str]) -> list[Group]:
        """Set apart frames without a place, and split where several frames lie at one place."""
        warnings = [*self.notes, *named]
        unplaced, placed = _by_place(frames)
        if not placed:
            return [*self._pictures(unplaced, unplaced_reason(unplaced[0]), warnings), *self._left(left, warnings)]
        for frame in unplaced:
            left.append(_Left([frame], f"{frame.name} {unplaced_reason(frame)}; left out"))
        parts, remarks, more = _resolve_repeats(placed)
        left.extend(more)
        warnings = [*warnings, *remarks]
        out: list[Group] = []
        for number, part in enumerate(parts):
            out.extend(self._stacks(part, left if number == 0 else [], warnings))
        out.extend(self._left(left, warnings))
        return out

    def _stacks(self, frames: list[Frame], left: list[_Left], warnings: list[str]) -> list[Group]:
        out = []
        for stack in split_stacks(frames):
            out.append(self._finish(stack, left, warnings))
        return out

    def _finish(self, stack: Stack, left: list[_Left], warnings: list[str]) -> Group:
        placement = place(stack.frames) if stack.refusal is None else Placement(refusal=stack.refusal)
        said = [*warnings, *stack.warnings, *(item.reason for item in left)]
        _mark_refused(placement, stack.frames, [f for item in left for f in item.frames])
        return Group(stack.frames, placement, said)

    def _pictures(self, frames: list[Frame], reason: str, warnings: list[str]) -> list[Group]:
        return [Group(_by_number(frames), Placement(refusal=reason), list(warnings))]

    def _left(self, left: list[_Left], warnings: list[str]) -> list[Group]:
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
    if other[0].position is None:
        return True
    positions, depth = depths(placed)
    low, high = float(depth.min()), float(depth.max())
    step = (high - low) / (len(placed) - 1)
    normal = np.cross(placed[0].common.orientation[:3], placed[0].common.orientation[3:])  # type: ignore[index]
    spacing = placed[0].common.spacing_mm or (1.0, 1.0)
    pixel_format = placed[0].common.pixel_format
    reach = 1.0 if pixel_format is None else 1.1 * max(pixel_format.rows * spacing[0], pixel_format.columns * spacing[1])
    for frame in other:
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
    if _spacing_key(a) != _spacing_key(b):
        if a.spacing_mm and b.spacing_mm:
            return f"{frame.name}: PixelSpacing {a.spacing_mm[0]:g}, the series has {b.spacing_mm[0]:g}: left out"
        return f"{frame.name}: {a.spacing_problem}: left out"
    if a.rescale.problem or a.rescale.present != b.rescale.present:
        return f"{frame.name}: {a.rescale.problem or 'has no rescale, the others have'}: left out"
    return f"{frame.name} has another orientation than the series: left out"


def _resolve_repeats(frames: list[Frame]) -> tuple[list[list[Frame]], list[str], list[_Left]]:
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


def _one_place(frames: list[Frame]) -> tuple[list[list[Frame]], list[str], list[_Left]]:
    parts: dict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        parts[frame.common.transfer_syntax].append(frame)
    if len(parts) == len(frames):
        return list(parts.values()), [f"{len(frames)} files show one slice in {len(parts)} transfer syntaxes: kept apart"], []
    return [], [], [_Left(frames, f"all {len(frames)} slices claim the same position")]


def _repeats(main: list[Frame], repeats: list[Frame]) -> list[_Left]:
    _, depth = depths(main)
    order = np.argsort(depth)
    _, own = depths(repeats)
    out = []
    for frame, where in zip(repeats, own, strict=True):
        number = int(np.argmin(np.abs(depth[order] - where))) + 1
        twin = main[int(order[number - 1])]
        out.append(_Left(
            [frame], f"2 images at the same position (slice {number}): {twin.name} was taken, {frame.name} is kept apart"
        ))
    return out


def _by_rank_or_leave(
    frames: list[Frame], places: dict[Any, list[Frame]]
) -> tuple[list[list[Frame]], list[str], list[_Left]]:
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
            left.append(_Left(repeated, f"{len(repeated)} images at the same position: {names} differ, none was taken"))
    if len(single) >= 2:
        return [single], [], left
    return [], [], [_Left(frames, f"{len(frames)} images at {len(places)} positions, no attribute tells them apart")]


def _places(frames: list[Frame]) -> dict[Any, list[Frame]]:
    out: dict[Any, list[Frame]] = defaultdict(list)
    for frame in frames:
        assert frame.position is not None
        x, y, z = frame.position
        out[(round(x / SAME_PLACE_MM), round(y / SAME_PLACE_MM), round(z / SAME_PLACE_MM))].append(frame)
    return out


def _mark_refused(placement: Placement, frames: list[Frame], refused: list[Frame]) -> None:
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
