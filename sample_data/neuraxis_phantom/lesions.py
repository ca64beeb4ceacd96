"""Lesions as parameters: where, how large, of what, with which neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neuraxis_phantom.tissues import Tissue

Point = tuple[float, float, float]

SITES: dict[str, Point] = {
    "foramen_magnum": (9.6, -4.2, 1.5),
    "cpa": (21.0, -12.0, 26.0),
    "petrous": (30.0, 3.5, 19.0),
    "temporal": (40.0, -38.0, 42.0),
    "cerebellum": (25.0, 27.0, 24.0),
    "pons": (6.0, -16.0, 33.0),
    "clivus": (2.0, -33.0, 19.0),
    "occipital": (24.0, 42.0, 50.0),
}
"""Centre of each site for the left side, anatomical coordinates in mm (+x left, +y posterior, +z head)."""

INTRA_AXIAL = ("temporal", "cerebellum", "pons", "occipital")


@dataclass(frozen=True)
class Lesion:
    """One lesion. Lengths in mm; `side` is the patient's; tissue values as in `tissues.py`."""

    site: str
    side: str
    diameters_mm: Point
    compartment: str
    calcification: str = "none"
    """none, dense, rim, punctate, amorphous."""
    calcium_hu: float = 0.0
    hu: float = 38.0
    """CT number where there is no calcium."""
    pd: float = 0.8
    t1_ms: float = 1400.0
    t2_ms: float = 90.0
    t2_star_ms: float = 50.0
    chi_ppm: float = 0.0
    calcium_chi_ppm: float = 0.0
    haemorrhage: bool = False
    """A paramagnetic rim (haemosiderin)."""
    enhancement: str = "none"
    """none, rim, homogeneous, heterogeneous."""
    rim_mm: float = 0.8
    gadolinium_mm: float = 0.0
    dural_tail_mm: float = 0.0
    dural_tail_thickness_mm: float = 0.0
    oedema_mm: float = 0.0
    bone_gap_mm: float | None = None
    """Distance from the lesion's surface to bone that the build enforces; None leaves the site as it is."""
    bone_change: str = "none"
    """none, hyperostosis, erosion, continuity."""
    lobulation: float = 0.0
    """Amplitude of the surface's undulation as a part of the radius."""

    def matrix(self) -> Tissue:
        """The part without calcium."""
        return Tissue(self.hu, self.pd, self.t1_ms, self.t2_ms, self.t2_star_ms, self.chi_ppm, self.gadolinium_mm)

    def calcium(self) -> Tissue:
        """The fully calcified part."""
        return Tissue(self.calcium_hu, 0.18, 700.0, 18.0, 6.0, self.calcium_chi_ppm)

    def volume_mm3(self) -> float:
        """Volume of the ellipsoid (closed form; undulation keeps it to within a few per cent)."""
        a, b, c = self.diameters_mm
        return float(np.pi / 6 * a * b * c)

    def centre(self) -> Point:
        """Centre of the site on the lesion's side, anatomical mm."""
        x, y, z = SITES[self.site]
        return (x if self.side == "left" else -x, y, z)


