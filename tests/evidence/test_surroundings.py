"""Blooming, phase, oedema, mass effect, margin and site on drawn shapes of known size."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.study import Role
from neuraxis.domain.tag import Verdict
from neuraxis.evidence import EvidenceContext
from neuraxis.evidence.blooming import assess as assess_blooming
from neuraxis.evidence.haemorrhage import judge as judge_haemorrhage
from neuraxis.evidence.laterality import judge as judge_side
from neuraxis.evidence.location import opening_level
from neuraxis.evidence.margin import edge_width_mm
from neuraxis.evidence.mass_effect import MassNumbers, gap_and_contact, indentation_depth
from neuraxis.evidence.mass_effect import judge as judge_mass
from neuraxis.evidence.oedema import OedemaNumbers, measure_oedema
from neuraxis.evidence.oedema import judge as judge_oedema
from neuraxis.evidence.phase_sign import PhaseSign, dipole_correlation
from neuraxis.evidence.sampling import voxel_points

OEDEMA = OedemaNumbers(0.0, 0, 0.0, 1.0, 2.0, 5000.0, 1.0)
CONTACT = MassNumbers(0.0, 0.4, 1.0, 0.5, None, None, 0.5, 0.2)


@pytest.mark.parametrize(
    ("void_mm", "value", "marked"), [(3.0, None, Verdict.NOT_ASSESSABLE), (4.0, "present", Verdict.NEUTRAL), (6.0, "marked", Verdict.SUPPORTS)]
)
def test_blooming_ratio_of_a_drawn_void(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64], void_mm: float,
    value: str | None, marked: Verdict,
) -> None:
    swi = np.where(radius <= void_mm, 10.0, 300.0)
    (tag,) = assess_blooming(make_context(radius <= 3, {Role.CT: radius, Role.SWI: swi}, grid))
    assert tag.evidence[0].value == pytest.approx(void_mm / 3, abs=0.15)
    assert tag.value == value
    assert tag.verdict_on("marked")[0] is marked


def test_bone_that_continues_the_void_is_left_out(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    bone = voxel_points(grid)[..., 0] > 4.5
    swi = np.where((radius <= 5) | bone, 10.0, 300.0)
    (tag,) = assess_blooming(make_context(radius <= 3, {Role.CT: radius, Role.SWI: swi}, grid))
    assert tag.evidence[0].value == pytest.approx(5 / 3, abs=0.15)


def test_dark_spots_in_a_bright_lesion_are_neither_blooming_nor_its_absence(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    spot = np.linalg.norm(voxel_points(grid) - np.array([1.0, 0, 0]), axis=-1) < 1.0
    (tag,) = assess_blooming(make_context(radius <= 5, {Role.CT: radius, Role.SWI: np.where(spot, 10.0, 300.0)}, grid))
    assert {v for _, v, _ in tag.values} == {Verdict.NOT_ASSESSABLE}
    assert "spots" in tag.verdict_on("none")[1]


def test_a_thin_bright_ring_of_wrapped_phase_does_not_end_the_void(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    swi = np.where((radius <= 3) | ((radius > 4) & (radius <= 6)), 10.0, 300.0)
    (tag,) = assess_blooming(make_context(radius <= 3, {Role.CT: radius, Role.SWI: swi}, grid))
    assert tag.evidence[0].value == pytest.approx(2.0, abs=0.15)


def test_no_void_is_no_blooming_and_a_minip_is_never_measured(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    flat = np.where(radius <= 3, 280.0, 300.0)
    (tag,) = assess_blooming(make_context(radius <= 3, {Role.CT: radius, Role.SWI: flat}, grid))
    assert tag.value == "none"
    dark = np.where(radius <= 6, 10.0, 300.0)
    (tag,) = assess_blooming(make_context(radius <= 3, {Role.CT: radius, Role.SWI_MINIP: dark}, grid))
    assert tag.verdict is Verdict.NOT_ASSESSABLE


def test_dipole_correlation_has_the_sign_of_the_susceptibility(grid: VolumeGeometry, radius: NDArray[np.float64]) -> None:
    points = voxel_points(grid)
    r = np.maximum(radius, 0.5)
    field = 0.8 * (3 * (points[..., 2] / r) ** 2 - 1) * (2 / r) ** 3
    noise = np.random.default_rng(0).normal(0, 0.05, field.shape)
    assert dipole_correlation(field + noise, radius - 2, points, 2.0) > 0.8
    assert dipole_correlation(-field + noise, radius - 2, points, 2.0) < -0.8
    assert abs(dipole_correlation(noise, radius - 2, points, 2.0)) < 0.2


def test_a_void_is_blood_or_calcium_until_the_phase_tells() -> None:
    calcium, blood = (PhaseSign(c, 1.0, p, "phase", "1.2") for c, p in ((-0.8, False), (0.8, True)))
    assert judge_haemorrhage(0.9, 700, None)["none"][0] is Verdict.NOT_ASSESSABLE
    assert judge_haemorrhage(0.9, 60, None)["present"][0] is Verdict.NOT_ASSESSABLE
    assert judge_haemorrhage(0.9, 700, calcium)["none"][0] is Verdict.SUPPORTS
    assert judge_haemorrhage(0.9, 60, blood)["present"][0] is Verdict.SUPPORTS
    assert judge_haemorrhage(0.1, 60, None)["present"][0] is Verdict.CONTRADICTS
    assert judge_haemorrhage(0.1, 60, None)["subarachnoid"][0] is Verdict.NOT_ASSESSABLE


def test_volume_of_a_bright_shell_and_nothing_elsewhere(grid: VolumeGeometry, radius: NDArray[np.float64]) -> None:
    far = np.linalg.norm(voxel_points(grid) - np.array([14.0, 0, 0]), axis=-1) < 3
    values = np.where((radius < 8) | far, 2.0, 1.0)
    everywhere, nowhere = np.ones(radius.shape, dtype=bool), np.zeros(radius.shape, dtype=bool)
    volume, count, inside = measure_oedema(values, radius - 4, everywhere, nowhere, 0.125, 1.5, 1.0, (0.5,) * 3)
    assert volume == pytest.approx(4 / 3 * np.pi * (8**3 - 5**3), rel=0.06)
    assert count == inside.sum()
    assert not inside[far].any()


def test_brightness_next_to_fluid_is_partial_volume(grid: VolumeGeometry, radius: NDArray[np.float64]) -> None:
    fluid = radius > 5.5
    values = np.where(radius > 5.1, 2.0, 1.0)
    volume, _, _ = measure_oedema(values, radius - 4, ~fluid, fluid, 0.125, 1.5, 0.5, (0.5,) * 3)
    assert volume < 20


@pytest.mark.parametrize(
    ("change", "value", "verdict"),
    [
        ({}, "none", Verdict.SUPPORTS),
        ({}, "marked", Verdict.CONTRADICTS),
        ({"volume_mm3": 400.0}, "present", Verdict.SUPPORTS),
        ({"volume_mm3": 400.0}, "none", Verdict.CONTRADICTS),
        ({"volume_mm3": 400.0, "mirrored_mm3": 390.0}, "none", Verdict.SUPPORTS),
        ({"volume_mm3": 60.0, "mirrored_mm3": 30.0}, "present", Verdict.NOT_ASSESSABLE),
        ({"volume_mm3": 60.0, "mirrored_mm3": None}, "present", Verdict.NOT_ASSESSABLE),
        ({"brain_mm3": 10.0}, "none", Verdict.NOT_ASSESSABLE),
    ],
)
def test_oedema_rules(change: dict[str, float | None], value: str, verdict: Verdict) -> None:
    assert judge_oedema(replace(OEDEMA, **change))[value][0] is verdict  # type: ignore[arg-type]


def rays(*lines: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Signals along rays: lesion to 2 mm, fluid for `fluid` mm, then `beyond`."""
    r = np.arange(0, 10, 0.25)
    values = [np.where(r <= 2, 10.0, np.where(r <= 2 + fluid, 1000.0, beyond)) for fluid, beyond in lines]
    return np.array(values), np.tile(r - 2, (len(lines), 1))


