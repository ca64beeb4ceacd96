"""The registration study itself: known motions, their truth, and what elastix's answer means."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from neuraxis.align.registration_study import Case, Pair, Result, euler_matrix, moved, moved_copy, run, summarise
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.volume import ValueKind, Volume


@pytest.fixture(scope="module")
def volume() -> Volume:
    """A lopsided body with texture inside, no two places alike."""
    shape = (44, 60, 56)
    geometry = VolumeGeometry.axis_aligned(shape, (2.5, 2.5, 3.0), (-70.0, -75.0, -66.0), "FIXED")
    x, y, z = np.moveaxis(geometry.lps_from_index(np.moveaxis(np.indices(shape), 0, -1)), -1, 0)
    body = (x / 55) ** 2 + (y / 66) ** 2 + (z / 54) ** 2 < 1
    texture: NDArray[np.float64] = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=shape), 2.0)
    values = np.where(body, 300 + 900 * texture + 1.5 * x + y, 0.0)
    return Volume(values.astype(np.float32), geometry, ValueKind.SIGNAL, series_id="body")


def test_a_motion_moves_the_truth_and_leaves_the_voxels(volume: Volume) -> None:
    pair = Pair("self", volume, volume, np.eye(4), (5.0, 3.0, -4.0))
    case, shift, turn = moved(pair, 3)
    assert 0 < shift <= 30
    assert 0 < turn <= 20
    index = (10.0, 20.0, 30.0)
    before = np.append(volume.geometry.lps_from_index(index), 1.0)
    assert case.moving.geometry.lps_from_index(index) == pytest.approx((case.truth @ before)[:3])
    assert np.corrcoef(case.moving.array.ravel(), volume.array.ravel())[0, 1] > 0.99
    assert case.moving.geometry.frame_of_reference_uid != volume.geometry.frame_of_reference_uid
    assert not np.array_equal(moved(pair, 4)[0].truth, case.truth)


def test_a_copy_between_its_own_voxels_shows_the_same_body_at_the_same_points(volume: Volume) -> None:
    pair = moved_copy("copy", volume, 2)
    offset = pair.moving.geometry.index_from_lps(volume.geometry.lps_from_index((20, 30, 30))) - (20, 30, 30)
    assert 0.3 <= offset[1] <= 0.7
    assert offset[0] == pytest.approx(0)
    at = pair.moving.geometry.index_from_lps(volume.geometry.lps_from_index((20, 30, 30)))
    there = ndimage.map_coordinates(pair.moving.array, at[:, None], order=3)[0]
    assert there == pytest.approx(float(volume.array[20, 30, 30]), abs=15)


def test_a_moved_series_is_found_again_within_what_is_stated(volume: Volume) -> None:
    cases = list(run([(moved_copy("body", volume, 0), 0)]))
    found = summarise(cases)
    assert found.cases == 1
    assert found.refused == 0
    assert found.worst_mm < 0.6
    assert found.covered == 1.0
    assert found.elastix_cases == 0
    assert np.isnan(found.wall_ratio)


def test_an_elastix_transform_is_read_as_its_manual_says() -> None:
    text = """(Transform "EulerTransform")
(TransformParameters 0.1 0.2 0.3 4 5 6)
(CenterOfRotationPoint 10 20 30)
(ComputeZYX "false")
"""
    def turn(axis: int, angle: float) -> NDArray[np.float64]:
        c, s = np.cos(angle), np.sin(angle)
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        m = np.eye(3)
        m[i, i] = m[j, j] = c
        m[i, j], m[j, i] = -s, s
        return m

    matrix = euler_matrix(text)
    assert matrix @ [10, 20, 30, 1] == pytest.approx([14, 25, 36, 1])
    np.testing.assert_allclose(matrix[:3, :3], turn(2, 0.3) @ turn(0, 0.1) @ turn(1, 0.2), atol=1e-12)


def test_ratios_count_only_cases_that_both_solved() -> None:
    ours, slow = Result(0.1, 0.2, 2.0, 3.0), Result(0.3, np.nan, 20.0, 33.0)
    found = summarise([
        Case("a", 1, 1, ours, slow, True), Case("b", 1, 1, Result(0.5, 0.2, 2.0, 3.0), None, True), Case("c", 1, 1, None, None, False),
    ])
    assert (found.cases, found.refused, found.elastix_cases, found.elastix_lost) == (3, 1, 2, 1)
    assert found.worst_mm == 0.5
    assert found.covered == 0.5
    assert found.wall_ratio == pytest.approx(10.0)
    assert found.cpu_ratio == pytest.approx(11.0)
