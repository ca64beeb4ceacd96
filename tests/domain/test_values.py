"""Quantities, volumes, masks and studies as values."""

from __future__ import annotations

import numpy as np
import pytest

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.errors import GeometryError, NeuraxisError


@pytest.mark.parametrize(
    ("value", "uncertainty", "text"),
    [(4.1234, 0.37, "4.1 ± 0.4 mm"), (33.51, 5.2, "34 ± 5 mm"), (4.1234, None, "4.12 mm"), (4.0, 0.04, "4.00 ± 0.04 mm")],
)
def test_a_quantity_is_printed_to_what_its_uncertainty_allows(value: float, uncertainty: float | None, text: str) -> None:
    assert Quantity(value, "mm", uncertainty).display() == text


def test_an_error_says_found_expected_and_what_to_do() -> None:
    error = NeuraxisError("spacing 0", expected="more than 0 mm", remedy="choose another series")
    assert str(error) == "spacing 0; expected: more than 0 mm; what to do: choose another series."


def test_an_array_that_does_not_fit_its_geometry_is_refused() -> None:
    with pytest.raises(GeometryError):
        Volume(np.zeros((2, 3, 4)), VolumeGeometry.axis_aligned((2, 3, 5), (1, 1, 1)), ValueKind.HU)


def test_cropping_a_volume_shares_memory_and_keeps_places() -> None:
    geometry = VolumeGeometry.axis_aligned((4, 5, 6), (1, 2, 3), (10, 20, 30))
    volume = Volume(np.arange(120).reshape(4, 5, 6), geometry, ValueKind.HU, sop_instance_uids=("a", "b", "c", "d"), missing_slices=(2,))
    part = volume.cropped((1, -2, 3), (3, 2, 99))
    assert part.array.shape == (2, 2, 3)
    assert np.shares_memory(part.array, volume.array)
    assert part.sop_instance_uids == ("b", "c")
    assert part.missing_slices == (1,)
    np.testing.assert_allclose(part.geometry.origin_lps_mm, geometry.lps_from_index((1, 0, 3)))


def test_a_mask_keeps_only_its_box_and_gives_back_the_whole() -> None:
    geometry = VolumeGeometry.axis_aligned((8, 9, 10), (1, 1, 1))
    full = np.zeros((8, 9, 10), dtype=bool)
    full[2:4, 5, 6:9] = True
    mask = LesionMask.from_full(geometry, full)
    assert mask.box.shape == (2, 1, 3)
    assert mask.voxel_count == 6
    np.testing.assert_array_equal(mask.full(), full)
    np.testing.assert_allclose(mask.points_lps_mm().mean(axis=0), (7, 5, 2.5))


def test_a_mask_outside_its_volume_is_refused() -> None:
    geometry = VolumeGeometry.axis_aligned((3, 3, 3), (1, 1, 1))
    with pytest.raises(GeometryError):
        LesionMask(geometry, (2, 2, 2), np.ones((2, 2, 2), dtype=bool))
