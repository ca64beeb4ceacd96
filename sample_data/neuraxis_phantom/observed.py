"""What an ideal observer sees of a lesion: true and false statements, measured on what was drawn at fine resolution.

A statement is left out where the drawing does not settle it: words of degree near their border, patterns that calcium
hides, sides within 5 mm of the midline. Nobody is scored on those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuraxis_phantom import mr
from neuraxis_phantom.anatomy import Scene
from neuraxis_phantom.ct import hu_values
from neuraxis_phantom.head import model_from_anatomy
from neuraxis_phantom.implicit import Field
from neuraxis_phantom.paint import RIM_INSIDE_MM, lesion_parts
from neuraxis_phantom.place import PlacedLesion
from neuraxis_phantom.tissues import TISSUES, Tissue

Statements = dict[str, dict[str, bool]]
F = np.float32
BRAIN_HU = 0.5 * (TISSUES["grey"].hu + TISSUES["white"].hu)
CELLS = 64
"""Points along each axis of the box about the lesion."""


@dataclass(frozen=True, eq=False)
class Fine:
    """The lesion on a fine grid: points (z, y, x) in model mm, signed distance, parts as they are painted."""

    scene: Scene
    points: tuple[Field, Field, Field]
    distance: Field
    parts: list[tuple[str, Field]]
    cell_mm3: float

    @classmethod
    def of(cls, scene: Scene) -> Fine:
        """About the lesion with its rim."""
        placed = scene.placed
        half = max(placed.lesion.diameters_mm) * (0.5 + placed.lesion.lobulation) + placed.lesion.rim_mm + 0.2
        axis = np.linspace(-half, half, CELLS, dtype=np.float32)
        z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
        c = placed.centre.astype(np.float32)
        x, y, z = x + c[0], y + c[1], z + c[2]
        d = placed.distance(x, y, z)
        bone = at(scene, "bone", (x, y, z))
        return cls(scene, (x, y, z), d, lesion_parts(placed, x, y, z, d, bone), float((axis[1] - axis[0]) ** 3))

    def blend(self, value: Callable[[str], float]) -> Field:
        """A quantity of the tissues at every point of the lesion (what lies outside is 0)."""
        out = np.zeros(self.distance.shape, np.float32)
        for tissue, share in self.parts:
            out += share * (F(value(tissue)) - out)
        return out

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Points of the lesion."""
        return np.asarray(self.distance < 0)

    @property
    def calcium(self) -> Field:
        """Calcified share (0 to 1) at every point."""
        return next(share for tissue, share in self.parts if tissue == "lesion_calcium")


def at(scene: Scene, name: str, points: tuple[Field, Field, Field], before: bool = False) -> Field:
    """Field `name` of the head (with `before`, of the head without lesion) at points."""
    head = scene.anatomy.head if before else scene.head
    flat = np.stack([p.ravel() for p in points], axis=1).astype(np.float64)
    return np.asarray(head.value_at(name, flat).reshape(points[0].shape), dtype=np.float32)


def observed(scene: Scene, void_ratio: float | None, void_mm3: float) -> Statements:
    """All statements about a drawn lesion.

    Parameters
    ----------
    void_ratio : signal void on SWI over the lesion, as a ratio of diameters (None: nothing to compare)
    void_mm3 : volume of that void
    """
    fine = Fine.of(scene)
    lesion = scene.placed.lesion
    return {
        "calcification": calcification(fine),
        "attenuation": attenuation(fine),
        "t1_signal": signal(fine, mr.mprage),
        "t2_signal": signal(fine, mr.spin_echo),
        "flair_signal": signal(fine, mr.flair),
        "enhancement": enhancement(fine),
        "blooming": blooming(fine, void_ratio, void_mm3),
        "haemorrhage": only("intratumoral" if lesion.haemorrhage else "none"),
        "phase_sign": phase_sign(fine),
        "perilesional_oedema": oedema(scene),
        "mass_effect": mass_effect(scene.placed),
        "bone_change": bone_change(fine),
        "dural_tail": only("present" if "tail" in scene.head.layers and lesion.dural_tail_mm else "none"),
        "laterality": laterality(scene.placed),
        "location": location(lesion.site),
        "compartment": compartment(lesion.compartment),
        "margin": {"well_defined": True, "ill_defined": False} if lesion.lobulation < 0.05 else {},
        "cystic": only("none"),
        "flow_void": only("none"),
        "hydrocephalus": only("none"),
        "midline_shift": only("none"),
        "herniation": only("none"),
    }


def only(value: str) -> dict[str, bool]:
    """Present (as `value`) or absent."""
    return {"none": True, "present": False} if value == "none" else {"none": False, "present": True, value: True}


