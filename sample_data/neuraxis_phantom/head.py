"""The head: every implicit surface on one coarse grid, and their interpolation onto any acquisition grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuraxis_phantom import skull, soft
from neuraxis_phantom.frames import Grid, Rigid, rotation_xyz
from neuraxis_phantom.implicit import Canvas, Field, Point, random_field, smooth_max

STEP_MM = 1.25
LOW: Point = (-90.0, -138.75, -56.25)
HIGH: Point = (90.0, 91.25, 78.75)
TILT_DEGREES = (-1.0, 1.2, 1.5)
"""How the anatomy lies in the model grid: nobody's head is straight in the scanner."""
NEAR_MM = 2.0

Box = tuple[slice, slice, slice]


@dataclass(frozen=True)
class Layer:
    """One field cut to the box in which it matters; `first` is the model-grid index (z, y, x) of its corner."""

    values: Field
    first: tuple[int, int, int]


def model_from_anatomy() -> Rigid:
    """From anatomical coordinates (x = 0 is mid-sagittal, z = 0 the foramen magnum) to model coordinates, mm."""
    return Rigid(rotation_xyz(TILT_DEGREES), np.zeros(3))


@dataclass(frozen=True)
class Head:
    """Named fields on the model grid."""

    layers: dict[str, Layer]
    origin: Point
    step: float

    def value_at(self, name: str, points: NDArray[np.float64]) -> Field:
        """Field `name` (mm) at model points of shape (n, 3)."""
        layer = self.layers[name]
        index = (np.asarray(points)[:, ::-1] - np.asarray(self.origin)[::-1]) / self.step - np.asarray(layer.first)
        return np.asarray(
            ndimage.map_coordinates(layer.values, index.T, order=1, mode="nearest", output=np.float32), dtype=np.float32
        )


def make_canvas(seed: int) -> Canvas:
    """Model grid with coordinates warped by 1 to 2 mm away from the foramen magnum (no two sides are equal)."""
    count = [round((HIGH[n] - LOW[n]) / STEP_MM) + 1 for n in range(3)]
    shape = (count[2], count[1], count[0])
    z, y, x = (
        np.linspace(LOW[n], HIGH[n], count[n], dtype=np.float32).reshape([-1 if a == 2 - n else 1 for a in range(3)])
        for n in (2, 1, 0)
    )
    turn = rotation_xyz(TILT_DEGREES).astype(np.float32)
    x, y, z = (turn[0, n] * x + turn[1, n] * y + turn[2, n] * z for n in range(3))
    still = 1 - np.exp(-(x * x + y * y + z * z) / np.float32(2 * 24.0**2))
    face = 1 / (1 + np.exp((y + np.float32(48)) / 5))
    warped = []
    for n, axis in enumerate((x, y, z)):
        noise = random_field(shape, STEP_MM, (75, 75, 75), seed + 1 + n)
        detail = random_field(shape, STEP_MM, (32, 32, 32), seed + 4 + n)
        warped.append(
            np.asarray(axis + np.float32(1.1) * noise * still + np.float32(0.9) * detail * face, dtype=np.float32)
        )
    return Canvas(warped[0], warped[1], warped[2], LOW, STEP_MM)


def build_fields(seed: int) -> dict[str, Field]:
    """All fields of the head without a lesion, on the model grid."""
    c = make_canvas(seed)
    spaces = skull.cavities(c)
    fields: dict[str, Field] = {"inner": spaces["inner"], "canal": spaces["canal"]}
    fields["bone"] = skull.bones(c, spaces, seed)
    fields.update(skull.air_spaces(c, seed))
    fields["skin"] = soft.skin(c, spaces["cranial"])
    fields["muscle"] = soft.muscles(c, fields["skin"], seed)
    fields.update(soft.eyes(c))
    stem = soft.brainstem(c)
    fields["stem"] = smooth_max(stem, spaces["inner"] + np.float32(0.8), 1)
    fields.update(soft.cerebrum(c, spaces, stem, seed))
    fields.update(soft.cerebellum(c, spaces, stem, seed))
    fields.update(soft.ventricles(c))
    fields.update(soft.deep_brain(c))
    fields.update(soft.vessels(c))
    tent = skull.tentorium_height(c)
    sheet = np.maximum(np.abs(c.z - tent) - np.float32(0.4), np.float32(-12) - c.y)
    falx = np.maximum(np.abs(c.x) - np.float32(0.45), np.maximum(np.float32(48) - c.z, np.abs(c.y + 14) - 80))
    fields["leaves"] = np.maximum(np.minimum(sheet, falx), smooth_max(spaces["inner"], np.float32(1.0) - stem, 1))
    texture = np.random.default_rng(seed + 71)
    fields["grain"] = ndimage.gaussian_filter(texture.standard_normal(c.shape, dtype=np.float32), 0.8) * np.float32(5)
    return fields


