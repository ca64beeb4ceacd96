"""Tissue properties at 3 T: CT number, proton density, relaxation times, susceptibility, effect of contrast."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tissue:
    """HU at 120 kV; proton density (water = 1); T1, T2, T2* in ms; susceptibility in ppm (SI) against soft tissue."""

    hu: float
    pd: float
    t1: float
    t2: float
    t2_star: float
    chi_ppm: float = 0.0
    gadolinium_mm: float = 0.0
    """Concentration after contrast, mmol/l."""
    flow: bool = False
    """Flowing blood: void on spin echo."""


TISSUES: dict[str, Tissue] = {
    "air": Tissue(-1000, 0.0, 1000, 50, 1, 9.4),
    "skin": Tissue(35, 0.62, 900, 40, 22, 0.0, 0.08),
    "fat": Tissue(-95, 0.85, 365, 90, 40, 0.6),
    "muscle": Tissue(58, 0.75, 1400, 40, 30, 0.0, 0.06),
    "cortical_bone": Tissue(1250, 0.05, 500, 5, 1, -2.2),
    "diploe": Tissue(560, 0.45, 500, 60, 9, -0.8, 0.03),
    "petrous_bone": Tissue(1750, 0.04, 500, 5, 1, -2.6),
    "mucosa": Tissue(42, 0.85, 1500, 95, 45, 0.0, 0.75),
    "dura": Tissue(55, 0.45, 900, 40, 15, 0.0, 0.38),
    "csf": Tissue(6, 1.0, 4200, 1800, 900, 0.0),
    "grey": Tissue(38, 0.83, 1450, 96, 58, 0.01),
    "white": Tissue(30, 0.70, 860, 70, 50, -0.02),
    "stem": Tissue(32, 0.74, 1020, 76, 52, -0.01),
    "deep_grey": Tissue(38, 0.80, 1250, 84, 48, 0.06),
    "choroid": Tissue(48, 0.9, 1700, 140, 60, 0.0, 0.9),
    "pituitary": Tissue(45, 0.82, 1200, 85, 45, 0.0, 0.7),
    "calcified": Tissue(330, 0.30, 900, 40, 14, -1.3),
    "arterial_blood": Tissue(45, 0.85, 1650, 130, 48, -0.02, 1.0, flow=True),
    "venous_blood": Tissue(50, 0.85, 1600, 60, 24, 0.42, 1.0, flow=True),
    "vitreous": Tissue(8, 1.0, 4000, 1400, 700),
    "lens": Tissue(90, 0.5, 900, 35, 20),
    "oedema": Tissue(21, 0.88, 1650, 150, 95),
}

R1_PER_MM = 4.5
"""Longitudinal relaxivity of a gadolinium chelate at 3 T, 1/(s mmol/l)."""
R2_PER_MM = 5.5
"""Transverse relaxivity, 1/(s mmol/l)."""
