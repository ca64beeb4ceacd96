"""The accuracy study itself: what it draws is what it says, and the claims made of it hold on a small part of it."""

from __future__ import annotations

import numpy as np
import pytest

from neuraxis.lesions.accuracy import Condition, draw, measure_fixed_threshold, standard_conditions, study


def test_a_drawn_lesion_holds_the_stated_amount_of_attenuation() -> None:
    condition = Condition(6.0, (1.2, 0.9, 1.0), slice_mm=1.0, noise_hu=0.0)
    volume, centre = draw(condition, 3)
    excess = (volume.array.astype(float) - 35.0) / (700.0 - 35.0)
    assert excess.sum() * volume.geometry.voxel_volume_mm3 == pytest.approx(condition.volume_mm3, rel=0.01)
    points = volume.geometry.lps_from_index(np.moveaxis(np.indices(volume.array.shape), 0, -1))
    middle = (points * excess[..., None]).sum(axis=(0, 1, 2)) / excess.sum()
    assert middle == pytest.approx(centre, abs=0.03)


def test_the_same_seed_draws_the_same_volume() -> None:
    first, second = draw(Condition(3.0), 5)[0], draw(Condition(3.0), 5)[0]
    np.testing.assert_array_equal(first.array, second.array)
    assert not np.array_equal(first.array, draw(Condition(3.0), 6)[0].array)


@pytest.mark.slow
def test_thin_slices_meet_the_aim_and_beat_the_fixed_threshold() -> None:
    conditions = [
        Condition(3.0, slice_mm=1.0), Condition(4.0, fwhm_mm=1.2, slice_mm=1.0), Condition(4.0, plateau_hu=200.0, noise_hu=20.0),
        Condition(4.0, surroundings="bone", bone_gap_mm=1.0), Condition(4.0, surroundings="brain and csf"),
    ]
    for row in study(conditions, repeats=4):
        assert row.ours.refused == 0
        assert abs(row.ours.long_axis_bias_mm) <= 0.15
        assert row.ours.long_axis_sd_mm <= 0.2
        assert abs(row.ours.volume_bias_percent) <= 3.0
        assert row.ours.volume_sd_percent <= 6.0
        assert abs(row.peer.volume_bias_percent) > 10.0
        assert row.to_json()["cases"] == 4


def test_the_peer_refuses_where_nothing_reaches_its_threshold() -> None:
    volume, centre = draw(Condition(4.0, plateau_hu=100.0), 0)
    assert np.isnan(measure_fixed_threshold(volume, centre).long_mm)


def test_the_standard_conditions_span_what_the_page_promises() -> None:
    conditions = standard_conditions()
    assert {2.0, 20.0} <= {c.diameter_mm for c in conditions}
    assert {0.6, 1.0, 2.5, 5.0} == {c.slice_mm for c in conditions}
    assert {0.8, 1.2} == {c.fwhm_mm for c in conditions}
    assert {200.0, 1200.0} <= {c.plateau_hu for c in conditions}
    assert {"brain", "csf", "brain and csf", "bone"} == {c.surroundings for c in conditions}
