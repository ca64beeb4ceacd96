"""Registrations: nothing crosses frames of reference without one."""

from __future__ import annotations

import numpy as np
import pytest

from neuraxis.domain.transform import Registration, RegistrationSet
from neuraxis.errors import GeometryError


def turn(degrees: float, shift: tuple[float, float, float], a: str, b: str, residual: float = 0.3) -> Registration:
    angle = np.radians(degrees)
    m = np.eye(4)
    m[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    m[:3, 3] = shift
    return Registration.from_array(m, a, b, residual, "test")


def test_there_and_back_is_the_same_point() -> None:
    way = turn(30, (1, 2, 3), "CT", "MR")
    np.testing.assert_allclose(way.inverse.apply(way.apply((4.0, 5.0, 6.0))), (4, 5, 6))
    np.testing.assert_allclose(turn(90, (0, 0, 0), "CT", "MR").apply((1.0, 0.0, 0.0)), (0, 1, 0), atol=1e-12)


def test_nothing_crosses_frames_without_a_registration() -> None:
    assert RegistrationSet().between("CT", "MR") is None
    assert RegistrationSet().between("", "") is None


def test_the_same_frame_needs_none() -> None:
    same = RegistrationSet().between("CT", "CT")
    assert same is not None
    assert same.residual_mm == 0


def test_two_registrations_chain_through_their_common_frame_and_residuals_add_in_quadrature() -> None:
    known = RegistrationSet((turn(10, (1, 0, 0), "CT", "MR", 0.3), turn(5, (0, 2, 0), "PRIOR", "MR", 0.4)))
    way = known.between("CT", "PRIOR")
    assert way is not None
    assert way.residual_mm == pytest.approx(0.5)
    direct = known.registrations[1].inverse.apply(known.registrations[0].apply((7.0, 8.0, 9.0)))
    np.testing.assert_allclose(way.apply((7.0, 8.0, 9.0)), direct)


def test_a_new_registration_replaces_the_old_one_of_the_same_pair() -> None:
    known = RegistrationSet((turn(10, (1, 0, 0), "CT", "MR"),)).with_registration(turn(0, (9, 0, 0), "MR", "CT"))
    assert len(known.registrations) == 1


@pytest.mark.parametrize("matrix", [np.diag([1.1, 1, 1, 1]), np.diag([-1.0, 1, 1, 1])])
def test_scaling_and_mirroring_are_refused(matrix: np.ndarray) -> None:
    with pytest.raises(GeometryError, match="rotation"):
        Registration.from_array(matrix, "CT", "MR", 0.0, "bad")
