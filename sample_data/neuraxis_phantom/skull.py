"""Cranial cavity, bones and air spaces of the head as implicit surfaces (mm, origin at the centre of the foramen magnum)."""

from __future__ import annotations

import numpy as np

from neuraxis_phantom.frames import rotation_xyz
from neuraxis_phantom.implicit import (
    Canvas,
    Field,
    add_ellipsoid,
    add_tube,
    column,
    level_distance,
    random_field,
    smooth_max,
    smooth_min,
)

F = np.float32

CANAL: list[tuple[float, float, float, float]] = [
    (-70, 4.0, 11.0, 8.5),
    (-40, 4.0, 11.5, 9.5),
    (-28, 4.0, 12.0, 11.5),
    (-18, 3.8, 12.6, 13.0),
    (-9, 1.5, 12.8, 15.5),
    (0, 0.0, 12.9, 17.3),
    (6, -2.0, 13.9, 18.0),
    (20, -8.0, 18.0, 18.4),
    (38, -14.5, 22.0, 19.2),
    (50, -17.0, 24.0, 20.0),
    (90, -17.0, 24.0, 20.0),
]
"""Spinal canal, foramen magnum and clival channel: z, centre y, half width, half depth."""


def step_between(values: Field, low: float, high: float) -> Field:
    """Smooth step from 0 at `low` to 1 at `high`."""
    t = np.clip((values - F(low)) / F(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)


def tentorium_height(c: Canvas) -> Field:
    """Height z in mm of the tentorium over each point; meaningful behind the petrous ridges."""
    rise = np.exp(-((c.ax / F(27)) ** 2)) * (1 - step_between(c.y, 12, 62))
    return np.asarray(F(31) + F(23) * rise + F(5) * step_between(c.ax, 25, 60) * step_between(-c.y, -20, 15))


def supratentorial_space(c: Canvas) -> Field:
    """Vault above the fossae with both middle fossae."""
    vault = c.empty()
    add_ellipsoid(c, vault, (0, -18, 52), (66, 82, 76), mirror=False)
    roof = F(5) * step_between(c.ax, 8, 26) * step_between(-c.y, 42, 62) * (1 - F(0.35) * step_between(c.ax, 36, 54))
    floor = F(43) + roof - F(15) * step_between(c.y, 0, 28)
    space = smooth_max(vault, floor - c.z, 6)
    add_ellipsoid(c, space, (36, -37, 41), (26, 31, 23), k=5, turn=rotation_xyz((0, 0, 12)))
    return space


def posterior_fossa(c: Canvas) -> Field:
    """Cerebellar fossae without the clival channel."""
    space = c.empty()
    add_ellipsoid(c, space, (20, 23, 31), (32, 38, 22), k=6, turn=rotation_xyz((18, 0, 0)))
    return space


def cavities(c: Canvas) -> dict[str, Field]:
    """Cavity fields: supra, infra (posterior fossa), canal, inner (all, within the dura), cranial (without the canal)."""
    supra, hemi = supratentorial_space(c), posterior_fossa(c)
    canal = column(c, CANAL)
    channel = smooth_max(canal, c.z - F(60), 4)
    blocks = petrous_and_clivus(c)
    hemi_canal = smooth_min(hemi, smooth_max(channel, -c.z - F(1), 2), 7)
    infra = smooth_min(hemi, channel, 7)
    inner = smooth_min(supra, infra, 4)
    inner = smooth_max(inner, -blocks, 3)
    cranial = smooth_max(smooth_min(supra, hemi_canal, 4), -blocks, 3)
    add_tube(c, inner, [(13, -14, 23), (25, -15, 22)], 2.6, k=2)
    return {"supra": supra, "infra": infra, "canal": canal, "inner": inner, "cranial": cranial}


def petrous_and_clivus(c: Canvas) -> Field:
    """The bones that rise into the cranial cavity: petrous pyramids, clivus, dorsum sellae."""
    d = c.empty()
    add_tube(c, d, [(58, 4, 12), (40, -9, 17), (16, -29, 23)], [13, 9.5, 5.5], k=3)
    add_ellipsoid(c, d, (0, -36, 18), (13, 7.5, 25), mirror=False, k=4, turn=rotation_xyz((29, 0, 0)))
    add_tube(c, d, [(0, -40, 34), (9, -40, 37)], 2.2, k=2)
    return d


def facial_bones(c: Canvas, bone: Field) -> None:
    """Orbits, sphenoid, maxilla, palate, zygoma, nasal septum, mandible."""
    orbit = c.empty()
    add_ellipsoid(c, orbit, (30, -83, 33), (18, 24, 17), turn=rotation_xyz((0, 0, -18)))
    wall = smooth_max(
        smooth_max(np.abs(orbit + F(0.4)) - F(1.1), -F(104) - c.y, 2),
        (c.ax - F(38)) * F(0.9) - (c.y + F(92)) * F(-0.4),
        2,
    )
    np.minimum(bone, wall, out=bone)
    add_ellipsoid(c, bone, (10, -53, 29), (15, 17, 13), k=4)
    add_tube(c, bone, [(16, -54, 16), (14, -50, -12)], [2.2, 1.4], k=1)
    add_ellipsoid(c, bone, (27, -79, 1), (19.5, 19.5, 20), k=2)
    arch = smooth_max(np.abs(c.z + F(20)) - F(2.2), c.ax - F(22), 2)
    np.minimum(bone, smooth_max(smooth_max(arch, -F(100) - c.y, 2), c.y + F(58), 2), out=bone)
    add_tube(c, bone, [(25, -62, -26), (23, -80, -27), (14, -95, -27), (0, -101, -27)], 5.2, k=2)
    add_tube(
        c,
        bone,
        [(62, -20, 9), (68, -42, 9), (62, -66, 9), (45, -88, 10), (45, -92, 22), (46, -90, 44)],
        [4, 3, 3.2, 5, 4, 4.5],
        k=2,
    )
    add_tube(c, bone, [(0, -106, 40), (3, -112, 24)], [5, 2.5], k=3)
    septum = smooth_max(
        smooth_max(np.abs(deviated(c)) - F(0.6), np.abs(c.z - F(8)) - F(28), 1), np.abs(c.y + F(84)) - F(24), 1
    )
    np.minimum(bone, septum, out=bone)
    add_tube(c, bone, [(8.5, -97, -11), (9.5, -80, -9), (8.5, -64, -9)], 0.9)
    add_tube(c, bone, [(8, -92, 4), (9, -66, 5)], 0.8)
    add_tube(c, bone, [(50, -27, 3), (49, -32, -8)], [4.5, 3.2], k=4)
    add_ellipsoid(c, bone, (49, -39, -26), (3.6, 15, 26), k=3, turn=rotation_xyz((-12, 4, 6)))
    add_tube(c, bone, [(48, -47, -2), (49, -43, -20)], [1.6, 3.4], k=3)
    add_tube(c, bone, [(37, -9, 2), (33, -20, -28)], [2.0, 1.1], k=1)


def deviated(c: Canvas) -> Field:
    """Distance in mm from the nasal septum, which bends a little to one side."""
    return np.asarray(c.x - F(0.6) - F(2.2) * np.sin((c.y + F(62)) * F(np.pi / 42)), dtype=np.float32)


def vertebrae(c: Canvas) -> Field:
    """Atlas ring with lateral masses, odontoid and body of the axis."""
    d = c.empty()
    add_ellipsoid(c, d, (20.5, -5, -17), (7.5, 10.5, 8.6), k=1, turn=rotation_xyz((0, 12, 18)))
    add_tube(c, d, [(17, -15, -17), (9, -24, -16.5), (0, -27.3, -16)], [3.2, 3.0, 3.8], k=2)
    add_tube(c, d, [(20, 3, -17), (18, 14, -18), (10, 22, -18.5), (0, 24.5, -19)], [3.4, 2.8, 3.0, 4.0], k=2)
    add_tube(c, d, [(26, -4, -17.5), (40, -3, -20)], [4.2, 3.8], k=2)
    hole = c.empty()
    add_tube(c, hole, [(31, -3, -30), (31, -3, -8)], 2.9)
    d = smooth_max(d, -hole, 1)
    axis = c.empty()
    add_tube(c, axis, [(0, -17.2, -40), (0, -17.6, -30), (0, -17.4, -11.5)], [6.5, 4.8, 4.6], k=2, mirror=False)
    add_ellipsoid(c, axis, (0, -16, -44), (10, 8.5, 9), k=3, mirror=False)
    add_ellipsoid(c, axis, (18.5, -9, -35.8), (9, 9.5, 8.6), k=2)
    add_tube(c, axis, [(19, 0, -40), (13, 14, -42), (0, 22, -43), (0, 36, -45)], [4, 3.2, 4, 3.5], k=3)
    return np.minimum(d, axis)


def bones(c: Canvas, spaces: dict[str, Field], seed: int) -> Field:
    """All bone: shell about the cranial cavity, skull base, face, atlas and axis."""
    wobble = random_field(c.shape, c.step, (45, 45, 45), seed + 11)
    thick = F(5.8) + wobble * F(0.8) + F(3.5) * step_between(c.y, 50, 66) * step_between(c.z, 16, 30)
    thick = thick - F(1.5) * step_between(c.ax, 50, 64) * step_between(c.z, 20, 40)
    thick = thick - F(2.2) * (1 - step_between(c.z, 20, 40)) * (1 - step_between(c.y, 45, 60))
    thick = thick - F(2.6) * step_between(-c.y, 40, 58) * (1 - step_between(c.z, 50, 60))
    shell = spaces["cranial"] - thick
    np.copyto(shell, smooth_max(shell, -(c.z + F(6)), 2))
    bone = shell
    bone = smooth_min(bone, petrous_and_clivus(c), 2)
    add_tube(c, bone, [(0, -22.5, 1), (0, -27, 8)], [4.2, 8], k=4, mirror=False)
    add_tube(c, bone, [(11, -19, 2), (15, -13, 0)], [4, 3.5], k=3)
    add_ellipsoid(c, bone, (54, 7, 0), (10, 14, 22), k=4)
    add_ellipsoid(c, bone, (19.2, -8, -4), (5.6, 11, 6.2), k=2, turn=rotation_xyz((0, 0, 22)))
    add_ellipsoid(c, bone, (31, 4, 5), (17, 9, 4.5), k=4, turn=rotation_xyz((0, -12, 8)))
    facial_bones(c, bone)
    cavity = spaces["inner"].copy()
    keep = np.minimum(smooth_max(bone, F(0.3) - cavity, 0.8), vertebrae(c))
    foramina = c.empty()
    add_tube(c, foramina, [(26, -8, 8), (27, -11, 0), (29, -14, -12)], [4.2, 4.6, 4.8])
    add_tube(c, foramina, [(25, -29, -12), (25, -29, 10), (18, -36, 20)], 2.8)
    add_tube(c, foramina, [(9, -14, 4), (22, -20, -2)], [1.6, 2.0])
    return smooth_max(keep, -foramina, 1)


def air_spaces(c: Canvas, seed: int) -> dict[str, Field]:
    """Air spaces: `air` with mucosa (nose, sinuses, pharynx), `dry` without (ear canal), `cells` (mastoid)."""
    air = c.empty()
    add_ellipsoid(c, air, (27, -79, 1), (16.5, 16.5, 17), k=1)
    add_ellipsoid(c, air, (8, -54, 29), (6.4, 12, 9), k=1)
    add_ellipsoid(c, air, (9, -99, 52), (8, 4, 7), k=1)
    add_ellipsoid(c, air, (0, -43, -4), (12, 8, 13), k=3, mirror=False)
    add_tube(c, air, [(0, -41, -12), (0, -40, -60)], [9, 7], k=3, mirror=False)
    half = F(13) - F(0.22) * np.maximum(c.z, 0) - F(7) * step_between(-c.y, 76, 108)
    nose = smooth_max(smooth_max(c.ax - half, np.abs(c.z - F(6)) - F(22), 6), np.abs(c.y + F(80)) - F(29), 6)
    septum = np.abs(deviated(c)) - F(1.9)
    turbinates = c.empty()
    add_tube(c, turbinates, [(8, -98, -10), (8, -62, -9)], [4.2, 4.2])
    add_tube(c, turbinates, [(7.5, -94, 5), (7.5, -64, 5)], [3.2, 3.2])
    nose = smooth_max(smooth_max(nose, -septum, 1), -turbinates, 1)
    air = smooth_min(air, nose, 1)
    cell_pattern = np.abs(level_distance(random_field(c.shape, c.step, (8, 8, 8), seed + 21), c.step))
    ethmoid = c.empty()
    add_ellipsoid(c, ethmoid, (8, -79, 33), (7, 19, 9))
    air = np.minimum(air, smooth_max(ethmoid, F(0.9) - cell_pattern, 0.5))
    mastoid = c.empty()
    add_ellipsoid(c, mastoid, (54, 8, 1), (7.5, 11, 18), k=2)
    add_tube(c, mastoid, [(50, 4, 14), (40, -8, 17)], [6, 4], k=3)
    cells = smooth_max(mastoid, F(0.75) - cell_pattern, 0.5)
    add_tube(c, cells, [(47, -13, 9), (44, -16, 11)], [3.4, 2.6], k=1)
    dry = c.empty()
    add_tube(c, dry, [(53, -13, 7), (66, -13, 7), (84, -14, 5)], [3.0, 3.2, 4.2], k=1)
    return {"air": air, "cells": cells, "dry": dry}
