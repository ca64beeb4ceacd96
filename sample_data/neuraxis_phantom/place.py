"""Puts the lesion into the head: exact distance to bone, pressed-in brain, bone changes, dural tail."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neuraxis_phantom.head import HIGH, LOW, STEP_MM, Head
from neuraxis_phantom.implicit import Field, smooth_max, smooth_min
from neuraxis_phantom.lesions import Lesion

F = np.float32
BRAIN = ("stem", "cerebrum", "cerebellum")
SPOTS = 40


@dataclass(frozen=True)
class PlacedLesion:
    """A lesion with its centre in model coordinates (mm)."""

    lesion: Lesion
    centre: NDArray[np.float64]
    spots: NDArray[np.float64]
    """Calcified spots (n, 4): offset x, y, z and radius in mm, for the punctate and amorphous patterns."""
    indentation_mm: float = 0.0
    """How deep the lesion lies in the brain surface as it was without it."""

    def distance(self, x: Field, y: Field, z: Field) -> Field:
        """Distance to the lesion's boundary (mm, negative inside) at model points."""
        r = np.asarray(self.lesion.diameters_mm, dtype=np.float32) / 2
        dx, dy, dz = x - F(self.centre[0]), y - F(self.centre[1]), z - F(self.centre[2])
        if self.lesion.lobulation == 0 and r[0] == r[1] == r[2]:
            return np.asarray(np.sqrt(dx * dx + dy * dy + dz * dz) - r[0], dtype=np.float32)
        u, v, w = dx / r[0], dy / r[1], dz / r[2]
        k0 = np.sqrt(u * u + v * v + w * w)
        k1 = np.sqrt((u / r[0]) ** 2 + (v / r[1]) ** 2 + (w / r[2]) ** 2) + F(1e-6)
        d = k0 * (k0 - 1) / k1
        if self.lesion.lobulation:
            q = np.maximum(k0, F(0.3))
            wave = np.sin(5 * u / q + 1) * np.sin(4 * v / q + 2) * np.sin(5 * w / q + 0.5)
            d = d - F(self.lesion.lobulation * 2 * r.mean()) * wave
        return np.asarray(d, dtype=np.float32)

    def calcium_fraction(self, x: Field, y: Field, z: Field, d: Field) -> Field:
        """How calcified (0 to 1) each model point of the lesion is, by its pattern."""
        pattern = self.lesion.calcification
        if pattern == "none":
            return np.zeros_like(d)
        if pattern == "dense":
            return np.ones_like(d)
        if pattern == "rim":
            return np.asarray(np.clip(F(0.5) + (d + F(1.6)) / F(0.3), 0, 1), dtype=np.float32)
        out = np.zeros(d.shape, dtype=np.float32)
        deep = d < -0.4
        x, y, z = (np.broadcast_to(v, d.shape)[deep] for v in (x, y, z))
        near = np.full(x.shape, 9, dtype=np.float32)
        for ox, oy, oz, radius in self.spots:
            px, py, pz = x - F(self.centre[0] + ox), y - F(self.centre[1] + oy), z - F(self.centre[2] + oz)
            near = np.minimum(near, np.sqrt(px * px + py * py + pz * pz) - F(radius))
        soft = 1.6 if pattern == "amorphous" else 0.25
        out[deep] = np.clip(F(0.5) - near / F(soft), 0, 1)
        return out


