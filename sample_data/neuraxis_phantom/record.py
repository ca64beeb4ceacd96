"""Writes truth.json and the lesion masks: what the voxels were made from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuraxis_phantom.acquire import model_from, mr_from_ct
from neuraxis_phantom.anatomy import Scene
from neuraxis_phantom.dicom_files import SeriesPlan, uid
from neuraxis_phantom.frames import Grid
from neuraxis_phantom.head import Head, Sampler, model_from_anatomy
from neuraxis_phantom.observed import Statements, observed
from neuraxis_phantom.paint import RIM_INSIDE_MM
from neuraxis_phantom.place import PlacedLesion, bone_distance
from neuraxis_phantom.swi import Void

LANDMARKS: dict[str, tuple[float, float, float]] = {
    "foramen_magnum_centre": (0.0, 0.0, 0.0),
    "basion": (0.0, -17.3, 0.0),
    "opisthion": (0.0, 17.3, 0.0),
    "odontoid_tip": (0.0, -17.4, -7.0),
}
"""Anatomical coordinates in mm."""

REFERENCES: dict[str, tuple[float, float, float]] = {
    "csf": (0.0, 15.0, -8.0),
    "vein": (10.2, 4.2, 0.0),
    "white_matter": (22.0, 10.0, 27.5),
    "brainstem": (4.0, -17.0, 31.0),
    "grey_matter": (11.0, -19.0, 66.0),
    "muscle": (9.0, -33.5, -12.0),
    "pineal_calcification": (0.0, 1.0, 54.0),
    "sigmoid_sinus": (50.5, 16.0, 23.0),
    "vitreous": (31.0, -92.0, 33.0),
}
"""Anatomical coordinates (mm) inside each tissue, on the side away from the lesion."""


def lesion_mask(placed: PlacedLesion, grid: Grid, frame: str) -> NDArray[np.bool_]:
    """Voxels of the grid whose centre lies inside the lesion."""
    sampler = Sampler(Head({}, (0, 0, 0), 1.0), grid, model_from(frame))
    mask = np.zeros(grid.shape, bool)
    centre = grid.index(model_from(frame).inverse().apply(placed.centre))
    half = (max(placed.lesion.diameters_mm) * 0.7 + 1) / np.asarray(grid.spacing_xyz_mm)[::-1]
    low = [max(0, int(np.floor(c - h))) for c, h in zip(centre, half, strict=True)]
    high = [min(n, int(np.ceil(c + h)) + 1) for c, h, n in zip(centre, half, grid.shape, strict=True)]
    if all(b > a for a, b in zip(low, high, strict=True)):
        box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
        x, y, z = sampler.points(box)
        mask[box] = placed.distance(x, y, z) < 0
    return mask


def exact_volume(placed: PlacedLesion) -> float:
    """Volume in mm3: closed form for an ellipsoid, counted on a fine grid where the surface undulates."""
    if placed.lesion.lobulation == 0:
        return placed.lesion.volume_mm3()
    half = max(placed.lesion.diameters_mm) * 0.7
    axis = np.linspace(-half, half, 141, dtype=np.float32)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    c = placed.centre.astype(np.float32)
    step = float(axis[1] - axis[0])
    return float((placed.distance(x + c[0], y + c[1], z + c[2]) < 0).sum() * step**3)


WORDS = (
    "calcification", "compartment", "bone_change", "t1_signal", "t2_signal", "perilesional_oedema", "mass_effect",
    "blooming", "enhancement", "dural_tail", "haemorrhage", "margin", "laterality",
)  # fmt: skip
GENERIC = ("none", "present")


def concept_truth(placed: PlacedLesion, statements: Statements) -> dict[str, Any]:
    """One word a concept: the most specific true statement; "undetermined" where the drawing settles none."""
    lesion = placed.lesion
    out: dict[str, Any] = {}
    for concept in WORDS:
        true = [value for value, holds in statements[concept].items() if holds]
        out[concept] = next((v for v in true if v not in GENERIC), true[0] if true else "undetermined")
    if lesion.lobulation > 0.05:
        out["margin"] = "lobulated"
    out["compartment"] = lesion.compartment
    out["location"] = lesion.site
    out["size"] = {"value": "measured", "size_mm": [float(v) for v in lesion.diameters_mm]}
    out["susceptibility_sign"] = (
        "paramagnetic" if lesion.haemorrhage else "diamagnetic" if lesion.calcium_chi_ppm else "none"
    )
    return out


def listed(points: NDArray[np.float64]) -> list[float]:
    """Numbers for JSON, rounded to a thousandth of a micrometre."""
    return [round(float(v), 6) + 0.0 for v in np.asarray(points).ravel()]


def frame_truth(frame: str, placed: PlacedLesion, case: str, seed: int) -> dict[str, Any]:
    """Landmarks, references, midline and lesion in one frame of reference (LPS mm)."""
    from_anatomy = model_from(frame).inverse().after(model_from_anatomy())
    away = -1.0 if placed.lesion.side == "left" else 1.0
    centre = model_from(frame).inverse().apply(placed.centre)
    half = np.asarray(placed.lesion.diameters_mm) / 2
    turn = np.abs(model_from(frame).inverse().rotation)
    reach = turn @ half * (1 + 2 * placed.lesion.lobulation)
    normal = from_anatomy.rotation @ np.array([1.0, 0.0, 0.0])
    return {
        "frame_of_reference_uid": uid("frame", case, seed, frame),
        "lesion_centroid_lps_mm": listed(centre),
        "lesion_box_lps_mm": [listed(centre - reach), listed(centre + reach)],
        "landmarks_lps_mm": {n: listed(from_anatomy.apply(np.asarray(p))) for n, p in LANDMARKS.items()},
        "reference_points_lps_mm": {
            n: listed(from_anatomy.apply(np.array([away * p[0], p[1], p[2]]))) for n, p in REFERENCES.items()
        },
        "midline_plane": {"point_lps_mm": listed(from_anatomy.apply(np.zeros(3))), "normal_lps": listed(normal)},
        "anatomy_to_frame": [listed(r) for r in from_anatomy.matrix()],
    }


def series_truth(case: str, seed: int, plan: SeriesPlan, grid: Grid, mask_voxels: int) -> dict[str, Any]:
    """What one series is and where its voxels lie."""
    return {
        "folder": plan.folder,
        "role": plan.role,
        "modality": plan.modality,
        "number": plan.number,
        "description": plan.description,
        "series_uid": uid("series", case, seed, plan.number),
        "frame_of_reference_uid": uid("frame", case, seed, plan.frame),
        "frame": plan.frame,
        "shape_zyx": list(grid.shape),
        "spacing_xyz_mm": list(grid.spacing_xyz_mm),
        "origin_lps_mm": listed(grid.origin_lps_mm),
        "direction_lps": [listed(r) for r in grid.axes],
        "thickness_mm": plan.thickness_mm,
        "mask": f"masks/{plan.folder}.npz",
        "mask_voxels": mask_voxels,
    }


def lesion_record(head: Head, placed: PlacedLesion) -> dict[str, Any]:
    """The lesion's parameters with what the build made of them."""
    lesion = placed.lesion
    gap, nearest = bone_distance(head, placed, 0.15 if max(lesion.diameters_mm) < 8 else 0.35, 6.0)
    near = bool(np.isfinite(gap))
    rim = lesion.enhancement == "rim"
    return {
        "side": lesion.side,
        "site": lesion.site,
        "compartment": lesion.compartment,
        "diameters_mm": list(lesion.diameters_mm),
        "volume_mm3": round(exact_volume(placed), 4),
        "calcification": lesion.calcification,
        "hu_plateau": lesion.calcium_hu if lesion.calcification == "dense" else lesion.hu,
        "calcium_hu": lesion.calcium_hu,
        "calcium_chi_ppm": lesion.calcium_chi_ppm,
        "distance_to_bone_mm": round(max(gap, 0.0), 3) if near else None,
        "nearest_bone_ct_lps_mm": listed(model_from("CT").inverse().apply(nearest)) if near else None,
        "indentation_mm": round(placed.indentation_mm, 2),
        "enhancing_rim_mm": lesion.rim_mm if rim else None,
        "enhancing_rim_from_boundary_mm": [-RIM_INSIDE_MM, round(lesion.rim_mm - RIM_INSIDE_MM, 3)] if rim else None,
        "dural_tail_mm": lesion.dural_tail_mm,
        "dural_tail_thickness_mm": lesion.dural_tail_thickness_mm,
        "oedema_mm": lesion.oedema_mm,
    }


