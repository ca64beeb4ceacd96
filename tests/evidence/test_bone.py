"""Continuity by saddle and distance on drawn gaps; change of bone against a drawn mirror image."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.study import Role
from neuraxis.domain.tag import Verdict
from neuraxis.evidence import EvidenceContext
from neuraxis.evidence.bone_change import BoneAsymmetry, unmatched
from neuraxis.evidence.bone_change import judge as judge_change
from neuraxis.evidence.bone_continuity import BoneNumbers, assess, bone_numbers, judge
from neuraxis.evidence.sampling import voxel_points

DENSE = BoneNumbers(50.0, 2.0, (0, 0, 0), True, 0.6, 0.0, 0.45)


@pytest.mark.parametrize(("gap_mm", "verdict"), [(3.0, Verdict.CONTRADICTS), (0.0, Verdict.SUPPORTS)])
def test_a_gap_of_three_millimetres_is_a_gap_and_touching_is_continuous(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64], gap_mm: float,
    verdict: Verdict,
) -> None:
    bone = voxel_points(grid)[..., 0] > 3.0 + gap_mm
    values = np.where(radius <= 3, 700.0, np.where(bone, 1000.0, 15.0))
    values = ndimage.gaussian_filter(values, 0.8 / 2.355 / 0.5)
    context = make_context(radius <= 3, {Role.CT: values}, grid)
    (tag,) = assess(context)
    assert tag.verdict_on("continuity")[0] is verdict
    numbers, _, _ = bone_numbers(context)
    assert numbers is not None
    if gap_mm:
        assert numbers.distance_mm == pytest.approx(gap_mm, abs=0.8)
        assert numbers.saddle_hu is not None
        assert numbers.saddle_hu < 40


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"saddle_hu": 100.0}, Verdict.CONTRADICTS),
        ({"saddle_hu": 200.0}, Verdict.NOT_ASSESSABLE),
        ({"saddle_hu": 300.0}, Verdict.SUPPORTS),
        ({"saddle_hu": 300.0, "slice_mm": 5.0}, Verdict.NOT_ASSESSABLE),
        ({"saddle_hu": None}, Verdict.CONTRADICTS),
        ({"dense": False, "distance_mm": 5.0}, Verdict.CONTRADICTS),
        ({"dense": False, "distance_mm": 1.0}, Verdict.NOT_ASSESSABLE),
        ({"dense": False, "distance_mm": None}, Verdict.CONTRADICTS),
    ],
)
def test_saddle_and_distance_rules(change: dict[str, object], verdict: Verdict) -> None:
    assert judge(replace(DENSE, **change))[0] is verdict  # type: ignore[arg-type]


def test_bone_without_counterpart_is_found_and_a_shift_of_one_voxel_is_not() -> None:
    own = np.zeros((20, 20, 20), dtype=bool)
    own[:, :, 10:] = True
    thicker = own.copy()
    thicker[:, :, 6:10] = True
    more, less = unmatched(thicker, own)
    assert more.sum() == 3 * 20 * 20
    assert not less.any()
    shifted, none = unmatched(np.roll(own, 1, axis=1), own)
    assert not shifted.any()
    assert not none.any()


@pytest.mark.parametrize(
    ("more", "less", "repeat", "value"),
    [(900, 5, 170, "hyperostosis"), (4, 300, 50, "erosion"), (10, 12, 30, "none"), (150, 10, 170, None), (60, 50, 0, None)],
)
def test_change_of_bone_rules(more: float, less: float, repeat: float, value: str | None) -> None:
    answers = judge_change(BoneAsymmetry(1500, 1200, more, less, repeat, 4), continuous=False)
    supported = {v for v, (verdict, _) in answers.items() if verdict is Verdict.SUPPORTS} - {"present"}
    assert supported == ({value} if value else set())
    if value in ("hyperostosis", "erosion"):
        assert answers["none"][0] is Verdict.CONTRADICTS


def test_a_lesion_continuous_with_bone_hides_a_change() -> None:
    answers = judge_change(BoneAsymmetry(1500, 1200, 900, 5, 100, 4), continuous=True)
    assert answers["none"][0] is Verdict.NOT_ASSESSABLE


@pytest.mark.parametrize(("touching", "verdict"), [(False, Verdict.SUPPORTS), (True, Verdict.NOT_ASSESSABLE)])
def test_no_bone_change_is_not_claimed_where_a_touching_lesion_may_have_replaced_some(
    touching: bool, verdict: Verdict
) -> None:
    answers = judge_change(BoneAsymmetry(1120, 1171, 0, 8, 241, 4), continuous=False, touching=touching)
    assert answers["none"][0] is verdict
