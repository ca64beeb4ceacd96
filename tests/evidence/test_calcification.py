"""Calcium numbers and verdicts on spheres of known density."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.study import Acquisition, Role
from neuraxis.domain.tag import Tag, Verdict
from neuraxis.evidence import EvidenceContext
from neuraxis.evidence.calcification import CalciumNumbers, assess, judge, measure_calcium
from neuraxis.evidence.sampling import voxel_points

NUMBERS = CalciumNumbers(700, 600, 690, 1.0, 200, (4.0,), 0.9, 20, 8, (0, 0, 0))


def tag_of(context: EvidenceContext) -> Tag:
    (tag,) = assess(context)
    return tag


def noisy(array: NDArray[np.float64]) -> NDArray[np.float64]:
    return array + np.random.default_rng(1).normal(0, 8, array.shape)


def test_numbers_of_a_two_layer_sphere(grid: VolumeGeometry, radius: NDArray[np.float64]) -> None:
    values = np.where(radius <= 3, 400.0, np.where(radius <= 4, 800.0, 30.0))
    numbers = measure_calcium(values, radius <= 4, radius - 4, (0.5, 0.5, 0.5), voxel_points(grid), 8.0)
    inside = values[radius <= 4]
    assert numbers.maximum == 800
    assert numbers.mean == pytest.approx(inside.mean())
    assert numbers.f130 == 1.0
    assert numbers.shell_over_core == pytest.approx(2.0)
    assert list(numbers.component_lengths_mm) == pytest.approx([8.5])
    assert numbers.voxels_across == 16


def test_metal_is_left_out(grid: VolumeGeometry, radius: NDArray[np.float64]) -> None:
    values = np.where(radius <= 4, 300.0, 30.0)
    values[40, 40, 40] = 3000
    assert measure_calcium(values, radius <= 4, radius - 4, (0.5,) * 3, voxel_points(grid), 8.0).maximum == 300


@pytest.mark.parametrize(
    ("hu", "value"), [(35.0, "none"), (160.0, None), (700.0, "dense")], ids=["soft", "partly", "dense"]
)
def test_a_uniform_sphere_gets_its_value(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64], hu: float,
    value: str | None,
) -> None:
    tag = tag_of(make_context(radius <= 3, {Role.CT: noisy(np.where(radius <= 3, hu, 30.0))}, grid))
    if value is None:
        assert tag.verdict_on("present")[0] is Verdict.SUPPORTS
        assert tag.verdict_on("dense")[0] is Verdict.CONTRADICTS
    else:
        assert tag.value == value
    assert tag.verdict_on("none")[0] is (Verdict.SUPPORTS if hu < 100 else Verdict.CONTRADICTS)


def test_between_brain_and_100_hu_nothing_is_called(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    tag = tag_of(make_context(radius <= 3, {Role.CT: np.where(radius <= 3, 80.0, 30.0)}, grid))
    assert {v for _, v, _ in tag.values} == {Verdict.NOT_ASSESSABLE}
    assert "blood" in tag.verdict_on("none")[1]


def test_contrast_enhanced_ct_is_not_asked(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    acquisition = {Role.CT: Acquisition(contrast_agent="iodine")}
    tag = tag_of(make_context(radius <= 3, {Role.CT: np.where(radius <= 3, 150.0, 30.0)}, grid, acquisition))
    assert tag.verdict is Verdict.NOT_ASSESSABLE
    assert "iodine" in tag.verdict_on("present")[1]


def test_thick_slices_cannot_exclude_calcium() -> None:
    soft = replace(NUMBERS, maximum=60, mean=40, p90=50, f130=0, calcified_voxels=0, component_lengths_mm=())
    assert judge(soft, 0.6)["none"][0] is Verdict.SUPPORTS
    assert judge(soft, 5.0)["none"][0] is Verdict.NOT_ASSESSABLE


def test_no_pattern_below_eight_voxels_across_but_dense_is_told() -> None:
    answers = judge(replace(NUMBERS, voxels_across=7), 0.6)
    assert answers["rim"][0] is Verdict.NOT_ASSESSABLE
    assert answers["dense"][0] is Verdict.SUPPORTS


@pytest.mark.parametrize(
    ("change", "value", "verdict"),
    [
        ({"shell_over_core": 1.8}, "rim", Verdict.SUPPORTS),
        ({"shell_over_core": 1.8}, "dense", Verdict.NEUTRAL),
        ({"shell_over_core": 0.9}, "rim", Verdict.CONTRADICTS),
        ({"f130": 0.1, "component_lengths_mm": (2.0, 1.5)}, "punctate", Verdict.SUPPORTS),
        ({"component_lengths_mm": (4.5,), "f130": 0.2}, "punctate", Verdict.CONTRADICTS),
        ({"mean": 200.0, "f130": 0.5, "component_lengths_mm": (6.0,)}, "amorphous", Verdict.SUPPORTS),
        ({"mean": 200.0, "f130": 0.5, "maximum": 420.0}, "dense", Verdict.CONTRADICTS),
        ({}, "amorphous", Verdict.CONTRADICTS),
        ({}, "gyriform", Verdict.NEUTRAL),
    ],
)
def test_pattern_rules(change: dict[str, object], value: str, verdict: Verdict) -> None:
    assert judge(replace(NUMBERS, **change), 0.6)[value][0] is verdict  # type: ignore[arg-type]
