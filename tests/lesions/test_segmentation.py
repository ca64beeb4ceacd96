"""One click: what is found, what is refused, and that bone nearby changes neither."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuraxis.domain.volume import ValueKind
from neuraxis.errors import GeometryError, NotMeasurableError
from neuraxis.lesions import SegmentKind, bone_mask, measure, saddle_hu, segment


def _wall(shapes: Any, gap: float, radius: float = 2.0, sigma: float = 0.4) -> Any:
    return shapes.cuboid((60.0, 8.0, 60.0), centre=(0.0, radius + gap + 4.0, 0.0), sigma=sigma)


def _beside_bone(shapes: Any, gap: float, *, plateau: float = 700.0, sigma: float = 0.4, noise: float = 8.0) -> Any:
    ball, wall = shapes.ball(2.0, sigma=sigma), _wall(shapes, gap, sigma=sigma)
    contrast = plateau - 15.0
    return shapes.draw(
        lambda p: ball(p) + 985.0 / contrast * wall(p), shapes.grid(half_mm=22), plateau=plateau, noise=noise
    )


def test_the_mask_holds_the_voxels_whose_centre_is_inside_the_half_maximum(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(3.0), noise=0.0)
    mask = segment(volume, (0, 0, 0))
    index = np.moveaxis(np.indices(volume.array.shape), 0, -1)
    distance = np.linalg.norm(volume.geometry.lps_from_index(index), axis=-1)
    inside = mask.full()
    assert inside[distance < 2.85].all()
    assert not inside[distance > 3.05].any()
    assert mask.boundary_value == pytest.approx((15 + 700) / 2, abs=12)
    assert mask.background_value == pytest.approx(15, abs=3)
    assert mask.plateau_value == pytest.approx(700, abs=20)


@pytest.mark.parametrize("click", [(0, 0, 0), (1.9, 0, 0), (0, -3.4, 0), (0, 0, 3.4), (2.2, 2.2, 0)])
def test_clicks_on_and_near_the_lesion_give_the_same_mask(shapes: Any, click: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0))
    mask, other = segment(volume, (0, 0, 0)), segment(volume, click)
    assert np.array_equal(mask.full(), other.full())
    assert other.seed_lps_mm == pytest.approx(click)


@pytest.mark.parametrize("seed", range(5))
def test_a_click_on_nothing_says_so(shapes: Any, seed: int) -> None:
    volume = shapes.draw(shapes.ball(2.0), noise=20.0, seed=seed)
    with pytest.raises(NotMeasurableError, match="nothing at"):
        segment(volume, (7.0, 7.0, -5.0))


def test_a_click_outside_the_volume_is_refused(shapes: Any) -> None:
    with pytest.raises(GeometryError, match="outside"):
        segment(shapes.draw(shapes.ball(2.0)), (100.0, 0.0, 0.0))


def test_a_calcification_is_only_looked_for_in_hounsfield_units(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0), kind=ValueKind.SIGNAL)
    with pytest.raises(NotMeasurableError, match="Hounsfield"):
        segment(volume, (0, 0, 0))


@pytest.mark.parametrize("diameter", [16.0, 40.0])
def test_a_click_in_the_middle_of_a_large_lesion_takes_all_of_it(shapes: Any, diameter: float) -> None:
    grid = shapes.grid(spacing_xyz=(0.9, 0.9, 1.2), half_mm=diameter / 2 + 12)
    volume = shapes.draw(shapes.ball(diameter / 2), grid)
    mask = segment(volume, (1.0, 0.0, 0.0))
    assert mask.voxel_count * grid.voxel_volume_mm3 == pytest.approx(np.pi / 6 * diameter**3, rel=0.03)


@pytest.mark.parametrize("gap", [1.0, 1.5, 2.0, 3.0])
def test_bone_nearby_neither_swallows_nor_shortens_the_lesion(shapes: Any, gap: float) -> None:
    volume = _beside_bone(shapes, gap)
    mask = segment(volume, (0, -0.5, 0))
    result = measure(volume, mask)
    assert result.long_axis is not None
    assert result.long_axis.quantity.value == pytest.approx(4.0, abs=0.2)
    assert result.volume is not None
    assert result.volume.value == pytest.approx(33.5, rel=0.06)


def test_a_faint_lesion_whose_half_maximum_reaches_bone_is_cut_at_the_valley(shapes: Any) -> None:
    volume = _beside_bone(shapes, 1.0, plateau=400.0, sigma=0.51)
    mask = segment(volume, (0, -0.5, 0))
    assert measure(volume, mask).long_axis is not None
    assert mask.voxel_count * volume.geometry.voxel_volume_mm3 == pytest.approx(33.5, rel=0.25)


def test_bone_itself_is_refused_as_a_lesion(shapes: Any) -> None:
    volume = _beside_bone(shapes, 2.0)
    with pytest.raises(NotMeasurableError, match="bone"):
        segment(volume, (5.0, 8.0, 3.0))


def test_given_bone_is_never_entered(shapes: Any) -> None:
    volume = _beside_bone(shapes, 1.0)
    bone = bone_mask(volume, centre_lps_mm=(0.0, 9.0, 0.0), radius_mm=10.0)
    wall = bone.box.copy()
    assert wall.any()
    mask = segment(volume, (0, -0.5, 0), bone=bone)
    overlap = np.zeros(volume.array.shape, dtype=bool)
    overlap[tuple(slice(s, s + n) for s, n in zip(bone.start_zyx, wall.shape, strict=True))] = wall
    assert not (overlap & mask.full()).any()
    with pytest.raises(NotMeasurableError, match="bone"):
        segment(volume, (0.0, 7.0, 0.0), bone=bone)


@pytest.mark.parametrize(("gap", "low", "high"), [(0.0, 500, 720), (0.5, 250, 560), (3.0, 0, 60)])
def test_the_saddle_falls_as_the_gap_to_bone_widens(shapes: Any, gap: float, low: float, high: float) -> None:
    from neuraxis.lesions.editing import empty_mask, paint_ball

    volume = _beside_bone(shapes, gap)
    mask = paint_ball(empty_mask(volume.geometry), (0, 0, 0), 1.9)
    saddle = saddle_hu(volume, mask)
    assert saddle is not None
    assert low <= saddle <= high


def test_without_bone_there_is_no_saddle(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(2.0))
    assert saddle_hu(volume, segment(volume, (0, 0, 0))) is None


def test_bone_is_large_and_bright_and_a_calcification_is_neither(shapes: Any) -> None:
    volume = _beside_bone(shapes, 3.0)
    bone = bone_mask(volume)
    points = bone.box_geometry.lps_from_index(np.argwhere(bone.box))
    assert bone.box.any()
    assert points[:, 1].min() > 4.3


@pytest.mark.parametrize(("kind", "plateau"), [(SegmentKind.DARK, 60.0), (SegmentKind.ENHANCING, 900.0)])
def test_dark_and_enhancing_lesions_are_found_on_magnetic_resonance(shapes: Any, kind: SegmentKind, plateau: float) -> None:
    grid = shapes.grid(spacing_xyz=(0.6, 0.6, 1.0), half_mm=16)
    volume = shapes.draw(shapes.ball(2.5), grid, plateau=plateau, background=400.0, noise=15.0, kind=ValueKind.SIGNAL)
    result = measure(volume, segment(volume, (0.5, 0, 0), kind=kind))
    assert result.long_axis is not None
    assert result.long_axis.quantity.value == pytest.approx(5.0, abs=0.2)
    assert result.volume is not None
    assert result.volume.value == pytest.approx(np.pi / 6 * 125, rel=0.06)


def test_a_dark_lesion_that_runs_into_a_dark_structure_is_cut_by_the_given_ball(shapes: Any) -> None:
    grid = shapes.grid(spacing_xyz=(0.6, 0.6, 1.0), half_mm=24)
    body = shapes.union(shapes.ball(3.0), shapes.cuboid((80.0, 20.0, 80.0), centre=(0.0, 12.5, 0.0)))
    volume = shapes.draw(
        lambda p: np.minimum(body(p), 1.0), grid, plateau=40.0, background=400.0, noise=10.0, kind=ValueKind.SIGNAL
    )
    with pytest.raises(NotMeasurableError, match="continuous"):
        segment(volume, (0, 0, 0), kind=SegmentKind.DARK)
    mask = segment(volume, (0, 0, 0), kind=SegmentKind.DARK, radius_mm=4.0)
    assert any("ball of 4 mm" in w for w in mask.warnings)
    assert np.linalg.norm(mask.points_lps_mm(), axis=1).max() <= 4.0
    assert mask.voxel_count * grid.voxel_volume_mm3 > 4 / 3 * np.pi * 27 * 0.9


def test_a_region_grows_over_like_values_and_stops_at_its_ball(shapes: Any) -> None:
    volume = shapes.draw(shapes.ball(4.0))
    mask = segment(volume, (0, 0, 0), kind=SegmentKind.REGION)
    assert mask.voxel_count * volume.geometry.voxel_volume_mm3 == pytest.approx(4 / 3 * np.pi * 64, rel=0.35)
    small = segment(volume, (0, 0, 0), kind=SegmentKind.REGION, radius_mm=2.0)
    assert np.linalg.norm(small.points_lps_mm(), axis=1).max() <= 2.0
    assert any("ball" in w for w in small.warnings)
