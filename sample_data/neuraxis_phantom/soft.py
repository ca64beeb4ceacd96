"""Skin, muscles, eyes, brain, ventricles and vessels as implicit surfaces (mm, head coordinates)."""

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
from neuraxis_phantom.skull import step_between, tentorium_height

F = np.float32

BRAINSTEM: list[tuple[float, float, float, float]] = [
    (-70, 4.0, 6.2, 4.0),
    (-25, 3.6, 6.3, 4.4),
    (-12, 2.0, 6.6, 4.8),
    (-4, 0.0, 8.0, 5.4),
    (2, -2.6, 8.9, 6.0),
    (9, -6.6, 9.2, 6.6),
    (17, -10.6, 10.0, 7.6),
    (21, -13.0, 12.0, 9.0),
    (26, -15.5, 15.0, 11.6),
    (33, -17.3, 16.5, 12.6),
    (40, -18.0, 15.0, 11.8),
    (46, -18.0, 13.0, 10.6),
    (54, -19.0, 15.0, 10.4),
    (90, -20.0, 19.0, 11.0),
]
"""Cord, medulla, pons, midbrain: z, centre y, half width, half depth."""


def brainstem(c: Canvas) -> Field:
    """Cord to midbrain, with the interpeduncular fossa, pyramids and colliculi."""
    d = column(c, BRAINSTEM)
    notch = c.empty()
    add_tube(c, notch, [(0, -31, 44), (0, -30, 56)], [2.6, 4.0], mirror=False)
    add_tube(c, notch, [(0, -9.5, -14), (0, -14.5, 8), (0, -21.5, 19)], [0.4, 0.6, 0.7], mirror=False)
    d = smooth_max(d, -notch, 3)
    add_tube(c, d, [(4, -8, 46), (4, -8, 52)], 3.2, k=2)
    add_tube(c, d, [(2.6, -8.5, 3), (3.2, -15, 14)], [2.2, 2.8], k=2)
    add_ellipsoid(c, d, (6.4, -10.5, 11), (2.8, 3.0, 6.0), k=2)
    return d


def skin(c: Canvas, cranial: Field) -> Field:
    """Outer surface of head, nose, ears and neck; never less than the scalp's thickness off the skull."""
    d = c.empty()
    add_ellipsoid(c, d, (0, -18, 52), (79, 96, 91), mirror=False)
    add_ellipsoid(c, d, (0, -5, 15), (75, 77, 60), mirror=False, k=14)
    add_ellipsoid(c, d, (0, -55, 8), (68, 67, 52), mirror=False, k=12)
    add_ellipsoid(c, d, (0, -50, -32), (70, 66, 48), mirror=False, k=14)
    neck = column(c, [(-90, 4, 60, 60), (-30, 2, 62, 63), (10, 0, 68, 68), (12, 0, 5, 5), (90, 0, 5, 5)])
    d = smooth_min(d, smooth_max(neck, c.z - F(10), 10), 14)
    add_tube(c, d, [(0, -108, 32), (0, -121, 12), (0, -124, -4)], [7, 10, 11], k=8, mirror=False)
    add_ellipsoid(c, d, (9, -116, -8), (8, 9, 7), k=5)
    add_ellipsoid(c, d, (79, 2, 12), (3.2, 15, 26), k=4, turn=rotation_xyz((12, 0, 24)))
    return smooth_min(d, cranial - F(13.5), 6)