def calcification(fine: Fine) -> dict[str, bool]:
    """Presence and pattern of calcium."""
    lesion = fine.scene.placed.lesion
    kinds = ("punctate", "dense", "rim", "amorphous")
    if lesion.calcification == "none":
        return {"none": True, "present": False, **dict.fromkeys(kinds, False)}
    hu = fine.blend(lambda tissue: hu_values(fine.scene.placed)[tissue][0])[fine.inside]
    filled = float((hu >= 130).mean())
    out = {"none": False, "present": True}
    if lesion.calcification == "dense":
        out |= {"punctate": False, "rim": False}
        if float(hu.mean()) >= 300:
            out |= {"dense": True, "amorphous": False}
        return out
    if filled < 0.6:
        out["dense"] = False
    if lesion.calcification == "rim":
        out["punctate"] = False
        if min(lesion.diameters_mm) - 3.2 >= 2.0:
            out["rim"] = True
        return out
    longest = longest_part_mm(fine)
    out["rim"] = False
    if longest <= 2.2:
        out["punctate"] = True
    elif longest > 4.5:
        out["punctate"] = False
    if lesion.calcification == "amorphous" and 100 <= float(hu.mean()) < 300 and filled < 0.8:
        out["amorphous"] = True
    return out


def longest_part_mm(fine: Fine) -> float:
    """Longest extent along an axis of a connected calcified part (half calcified and more)."""
    labels, _ = ndimage.label(fine.calcium > 0.5)
    step = fine.cell_mm3 ** (1 / 3)
    return max((max(s.stop - s.start for s in box) * step for box in ndimage.find_objects(labels)), default=0.0)


def attenuation(fine: Fine) -> dict[str, bool]:
    """Mean attenuation against brain: 10 HU and more apart, or within 4 HU."""
    hu = fine.blend(lambda tissue: hu_values(fine.scene.placed)[tissue][0])[fine.inside]
    difference = float(hu.mean()) - BRAIN_HU
    if 4 < abs(difference) < 10:
        return {}
    return {"hyper": difference >= 10, "hypo": difference <= -10, "iso": abs(difference) <= 4}


def signal(fine: Fine, sequence: Callable[[Tissue], float]) -> dict[str, bool]:
    """A word holds that fits three quarters of the lesion, and is false where it fits less than a quarter.

    hypo below 0.8, hyper above 1.2 times grey matter; values within 0.06 of a border count for both words. A thin
    enhancing capsule is left out. In a lesion that is calcified in part the word must fit the whole and the rest alike.
    """
    tissues = mr.all_tissues(fine.scene.placed)
    body = fine.distance < (-RIM_INSIDE_MM if fine.scene.placed.lesion.enhancement == "rim" else 0)
    ratio = fine.blend(lambda tissue: sequence(tissues[tissue])) / F(sequence(TISSUES["grey"]))
    whole = _words(ratio[body])
    rest = body & (fine.calcium < 0.5)
    if not rest.any():
        return whole
    of_rest = _words(ratio[rest])
    return {word: holds for word, holds in whole.items() if of_rest.get(word) is holds}


def _words(ratio: Field) -> dict[str, bool]:
    """The words for a set of ratios to grey matter."""
    sure = {"hypo": ratio < 0.74, "iso": (ratio > 0.86) & (ratio < 1.14), "hyper": ratio > 1.26}
    possible = {"hypo": ratio < 0.86, "iso": (ratio > 0.74) & (ratio < 1.26), "hyper": ratio > 1.14}
    out = {}
    for word, fits in sure.items():
        if float(fits.mean()) >= 0.75:
            out[word] = True
        elif float(possible[word].mean()) < 0.25:
            out[word] = False
    return out


def enhancement(fine: Fine) -> dict[str, bool]:
    """Presence, and the pattern of what is not calcified."""
    placed = fine.scene.placed
    tissues = mr.all_tissues(placed)
    grey = mr.mprage(TISSUES["grey"])

    def gain(tissue: str) -> float:
        return (mr.mprage(mr.with_contrast(tissues[tissue])) - mr.mprage(tissues[tissue])) / grey

    index = fine.blend(gain)
    patterns = ("rim", "homogeneous", "heterogeneous")
    share = float((index > 0.15).sum()) / float(fine.inside.sum())
    if share < 0.01:
        return {"none": True, "present": False, **dict.fromkeys(patterns, False)}
    if share < 0.05:
        return {}
    out = {"none": False, "present": True}
    if placed.lesion.enhancement == "rim":
        return {**out, "rim": True, "homogeneous": False}
    free = fine.inside & (fine.calcium < 0.5)
    if float(free.sum()) < 0.9 * float(fine.inside.sum()):
        return out
    variation = float(index[free].std() / max(float(index[free].mean()), 0.02))
    outer = index[free & (fine.distance > -1.2)].mean()
    core = fine.inside & (fine.distance <= -1.2)
    if core.any() and float(outer) < 1.1 * float(index[core & free].mean()):
        out["rim"] = False
    if variation < 0.1:
        out |= {"homogeneous": True, "heterogeneous": False}
    elif variation > 0.3:
        out |= {"homogeneous": False, "heterogeneous": True}
    return out