CASES: dict[str, Lesion] = {
    "capnon": Lesion(
        "foramen_magnum", "right", (4.0, 4.0, 4.0), "extra_axial", calcification="dense", calcium_hu=700.0,
        calcium_chi_ppm=-3.0, enhancement="rim", rim_mm=0.8, gadolinium_mm=1.1, bone_gap_mm=2.0,
    ),
    "meningioma_calcified": Lesion(
        "petrous", "left", (14.0, 13.0, 12.0), "extra_axial", calcification="amorphous", calcium_hu=420.0, hu=48.0,
        pd=0.84, t1_ms=1350.0, t2_ms=108.0, calcium_chi_ppm=-1.3, enhancement="homogeneous", gadolinium_mm=0.95,
        dural_tail_mm=14.0, dural_tail_thickness_mm=2.4, bone_gap_mm=0.0, bone_change="hyperostosis",
        oedema_mm=0.0, lobulation=0.04,
    ),
    "schwannoma": Lesion(
        "cpa", "right", (12.0, 11.0, 11.0), "extra_axial", hu=36.0, pd=0.9, t1_ms=1600.0, t2_ms=150.0,
        enhancement="homogeneous", gadolinium_mm=0.85,
    ),
    "cavernoma": Lesion(
        "cerebellum", "left", (10.0, 9.0, 9.0), "intra_axial", hu=62.0, pd=0.8, t1_ms=900.0, t2_ms=110.0,
        t2_star_ms=18.0, chi_ppm=0.35, haemorrhage=True, lobulation=0.10,
    ),
    "oligodendroglioma": Lesion(
        "temporal", "right", (24.0, 28.0, 22.0), "intra_axial", calcification="punctate", calcium_hu=380.0, hu=24.0,
        pd=0.92, t1_ms=1750.0, t2_ms=160.0, t2_star_ms=90.0, calcium_chi_ppm=-1.3, oedema_mm=2.5, lobulation=0.06,
    ),
    "chordoma": Lesion(
        "clivus", "left", (24.0, 19.0, 26.0), "intraosseous", calcification="punctate", calcium_hu=420.0, hu=40.0,
        pd=0.95, t1_ms=1500.0, t2_ms=260.0, t2_star_ms=80.0, calcium_chi_ppm=-1.2, enhancement="heterogeneous",
        gadolinium_mm=0.6, bone_change="erosion", lobulation=0.08,
    ),
}  # fmt: skip


def random_lesion(seed: int) -> Lesion:
    """A lesion drawn from `seed`: site, side, size, calcium, contrast, neighbours vary independently where they can."""
    rng = np.random.default_rng(np.random.SeedSequence([7919, seed]))
    site = str(rng.choice(list(SITES)))
    inside = site in INTRA_AXIAL
    compartment = "intraosseous" if site == "clivus" else "intra_axial" if inside else "extra_axial"
    largest = {"foramen_magnum": 6.0, "pons": 9.0}.get(site, 18.0)
    size = float(np.round(rng.uniform(4.0, largest), 1))
    a, b, c = (float(np.round(size * f, 1)) for f in (1.0, rng.uniform(0.75, 1.0), rng.uniform(0.75, 1.0)))
    pattern = (
        str(rng.choice(["none", "dense", "rim", "punctate", "amorphous"]))
        if size >= 7
        else str(rng.choice(["none", "dense"]))
    )
    enhancement = str(rng.choice(["none", "rim", "homogeneous", "heterogeneous"]))
    bleeds = bool(pattern == "none" and inside and rng.uniform() < 0.4)
    lesion = Lesion(
        site, str(rng.choice(["left", "right"])), (a, b, c), compartment, calcification=pattern,
        calcium_hu=0.0 if pattern == "none" else float(np.round(rng.uniform(250, 900))),
        hu=float(np.round(rng.uniform(22, 58))), pd=0.85, t1_ms=float(np.round(rng.uniform(900, 1900))),
        t2_ms=float(np.round(rng.uniform(45, 220))), t2_star_ms=20.0 if bleeds else 55.0,
        chi_ppm=0.35 if bleeds else 0.0, haemorrhage=bleeds, enhancement=enhancement,
        gadolinium_mm=0.0 if enhancement == "none" else float(np.round(rng.uniform(0.5, 1.1), 2)),
        oedema_mm=float(rng.choice([0.0, 3.0, 6.0])) if inside else 0.0,
        bone_gap_mm=1.5 if site == "foramen_magnum" else 0.0 if site == "petrous" else None,
        bone_change="erosion" if site == "clivus" else "none",
    )  # fmt: skip
    if pattern != "none":
        lesion = replace(lesion, calcium_chi_ppm=float(np.round(-lesion.calcium_hu / 270.0, 2)))
    if site == "petrous" and rng.uniform() < 0.5:
        lesion = replace(lesion, dural_tail_mm=10.0, dural_tail_thickness_mm=2.0)
    return lesion


def lesion_of(case: str, seed: int) -> Lesion:
    """Parameters of a named case, or of `random` with its seed."""
    if case == "random":
        return random_lesion(seed)
    if case not in CASES:
        raise ValueError(f"no case named {case!r}; known: {', '.join((*CASES, 'random'))}")
    return CASES[case]