def test_csf_on_every_ray_is_a_gap_and_brain_without_csf_is_contact() -> None:
    gap, contact = gap_and_contact(*rays((2.0, 300.0), (3.0, 300.0)), 700.0, 150.0)
    assert gap == pytest.approx(2.25, abs=0.3)
    assert contact == 0
    gap, contact = gap_and_contact(*rays((2.0, 300.0), (0.0, 300.0)), 700.0, 150.0)
    assert gap == 0
    assert contact == 0.5
    gap, contact = gap_and_contact(*rays((2.0, 20.0), (0.0, 20.0)), 700.0, 150.0)
    assert gap is None


def test_depth_to_which_a_ball_reaches_into_a_mirrored_half_space(grid: VolumeGeometry) -> None:
    points = voxel_points(grid)
    distance = np.linalg.norm(points - np.array([2.5, 0, 0]), axis=-1) - 4.0
    mirrored = points[..., 0] < 0
    brain = mirrored & (distance > 0)
    depth, error = indentation_depth(distance, brain, mirrored, (0.5,) * 3)
    assert depth == pytest.approx(1.5, abs=0.5)
    assert error <= 0.5


@pytest.mark.parametrize(
    ("change", "value", "verdict"),
    [
        ({"gap_mm": 3.0, "contact": 0.0}, "none", Verdict.SUPPORTS),
        ({}, "present", Verdict.SUPPORTS),
        ({}, "mild", Verdict.SUPPORTS),
        ({}, "none", Verdict.CONTRADICTS),
        ({"indentation_mm": 0.3}, "present", Verdict.NOT_ASSESSABLE),
        ({"indentation_mm": 5.0}, "mild", Verdict.NEUTRAL),
        ({"contact": 0.95}, "present", Verdict.NOT_ASSESSABLE),
        ({"contact": 0.01}, "present", Verdict.NOT_ASSESSABLE),
        ({"indentation_mm": None}, "present", Verdict.NOT_ASSESSABLE),
        ({"gap_mm": None}, "none", Verdict.NOT_ASSESSABLE),
        ({"bright_mm3": 300.0}, "present", Verdict.NOT_ASSESSABLE),
        ({"diameter_mm": 1.4}, "present", Verdict.NOT_ASSESSABLE),
    ],
)
def test_mass_effect_rules(change: dict[str, float | None], value: str, verdict: Verdict) -> None:
    assert judge_mass(replace(CONTACT, **change))[value][0] is verdict  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("distance", "uncertainty", "side"), [(9.0, 0.5, "left"), (-9.0, 0.5, "right"), (4.0, 0.5, None), (9.0, 6.0, None)]
)
def test_side_is_told_from_five_millimetres_on(distance: float, uncertainty: float, side: str | None) -> None:
    answers = judge_side(distance, uncertainty)
    supported = [s for s in ("left", "right") if answers[s][0] is Verdict.SUPPORTS]
    assert supported == ([side] if side else [])
    if side:
        assert answers["left" if side == "right" else "right"][0] is Verdict.CONTRADICTS


def test_edge_width_of_a_linear_ramp(radius: NDArray[np.float64]) -> None:
    distance = radius - 8
    ramp = np.clip(0.5 - distance / 2.5, 0, 1)
    assert edge_width_mm(ramp, distance) == pytest.approx(0.8 * 2.5, abs=0.5)
    assert edge_width_mm(np.ones_like(ramp), distance) is None


def test_the_foramen_is_the_first_narrow_slice_below_the_wide_cavity() -> None:
    areas = np.array([500.0, 550, 600, 900, 1200, 1600, 2400, 3000, 8000])
    assert opening_level(areas) == 4
    assert opening_level(np.array([500.0, 600.0])) is None
