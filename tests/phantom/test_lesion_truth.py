"""The lesion in the voxels is the lesion of the truth: volume, plateau, distance, place."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from neuraxis_phantom import ct
from neuraxis_phantom.acquire import blur_in_plane, blur_slices, model_from, mr_from_ct
from neuraxis_phantom.anatomy import Scene
from neuraxis_phantom.frames import Grid, centred_grid
from neuraxis_phantom.head import Head
from neuraxis_phantom.mr import all_tissues
from neuraxis_phantom.observed import observed
from neuraxis_phantom.paint import Values, paint
from neuraxis_phantom.place import PlacedLesion, bone_distance
from neuraxis_phantom.record import concept_truth, exact_volume, lesion_mask

HeadAndLesion = tuple[Head, PlacedLesion]


def about_lesion(
    placed: PlacedLesion, frame: str, shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> Grid:
    x, y, z = (float(v) for v in model_from(frame).inverse().apply(placed.centre))
    return centred_grid(shape, spacing, (x + 0.13, y - 0.07, z + 0.21))


@pytest.mark.parametrize(
    ("frame", "spacing"), [("CT", (0.45, 0.45, 0.6)), ("MR", (0.7, 0.7, 1.0)), ("MR", (0.45, 0.45, 1.5))]
)
def test_partial_volume_adds_up_to_the_sphere(
    capnon_head: HeadAndLesion, frame: str, spacing: tuple[float, float, float]
) -> None:
    head, placed = capnon_head
    values: Values = {name: (1.0 if name == "lesion_calcium" else 0.0,) for name in all_tissues(placed)}
    grid = about_lesion(placed, frame, (17, 23, 23), spacing)
    share = paint(head, placed, grid, model_from(frame), values, edge_mm=0.5, splits=(6, 5, 5))[0]
    inside_rim = 4 / 3 * np.pi * (2.0**3 - 1.8**3)
    expected = exact_volume(placed) - inside_rim
    assert exact_volume(placed) == pytest.approx(4 / 3 * np.pi * 8)
    assert share.sum() * np.prod(spacing) == pytest.approx(expected, rel=0.02)
    index = np.array(np.nonzero(share > 0)).T
    weight = share[share > 0]
    centre = grid.points((index * weight[:, None]).sum(axis=0) / weight.sum())
    assert np.linalg.norm(centre - model_from(frame).inverse().apply(placed.centre)) < 0.05


def test_the_plateau_is_700_hu_and_the_integral_gives_the_volume(capnon_head: HeadAndLesion) -> None:
    head, placed = capnon_head
    grid = about_lesion(placed, "CT", (21, 31, 31), (0.45, 0.45, 0.6))
    values = ct.hu_values(placed)
    calcified = ("lesion_calcium", "lesion_rim_inner")
    flat: Values = {name: (v[0] if name in calcified else 10.0,) for name, v in values.items()}
    hu = paint(head, placed, grid, model_from("CT"), flat, edge_mm=0.5, splits=(5, 5, 5))[0]
    hu = blur_slices(hu, 0.4 / ct.FWHM / 0.6)
    blur_in_plane(hu, ct.THIN.fwhm_mm / ct.FWHM / 0.45)
    k, j, i = (round(float(v)) for v in grid.index(model_from("CT").inverse().apply(placed.centre)))
    assert hu[k, j, i] == pytest.approx(700, abs=8)
    assert hu.max() <= 702
    near = (hu - 10.0)[k - 6 : k + 7, j - 9 : j + 10, i - 9 : i + 10]
    volume = near.sum() * 0.45 * 0.45 * 0.6 / 690.0
    assert volume == pytest.approx(exact_volume(placed), rel=0.02)
    line = hu[k, j]
    above = np.flatnonzero(line > 355)
    assert (above.max() - above.min() + 1) * 0.45 == pytest.approx(4.0, abs=0.5)


def test_bone_is_two_millimetres_away_by_an_independent_distance_transform(capnon_head: HeadAndLesion) -> None:
    head, placed = capnon_head
    step = 0.1
    axis = np.arange(-5.0, 5.0 + step / 2, step)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    points = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1) + placed.centre
    bone = head.value_at("bone", points).reshape(z.shape) < 0
    lesion = x * x + y * y + z * z < 2.0**2
    assert bone.any()
    distance = ndimage.distance_transform_edt(~bone, sampling=step)
    assert distance[lesion].min() == pytest.approx(2.0, abs=0.12)
    assert bone_distance(head, placed)[0] == pytest.approx(2.0, abs=0.02)


def test_the_lesion_presses_mildly_into_the_medulla_and_nothing_is_left_inside_it(capnon_head: HeadAndLesion) -> None:
    head, placed = capnon_head
    assert 0.5 < placed.indentation_mm < 3.0
    directions = np.random.default_rng(1).standard_normal((400, 3))
    surface = placed.centre + directions / np.linalg.norm(directions, axis=1, keepdims=True) * 2.0
    assert head.value_at("stem", surface).min() > 0


def test_masks_hold_the_voxels_whose_centre_is_inside(capnon_head: HeadAndLesion) -> None:
    _, placed = capnon_head
    for frame, spacing in (("CT", (0.45, 0.45, 0.6)), ("MR", (0.7, 0.7, 1.0))):
        grid = about_lesion(placed, frame, (15, 21, 21), spacing)
        mask = lesion_mask(placed, grid, frame)
        index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
        far = np.linalg.norm(
            grid.points(index.astype(np.float64)) - model_from(frame).inverse().apply(placed.centre), axis=-1
        )
        assert np.array_equal(mask, far < 2.0) or np.abs(far[mask != (far < 2.0)] - 2.0).max() < 1e-3
        assert mask.sum() * np.prod(spacing) == pytest.approx(33.5, rel=0.15)


def test_the_lesion_is_right_of_the_midline_in_both_frames(capnon_head: HeadAndLesion) -> None:
    _, placed = capnon_head
    assert placed.centre[0] < -5
    in_ct = model_from("CT").inverse().apply(placed.centre)
    in_mr = model_from("MR").inverse().apply(placed.centre)
    assert mr_from_ct().apply(in_ct) == pytest.approx(in_mr, abs=1e-9)
    assert np.linalg.norm(in_ct - in_mr) > 3


def test_the_concepts_are_those_of_the_case(capnon_scene: Scene) -> None:
    concepts = concept_truth(capnon_scene.placed, observed(capnon_scene, 1.9, 200.0))
    expected = {
        "calcification": "dense", "compartment": "extra_axial", "location": "foramen_magnum", "laterality": "right",
        "bone_change": "none", "t1_signal": "hypo", "t2_signal": "hypo", "perilesional_oedema": "none",
        "mass_effect": "mild", "blooming": "marked", "enhancement": "rim", "dural_tail": "none", "haemorrhage": "none",
    }  # fmt: skip
    assert {name: concepts[name] for name in expected} == expected
