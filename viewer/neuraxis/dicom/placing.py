"""Where slices lie: a regular grid from positions alone, gaps kept as gaps, nothing moved and nothing averaged."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neuraxis.dicom.attributes import Common
from neuraxis.dicom.frame import Frame
from neuraxis.domain.geometry import SHEAR_TOLERANCE_DEGREES, Vector3, VolumeGeometry
from neuraxis.errors import GeometryError

Array = NDArray[np.float64]

EXACT_MM = 0.01
"""A slice further than this from its place on the grid (beyond the rounding of its written position) is not on it."""

SPLIT_GAP_STEPS = 6.0
SPLIT_GAP_MM = 20.0
"""A gap both this many steps and this many mm wide separates two stacks."""


@dataclass
class Placement:
    """The grid of a stack, and which frame lies where.

    `slots[k]` is the index of the frame in grid slice k, or -1. `blends` is set for uneven stacks: per grid slice
    (lower frame, upper frame, weight of the upper one).
    """

    geometry: VolumeGeometry | None = None
    refusal: str | None = None
    slots: list[int] = field(default_factory=list)
    blends: list[tuple[int, int, float]] | None = None
    missing: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()
    warnings: list[str] = field(default_factory=list)
    depths_mm: tuple[float, ...] = ()
    """Position of each frame along the slice normal, in the order of the frames."""


@dataclass
class Stack:
    """Frames that belong together, in slice order, and what is wrong with their places."""

    frames: list[Frame]
    warnings: list[str] = field(default_factory=list)
    refusal: str | None = None


def _normal(frame: Frame) -> tuple[Array, Array, Array]:
    assert frame.common.orientation is not None
    row, column = np.array(frame.common.orientation[:3]), np.array(frame.common.orientation[3:])
    normal = np.cross(row, column)
    return row, column, normal / np.linalg.norm(normal)


def depths(frames: Sequence[Frame]) -> tuple[Array, Array]:
    """(positions (n, 3), projections on the slice normal (n,)) in mm of placed frames."""
    positions = np.array([f.position for f in frames], dtype=np.float64)
    return positions, positions @ _normal(frames[0])[2]


def rounding_mm(frames: Sequence[Frame], step_mm: float) -> Array:
    """How far each written coordinate may be from the true one, from its decimals (x, y, z).

    Never more than 5 % of a step or 0.05 mm, whichever is larger: beyond that rounding explains nothing.
    """
    decimals = np.array([f.decimals for f in frames]).max(axis=0)
    rounding: Array = np.minimum(0.5 * 10.0**-decimals, max(0.05, 0.05 * step_mm))
    return rounding


def header_reason(common: Common) -> str:
    """Why slices with this header have no place in the patient, wherever they lie; '' where they may have one."""
    if common.pixel_format is not None and common.pixel_format.samples > 1:
        return "colour picture: no measurable values"
    if common.pixel_format is not None and common.pixel_format.photometric == "PALETTE COLOR":
        return "palette colour: picture only, no HU"
    return common.orientation_problem or common.spacing_problem


def unplaced_reason(frame: Frame) -> str:
    """Why a frame has no place in the patient; '' where it has one."""
    if frame.position is None and frame.position_problem.startswith("mosaic"):
        return frame.position_problem
    return header_reason(frame.common) or (frame.position_problem if frame.position is None else "")


def split_stacks(frames: list[Frame]) -> list[Stack]:
    """Stacks of a group of placed frames with distinct positions: cut at wide gaps and where origins jump sideways."""
    positions, depth = depths(frames)
    order = np.argsort(depth, kind="stable")
    ordered = [frames[i] for i in order]
    if len(frames) < 3:
        return [Stack(ordered)]
    positions, depth = positions[order], depth[order]
    gaps = np.diff(depth)
    typical = float(np.median(gaps))
    cuts: dict[int, str] = {}
    for k in np.flatnonzero((gaps > SPLIT_GAP_STEPS * typical) & (gaps > SPLIT_GAP_MM)):
        cuts[int(k)] = f"{gaps[k]:.4g} mm gap between slice {k + 1} and {k + 2}: read as separate stacks"
    normal = _normal(frames[0])[2]
    sideways = np.diff(positions, axis=0) - gaps[:, None] * normal
    drift = sideways / np.maximum(gaps, 1e-6)[:, None]
    usual = np.median(drift, axis=0)
    jump = np.linalg.norm((drift - usual) * gaps[:, None], axis=1)
    limit = 4 * float(rounding_mm(frames, typical).max()) + 2 * EXACT_MM
    jumps = np.flatnonzero(jump > max(limit, 0.05))
    if 0 < len(jumps) <= max(1, len(frames) // 4):
        for k in jumps:
            cuts[int(k)] = f"slice origins move by {jump[k]:.3g} mm across the slice plane at slice {k + 2}"
    if not cuts:
        return [Stack(ordered)]
    return _cut(ordered, cuts, depth)


def _cut(ordered: list[Frame], cuts: dict[int, str], depth: Array) -> list[Stack]:
    bounds = [0, *(k + 1 for k in sorted(cuts)), len(ordered)]
    parts = list(itertools.pairwise(bounds))
    main = max(b - a for a, b in parts)
    stacks = []
    for a, b in parts:
        stack = Stack(ordered[a:b])
        if b - a == 1 and main >= 3:
            neighbour = depth[a - 1] if a else depth[b]
            stack.refusal = f"{ordered[a].name} lies {abs(depth[a] - neighbour):.4g} mm beyond the stack"
            stack.warnings.append(stack.refusal)
        elif main >= 3:
            stack.warnings.extend(cuts[k] for k in sorted(cuts) if k + 1 in (a, b))
        stacks.append(stack)
    for stack in stacks:
        if stack.refusal is None:
            stack.warnings.extend(s.refusal for s in stacks if s.refusal)
    return stacks


def place(frames: list[Frame]) -> Placement:
    """Grid of a stack whose frames are in slice order (see `split_stacks`)."""
    first = frames[0]
    reason = unplaced_reason(first)
    if reason:
        return Placement(refusal=reason)
    placement = Placement()
    if first.common.orientation_note:
        placement.warnings.append(first.common.orientation_note)
    try:
        _place(frames, placement)
    except GeometryError as error:
        placement.geometry, placement.refusal = None, error.found
    return placement


def _place(frames: list[Frame], placement: Placement) -> None:
    first = frames[0]
    spacing, pixel_format = first.common.spacing_mm, first.common.pixel_format
    assert spacing is not None
    assert pixel_format is not None
    positions, depth = depths(frames)
    placement.depths_mm = tuple(float(d) for d in depth)
    row, column, normal = _normal(first)
    field_mm = max(pixel_format.rows * spacing[0], pixel_format.columns * spacing[1])
    if not 2.0 <= field_mm <= 2500.0 and pixel_format.rows * pixel_format.columns > 64:
        placement.refusal = f"field of view of {field_mm:.3g} mm is implausible: no millimetres"
        return
    thickness = first.common.value("SliceThickness")
    if len(frames) == 1:
        depth_mm = thickness if thickness and 0.01 < thickness < 100 else 1.0
        if depth_mm != thickness:
            placement.warnings.append("one slice without a thickness: 1 mm is shown")
        _set_grid(placement, first, positions[0], row * spacing[1], column * spacing[0], normal * depth_mm, 1)
        placement.slots = [0]
        return
    if float(depth[-1] - depth[0]) < 1e-3:
        placement.refusal = f"all {len(frames)} slices claim the same position"
        return
    problem = _implausible(np.diff(depth), thickness)
    if problem:
        placement.refusal = problem
        return
    grid = _regular_grid(frames, positions, depth)
    if grid is None:
        _uneven(frames, positions, depth, placement, row * spacing[1], column * spacing[0])
        return
    origin, step, index = grid
    count = int(index[-1]) + 1
    _set_grid(placement, first, origin, row * spacing[1], column * spacing[0], step, count)
    placement.slots = [-1] * count
    for frame, slot in enumerate(index):
        placement.slots[int(slot)] = frame
    placement.missing = tuple(k for k, f in enumerate(placement.slots) if f < 0)
    _say_gaps(placement, np.diff(depth), float(np.linalg.norm(step)))
    _say_rest(placement, positions, thickness)


def _implausible(gaps: Array, thickness: float | None) -> str:
    typical = float(np.median(gaps))
    if thickness and thickness > 0 and (typical < 0.01 * thickness or typical > 50 * thickness):
        return f"slice spacing {typical:.4g} mm against SliceThickness {thickness:g}: implausible"
    if typical < 0.02 or typical > 200:
        return f"slice spacing {typical:.4g} mm is implausible"
    return ""


def _regular_grid(frames: list[Frame], positions: Array, depth: Array) -> tuple[Array, Array, NDArray[np.int64]] | None:
    """(origin, step, slice index of each frame) where all frames lie on one line of equal steps, else None."""
    gaps = np.diff(depth)
    typical = float(np.median(gaps))
    for step in dict.fromkeys((typical, float(gaps.min()), float(np.quantile(gaps, 0.25, method="nearest")))):
        if step <= 1e-3:
            continue
        index = np.concatenate([[0], np.cumsum(np.rint(gaps / step))]).astype(np.int64)
        if (np.diff(index) < 1).any() or index[-1] + 1 > 3 * len(frames) + 2:
            continue
        origin, vector = _fit_ends(positions, index)
        if np.linalg.norm(positions - (origin + index[:, None] * vector), axis=1).max() <= EXACT_MM:
            return origin, vector, index
        origin, vector = _fit_least_squares(positions, index)
        if (np.abs(positions - (origin + index[:, None] * vector)) <= EXACT_MM + 1.2 * rounding_mm(frames, step)).all():
            return origin, vector, index
    return None


def _fit_ends(positions: Array, index: NDArray[np.int64]) -> tuple[Array, Array]:
    return positions[0], (positions[-1] - positions[0]) / index[-1]


def _fit_least_squares(positions: Array, index: NDArray[np.int64]) -> tuple[Array, Array]:
    design = np.stack([np.ones(len(index)), index.astype(np.float64)], axis=1)
    solution = np.linalg.lstsq(design, positions, rcond=None)[0]
    return solution[0], solution[1]


def _set_grid(
    placement: Placement, frame: Frame, origin: Array, step_x: Array, step_y: Array, step_z: Array, count: int
) -> None:
    pixel_format = frame.common.pixel_format
    assert pixel_format is not None

    def vector(v: Array) -> Vector3:
        return (float(v[0]), float(v[1]), float(v[2]))

    placement.geometry = VolumeGeometry(
        (count, pixel_format.rows, pixel_format.columns), vector(origin), vector(step_x), vector(step_y), vector(step_z),
        frame.common.get("FrameOfReferenceUID"),
    )
    if placement.geometry.shear_degrees > 80:
        raise GeometryError(f"slice origins run {placement.geometry.shear_degrees:.0f} degrees from the slice normal")
    if count > 1 and placement.geometry.shear_degrees > SHEAR_TOLERANCE_DEGREES:
        placement.warnings.append(f"gantry tilt {placement.geometry.shear_degrees:.3g} degrees: volume is sheared")


def _say_gaps(placement: Placement, gaps: Array, step_mm: float) -> None:
    if not placement.missing:
        return
    distance = placement.geometry.slice_distance_mm if placement.geometry else step_mm
    wide = np.flatnonzero(gaps > 1.5 * distance)
    if len(wide) > 2 and np.array_equal(wide, np.arange(wide[0], len(gaps))):
        placement.warnings.append(
            f"slice spacing changes from {gaps[0]:.4g} to {gaps[-1]:.4g} mm at slice {wide[0] + 1}: read on a grid of "
            f"{distance:.4g} mm, {len(placement.missing)} slices between are marked as missing"
        )
        return
    for k in wide[:8]:
        count = round(gaps[k] / distance) - 1
        plural = "slice is" if count == 1 else "slices are"
        placement.warnings.append(f"{count} {plural} missing between slice {k + 1} and {k + 2} ({gaps[k]:.4g} mm gap)")
    if len(wide) > 1:
        placement.warnings.append(f"{len(placement.missing)} slices are missing in {len(wide)} gaps")


def _say_rest(placement: Placement, positions: Array, thickness: float | None) -> None:
    geometry = placement.geometry
    assert geometry is not None
    index = [k for k, f in enumerate(placement.slots) if f >= 0]
    expected = np.asarray(geometry.origin_lps_mm) + np.array(index)[:, None] * np.asarray(geometry.step_z_mm)
    off = float(np.linalg.norm(positions - expected, axis=1).max())
    if off > EXACT_MM:
        placement.warnings.append(f"positions are rounded in the file: slices lie within {off:.2g} mm of equal steps")
    if thickness and geometry.slice_distance_mm > 1.05 * thickness:
        placement.warnings.append(f"{geometry.slice_distance_mm - thickness:.3g} mm gap between slices of {thickness:g} mm")


def _uneven(
    frames: list[Frame], positions: Array, depth: Array, placement: Placement, step_x: Array, step_y: Array
) -> None:
    """A regular grid between unevenly spaced slices, said so; the native slices stay readable one by one."""
    span = depth[-1] - depth[0]
    line = (positions[-1] - positions[0]) / span
    sideways = np.linalg.norm(positions - positions[0] - (depth - depth[0])[:, None] * line, axis=1)
    if sideways.max() > 0.05 + float(rounding_mm(frames, float(span)).max()):
        placement.refusal = f"slice origins scatter by {sideways.max():.3g} mm across the slice plane"
        return
    gaps = np.diff(depth)
    if gaps.min() < 1e-3:
        placement.refusal = "two slices lie in one plane and beside each other: not a stack"
        return
    # where gaps truly differ the finest decides, so that no slice falls between two planes of the grid
    typical = float(np.median(gaps))
    finest = float(gaps.min()) if gaps.min() < 0.75 * typical else typical
    count = min(round(span / finest) + 1, 4 * len(frames))
    grid = np.linspace(depth[0], depth[-1], max(count, 2))
    _set_grid(placement, frames[0], positions[0], step_x, step_y, line * (grid[1] - grid[0]), len(grid))
    thickness = frames[0].common.value("SliceThickness") or typical
    blends, missing = [], []
    for k, place_mm in enumerate(grid):
        upper = int(np.clip(np.searchsorted(depth, place_mm), 1, len(depth) - 1))
        weight = float(np.clip((place_mm - depth[upper - 1]) / gaps[upper - 1], 0.0, 1.0))
        weight = 0.0 if weight < 1e-6 else 1.0 if weight > 1 - 1e-6 else weight
        blends.append((upper - 1, upper, weight))
        if 0 < weight < 1 and gaps[upper - 1] > 1.5 * max(thickness, typical):
            missing.append(k)
    placement.blends = blends
    placement.slots = [lo if w == 0 else hi if w == 1 else -1 for lo, hi, w in blends]
    placement.missing = tuple(missing)
    text = f"slices are uneven ({gaps.min():.4g} to {gaps.max():.4g} mm apart): "
    placement.warnings.append(
        text + f"resampled linearly to {grid[1] - grid[0]:.4g} mm steps, measure on native slices"
    )
    if missing:
        placement.warnings.append(f"{len(missing)} resampled slices lie in gaps wider than the slices and are marked as missing")
