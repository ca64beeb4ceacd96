"""CT forward model: HU by partial volume, kernel point-spread, slice profile, correlated noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from neuraxis_phantom.acquire import (
    bare,
    blur_in_plane,
    blur_slices,
    each_slice,
    grid_for,
    inside,
    model_from,
    normal_slice,
    painted,
)
from neuraxis_phantom.anatomy import Scene
from neuraxis_phantom.frames import Grid
from neuraxis_phantom.implicit import Field
from neuraxis_phantom.paint import Values
from neuraxis_phantom.place import PlacedLesion
from neuraxis_phantom.tissues import TISSUES

FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))
THICK_SLICES = 8
"""Thin slices in a thick one."""


@dataclass(frozen=True)
class Kernel:
    """In-plane point-spread FWHM in mm, noise SD in HU, and the noise's grain (mm, low and high cut)."""

    name: str
    fwhm_mm: float
    noise_hu: float
    grain_mm: tuple[float, float]


THIN = Kernel("Hr49", 0.75, 9.0, (0.35, 0.9))
SOFT = Kernel("Hc31", 1.15, 3.2, (0.7, 2.2))


def hu_values(placed: PlacedLesion) -> Values:
    """CT numbers of all tissues and of the lesion's parts."""
    lesion = placed.lesion
    values: Values = {name: (t.hu,) for name, t in TISSUES.items()}
    values |= {
        "lesion": (lesion.hu,),
        "lesion_dark": (lesion.hu - 8,),
        "lesion_calcium": (lesion.calcium_hu,),
        "lesion_rim": (45.0,),
        "lesion_rim_inner": (lesion.calcium_hu if lesion.calcification in ("dense", "rim") else lesion.hu,),
        "haemosiderin": (lesion.hu + 8,),
        "tail": (52.0,),
    }
    return values


def noiseless_ct(scene: Scene, grid: Grid) -> tuple[Field, Field]:
    """HU without noise: the thin series, and the thick one made of the same rays.

    The head without lesion is blurred once an anatomy; about the lesion everything is painted and blurred again.
    """
    values = hu_values(scene.placed)
    name = f"CT {grid.shape} {grid.origin_lps_mm}"
    thin, thick = scene.anatomy.picture(name, lambda: list(blurred(bare(scene.anatomy.head, grid, "CT", values, 0.5)[0], grid)))
    first, last = scene.box_on(grid, model_from("CT"))
    # Far enough that blur at the edge of the painted box does not reach the box; whole thick slices.
    low = tuple(max(0, a - m) for a, m in zip(first, (3, 9, 9), strict=True))
    high = tuple(min(n, b + m) for b, m, n in zip(last, (3, 9, 9), grid.shape, strict=True))
    count = grid.shape[0] // THICK_SLICES * THICK_SLICES
    low = (low[0] // THICK_SLICES * THICK_SLICES, low[1], low[2])
    high = (min(max(count, high[0]), -(-high[0] // THICK_SLICES) * THICK_SLICES), high[1], high[2])
    near = painted(scene, grid, "CT", values, 0.5, (4, 4, 4), box=(low, high))[0]
    near_thin, near_thick = blurred(near, grid)
    own = tuple(slice(a - c, b - c) for a, b, c in zip(first, last, low, strict=True))
    thin[inside((first, last))] = near_thin[own]
    slabs = slice(low[0] // THICK_SLICES, low[0] // THICK_SLICES + near_thick.shape[0])
    thick[slabs, first[1] : last[1], first[2] : last[2]] = near_thick[:, own[1], own[2]]
    return thin, thick


def blurred(clean: Field, grid: Grid) -> tuple[Field, Field]:
    """Thin slices with their profile and kernel, and thick ones (means of `THICK_SLICES`) with theirs."""
    pixel = grid.spacing_xyz_mm[0]
    count = clean.shape[0] // THICK_SLICES
    thick = clean[: count * THICK_SLICES].reshape(count, THICK_SLICES, *clean.shape[1:]).mean(axis=1)
    blur_in_plane(thick, SOFT.fwhm_mm / FWHM / pixel)
    thin = blur_slices(clean, 0.4 / FWHM / grid.spacing_xyz_mm[2])
    blur_in_plane(thin, THIN.fwhm_mm / FWHM / pixel)
    return thin, thick


def add_noise(volume: Field, kernel: Kernel, pixel_mm: float, seed: int, stream: int) -> None:
    """Noise of the kernel's texture: band-limited in plane, SD higher behind bone-rich slices is left out."""
    fine, coarse = (g / pixel_mm for g in kernel.grain_mm)

    def one(k: int) -> None:
        white = normal_slice(seed, stream, k, (volume.shape[1], volume.shape[2]))
        noise = ndimage.gaussian_filter(white, fine, mode="wrap") - 0.6 * ndimage.gaussian_filter(
            white, coarse, mode="wrap"
        )
        volume[k] += noise * np.float32(kernel.noise_hu / float(noise.std()))

    each_slice(one, volume.shape[0])


def stored(volume: Field) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """HU rounded to int16 within -1024..3071."""
    return np.clip(np.rint(volume), -1024, 3071).astype(np.int16)


def thin_grid() -> Grid:
    """512 x 512 at 0.45 mm, 160 slices of 0.6 mm."""
    return grid_for("CT", (160, 512, 512), (0.45, 0.45, 0.6))


def thick_grid(thin: Grid, slices: int = THICK_SLICES, thickness_mm: float = 4.8) -> Grid:
    """Contiguous slices made of `slices` thin ones each."""
    count = thin.shape[0] // slices
    shape = (count, thin.shape[1], thin.shape[2])
    spacing = (thin.spacing_xyz_mm[0], thin.spacing_xyz_mm[1], thickness_mm)
    return Grid(shape, spacing, thin.points(np.array([(slices - 1) / 2, 0.0, 0.0])), thin.axes)


def simulate_ct(scene: Scene, seed: int, grid: Grid | None = None) -> tuple[Field, Field]:
    """Thin series (HU, noise, kernel THIN) on `grid`, and the thick soft series made of the same rays."""
    grid = grid or thin_grid()
    thin, thick = noiseless_ct(scene, grid)
    add_noise(thick, SOFT, grid.spacing_xyz_mm[0], seed, 2)
    add_noise(thin, THIN, grid.spacing_xyz_mm[0], seed, 1)
    return thin, thick
