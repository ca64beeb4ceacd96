"""Tools on the picture, on planes of every direction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuraxis.errors import GeometryError, NotMeasurableError, UsageError
from neuraxis.lesions.tools import (
    angle,
    bidirectional,
    ellipse_statistics,
    length,
    pixel_along_mm,
    polygon_statistics,
    probe,
)


def test_a_length_is_the_distance_with_the_uncertainty_of_placing_its_ends(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0))
    free = length((0, 0, 0), (3, 4, 12))
    assert (free.quantity.value, free.quantity.uncertainty) == (13.0, None)
    placed = length((0, 0, 0), (6, 0, 0), volume)
    assert placed.quantity.uncertainty == pytest.approx(0.45 * np.sqrt(2))
    assert pixel_along_mm(volume.geometry, (0, 0, 1)) == pytest.approx(0.6)


def test_a_bidirectional_needs_a_right_angle_and_puts_the_longer_one_first() -> None:
    pair = bidirectional((0, 0, 0), (0, 4, 0), (-3, 2, 0), (3, 2, 0))
    assert (pair.long_axis.quantity.value, pair.short_axis.quantity.value) == (6.0, 4.0)
    with pytest.raises(UsageError, match="45 degrees"):
        bidirectional((0, 0, 0), (0, 4, 0), (0, 0, 0), (3, 3, 0))


@pytest.mark.parametrize("degrees", [0.001, 30.0, 90.0, 179.999])
def test_angles_are_exact_up_to_the_ends_of_their_range(degrees: float) -> None:
    a = np.radians(degrees)
    assert angle((2, 0, 0), (0, 0, 0), (np.cos(a), 0, np.sin(a))).value == pytest.approx(degrees, abs=1e-9)
    with pytest.raises(UsageError, match="arm"):
        angle((1, 0, 0), (1, 0, 0), (0, 0, 0))


@pytest.mark.parametrize("normal", [(0, 0, 1), (1, 0, 0), (0, 1, 0), (1, 2, 2)])
def test_an_ellipse_counts_the_voxels_near_its_plane_in_every_direction(shapes: Any, normal: Any) -> None:
    volume = shapes.draw(shapes.ball(8.0), shapes.grid(spacing_xyz=(0.5, 0.5, 0.5)), noise=0.0)
    n = np.asarray(normal, dtype=float) / np.linalg.norm(normal)
    a = np.cross(n, (0.3, 0.5, 0.81))
    a /= np.linalg.norm(a)
    got = ellipse_statistics(volume, (0.1, 0.1, 0.1), 4 * a, 3 * np.cross(n, a))
    assert got.area.value == pytest.approx(np.pi * 12)
    assert got.intensity.mean == pytest.approx(700, abs=1.5)
    thickness = 0.5 * max(abs(n)) / 0.5
    assert got.intensity.voxel_count == pytest.approx(np.pi * 12 * 0.5 * thickness / 0.125, rel=0.15)


def test_a_polygon_has_its_area_and_the_statistics_of_the_voxels_inside(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0), noise=5.0)
    z = float(volume.geometry.lps_from_index((20, 0, 0))[2])
    corners = [(-5, -5, z), (5, -5, z), (5, 5, z), (0, 5, z), (0, 0, z), (-5, 0, z)]
    got = polygon_statistics(volume, corners)
    assert got.area.value == pytest.approx(75.0)
    index = np.moveaxis(np.indices((1, *volume.array.shape[1:])), 0, -1) + np.array([20, 0, 0])
    x, y, _ = np.moveaxis(volume.geometry.lps_from_index(index), -1, 0)
    inside = (np.abs(x) < 5) & (np.abs(y) < 5) & ~((x < 0) & (y > 0))
    assert got.intensity.voxel_count == np.count_nonzero(inside)
    assert got.intensity.mean == pytest.approx(volume.array[20:21][inside].mean())


def test_regions_without_a_voxel_or_an_area_are_refused(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0))
    with pytest.raises(NotMeasurableError, match="no voxel"):
        ellipse_statistics(volume, (300, 0, 0), (2, 0, 0), (0, 2, 0))
    with pytest.raises(UsageError, match="right angles"):
        ellipse_statistics(volume, (0, 0, 0), (2, 0, 0), (1, 2, 0))
    with pytest.raises(UsageError, match="line"):
        polygon_statistics(volume, [(0, 0, 0), (1, 0, 0), (2, 0, 0)])


def test_a_probe_reads_the_stored_voxel_and_says_where_it_is(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0))
    index = volume.geometry.nearest_index((0.2, 0.1, -0.3))
    got = probe(volume, (0.2, 0.1, -0.3))
    assert (got.value, got.index_zyx, got.unit) == (float(volume.array[index]), index, "HU")
    with pytest.raises(GeometryError, match="outside"):
        probe(volume, (99, 0, 0))