def muscles(c: Canvas, surface: Field, seed: int) -> Field:
    """Muscle: bundles about parallel to the neck, parted by fat planes; nearly symmetric; thin below the galea."""
    middle = round(-c.origin[0] / c.step)
    bundles = random_field(c.shape, c.step, (24, 20, 110), seed + 31)
    half = min(middle, c.shape[2] - 1 - middle)
    left = bundles[:, :, middle : middle + half + 1]
    mirrored = bundles.copy()
    mirrored[:, :, middle - half : middle + 1] = (
        F(0.85) * left[:, :, ::-1] + F(0.15) * bundles[:, :, middle - half : middle + 1]
    )
    width = F(0.75) + F(0.55) * random_field(c.shape, c.step, (30, 30, 60), seed + 33)
    planes = np.abs(level_distance(mirrored, c.step)) - np.clip(width, 0.1, 2.2)
    thick = (
        F(4.6) + F(3.0) * step_between(-c.z, -25, 20) + random_field(c.shape, c.step, (50, 50, 50), seed + 32) * F(0.9)
    )
    body = smooth_max(surface + thick, -planes, 0.6)
    named = c.empty()
    add_tube(c, named, [(62, -26, 34), (60, -40, 12), (52, -50, -5)], [9, 8, 6], k=4)
    add_tube(c, named, [(58, -58, 4), (57, -44, -36)], [7, 8], k=2)
    add_tube(c, named, [(14, -62, -2), (26, -42, 4), (42, -32, 2)], [6, 7, 5], k=2)
    add_tube(c, named, [(18, -50, -8), (38, -40, -34)], [6, 8], k=2)
    add_tube(c, named, [(8, -33, -2), (9, -33.5, -50)], [4.5, 5.5], k=1)
    add_tube(c, named, [(55, 14, -14), (52, 0, -60)], [8, 10], k=2)
    add_ellipsoid(c, named, (0, -78, -38), (22, 26, 15), mirror=False, k=2)
    return np.asarray(np.minimum(body, np.maximum(named, surface + F(3.4))), dtype=np.float32)


def eyes(c: Canvas) -> dict[str, Field]:
    """Globe, lens, optic nerve with eye muscles, lacrimal side left as fat."""
    globe, lens, strands = c.empty(), c.empty(), c.empty()
    add_ellipsoid(c, globe, (31, -92, 33), (12, 12, 12))
    add_ellipsoid(c, lens, (31, -101.5, 33), (4.4, 2.1, 4.4))
    add_tube(c, strands, [(29.5, -81, 33), (18, -56, 34)], 2.0)
    for dx, dz in ((9.5, 0), (-9, 0), (0, 9), (0, -9)):
        add_tube(c, strands, [(30 + dx, -87, 33 + dz), (27 + dx, -76, 33 + dz), (18, -56, 34)], [1.2, 2.2, 1.2])
    return {"globe": globe, "lens": lens, "strands": strands}


def cerebrum(c: Canvas, spaces: dict[str, Field], stem: Field, seed: int) -> dict[str, Field]:
    """Cerebrum (with its subarachnoid gap) and the signed distance to the sulci."""
    tent = tentorium_height(c)
    above = np.where(c.y > F(-14), tent + F(1.4) - c.z, F(-12)).astype(np.float32)
    body = smooth_max(np.maximum(spaces["supra"], spaces["inner"]) + F(1.9), above, 3)
    body = smooth_max(body, F(1.1) - c.ax, 1)
    body = smooth_max(body, F(3.0) - stem - F(0.8) * np.maximum(c.z - F(49), 0), 2)
    cisterns = c.empty()
    add_ellipsoid(c, cisterns, (0, -38, 44.5), (11, 11, 7), mirror=False)
    add_tube(
        c,
        cisterns,
        [(9, -34, 46), (24, -43, 46), (36, -49, 49), (50, -47, 54), (58, -36, 58)],
        [3.5, 2.2, 1.8, 1.6, 1.6],
        k=3,
    )
    add_ellipsoid(c, cisterns, (0, 0, 51), (9, 5, 6), mirror=False, k=2)
    body = smooth_max(body, -cisterns, 2)
    folds = random_field(c.shape, c.step, (27, 27, 27), seed + 41)
    return {"cerebrum": body, "sulci": level_distance(folds, c.step)}