def crop_layers(fields: dict[str, Field]) -> dict[str, Layer]:
    """Cut each field to the box where it is nearer than a few mm."""
    out: dict[str, Layer] = {}
    for name, values in fields.items():
        if name in ("sulci", "folia", "grain"):
            out[name] = Layer(values, (0, 0, 0))
            continue
        near = values < NEAR_MM + 1.0
        bounds = []
        for axis in range(3):
            used = np.flatnonzero(near.any(axis=tuple(a for a in range(3) if a != axis)))
            bounds.append((max(0, int(used[0]) - 1), int(used[-1]) + 2))
        box = tuple(slice(a, b) for a, b in bounds)
        out[name] = Layer(np.ascontiguousarray(values[box]), (bounds[0][0], bounds[1][0], bounds[2][0]))
    return out


def separable(values: Field, scale: NDArray[np.float64], offset: NDArray[np.float64], box: Box) -> Field:
    """Trilinear interpolation where the grids are parallel: one axis after the other, smallest result first."""
    out = values
    for axis in range(3):
        index = np.arange(box[axis].start, box[axis].stop) * scale[axis] + offset[axis]
        index = np.clip(index, 0, values.shape[axis] - 1)
        low = np.minimum(index.astype(np.intp), values.shape[axis] - 2)
        weight = (index - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        base = np.take(out, low, axis=axis)
        base += weight * (np.take(out, low + 1, axis=axis) - base)
        out = base
    return out


@dataclass(frozen=True)
class Sampler:
    """Reads fields of the head on one (sub-)grid of an acquisition."""

    head: Head
    grid: Grid
    model_from_frame: Rigid

    def _to_model(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Matrix and offset from grid index (z, y, x) to model-grid index (z, y, x)."""
        a = self.grid.affine()
        m = self.model_from_frame.rotation @ a[:, :3] / self.head.step
        o = (self.model_from_frame.apply(a[:, 3]) - np.asarray(self.head.origin)) / self.head.step
        return m[::-1], o[::-1]

    def box_of(self, name: str) -> Box | None:
        """Index box of the grid in which layer `name` may matter; None where it lies outside."""
        layer = self.head.layers[name]
        matrix, offset = self._to_model()
        low = np.asarray(layer.first, dtype=np.float64)
        high = low + np.asarray(layer.values.shape) - 1
        corners = np.array([[(low, high)[(n >> b) & 1][b] for b in range(3)] for n in range(8)])
        index = (corners - offset) @ np.linalg.inv(matrix).T
        first = [max(int(np.floor(v)), 0) for v in index.min(axis=0)]
        last = [min(int(np.ceil(v)) + 1, n) for v, n in zip(index.max(axis=0), self.grid.shape, strict=True)]
        if any(b <= a for a, b in zip(first, last, strict=True)):
            return None
        return (slice(first[0], last[0]), slice(first[1], last[1]), slice(first[2], last[2]))

    def read(self, name: str, box: Box) -> Field:
        """Layer `name` interpolated (trilinear) in the index box."""
        layer = self.head.layers[name]
        matrix, offset = self._to_model()
        start = np.array([s.start for s in box], dtype=np.float64)
        off_axis = matrix - np.diag(np.diag(matrix))
        if np.abs(off_axis).max() < 1e-9:
            return separable(layer.values, np.diag(matrix), offset - np.asarray(layer.first), box)
        out = np.empty([s.stop - s.start for s in box], dtype=np.float32)
        ndimage.affine_transform(
            layer.values,
            matrix,
            offset + matrix @ start - np.asarray(layer.first),
            output_shape=out.shape,
            output=out,
            order=1,
            mode="nearest",
            prefilter=False,
        )
        return out

    def points(self, box: Box) -> Iterator[Field]:
        """Model coordinates x, y, z (mm) of the voxels in the box."""
        a = self.grid.affine()
        m = self.model_from_frame.rotation @ a[:, :3]
        o = self.model_from_frame.apply(a[:, 3])
        k, j, i = (np.arange(s.start, s.stop, dtype=np.float32) for s in box)
        for n in range(3):
            yield np.asarray(
                np.float32(m[n, 0]) * k[:, None, None]
                + np.float32(m[n, 1]) * j[None, :, None]
                + np.float32(m[n, 2]) * i
                + np.float32(o[n]),
                dtype=np.float32,
            )
