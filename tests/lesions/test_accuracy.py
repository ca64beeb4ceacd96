"""The accuracy study itself: what it draws is what it says, and the claims made of it hold on a small part of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from neuraxis.errors import UsageError
from neuraxis.lesions.accuracy import Row, Summary, pooled_coverage, standard_conditions, study
from neuraxis.lesions.accuracy_peers import fixed_threshold_mask, label_statistics, radiomics_python
from neuraxis.lesions.accuracy_scene import Condition, draw

SEED = 5


def test_a_drawn_lesion_holds_the_stated_amount_of_attenuation_where_it_is_said_to_lie() -> None:
    condition = Condition(6.0, (1.2, 0.9, 1.0), slice_mm=1.0, noise_hu=0.5)
    scene = draw(condition, SEED, 3)
    without = draw(Condition(6.0, (1.2, 0.9, 1.0), slice_mm=1.0, noise_hu=0.5, plateau_hu=35.0), SEED, 3)
    assert without.volume.geometry == scene.volume.geometry
    excess = (scene.volume.array.astype(float) - without.volume.array) / (700.0 - 35.0)
    assert excess.sum() * scene.volume.geometry.voxel_volume_mm3 == pytest.approx(scene.volume_mm3, rel=0.02)
    points = scene.volume.geometry.lps_from_index(np.moveaxis(np.indices(scene.volume.array.shape), 0, -1))
    strong = np.where(excess > 0.05, excess, 0.0)
    middle = (points * strong[..., None]).sum(axis=(0, 1, 2)) / strong.sum()
    assert middle == pytest.approx(scene.centre_lps_mm, abs=0.03)


def test_the_long_axis_of_a_tilted_ellipsoid_lies_between_its_diameters_in_the_slice() -> None:
    scene = draw(Condition(6.0, (1.3, 1.0, 0.8), slice_mm=1.0), SEED, 1)
    assert 6.0 < scene.long_axis_mm <= 7.8
    assert draw(Condition(6.0, slice_mm=1.0), SEED, 1).long_axis_mm == pytest.approx(6.0)


def test_the_same_numbers_draw_the_same_volume() -> None:
    first, second = draw(Condition(3.0), SEED, 0), draw(Condition(3.0), SEED, 0)
    np.testing.assert_array_equal(first.volume.array, second.volume.array)
    assert first.centre_lps_mm != draw(Condition(3.0), SEED, 1).centre_lps_mm


def test_a_lesion_beside_bone_keeps_the_gap_asked_for() -> None:
    scene = draw(Condition(3.0, place="bone", bone_gap_mm=2.0, noise_hu=0.5), SEED, 0)
    points = scene.volume.geometry.lps_from_index(np.moveaxis(np.indices(scene.volume.array.shape), 0, -1))
    distance = np.linalg.norm(points - np.asarray(scene.centre_lps_mm), axis=-1)
    bone = (scene.volume.array > 600) & (distance > 2.2)
    assert distance[bone].min() - 1.5 == pytest.approx(2.0, abs=0.5)


def test_thin_slices_meet_the_aim_and_beat_the_fixed_threshold() -> None:
    conditions = [
        Condition(4.0, fwhm_mm=1.2, slice_mm=1.0), Condition(4.0, plateau_hu=400.0, noise_hu=20.0),
        Condition(4.0, place="bone", bone_gap_mm=1.0), Condition(4.0, (1.3, 1.0, 0.8), place="csf"),
    ]
    for row in study(conditions, repeats=3, seed=SEED):
        assert row.is_aimed_at
        assert row.missed == ()
        assert abs(row.peers[0].volume_bias_percent) > 10.0
        assert row.to_json()["cases"] == 3


def test_a_lesion_in_slices_thicker_than_itself_keeps_its_long_axis_and_gives_its_volume_as_a_range() -> None:
    row = next(study([Condition(4.0, slice_mm=5.0)], repeats=3, seed=SEED))
    assert abs(row.ours.long_axis_bias_mm) < 0.3
    assert row.ours.volume_coverage == 1.0


def test_the_peer_refuses_where_nothing_reaches_its_threshold() -> None:
    scene = draw(Condition(4.0, plateau_hu=100.0), SEED, 0)
    mask = fixed_threshold_mask(scene.volume, scene.centre_lps_mm)
    assert mask is None
    assert np.isnan(label_statistics(mask, scene.volume).long_mm)


def test_a_python_without_radiomics_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="PyRadiomics"):
        radiomics_python(tmp_path / "python")
    if radiomics_python() is None:
        with pytest.raises(UsageError, match="No module named"):
            radiomics_python(Path(sys.executable))


def test_coverage_is_pooled_by_cases_and_losses_are_named() -> None:
    def summary(name: str, bias: float, coverage: float | None) -> Summary:
        return Summary(name, bias, 0.0, 10 * bias, 0.0, coverage, coverage, 0)

    rows = [
        Row(Condition(4.0), 10, (summary("ours", 0.1, 1.0), summary("peer", 0.5, None))),
        Row(Condition(4.0), 30, (summary("ours", 0.2, 0.9), summary("peer", 0.1, None))),
    ]
    assert pooled_coverage(rows) == pytest.approx((0.925, 0.925))
    assert rows[0].lost_to == ()
    assert len(rows[1].lost_to) == 2
    assert rows[1].missed == ("long axis bias +0.20 mm",)


def test_the_standard_conditions_span_what_the_page_promises() -> None:
    conditions = standard_conditions()
    assert {2.0, 3.0, 4.0, 6.0, 10.0, 20.0} == {c.diameter_mm for c in conditions}
    assert {0.6, 1.0, 2.5, 5.0} == {c.slice_mm for c in conditions}
    assert {0.8, 1.2} == {c.fwhm_mm for c in conditions}
    assert {200.0, 400.0, 700.0, 1200.0} == {c.plateau_hu for c in conditions}
    assert {4.0, 8.0, 20.0} == {c.noise_hu for c in conditions}
    assert {"brain", "csf", "bone"} == {c.place for c in conditions}
    assert {1.0, 2.0, 3.0} == {c.bone_gap_mm for c in conditions if c.place == "bone"}
