"""Signal ratios and enhancement on arrays of known signal."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.study import Acquisition, Role
from neuraxis.domain.tag import Verdict
from neuraxis.evidence import EvidenceContext
from neuraxis.evidence.anatomy import CSF, GREY, WHITE, classify
from neuraxis.evidence.enhancement import (
    EnhancementNumbers,
    local_shift,
    matching_pair,
    pattern_allowed,
    same_sequence,
)
from neuraxis.evidence.enhancement import assess as assess_enhancement
from neuraxis.evidence.enhancement import judge as judge_enhancement
from neuraxis.evidence.extent import grown_from, octants_beyond
from neuraxis.evidence.sampling import voxel_points
from neuraxis.evidence.signal_ratio import judge, measure_signal

SOLID = EnhancementNumbers(0.5, 0.0, 0.02, 8, 1.0, 0.1)


def test_three_tissues_are_told_apart_with_their_signals() -> None:
    rng = np.random.default_rng(3)
    code = np.repeat(np.repeat(np.repeat(rng.integers(0, 3, (6, 6, 6)), 8, 0), 8, 1), 8, 2)
    t1 = np.array([100.0, 280.0, 380.0])[code] + rng.normal(0, 8, code.shape)
    t2 = np.array([1000.0, 450.0, 300.0])[code] + rng.normal(0, 12, code.shape)
    labels, pure = classify(np.ones(code.shape, dtype=bool), t1, t2)
    assert (labels == np.array([CSF, GREY, WHITE])[code]).mean() > 0.97
    for tissue, signal in ((CSF, 1000), (GREY, 450), (WHITE, 300)):
        assert np.median(t2[pure == tissue]) == pytest.approx(signal, rel=0.02)


@pytest.mark.parametrize(
    ("ratio", "value"), [(0.5, "hypo"), (1.0, "iso"), (1.5, "hyper"), (0.8, None), (1.19, None)]
)
def test_a_core_is_hypo_iso_or_hyper_and_undecided_near_the_thresholds(ratio: float, value: str | None) -> None:
    answers = judge(ratio, 0.01, True, 2.5, 0.05)
    supported = [v for v in ("hypo", "iso", "hyper") if answers[v][0] is Verdict.SUPPORTS]
    assert supported == ([value] if value else [])


def test_without_a_core_only_low_signal_is_called() -> None:
    assert judge(0.4, 0.1, False, 2.5, 0.1)["hypo"][0] is Verdict.SUPPORTS
    assert judge(1.6, 0.1, False, 2.5, 0.1)["hyper"][0] is Verdict.NOT_ASSESSABLE


def test_dark_csf_around_a_small_lesion_explains_a_low_signal() -> None:
    answers = judge(0.6, 0.1, False, 0.35, 0.1)
    assert answers["hypo"][0] is Verdict.NOT_ASSESSABLE
    assert "CSF" in answers["hypo"][1]
    assert judge(0.2, 0.1, False, 0.35, 0.1)["hypo"][0] is Verdict.SUPPORTS


def test_signal_is_the_median_of_the_eroded_core_without_calcified_voxels(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    values = np.where(radius <= 2, 20.0, np.where(radius <= 5, 300.0, 100.0))
    context = make_context(radius <= 5, {Role.T2: values}, grid)
    patch = context.patch(context.study.series[0], 8.0)
    left_out = patch.distance_mm < -2.7
    signal = measure_signal(patch, left_out)
    assert signal is not None
    assert signal.has_core
    assert signal.value == 300.0
    assert measure_signal(patch, np.ones_like(left_out)) is None


def test_a_known_shift_is_found_within_a_twentieth_of_a_millimetre() -> None:
    rng = np.random.default_rng(0)
    fixed = ndimage.gaussian_filter(rng.normal(0, 1, (30, 40, 40)), 2.5) * 100
    moving = 1.1 * ndimage.shift(fixed, (0.2, -0.3, 0.4), order=3, mode="nearest") + 2
    shift, error = local_shift(fixed, moving, np.ones(fixed.shape, dtype=bool), (1.0, 0.7, 0.7))
    assert shift == pytest.approx([-0.2, 0.21, -0.28], abs=0.05)  # carries it back
    assert error < 0.1


def test_series_of_different_echo_time_are_not_subtracted(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    assert same_sequence(Acquisition(echo_time_ms=3.0), Acquisition(echo_time_ms=3.1))
    assert not same_sequence(Acquisition(echo_time_ms=3.0), Acquisition(echo_time_ms=4.0))
    arrays = {Role.T1: radius, Role.T1C: radius}
    acquisitions = {Role.T1: Acquisition(repetition_time_ms=500), Role.T1C: Acquisition(repetition_time_ms=700)}
    reason = matching_pair(make_context(radius <= 3, arrays, grid, acquisitions))
    assert isinstance(reason, str)
    assert "5 %" in reason


def test_without_a_series_before_contrast_nothing_is_said(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    (tag,) = assess_enhancement(make_context(radius <= 3, {Role.T1C: radius}, grid))
    assert {v for _, v, _ in tag.values} == {Verdict.NOT_ASSESSABLE}
    assert "no T1 series" in tag.evidence[0].reason


@pytest.mark.parametrize(
    ("diameter", "slices", "residual", "allowed"),
    [(4, 1, 0.1, False), (6, 1, 0.4, True), (6, 3, 0.1, False), (10, 3, 0.4, True), (10, 5, 0.1, False), (20, 1, 0.6, False)],
)
def test_rim_against_solid_is_allowed_only_where_it_can_be_resolved(
    diameter: float, slices: float, residual: float, allowed: bool
) -> None:
    reason = pattern_allowed(diameter, slices, residual)
    assert (reason is None) is allowed


def test_at_four_millimetres_enhancement_is_told_and_its_pattern_is_not() -> None:
    answers = judge_enhancement(SOLID, 0.2, pattern_allowed(4.0, 1.0, 0.2))
    assert answers["present"][0] is Verdict.SUPPORTS
    assert answers["none"][0] is Verdict.CONTRADICTS
    assert answers["rim"][0] is Verdict.NOT_ASSESSABLE
    assert "4.0 mm" in answers["rim"][1]


@pytest.mark.parametrize(
    ("change", "value", "verdict"),
    [
        ({}, "homogeneous", Verdict.SUPPORTS),
        ({}, "rim", Verdict.CONTRADICTS),
        ({"shell_over_core": 3.0}, "rim", Verdict.SUPPORTS),
        ({"shell_over_core": 3.0}, "homogeneous", Verdict.CONTRADICTS),
        ({"shell_over_core": 1.3}, "rim", Verdict.NOT_ASSESSABLE),
        ({"variation": 0.6}, "heterogeneous", Verdict.SUPPORTS),
        ({"shell_over_core": None}, "rim", Verdict.NOT_ASSESSABLE),
        ({"index": 0.01, "octants": 0}, "none", Verdict.SUPPORTS),
        ({"octants": 2}, "present", Verdict.NOT_ASSESSABLE),
        ({"index": 0.06}, "none", Verdict.NOT_ASSESSABLE),
    ],
)
def test_enhancement_rules(change: dict[str, object], value: str, verdict: Verdict) -> None:
    assert judge_enhancement(replace(SOLID, **change), 0.1, None)[value][0] is verdict  # type: ignore[arg-type]


def test_misregistration_above_half_a_millimetre_decides_nothing() -> None:
    assert {v for v, _ in judge_enhancement(SOLID, 0.7, None).values()} == {Verdict.NOT_ASSESSABLE}


def test_enhancing_tissue_around_a_calcified_core_is_taken_and_a_thin_vessel_is_not(
    grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    points = voxel_points(grid)
    vessel = (np.hypot(points[..., 1], points[..., 2]) < 0.8) & (points[..., 0] > 0)
    index = np.where((radius > 3) & ((radius < 7) | vessel), 1.0, 0.0)
    whole = grown_from(index, radius - 3, np.ones(radius.shape, dtype=bool), (0.5, 0.5, 0.5))
    volume = whole.sum() * 0.125
    assert volume == pytest.approx(4 / 3 * np.pi * 7**3, rel=0.05)
    assert not whole[points[..., 0] > 10].any()
    assert octants_beyond(index, radius - 3, points) == 8
    assert octants_beyond(np.where(radius < 3.8, 1.0, 0.0), radius - 3, points) == 0