def blooming(fine: Fine, void_ratio: float | None, void_mm3: float) -> dict[str, bool]:
    """From the SWI of this very acquisition: blooming has no meaning without one."""
    lesion = fine.scene.placed.lesion
    if not lesion.haemorrhage and lesion.calcium_chi_ppm == 0:
        return {"none": True, "present": False, "marked": False}
    if void_ratio is None or void_mm3 < 8:
        return {}
    if lesion.calcification not in ("dense", "none"):
        return {"none": False, "present": True}
    if void_ratio < 1.2:
        return {}
    # Grades are made on one picture or another (magnitude, SWI, a plane or a volume): only a clear one is settled.
    return {"none": False, "present": True, **({"marked": True} if void_ratio > 1.55 else {})}


def phase_sign(fine: Fine) -> dict[str, bool]:
    """Sign of the susceptibility where it is one and strong."""
    lesion = fine.scene.placed.lesion
    if lesion.haemorrhage:
        return {"paramagnetic": True, "diamagnetic": False}
    if lesion.calcification == "dense":
        return {"paramagnetic": False, "diamagnetic": True}
    return {}


def oedema(scene: Scene) -> dict[str, bool]:
    """Present from 100 mm3 of tissue that is half oedema; below 5 mm3 absent."""
    if "oedema" not in scene.head.layers:
        return only("none")
    placed = scene.placed
    half = max(placed.lesion.diameters_mm) * 0.6 + placed.lesion.oedema_mm + 1
    axis = np.arange(-half, half, 0.5, dtype=np.float32)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    c = placed.centre.astype(np.float32)
    points = (x + c[0], y + c[1], z + c[2])
    zone = np.clip(at(scene, "oedema", points) * F(-0.7), 0, 1)
    brain = np.minimum(at(scene, "cerebrum", points) + F(3.0), at(scene, "cerebellum", points) + F(1.5))
    there = (zone > 0.5) & (np.minimum(brain, at(scene, "stem", points)) < 0) & (placed.distance(*points) > 0)
    volume = float(there.sum()) * 0.125
    return only("present") if volume >= 100 else only("none") if volume < 5 else {}


def mass_effect(placed: PlacedLesion) -> dict[str, bool]:
    """How deep an extra-axial lesion presses into the brain; a lesion inside it replaces tissue and displaces nothing."""
    depth = placed.indentation_mm
    if depth < 0.2:
        return only("none")
    if depth < 0.5:
        return {}
    out = {"none": False, "present": True}
    if depth < 2.7:
        out |= {"mild": True, "moderate": False, "severe": False}
    elif depth > 3.3:
        out |= {"mild": False}
    return out


def bone_change(fine: Fine) -> dict[str, bool]:
    """What the build did to bone, and bone that the lesion took the place of."""
    scene, lesion = fine.scene, fine.scene.placed.lesion
    before = at(scene, "bone", fine.points, before=True)
    replaced = float(((before < 0) & fine.inside).sum()) * fine.cell_mm3
    touching = bool(((before < 0) & (fine.distance < 1.0)).any())
    out: dict[str, bool] = {}
    if not touching and lesion.bone_change != "continuity":
        out["continuity"] = False
    if lesion.bone_change == "hyperostosis":
        return {**out, "none": False, "present": True, "hyperostosis": True, "erosion": False}
    if replaced < 2:
        return {**out, "none": True, "present": False, "erosion": False, "hyperostosis": False}
    if lesion.calcification != "none" or replaced < 20:
        return out
    return {**out, "none": False, "present": True, "erosion": True, "hyperostosis": False}


def laterality(placed: PlacedLesion) -> dict[str, bool]:
    """Side of the centre, from 5 mm off the midline on."""
    x = float(model_from_anatomy().inverse().apply(placed.centre)[0])
    if abs(x) < 5:
        return {}
    return {"left": x > 0, "right": x < 0, "midline": False}


def location(site: str) -> dict[str, bool]:
    """The site, and what the others exclude."""
    above = site in ("temporal", "occipital")
    out = {site: True, "supratentorial": above, "infratentorial": not above, "posterior_fossa": not above}
    out["foramen_magnum"] = site == "foramen_magnum"
    out["cpa"] = site == "cpa"
    if site in ("petrous", "clivus"):
        del out["cpa"]
    return out


def compartment(drawn: str) -> dict[str, bool]:
    """Inside or outside the brain."""
    return {"intra_axial": drawn == "intra_axial", "extra_axial": drawn != "intra_axial", drawn: True}
