"""The acquisitions of a study: grids in their frames, slab-parallel painting, noise and blur shared by CT and MR."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from neuraxis_phantom.anatomy import Index, Scene
from neuraxis_phantom.frames import Grid, Rigid, centred_grid, rigid_about
from neuraxis_phantom.head import Head
from neuraxis_phantom.implicit import Field
from neuraxis_phantom.paint import Values, paint

WORKERS = 2
SLAB = 8
CT_SHIFT_MM = (3.0, -14.0, 27.5)
MR_DEGREES = (2.5, -1.5, 3.0)
MR_SHIFT_MM = (4.2, -3.1, 5.6)

Progress = Callable[[float, str], None]


def ct_from_model() -> Rigid:
    """Model coordinates to the CT frame of reference (the model grid lies parallel to the CT table)."""
    return Rigid(np.eye(3), np.asarray(CT_SHIFT_MM))


def mr_from_ct() -> Rigid:
    """The known rigid offset: a point of the CT frame in the MR frame (rotation about the foramen magnum)."""
    return rigid_about(CT_SHIFT_MM, MR_DEGREES, MR_SHIFT_MM)


def model_from(frame: str) -> Rigid:
    """Frame of reference "CT" or "MR" to model coordinates."""
    to_frame = ct_from_model() if frame == "CT" else mr_from_ct().after(ct_from_model())
    return to_frame.inverse()


@dataclass(frozen=True)
class Coverage:
    """Middle of the field of view in model coordinates (mm)."""

    x: float = 0.0
    y: float = -24.0
    z: float = 13.0


def grid_for(
    frame: str,
    shape: tuple[int, int, int],
    spacing_xyz_mm: tuple[float, float, float],
    degrees: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Grid:
    """Acquisition grid about the usual coverage, in its frame of reference."""
    c = Coverage()
    centre = model_from(frame).inverse().apply(np.array([c.x, c.y, c.z]))
    return centred_grid(
        shape,
        spacing_xyz_mm,
        (round(float(centre[0]), 1), round(float(centre[1]), 1), round(float(centre[2]), 1)),
        degrees,
    )


def bare(head: Head, grid: Grid, frame: str, values: Values, edge_mm: float, parts: int = 1) -> list[Field]:
    """All channels of a head without lesion over the whole grid, in slabs on WORKERS threads (numpy releases the lock)."""
    out = [np.empty(grid.shape, np.float32) for _ in values["air"]]
    slab = max(1, SLAB // parts)

    def one(start: int) -> None:
        stop = min(start + slab, grid.shape[0])
        painting = paint(
            head, None, grid.rows(start, stop).finer((parts, 1, 1)), model_from(frame), values, edge_mm=edge_mm
        )
        for whole, part in zip(out, painting, strict=True):
            whole[start:stop] = mean_of_parts(part, parts)

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(one, range(0, grid.shape[0], slab)))
    return out


def mean_of_parts(fine: Field, parts: int) -> Field:
    """Slices made of `parts` fine ones each."""
    if parts == 1:
        return fine
    return np.asarray(fine.reshape(-1, parts, *fine.shape[1:]).mean(axis=1))


def painted(
    scene: Scene,
    grid: Grid,
    frame: str,
    values: Values,
    edge_mm: float,
    splits: Index,
    parts: int = 1,
    box: tuple[Index, Index] | None = None,
) -> list[Field]:
    """All channels within `box` of the grid (all of it by default), each slice the mean of `parts` for its thickness."""
    part = grid if box is None else grid.crop(*box)
    fine = part.finer((parts, 1, 1))
    channels = paint(scene.head, scene.placed, fine, model_from(frame), values, edge_mm=edge_mm, splits=splits)
    return [mean_of_parts(c, parts) for c in channels]


def inside(box: tuple[Index, Index]) -> tuple[slice, slice, slice]:
    """The slices of an index box (first, past the last)."""
    (a, b, c), (d, e, f) = box
    return slice(a, d), slice(b, e), slice(c, f)


def each_slice(work: Callable[[int], None], count: int) -> None:
    """Run `work` for each slice index on WORKERS threads."""
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(count)))


def blur_in_plane(volume: Field, sigma_voxels: float) -> None:
    """Gaussian point-spread in rows and columns, in place."""

    def one(k: int) -> None:
        ndimage.gaussian_filter(volume[k], sigma_voxels, output=volume[k], mode="nearest", truncate=3.5)

    each_slice(one, volume.shape[0])


def blur_slices(volume: Field, sigma_voxels: float) -> Field:
    """Gaussian slice profile along the slice axis."""
    return np.asarray(ndimage.gaussian_filter1d(volume, sigma_voxels, axis=0, mode="nearest", truncate=3.0))


def normal_slice(seed: int, stream: int, index: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    """White noise of one slice; depends only on the seed, the series and the slice."""
    return np.random.default_rng(np.random.SeedSequence([seed, stream, index])).standard_normal(shape, dtype=np.float32)