def cerebellum(c: Canvas, spaces: dict[str, Field], stem: Field, seed: int) -> dict[str, Field]:
    """Cerebellum with vermis and tonsils, and the phase (mm at the surface) whose level sets are the fissures."""
    body = c.empty()
    add_ellipsoid(c, body, (23, 26, 30), (32, 38, 30), k=4)
    add_ellipsoid(c, body, (0, 26, 33), (10, 27, 24), mirror=False, k=5)
    notch = c.empty()
    add_ellipsoid(c, notch, (0, 50, 8), (3.6, 20, 19), mirror=False)
    add_ellipsoid(c, notch, (0, 26, -2), (11, 14, 8), mirror=False, k=3)
    body = smooth_max(body, -notch, 4)
    tonsil = c.empty()
    add_ellipsoid(c, tonsil, (7.4, 12.5, 5), (5.6, 7.5, 9), turn=rotation_xyz((0, -8, 0)))
    body = smooth_min(body, tonsil, 1.2)
    body = smooth_max(body, spaces["inner"] + F(2.0), 2)
    body = smooth_max(body, c.z - tentorium_height(c) + F(1.6), 2)
    body = smooth_max(body, F(2.2) - stem, 2)
    warp = random_field(c.shape, c.step, (60, 60, 60), seed + 51)
    angle = np.arctan2(c.z - F(27) - F(0.25) * c.ax, c.y + F(4)) * F(30)
    phase = angle + warp * F(4.5) + F(0.45) * c.ax + F(0.12) * c.y
    fine = random_field(c.shape, c.step, (16, 16, 16), seed + 52)
    return {"cerebellum": body, "folia": np.asarray(phase + fine * F(0.7), dtype=np.float32)}


def ventricles(c: Canvas) -> dict[str, Field]:
    """Ventricles and the choroid plexus in them."""
    v = c.empty()
    add_ellipsoid(c, v, (0, -0.5, 25), (7.5, 4.2, 11), mirror=False)
    add_tube(c, v, [(0, 0, 27), (0, 7, 28)], [4.5, 1], k=2, mirror=False)
    add_tube(c, v, [(4, 0, 20), (13, -4, 19)], [2.5, 1.5], k=2)
    add_tube(c, v, [(0, 4, 14), (0, 6, 5)], [2.6, 1.6], k=2, mirror=False)
    add_tube(c, v, [(0, -6, 37), (0, -9, 52)], [1.3, 1.1], k=2, mirror=False)
    add_ellipsoid(c, v, (0, -28, 64), (2.4, 14, 13), mirror=False, k=2)
    add_tube(c, v, [(29, -38, 35), (33, -16, 41), (31, 4, 54), (28, 14, 68)], [1.6, 2.6, 4.5, 8], k=3)
    add_tube(c, v, [(5, -42, 64), (13, -58, 66)], [4, 5], k=3)
    choroid = c.empty()
    add_tube(c, choroid, [(29, 8, 58), (27, 14, 70)], [2, 3.5])
    add_tube(c, choroid, [(3.2, 3, 18), (12, -3, 18.5)], [1.1, 1.2])
    return {"ventricles": v, "choroid": choroid}


