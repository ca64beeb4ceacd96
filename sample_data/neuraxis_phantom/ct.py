"""CT forward model: HU by partial volume, kernel point-spread, slice profile, correlated noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from neuraxis_phantom.acquire import blur_in_plane, blur_slices, each_slice, grid_for, normal_slice, painted
from neuraxis_phantom.frames import Grid
from neuraxis_phantom.head import Head
from neuraxis_phantom.implicit import Field
from neuraxis_phantom.paint import Values
from neuraxis_phantom.place import PlacedLesion
from neuraxis_phantom.tissues import TISSUES

FWHM = 2.0 * np.sqrt(2.0 * np.log(2.0))


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


def noiseless_ct(head: Head, placed: PlacedLesion, grid: Grid) -> Field:
    """HU on the grid with partial volume only (no point-spread, no noise)."""
    return painted(head, placed, grid, "CT", hu_values(placed), 0.5, (4, 4, 4))[0]


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


def thick_grid(thin: Grid, slices: int = 8, thickness_mm: float = 4.8) -> Grid:
    """Contiguous slices made of `slices` thin ones each."""
    count = thin.shape[0] // slices
    shape = (count, thin.shape[1], thin.shape[2])
    spacing = (thin.spacing_xyz_mm[0], thin.spacing_xyz_mm[1], thickness_mm)
    return Grid(shape, spacing, thin.points(np.array([(slices - 1) / 2, 0.0, 0.0])), thin.axes)


def simulate_ct(head: Head, placed: PlacedLesion, seed: int, grid: Grid | None = None) -> tuple[Field, Field]:
    """Thin series (HU, noise, kernel THIN) on `grid`, and the thick soft series made of the same rays."""
    grid = grid or thin_grid()
    pixel = grid.spacing_xyz_mm[0]
    clean = noiseless_ct(head, placed, grid)
    per = 8
    count = clean.shape[0] // per
    thick = clean[: count * per].reshape(count, per, *clean.shape[1:]).mean(axis=1)
    blur_in_plane(thick, SOFT.fwhm_mm / FWHM / pixel)
    add_noise(thick, SOFT, pixel, seed, 2)
    thin = blur_slices(clean, 0.4 / FWHM / grid.spacing_xyz_mm[2])
    blur_in_plane(thin, THIN.fwhm_mm / FWHM / pixel)
    add_noise(thin, THIN, pixel, seed, 1)
    return thin, thick