def calcified_spots(lesion: Lesion, seed: int) -> NDArray[np.float64]:
    """Offsets (mm, from the centre) and radii of calcified spots inside the lesion."""
    if lesion.calcification not in ("punctate", "amorphous"):
        return np.zeros((0, 4))
    rng = np.random.default_rng(np.random.SeedSequence([104729, seed]))
    half = np.asarray(lesion.diameters_mm) / 2
    count = max(4, min(SPOTS, int(lesion.volume_mm3() / (450 if lesion.calcification == "punctate" else 70))))
    unit = rng.standard_normal((count, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    depth = rng.uniform(0.0, 0.62 if lesion.calcification == "amorphous" else 0.75, (count, 1)) ** (1 / 2)
    size = (
        rng.uniform(0.6, 1.0, (count, 1)) if lesion.calcification == "punctate" else rng.uniform(1.2, 2.2, (count, 1))
    )
    return np.concatenate([unit * depth * half * 0.9, size], axis=1)


def bone_distance(
    head: Head, placed: PlacedLesion, step: float = 0.15, reach: float = 4.0
) -> tuple[float, NDArray[np.float64]]:
    """Shortest distance (mm) from the lesion's surface to bone, and the bone point nearest to it (model mm).

    Measured, not read from the fields: bone voxels of a `step` grid about the lesion against the lesion's own distance.
    """
    half = max(placed.lesion.diameters_mm) / 2 + reach
    axis = np.arange(-half, half + step / 2, step)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1) + placed.centre
    values = head.value_at("bone", points)
    near = np.abs(values) < 0.3
    points, values = points[near], values[near]
    slope = (
        np.stack(
            [head.value_at("bone", points + o) - head.value_at("bone", points - o) for o in np.eye(3) * 0.3], axis=1
        )
        / 0.6
    )
    size = np.maximum((slope**2).sum(axis=1, keepdims=True), 0.2)
    points = points - values[:, None] * slope / size
    if not len(points):
        return float("inf"), placed.centre
    d = placed.distance(*(points[:, n].astype(np.float32) for n in range(3)))
    best = int(np.argmin(d))
    return float(d[best]), points[best]


def indentation(head: Head, placed: PlacedLesion) -> float:
    """Depth (mm) of the lesion's deepest surface point in the undeformed brain; 0 where it only touches or lies off."""
    half = max(placed.lesion.diameters_mm) / 2 + 0.5
    axis = np.linspace(-half, half, 41)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1) + placed.centre
    inside = placed.distance(*(points[:, n].astype(np.float32) for n in range(3))) <= 0
    depth = min(float(head.value_at(name, points[inside]).min()) for name in BRAIN)
    return max(0.0, -depth)


def settle(head: Head, placed: PlacedLesion) -> PlacedLesion:
    """Slide the lesion along the line to the nearest bone until the gap is the one asked for."""
    wanted = placed.lesion.bone_gap_mm
    if wanted is None:
        return placed
    for _ in range(12):
        reach = 4.0 if max(placed.lesion.diameters_mm) < 8 else 8.0
        gap, nearest = bone_distance(head, placed, 0.15 if reach < 5 else 0.35, reach)
        if not np.isfinite(gap) or abs(gap - wanted) < 0.01:
            break
        away = placed.centre - nearest
        away[2] *= 0.5
        move = away / np.linalg.norm(away) * (wanted - gap)
        placed = replace(placed, centre=placed.centre + move)
    return placed


def deform(fields: dict[str, Field], placed: PlacedLesion) -> None:
    """Press the lesion into brain, add or take bone, draw the tail and oedema (fields change in place)."""
    shape = fields["bone"].shape
    z, y, x = (
        (np.arange(n, dtype=np.float32) * F(STEP_MM) + F(LOW[a])).reshape([-1 if b == 2 - a else 1 for b in range(3)])
        for a, n in ((2, shape[0]), (1, shape[1]), (0, shape[2]))
    )
    lesion = placed.lesion
    d = placed.distance(x, y, z)
    if lesion.compartment != "intra_axial":
        clear = F(max(lesion.rim_mm - 0.1, 0.35) if lesion.enhancement == "rim" else 0.35)
        for name in BRAIN:
            fields[name] = smooth_max(fields[name], clear - d, 1.2)
        for name in ("arteries", "veins"):
            fields[name] = np.maximum(fields[name], F(0.5) - d)
    if lesion.bone_change == "erosion":
        fields["bone"] = smooth_max(fields["bone"], F(0.2) - d, 1.0)
    if lesion.bone_change == "hyperostosis":
        grown = smooth_max(d - F(6.0), fields["bone"] - F(3.5), 2)
        grown = smooth_max(grown, F(0.1) - d, 0.5)
        fields["bone"] = smooth_min(fields["bone"], grown, 1.0)
        fields["hyperostosis"] = grown + F(0.5)
        fields["inner"] = np.maximum(fields["inner"], F(0.3) - grown)
        for name in BRAIN:
            fields[name] = smooth_max(fields[name], F(0.9) - grown, 1.0)
    if lesion.dural_tail_mm > 0:
        half = float(max(lesion.diameters_mm)) / 2
        along = np.clip((d - F(0.0)) / F(lesion.dural_tail_mm), 0, 1)
        thick = F(lesion.dural_tail_thickness_mm) * (1 - along) ** F(0.7)
        sheet = np.abs(fields["inner"] + F(0.4)) - thick / 2
        fields["tail"] = np.maximum(sheet, d - F(min(lesion.dural_tail_mm, half * 2.2)))
    if lesion.oedema_mm > 0:
        fields["oedema"] = d - F(lesion.oedema_mm)
    low, high = np.asarray(LOW), np.asarray(HIGH)
    if np.any(placed.centre < low) or np.any(placed.centre > high):
        raise ValueError(f"lesion at {placed.centre} lies outside the head model")