def deep_brain(c: Canvas) -> dict[str, Field]:
    """Deep grey matter, peduncles, hippocampi, pituitary, calcified pineal."""
    grey, peduncle, pituitary, pineal = c.empty(), c.empty(), c.empty(), c.empty()
    add_ellipsoid(c, grey, (11, -19, 68), (8, 14, 10), k=1)
    add_ellipsoid(c, grey, (23, -34, 66), (8, 18, 12), k=1)
    add_ellipsoid(c, grey, (20, -38, 40), (7, 8, 7), k=2)
    add_tube(c, grey, [(24, -28, 36), (26, -10, 42), (22, 4, 54)], [5, 4, 3], k=2)
    add_ellipsoid(c, grey, (15, 16, 25), (7, 6, 4))
    add_ellipsoid(c, grey, (8, -24.5, 47), (5, 1.4, 4.5), turn=rotation_xyz((0, 0, 32)))
    add_ellipsoid(c, grey, (4.4, -19, 49), (2.6, 2.6, 3.5))
    add_tube(c, peduncle, [(12, -12, 31), (18, 2, 28), (24, 14, 27)], [7.5, 7, 8], k=3)
    add_ellipsoid(c, pituitary, (0, -46, 38.5), (6, 4.5, 3.5), mirror=False)
    add_tube(c, pituitary, [(0, -45, 40), (0, -38, 47)], 1.0, mirror=False)
    add_ellipsoid(c, pineal, (0, 1, 54), (2.0, 2.6, 2.0), mirror=False)
    return {"deep_grey": grey, "peduncle": peduncle, "pituitary": pituitary, "pineal": pineal}


def vessels(c: Canvas) -> dict[str, Field]:
    """Arteries, dural sinuses with jugular veins, and small cerebral veins."""
    art, sinus, vein = c.empty(), c.empty(), c.empty()
    add_tube(
        c,
        art,
        [
            (31, -3, -70),
            (31, -3, -20),
            (30, 3, -12),
            (22, 11, -11),
            (13.5, 7, -9),
            (11, -6, -5),
            (8, -12.5, 3),
            (4, -17, 11),
            (0, -20.5, 17),
        ],
        1.8,
        k=0.5,
    )
    add_tube(c, art, [(0, -20.5, 17), (0, -31.5, 32), (0, -32.5, 41)], 1.7, k=0.5, mirror=False)
    add_tube(c, art, [(0, -32, 41), (9, -30, 43), (16, -20, 46), (15, -4, 50)], 1.1, k=0.5)
    add_tube(
        c,
        art,
        [
            (25, -29, -60),
            (25, -29, 8),
            (18, -36, 20),
            (12, -44, 31),
            (11, -46, 40),
            (12, -38, 46),
            (24, -44, 48),
            (46, -50, 52),
        ],
        [2.6, 2.6, 2.5, 2.5, 2.3, 2, 1.4, 1.1],
        k=0.5,
    )
    add_tube(c, art, [(10, -7, -3), (12, 2, 0), (9, 9, -2), (8, 18, 6)], 0.7)
    add_tube(
        c,
        sinus,
        [
            (3, 61, 33),
            (28, 54, 32),
            (45, 34, 31),
            (51, 18, 24),
            (48, 9, 13),
            (38, 3, 4),
            (29, -6, 3),
            (28, -12, -8),
            (33, -12, -70),
        ],
        [4, 3.8, 3.8, 3.6, 3.8, 3.8, 4.4, 4.4, 5],
        k=1,
    )
    add_tube(c, sinus, [(0, 62, 33), (0, 67, 45), (0, 69, 70)], [4, 3.2, 3.2], k=1, mirror=False)
    add_tube(c, sinus, [(0, 60, 36), (0, 20, 57)], 2.0, k=1, mirror=False)
    add_tube(c, sinus, [(13, -42, 34), (12, -52, 36)], [4.5, 3.0], k=1)
    add_tube(c, vein, [(17, -18, 24), (21, -12, 27), (25, -6, 24)], 1.1)
    add_tube(c, vein, [(9.8, 4.5, -16), (10.4, 4, 14)], 1.15)
    add_tube(c, vein, [(16, -26, 47), (17, -12, 51), (6, 5, 57), (0, 12, 60)], 1.2)
    add_tube(c, vein, [(2.5, 33, 12), (2, 34, 38), (1, 18, 52)], 1.0)
    add_tube(c, vein, [(40, 30, 18), (38, 32, 33)], 0.9)
    add_tube(c, vein, [(50, -8, 36), (47, 8, 34)], 1.1)
    return {"arteries": art, "sinuses": sinus, "veins": vein}
