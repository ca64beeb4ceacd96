"""Layers against voxels that name themselves: what napari draws at a world point is the voxel at that LPS point."""

from __future__ import annotations

import numpy as np
import pytest
from tests.app.synthetic_study import ACQUISITIONS, geometry_of, place_volume, series_of

from neuraxis.app.layers import (
    ResampledPlanes,
    image_layer,
    labels_layer,
    lps_from_world,
    mask_from_layer,
    world_from_lps,
    world_grid,
)
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.study import Role
from neuraxis.domain.volume import ValueKind, Volume
from neuraxis.domain.window import Window

STRAIGHT = tuple(k for k in ACQUISITIONS if k not in ("tilted", "gantry tilt"))


def test_world_axes_grow_to_the_feet_the_back_and_the_left() -> None:
    assert world_from_lps((0, 0, -1)).tolist() == [1, 0, 0]
    assert world_from_lps((0, 1, 0)).tolist() == [0, 1, 0]
    assert world_from_lps((1, 0, 0)).tolist() == [0, 0, 1]
    assert lps_from_world(world_from_lps((1.5, -2.0, 3.0))) == (1.5, -2.0, 3.0)


@pytest.mark.parametrize("kind", STRAIGHT)
def test_straight_volumes_are_shown_without_a_copy_where_they_lie(kind: str) -> None:
    volume = place_volume(geometry_of(kind))
    data, arguments, _ = image_layer(series_of(volume, Role.CT, 1, kind), volume, Window(40, 80))
    assert np.shares_memory(data, volume.array)
    assert set(arguments["units"]) == {"mm"}
    rng = np.random.default_rng(0)
    for _ in range(30):
        index = tuple(int(rng.integers(n)) for n in data.shape)
        world = np.asarray(arguments["translate"]) + np.array(index) * arguments["scale"]
        assert data[index] == volume.array[volume.geometry.nearest_index(lps_from_world(world))]


@pytest.mark.parametrize("kind", ["tilted", "gantry tilt"])
def test_tilted_volumes_are_resampled_to_where_they_lie(kind: str) -> None:
    geometry = geometry_of(kind)
    points = geometry.lps_from_index(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))
    field = (3 * points[..., 0] - 5 * points[..., 1] + 7 * points[..., 2]).astype(np.float32)
    volume = Volume(field, geometry, ValueKind.SIGNAL)
    data, arguments, _ = image_layer(series_of(volume, Role.T1, 1, kind), volume, Window(40, 80))
    assert isinstance(data, ResampledPlanes)
    assert data.shape == tuple(len(range(n)) for n in data.shape)
    checked = 0
    for index in np.ndindex(5, 5, 5):
        at = tuple(int((i + 0.5) * n / 5) for i, n in zip(index, data.shape, strict=True))
        lps = np.array(lps_from_world(np.asarray(arguments["translate"]) + np.array(at) * arguments["scale"]))
        inside = geometry.index_from_lps(lps)
        if (inside > 1).all() and (inside < np.array(geometry.shape_zyx) - 2).all():
            checked += 1
            expected = 3 * lps[0] - 5 * lps[1] + 7 * lps[2]
            for axis in range(3):
                key = tuple(at[a] if a == axis else slice(None) for a in range(3))
                rest = tuple(at[a] for a in range(3) if a != axis)
                assert float(data[key][rest]) == pytest.approx(expected, abs=0.02)
    assert checked > 10
    np.testing.assert_array_equal(data[..., 4], data[:, :, 4])
    np.testing.assert_array_equal(data[3, ..., 4], data[3, :, 4])
    assert np.asarray(data).shape == data.shape


def test_a_mask_survives_the_way_to_a_layer_and_back() -> None:
    for kind in STRAIGHT:
        geometry = geometry_of(kind)
        full = np.zeros(geometry.shape_zyx, dtype=bool)
        full[3:6, 7:9, 11:20] = True
        mask = LesionMask.from_full(geometry, full, series_id="s1")
        layer = labels_layer("lesion", mask)
        assert layer is not None
        layer[0][...] = layer[0]
        back = mask_from_layer(layer[0], mask)
        np.testing.assert_array_equal(back.full(), full)
        assert back.method.startswith("edited by hand")


def test_a_barely_turned_grid_counts_as_straight_and_a_turned_one_does_not() -> None:
    small, large = np.radians(0.1), np.radians(3.0)
    for angle, straight in ((small, True), (large, False)):
        c, s = float(np.cos(angle)), float(np.sin(angle))
        geometry = VolumeGeometry((20, 30, 40), (0, 0, 0), (c, s, 0), (-s, c, 0), (0, 0, 2))
        assert world_grid(geometry).is_aligned is straight
