"""Edits of a mask in millimetres: what they add and take away, on upright, anisotropic and sheared grids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.transform import Registration
from neuraxis.errors import GeometryError, NotMeasurableError, UsageError
from neuraxis.lesions import measure, segment
from neuraxis.lesions.editing import (
    combine,
    copy_to,
    empty_mask,
    fill,
    fill_polygon,
    grow,
    interpolate_slices,
    keep_largest,
    paint_ball,
    paint_disc,
    shrink,
    smooth,
)

BALL_5 = 4 / 3 * np.pi * 125


def _mm3(mask: LesionMask) -> float:
    return mask.voxel_count * mask.geometry.voxel_volume_mm3


@pytest.mark.parametrize("shear", [0.0, 14.0])
def test_a_painted_ball_holds_the_voxels_within_its_radius(shapes: Any, shear: float) -> None:
    geometry = shapes.grid(shear_deg=shear)
    mask = paint_ball(empty_mask(geometry), (1.0, -1.0, 0.5), 5.0)
    points = geometry.lps_from_index(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))
    truth = np.linalg.norm(points - (1.0, -1.0, 0.5), axis=-1) <= 5.0
    np.testing.assert_array_equal(mask.full(), truth)
    erased = paint_ball(mask, (1.0, -1.0, 0.5), 3.0, erase=True)
    assert _mm3(erased) == pytest.approx(BALL_5 - 4 / 3 * np.pi * 27, rel=0.03)


def test_painting_partly_or_wholly_outside_the_volume_is_harmless(shapes: Any) -> None:
    geometry = shapes.grid()
    edge = paint_ball(empty_mask(geometry), geometry.lps_from_index((0, 0, 0)), 3.0)
    assert 0 < edge.voxel_count < paint_ball(empty_mask(geometry), (0, 0, 0), 3.0).voxel_count / 4
    assert paint_ball(edge, (500.0, 0.0, 0.0), 3.0) is edge
    with pytest.raises(UsageError, match="brush"):
        paint_ball(edge, (0, 0, 0), 0.0)


def test_a_disc_lies_in_one_slice_of_an_upright_grid(shapes: Any) -> None:
    geometry = shapes.grid()
    mask = paint_disc(empty_mask(geometry), geometry.lps_from_index((12, 26, 26)), 3.0)
    assert mask.box.shape[0] == 1
    assert mask.start_zyx[0] == 12
    assert mask.voxel_count * 0.45**2 == pytest.approx(np.pi * 9, rel=0.05)


@pytest.mark.parametrize("shear", [0.0, 10.0])
def test_growing_and_shrinking_move_the_boundary_by_millimetres(shapes: Any, shear: float) -> None:
    ball = paint_ball(empty_mask(shapes.grid(shear_deg=shear)), (0, 0, 0), 4.0)
    assert _mm3(grow(ball, 2.0)) == pytest.approx(4 / 3 * np.pi * 6**3, rel=0.08)
    assert _mm3(shrink(ball, 1.5)) == pytest.approx(4 / 3 * np.pi * 2.5**3, rel=0.2)
    assert (grow(ball, 2.0).full() >= ball.full()).all()
    assert (shrink(ball, 1.5).full() <= ball.full()).all()


def test_smoothing_takes_single_voxels_away_and_keeps_the_size(shapes: Any) -> None:
    ball = paint_ball(empty_mask(shapes.grid()), (0, 0, 0), 5.0)
    rough = ball.full()
    rough[ball.geometry.nearest_index((8.0, 8.0, 0.0))] = True
    smoothed = smooth(LesionMask.from_full(ball.geometry, rough))
    assert not smoothed.full()[ball.geometry.nearest_index((8.0, 8.0, 0.0))]
    # a Gaussian of s takes 3 s^2 / r^2 off a ball: 6 % here
    assert _mm3(smoothed) == pytest.approx(BALL_5, rel=0.08)


def test_holes_are_filled_and_only_the_largest_part_is_kept(shapes: Any) -> None:
    geometry = shapes.grid()
    shell = paint_ball(paint_ball(empty_mask(geometry), (0, 0, 0), 5.0), (0, 0, 0), 2.0, erase=True)
    np.testing.assert_array_equal(fill(shell).full(), paint_ball(empty_mask(geometry), (0, 0, 0), 5.0).full())
    two = paint_ball(shell, (9.0, 9.0, 9.0), 1.5)
    np.testing.assert_array_equal(keep_largest(two).full(), shell.full())


def test_slices_between_drawn_ones_are_interpolated(shapes: Any) -> None:
    geometry = shapes.grid()
    mask = empty_mask(geometry)
    for index, radius in ((10, 3.0), (14, 5.0), (18, 3.0)):
        mask = paint_disc(mask, geometry.lps_from_index((index, 26, 26)), radius)
    full = interpolate_slices(mask)
    areas = np.count_nonzero(full.box, axis=(1, 2)) * 0.45**2
    assert len(areas) == 9
    assert areas[2] == pytest.approx(np.pi * 16, rel=0.08)
    np.testing.assert_array_equal(full.box[[0, 4, 8]], mask.box[[0, 4, 8]])


def test_a_lasso_fills_its_polygon_in_one_slice_only(shapes: Any) -> None:
    geometry = shapes.grid()
    corners = np.array([(-4, -3, 0), (4, -3, 0), (4, 3, 0), (-4, 3, 0)], dtype=float)
    corners[:, 2] = geometry.lps_from_index((20, 0, 0))[2]
    mask = fill_polygon(empty_mask(geometry), corners)
    assert mask.box.shape[0] == 1
    assert mask.voxel_count * 0.45**2 == pytest.approx(48, rel=0.08)
    assert fill_polygon(mask, corners, erase=True).voxel_count == 0
    tilted = corners + np.array([(0, 0, 0), (0, 0, 0), (0, 0, 5), (0, 0, 5)])
    with pytest.raises(GeometryError, match="one slice"):
        fill_polygon(empty_mask(geometry), tilted)


def test_a_mask_copied_through_a_registration_lies_where_the_registration_says(shapes: Any) -> None:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = shapes.rotation((1, 2, 1), 25.0), (3.0, -2.0, 4.0)
    forth = Registration.from_array(matrix, "1.2.3", "9.9", 0.3, "test")
    ball = paint_ball(empty_mask(shapes.grid()), (2.0, 1.0, -1.0), 4.0)
    other = shapes.grid(spacing_xyz=(0.7, 0.7, 1.0), half_mm=16, frame="9.9")
    copied = copy_to(ball, other, forth, series_id="t1")
    assert copied.points_lps_mm().mean(axis=0) == pytest.approx(forth.apply((2.0, 1.0, -1.0)), abs=0.15)
    assert _mm3(copied) == pytest.approx(_mm3(ball), rel=0.06)
    assert "residual 0.3 mm" in copied.method
    with pytest.raises(GeometryError):
        copy_to(ball, other)
    far = shapes.grid(frame="1.2.3", offset_mm=(200, 0, 0))
    with pytest.raises(NotMeasurableError, match="no voxel"):
        copy_to(ball, far)


def test_an_edited_mask_is_measured_as_drawn_and_the_old_one_is_untouched(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(3.0))
    found = segment(volume, (0, 0, 0))
    before = found.box.copy()
    edited = paint_ball(found, (3.0, 0.0, 0.0), 2.0)
    assert edited.boundary_value is None
    assert "painted" in edited.method
    np.testing.assert_array_equal(found.box, before)
    result = measure(volume, edited)
    assert result.long_axis is not None
    assert result.long_axis.quantity.value == pytest.approx(8.0, abs=0.6)


def test_masks_of_one_grid_combine_and_others_do_not(shapes: Any) -> None:
    geometry = shapes.grid()
    a, b = (paint_ball(empty_mask(geometry), (x, 0, 0), 3.0) for x in (-2.0, 2.0))
    both = combine(a, b, np.logical_and, "intersection")
    np.testing.assert_array_equal(both.full(), a.full() & b.full())
    with pytest.raises(GeometryError, match="different grids"):
        combine(a, paint_ball(empty_mask(shapes.grid(frame="9")), (0, 0, 0), 2.0), np.logical_or, "union")
