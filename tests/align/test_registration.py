"""Registration against known transforms: synthetic heads of two modalities, and a real series moved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from neuraxis.align import RegistrationCancelledError, RegistrationFailedError, register
from neuraxis.align.information import MutualInformation
from neuraxis.align.pyramid import make_level
from neuraxis.align.rotation import about, left_jacobian, rotation_from_angles, rotation_from_vector
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.transform import Registration
from neuraxis.domain.volume import ValueKind, Volume

FOCUS = np.array([20.0, 10.0, -25.0])


def _tissues(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """CT and MR value of a lopsided head at points, in closed form: skull, ventricle, bone and blobs."""
    x, y, z = np.moveaxis(points, -1, 0)
    radius = np.sqrt((x / 70) ** 2 + (y / 88) ** 2 + (z / 75) ** 2)
    waves = np.sin(x / 6.1 + 0.4 * np.sin(y / 9)) + np.sin(y / 7.3 + z / 11) + np.sin(z / 6.7 - x / 13)
    edge = 1 / (1 + np.exp(np.clip((radius - 1.0) * 400, -50, 50)))
    skull = np.exp(-(((radius - 0.93) / 0.035) ** 2))
    drop = np.exp(-(((x - 18) ** 2 + (y + 10) ** 2 + (z - 5) ** 2) / 200))
    brain = np.tanh(2 * waves)
    ct = -1000 + edge * (1030 + 25 * brain - 25 * drop) + 700 * skull
    mr = edge * (400 - 120 * brain - 250 * drop) * (1 - 0.95 * skull)
    return ct, mr


def _seen(geometry: VolumeGeometry, to_head: NDArray[np.float64], *, ct: bool, seed: int) -> Volume:
    index = np.moveaxis(np.indices(geometry.shape_zyx), 0, -1)
    points = geometry.lps_from_index(index) @ to_head[:3, :3].T + to_head[:3, 3]
    values = _tissues(points)[0 if ct else 1] + np.random.default_rng(seed).normal(0, 8.0, geometry.shape_zyx)
    if ct:
        return Volume(np.rint(values).astype(np.int16), geometry, ValueKind.HU, series_id="ct")
    return Volume(np.abs(values).astype(np.float32), geometry, ValueKind.SIGNAL, series_id="mr")


@pytest.fixture(scope="module")
def ct() -> Volume:
    """The lower part of the head only, as a CT of the foramen magnum is."""
    geometry = VolumeGeometry.axis_aligned((80, 134, 120), (1.5, 1.5, 1.5), (-89.0, -99.0, -90.0), "CT")
    return _seen(geometry, np.eye(4), ct=True, seed=1)


def _mr(matrix: NDArray[np.float64], *, sheared: bool = False) -> Volume:
    """The whole head in another frame; `matrix` maps CT points to it."""
    affine = np.diag([2.1, 2.2, 2.5, 1.0])
    affine[:3, 3] = (-94.0, -105.0, -95.0)
    if sheared:
        affine[1, 2] = 0.5
    geometry = VolumeGeometry.from_affine((78, 96, 90), affine, "MR")
    return _seen(geometry, np.linalg.inv(matrix).astype(np.float64), ct=False, seed=2)


def _error(found: Registration, matrix: NDArray[np.float64], point: NDArray[np.float64] = FOCUS) -> float:
    return float(np.linalg.norm(found.apply(point) - (matrix[:3, :3] @ point + matrix[:3, 3])))


@pytest.mark.parametrize(
    ("angles", "shift"),
    [((0, 0, 0), (0, 0, 0)), ((12, -8, 14), (18, -20, 12)), ((-11, 13, -10), (-15, 10, -24))],
    ids=["nothing", "20 degrees 30 mm", "the other way"],
)
def test_ct_and_mr_are_brought_together_from_far_away(
    ct: Volume, angles: tuple[float, float, float], shift: tuple[float, float, float]
) -> None:
    matrix = about(np.zeros(3), rotation_from_angles(angles), np.array(shift, dtype=np.float64))
    found = register(ct, _mr(matrix), focus_lps_mm=FOCUS)
    assert (found.from_frame, found.to_frame) == ("CT", "MR")
    assert _error(found, matrix) < 0.5
    assert _error(found, matrix) <= found.residual_mm + 0.1
    assert 0 < found.residual_mm < 1.0


def test_the_larger_volume_may_be_the_fixed_one_and_a_sheared_grid_is_no_obstacle(ct: Volume) -> None:
    matrix = about(np.zeros(3), rotation_from_angles((5, -4, 8)), np.array([6.0, -9.0, 4.0]))
    found = register(_mr(matrix, sheared=True), ct, focus_lps_mm=matrix[:3, :3] @ FOCUS + matrix[:3, 3])
    assert (found.from_frame, found.to_frame) == ("MR", "CT")
    assert _error(found.inverse, matrix) < 0.5


def test_the_same_input_gives_the_same_map(ct: Volume) -> None:
    moving = _mr(about(np.zeros(3), rotation_from_angles((3, 2, 1)), np.array([2.0, 3.0, 4.0])))
    assert register(ct, moving, focus_lps_mm=FOCUS) == register(ct, moving, focus_lps_mm=FOCUS)


def test_one_frame_of_reference_is_the_identity_unless_a_check_is_asked_for(ct: Volume) -> None:
    found = register(ct, ct)
    assert found == Registration.identity("CT")
    moved = about(np.zeros(3), rotation_from_angles((0, 0, 3)), np.array([2.0, 0.0, 0.0]))
    mr = _mr(moved)
    same_frame = replace(mr, geometry=replace(mr.geometry, frame_of_reference_uid="CT"))
    assert register(ct, same_frame) == Registration.identity("CT")
    assert _error(register(ct, same_frame, focus_lps_mm=FOCUS, check=True), moved) < 0.5


def test_the_caller_can_stop_it(ct: Volume) -> None:
    with pytest.raises(RegistrationCancelledError, match="stopped"):
        register(ct, _mr(np.eye(4)), should_stop=lambda: True)


def test_two_volumes_that_share_nothing_are_not_matched(ct: Volume) -> None:
    noise = np.random.default_rng(0).normal(500, 100, (40, 40, 40)).astype(np.float32)
    other = Volume(noise, VolumeGeometry.axis_aligned((40, 40, 40), (4.0, 4.0, 4.0), (-80, -80, -80), "X"), ValueKind.SIGNAL)
    with pytest.raises(RegistrationFailedError):
        register(ct, other)


def test_the_gradient_is_that_of_the_score(ct: Volume) -> None:
    information = MutualInformation(make_level(ct, 4.0), make_level(_mr(np.eye(4)), 4.0), seed=3)
    matrix = about(np.zeros(3), rotation_from_angles((2, -1, 3)), np.array([1.5, -2.0, 1.0]))
    pivot = np.array([5.0, -4.0, -30.0])
    _, gradient = information.score_and_gradient(matrix, pivot)
    turns = [lambda h, a=a: about(pivot, rotation_from_vector(h * a / 50), np.zeros(3)) @ matrix for a in np.eye(3)]
    shifts = [lambda h, a=a: about(pivot, np.eye(3), h * a) @ matrix for a in np.eye(3)]
    numeric = [50 * _slope(information, f) for f in turns] + [_slope(information, f) for f in shifts]
    np.testing.assert_allclose(gradient, numeric, rtol=0.15, atol=0.03 * float(np.abs(gradient).max()))


def _slope(information: MutualInformation, matrix_at) -> float:  # type: ignore[no-untyped-def]
    step = 0.02
    up, down = (information.score_and_gradient(matrix_at(h), np.zeros(3))[0] for h in (step, -step))
    return (up - down) / (2 * step)


def test_rotations_compose_as_their_jacobian_says() -> None:
    vector, change = np.array([0.3, -0.2, 0.4]), np.array([1e-5, 2e-5, -1e-5])
    left = rotation_from_vector(vector + change)
    right = rotation_from_vector(left_jacobian(vector) @ change) @ rotation_from_vector(vector)
    np.testing.assert_allclose(left, right, atol=1e-9)
    np.testing.assert_allclose(rotation_from_vector(np.array([0, 0, np.pi / 2])) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_real_series_moved_by_a_known_transform_is_found_again(shared_real: Path, seed: int) -> None:
    dicom = pytest.importorskip("neuraxis.dicom")
    study = dicom.open_study(shared_real / "mr_t1post_ax_siemens")
    fixed = next(s for s in study.series if s.is_volume).volume()
    rng = np.random.default_rng(seed)
    angles, shift = rng.uniform(-11, 11, 3), rng.uniform(-16, 16, 3)
    centre = fixed.geometry.lps_from_index((np.asarray(fixed.array.shape) - 1) / 2)
    matrix = about(centre, rotation_from_angles((angles[0], angles[1], angles[2])), shift)
    # the moved series is resampled with half a voxel's shift, so that no grid falls on itself
    array = ndimage.shift(fixed.array.astype(np.float32), (0.0, 0.5, 0.5), order=3, mode="nearest")
    array += rng.normal(0, 0.02 * float(np.percentile(array, 99)), array.shape).astype(np.float32)
    start = fixed.geometry.lps_from_index((0.0, -0.5, -0.5))
    moved_affine = matrix @ fixed.geometry.affine_lps_from_xyz
    moved_affine[:3, 3] = matrix[:3, :3] @ start + matrix[:3, 3]
    moving = Volume(array, VolumeGeometry.from_affine(array.shape, moved_affine, "MOVED"), fixed.kind)
    focus = centre + rng.uniform(-20, 20, 3) * (1, 1, 0.5)
    found = register(fixed, moving, focus_lps_mm=focus)
    assert _error(found, matrix, focus) < 0.3
    assert _error(found, matrix, focus) <= found.residual_mm + 0.05