def write_truth(
    directory: Path,
    case: str,
    seed: int,
    scene: Scene,
    series: list[tuple[SeriesPlan, Grid]],
    handedness: int,
    void: Void,
) -> None:
    """Write truth.json and masks/<folder>.npz (array `lesion`, bool, (slice, row, column))."""
    head, placed = scene.head, scene.placed
    statements = observed(scene, void.ratio, void.volume_mm3)
    (directory / "masks").mkdir(exist_ok=True)
    entries = []
    for plan, grid in sorted(series, key=lambda s: s[0].number):
        mask = lesion_mask(placed, grid, plan.frame)
        np.savez_compressed(directory / "masks" / f"{plan.folder}.npz", lesion=mask)
        entries.append(series_truth(case, seed, plan, grid, int(mask.sum())))
    truth = {
        "case": case,
        "seed": seed,
        "study_uid": uid("study", case, seed),
        "series": entries,
        "frames": {f: frame_truth(f, placed, case, seed) for f in ("CT", "MR")},
        "ct_to_mr": [listed(r) for r in mr_from_ct().matrix()],
        "phase": {
            "handedness": handedness,
            "meaning": "sign of the filtered phase (after rescale) inside a vein along B0, whose blood is paramagnetic",
            "radians_per_unit": round(float(np.pi / 4096), 9),
        },
        "lesion": lesion_record(head, placed)
        | {"swi_void_ratio": void.ratio and round(void.ratio, 3), "swi_void_mm3": round(void.volume_mm3, 1)},
        "concepts": concept_truth(placed, statements),
        "statements": statements,
    }
    text = json.dumps(truth, indent=1, sort_keys=True) + "\n"
    (directory / "truth.json").write_text(text, encoding="utf-8")
