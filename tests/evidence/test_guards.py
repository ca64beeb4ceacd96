"""Guards against a mask that is not the whole lesion: calcium at its border, fading edges, bone it took the place of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuraxis.domain.tag import Verdict
from neuraxis.evidence import bone_change, calcification, location
from neuraxis.evidence.bone_change import BoneAsymmetry, going_on
from neuraxis.evidence.calcification import CalciumNumbers

CLEAN = CalciumNumbers(60.0, 40.0, 48.0, 0.0, 0, (), 1.0, 20.0, 8.0, (0.0, 0.0, 0.0))
DENSE = CalciumNumbers(800.0, 660.0, 780.0, 1.0, 400, (6.0,), 0.9, 14.0, 8.0, (0.0, 0.0, 0.0))


def test_calcium_is_not_excluded_where_the_mask_is_from_mr_and_dense_voxels_border_on_it() -> None:
    assert calcification.judge(CLEAN, 0.6, False)["none"][0] is Verdict.SUPPORTS
    bordered = replace(CLEAN, bordering_octants=6)
    for value in ("none", "present", "rim"):
        assert calcification.judge(bordered, 0.6, False)[value][0] is Verdict.NOT_ASSESSABLE
    # A mask drawn on CT ends where the density does: what borders on it is not its own.
    assert calcification.judge(bordered, 0.6, True)["none"][0] is Verdict.SUPPORTS


def test_a_few_dense_voxels_beside_bone_are_not_called_calcium_of_a_mask_from_mr() -> None:
    stray = replace(CLEAN, maximum=177.0, calcified_voxels=3, component_lengths_mm=(0.6,), f130=0.001, bordering_octants=2)
    assert calcification.judge(stray, 0.6, False)["present"][0] is Verdict.NOT_ASSESSABLE
    assert calcification.judge(stray, 0.6, True)["present"][0] is Verdict.SUPPORTS


def test_a_fading_edge_leaves_dense_and_amorphous_open() -> None:
    assert calcification.judge(DENSE, 0.6)["dense"][0] is Verdict.SUPPORTS
    fading = calcification.judge(replace(DENSE, fading_octants=5), 0.6)
    assert fading["present"][0] is Verdict.SUPPORTS
    assert {fading[v][0] for v in ("dense", "amorphous")} == {Verdict.NOT_ASSESSABLE}


@pytest.mark.parametrize(("soft_mm", "fades"), [(0.4, False), (2.4, True)])
def test_sharp_and_fading_edges_are_told_apart(soft_mm: float, fades: bool) -> None:
    step = 0.45
    axis = np.arange(-12, 12.01, step)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    points = np.stack([x, y, z], axis=-1)
    distance = np.linalg.norm(points, axis=-1) - 4.0
    hu = 35 + 700 * np.clip(0.5 - distance / (2 * soft_mm), 0, 1)
    numbers = calcification.measure_calcium(hu, distance <= 0, distance, (step, step, step), points, 8.0)
    assert (numbers.fading_octants >= calcification.HALF_OF_DIRECTIONS) is fades


def test_bone_goes_on_and_the_calcium_of_a_lesion_does_not() -> None:
    dense = np.zeros((20, 20, 20), dtype=bool)
    dense[0:6, 5:15, 5:15] = True
    dense[9:13, 9:13, 9:13] = True
    kept = going_on(dense)
    assert kept[3, 10, 10]
    assert not kept[10, 10, 10]


def test_bone_missing_where_the_lesion_lies_is_erosion_and_some_of_it_is_left_open() -> None:
    same = BoneAsymmetry(500.0, 505.0, 10.0, 12.0, 20.0, 3)
    assert bone_change.judge(same, False)["none"][0] is Verdict.SUPPORTS
    assert bone_change.judge(replace(same, replaced_mm3=200.0), False)["erosion"][0] is Verdict.SUPPORTS
    assert bone_change.judge(replace(same, replaced_mm3=40.0), False)["none"][0] is Verdict.NOT_ASSESSABLE


def test_at_the_foramen_magnum_far_sites_are_contradicted_and_near_ones_left_to_the_reader() -> None:
    here = location._answers(2.0, 0.0, "2 mm above")
    assert here["foramen_magnum"][0] is Verdict.SUPPORTS
    assert here["frontal"][0] is Verdict.CONTRADICTS
    assert "medulla" not in here
    high = location._answers(80.0, 0.0, "80 mm above")
    assert high["foramen_magnum"][0] is high["infratentorial"][0] is Verdict.CONTRADICTS
    between = location._answers(15.0, 0.0, "15 mm above")
    assert set(between) == {"foramen_magnum"}
    assert between["foramen_magnum"][0] is Verdict.NOT_ASSESSABLE
    assert not set(location.HINTS) & set(location.REMOTE)
