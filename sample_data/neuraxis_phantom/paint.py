"""Paints tissues onto an acquisition grid: later tissue covers earlier, edges by partial volume."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis_phantom.frames import Grid, Rigid
from neuraxis_phantom.head import Box, Head, Sampler
from neuraxis_phantom.implicit import Field
from neuraxis_phantom.place import PlacedLesion

F = np.float32
RIM_INSIDE_MM = 0.2
"""How much of the enhancing rim lies within the boundary; the rest is a soft capsule outside."""
Values = dict[str, tuple[float, ...]]
"""Per tissue, its value in each channel."""


@dataclass
class Painting:
    """Channels being painted on one slab, and how sharp the edges are."""

    sampler: Sampler
    values: Values
    channels: list[Field]
    edge_mm: float

    def cover(self, box: Box, occupancy: NDArray[np.floating[Any]], tissue: str) -> None:
        """Blend a tissue in by its occupancy (0 to 1)."""
        for channel, value in zip(self.channels, self.values[tissue], strict=True):
            part = channel[box]
            part += occupancy * (F(value) - part)

    def occupancy(self, distance: NDArray[np.floating[Any]]) -> Field:
        """Share of a voxel inside a surface `distance` mm away (linear over the voxel's width)."""
        out = np.asarray(distance * F(-1 / self.edge_mm), dtype=np.float32)
        out += F(0.5)
        return np.clip(out, 0, 1, out=out)

    def layer(self, name: str, tissue: str, shift: float = 0.0) -> None:
        """Paint layer `name`, grown by -shift mm, with a tissue."""
        box = self.sampler.box_of(name) if name in self.sampler.head.layers else None
        if box is not None:
            self.cover(box, self.occupancy(self.sampler.read(name, box) + F(shift)), tissue)


def paint_bone(p: Painting) -> None:
    """Cortical tables, diploe with marrow texture, dense petrous bone."""
    box = p.sampler.box_of("bone")
    if box is None:
        return
    d = p.sampler.read("bone", box)
    p.cover(box, p.occupancy(d), "cortical_bone")
    grain = p.sampler.read("grain", box)
    x, y, z = p.sampler.points(box)
    petrous = (
        ((np.abs(x) - F(34)) / 17) ** 2
        + ((y + F(9) - F(0.3) * (np.abs(x) - F(34))) / 11) ** 2
        + ((z - F(18)) / 10) ** 2
    )
    dense = np.clip(F(1.2) - petrous, 0, 1)
    inside = p.occupancy(d + F(1.25) + F(0.25) * grain) * (1 - dense)
    p.cover(box, inside * np.clip(F(0.85) + F(0.22) * grain, 0.25, 1), "diploe")
    p.cover(box, p.occupancy(d + F(0.8)) * dense, "petrous_bone")
    p.layer("hyperostosis", "cortical_bone")


def paint_brain(p: Painting) -> None:
    """Cerebrum with sulci, cerebellum with folia, stem, deep grey matter."""
    box = p.sampler.box_of("cerebrum")
    if box is not None:
        d = p.sampler.read("cerebrum", box)
        sulcus = np.abs(p.sampler.read("sulci", box))
        deep = np.maximum(F(-13) - d, 0)
        gap = sulcus - F(0.55) + deep
        p.cover(box, p.occupancy(np.maximum(d, -gap)), "grey")
        mottle = F(0.96) + F(0.035) * p.sampler.read("grain", box)
        p.cover(box, p.occupancy(np.maximum(d + F(2.9), F(2.9) - gap)) * mottle, "white")
    box = p.sampler.box_of("cerebellum")
    if box is not None:
        d = p.sampler.read("cerebellum", box)
        phase = p.sampler.read("folia", box)
        gap = fissure_distance(phase, 4.2) + np.maximum(F(-3.8) - d, 0)
        major = fissure_distance(phase + F(0.8), 14.7) + np.maximum(F(-13) - d, 0)
        gap = np.minimum(gap - F(0.22), major - F(0.4))
        p.cover(box, p.occupancy(np.maximum(d, -gap)), "grey")
        p.cover(box, p.occupancy(np.maximum(d + F(1.5), F(1.25) - gap)), "white")
    p.layer("peduncle", "white")
    p.layer("stem", "stem")
    p.layer("deep_grey", "deep_grey")


def fissure_distance(phase: Field, period: float) -> Field:
    """Distance in mm (at the surface) to the nearest of the fissures that come every `period` mm of phase."""
    u = phase * F(1 / period)
    return np.asarray(np.abs(u - np.round(u)) * F(period), dtype=np.float32)


def paint_head(p: Painting) -> None:
    """All of the head except the lesion."""
    p.layer("skin", "skin")
    p.layer("skin", "fat", 1.7)
    p.layer("muscle", "muscle")
    paint_grain(p)
    for name, tissue in (("globe", "vitreous"), ("lens", "lens"), ("strands", "muscle")):
        p.layer(name, tissue)
    p.layer("air", "mucosa", -1.3)
    paint_bone(p)
    p.layer("air", "mucosa", -0.9)
    p.layer("air", "air")
    p.layer("cells", "air")
    p.layer("dry", "air")
    box = p.sampler.box_of("inner")
    if box is not None:
        d = p.sampler.read("inner", box)
        _, _, z = p.sampler.points(box)
        sac = F(1.8) * np.clip((F(-6) - z) / 8, 0, 1)
        p.cover(box, p.occupancy(d - F(0.35)), "fat")
        p.cover(box, p.occupancy(d + sac - F(0.35)), "dura")
        p.cover(box, p.occupancy(d + sac + F(0.55)), "csf")
    p.layer("leaves", "dura")
    paint_brain(p)
    p.layer("ventricles", "csf")
    p.layer("choroid", "choroid")
    p.layer("pituitary", "pituitary")
    p.layer("pineal", "calcified")
    p.layer("sinuses", "dura", -0.5)
    p.layer("sinuses", "venous_blood")
    p.layer("veins", "venous_blood")
    p.layer("arteries", "arterial_blood")
    paint_oedema(p)
    p.layer("tail", "tail")


def paint_grain(p: Painting) -> None:
    """Fat between the fibres of muscle and fibres in fat: a few per cent, coarse grain."""
    box = p.sampler.box_of("muscle")
    if box is not None:
        grain = p.sampler.read("grain", box)
        share = p.occupancy(p.sampler.read("muscle", box)) * np.clip(F(0.05) + F(0.05) * grain, 0, 0.3)
        p.cover(box, share, "fat")


def paint_oedema(p: Painting) -> None:
    """Oedema: only within white matter and stem, fading outwards."""
    box = p.sampler.box_of("oedema") if "oedema" in p.sampler.head.layers else None
    if box is None:
        return
    zone = np.clip(p.sampler.read("oedema", box) * F(-0.7), 0, 1)
    brain = np.minimum(p.sampler.read("cerebrum", box) + F(3.0), p.sampler.read("cerebellum", box) + F(1.5))
    p.cover(box, zone * p.occupancy(np.minimum(brain, p.sampler.read("stem", box))), "oedema")


def lesion_parts(
    placed: PlacedLesion, x: Field, y: Field, z: Field, d: Field, bone: Field
) -> list[tuple[str, Field]]:
    """Tissues of the lesion with their shares (0 to 1) at model points, later ones over earlier ones.

    `d` is the distance to the lesion's boundary, `bone` that to bone: the capsule outside the boundary spares bone.
    """
    lesion = placed.lesion
    inside = (d < 0).astype(np.float32)
    parts: list[tuple[str, Field]] = [("lesion", inside)]
    if lesion.enhancement == "heterogeneous":
        waves = (
            np.sin(x * F(0.9) + y * F(0.5)) + np.sin(y * F(1.1) - z * F(0.4) + 1) + np.sin(z * F(0.8) + x * F(0.6) + 2)
        )
        parts.append(("lesion_dark", inside * np.clip(waves - F(0.3), 0, 1)))
    if lesion.haemorrhage:
        parts.append(("haemosiderin", inside * (d > -1.3)))
    parts.append(("lesion_calcium", placed.calcium_fraction(x, y, z, d) * inside))
    if lesion.enhancement == "rim":
        outer = (d >= 0) & (d < lesion.rim_mm - RIM_INSIDE_MM) & (bone > 0)
        parts.append(("lesion_rim", outer.astype(np.float32)))
        parts.append(("lesion_rim_inner", inside * (d > -RIM_INSIDE_MM)))
    return parts


def paint_lesion(p: Painting, placed: PlacedLesion, splits: tuple[int, int, int]) -> None:
    """The lesion on split voxels (slice, row, column): matrix, calcium, paramagnetic rim, enhancing rim."""
    grid = p.sampler.grid
    frame_centre = p.sampler.model_from_frame.inverse().apply(placed.centre)
    reach = max(placed.lesion.diameters_mm) * (0.5 + placed.lesion.lobulation) + placed.lesion.rim_mm + 0.5
    middle = grid.index(frame_centre)
    half = reach / np.asarray(grid.spacing_xyz_mm)[::-1]
    low = [max(0, int(np.floor(m - h))) for m, h in zip(middle, half, strict=True)]
    high = [min(n, int(np.ceil(m + h)) + 1) for m, h, n in zip(middle, half, grid.shape, strict=True)]
    if any(b <= a for a, b in zip(low, high, strict=True)):
        return
    coarse = grid.crop((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    fine = Sampler(p.sampler.head, coarse.finer(splits), p.sampler.model_from_frame)
    whole = (slice(0, fine.grid.shape[0]), slice(0, fine.grid.shape[1]), slice(0, fine.grid.shape[2]))
    x, y, z = fine.points(whole)
    d = placed.distance(x, y, z)
    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    bone = fine.read("bone", whole) if placed.lesion.enhancement == "rim" else d
    parts = lesion_parts(placed, x, y, z, d, bone)
    subs = [np.repeat(np.repeat(np.repeat(c[box], splits[0], 0), splits[1], 1), splits[2], 2) for c in p.channels]
    for tissue, part in parts:
        for split, value in zip(subs, p.values[tissue], strict=True):
            np.add(split, part * (F(value) - split), out=split)
    for channel, split in zip(p.channels, subs, strict=True):
        n = coarse.shape
        channel[box] = split.reshape(n[0], splits[0], n[1], splits[1], n[2], splits[2]).mean(axis=(1, 3, 5))


def paint(
    head: Head,
    placed: PlacedLesion | None,
    grid: Grid,
    model_from_frame: Rigid,
    values: Values,
    *,
    edge_mm: float,
    splits: tuple[int, int, int] = (3, 3, 3),
) -> list[Field]:
    """Every channel of `values` on the grid, arrays (slices, rows, columns); without the lesion where `placed` is None."""
    channels = [np.full(grid.shape, v, np.float32) for v in values["air"]]
    p = Painting(Sampler(head, grid, model_from_frame), values, channels, edge_mm)
    paint_head(p)
    if placed is not None:
        paint_lesion(p, placed, splits)
    return channels


def with_lesion(
    head: Head,
    placed: PlacedLesion,
    grid: Grid,
    model_from_frame: Rigid,
    values: Values,
    channels: list[Field],
    splits: tuple[int, int, int],
) -> list[Field]:
    """Copies of painted channels with the lesion in them."""
    p = Painting(Sampler(head, grid, model_from_frame), values, [c.copy() for c in channels], 1.0)
    paint_lesion(p, placed, splits)
    return p.channels
