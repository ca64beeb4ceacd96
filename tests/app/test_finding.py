"""Which mask at a point is the lesion: closed shells, credible masses, and the whole against a part."""

from __future__ import annotations

import numpy as np
import pytest

from neuraxis.app.finding import Found, credible, is_the_whole, shell_about
from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.lesion import LesionMask
from neuraxis.domain.study import Confidence, Role, RoleAssignment, Series
from neuraxis.domain.volume import ValueKind, Volume

GRID = VolumeGeometry.axis_aligned((72, 96, 96), (0.5, 0.5, 0.6), (-23.75, -23.75, -21.3), "f")


def radius() -> np.ndarray:
    index = np.moveaxis(np.indices(GRID.shape_zyx), 0, -1)
    distance: np.ndarray = np.linalg.norm(GRID.lps_from_index(index), axis=-1)
    return distance


def volume(values: np.ndarray) -> Volume:
    noisy = values + np.random.default_rng(2).normal(0, 8, values.shape)
    return Volume(noisy.astype(np.float32), GRID, ValueKind.HU, slice_thickness_mm=0.6, series_id="s1", series_uid="1.2")


@pytest.mark.parametrize("outer", [4.0, 7.0])
def test_a_calcified_shell_is_taken_with_what_it_holds(outer: float) -> None:
    r = radius()
    mask = shell_about(volume(np.where(r < outer, np.where(r > outer - 1.6, 600.0, 40.0), 35.0)), (0.4, -0.3, 0.2), 130.0)
    assert mask is not None
    measured = (6 * mask.voxel_count * GRID.voxel_volume_mm3 / np.pi) ** (1 / 3)
    assert measured == pytest.approx(2 * outer, abs=0.5)


def test_an_open_shell_bone_all_round_and_a_solid_lesion_are_no_shell() -> None:
    r = radius()
    ring = np.where((r < 6) & (r > 4.4), 600.0, 35.0)
    half = ring.copy()
    half[: 36] = 35.0
    assert shell_about(volume(half), (0.0, 0.0, 0.0), 130.0) is None
    assert shell_about(volume(np.where(r > 8, 900.0, 35.0)), (0.0, 0.0, 0.0), 130.0) is None
    assert shell_about(volume(np.where(r < 5, 700.0, 35.0)), (0.0, 0.0, 0.0), 130.0) is None
    assert shell_about(volume(np.full(r.shape, 35.0)), (0.0, 0.0, 0.0), 130.0) is None


def found(diameter: float, background: float, plateau: float) -> Found:
    inside = radius() < diameter / 2
    series = Series(
        "s1", "1.2", "1", "f", 1, "T1C", "MR", RoleAssignment(Role.T1C, Confidence.CERTAIN, "made so"), (), 72, 96, 96, GRID,
        None, None,  # type: ignore[arg-type]
    )
    return Found(series, LesionMask.from_full(GRID, inside, background_value=background, plateau_value=plateau))


def test_noise_and_faint_structure_are_no_mass() -> None:
    assert credible(found(6.0, 240.0, 600.0))
    assert not credible(found(6.0, 234.0, 271.0))
    assert not credible(found(1.4, 240.0, 900.0))


def test_a_mass_is_the_whole_only_where_it_goes_clearly_beyond_its_calcium() -> None:
    assert is_the_whole(found(14.0, 200.0, 900.0), found(8.0, 40.0, 700.0))
    # A thin enhancing capsule about a calcification of 4 mm is not a mass of its own.
    assert not is_the_whole(found(5.6, 200.0, 900.0), found(4.0, 40.0, 700.0))
