"""Susceptibility-weighted imaging: field by dipole convolution, intravoxel dephasing, filtered phase, minIP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from neuraxis_phantom.acquire import WORKERS, each_slice, grid_for, model_from, normal_slice, painted
from neuraxis_phantom.frames import Grid
from neuraxis_phantom.head import Head
from neuraxis_phantom.implicit import Field
from neuraxis_phantom.mr import SWI, bias_field, spoiled_gradient_echo, table
from neuraxis_phantom.paint import paint
from neuraxis_phantom.place import PlacedLesion
from neuraxis_phantom.tissues import TISSUES

TESLA = 3.0
RADIANS_PER_PPM = 2 * np.pi * 42.577 * TESLA * SWI["TE"] * 1e-3
"""Phase in radians that 1 ppm of field makes until the echo (proton 42.577 MHz/T)."""
SPLITS = (3, 2, 2)
FILTER_WIDTH = 80
MINIP_SLICES = 8


@dataclass(frozen=True)
class SwiSeries:
    """Stored values: magnitude, filtered phase (0..4095 for -pi..pi), SWI, minIP; and the minIP's slice grid."""

    magnitude: NDArray[np.int16]
    phase: NDArray[np.int16]
    swi: NDArray[np.int16]
    minip: NDArray[np.int16]


def swi_grid() -> Grid:
    """0.6 x 0.6 x 1.2 mm, straight axial (slices across B0)."""
    return grid_for("MR", (80, 384, 384), (0.6, 0.6, 1.2))


def dipole_field(chi_ppm: Field, spacing_xyz_mm: tuple[float, float, float], pad: tuple[int, int, int]) -> Field:
    """Relative field in ppm of a susceptibility map (z, y, x) in B0 along z: kernel 1/3 - kz^2/k^2, zero-padded by `pad`."""
    shape = [fft.next_fast_len(n + p, real=True) for n, p in zip(chi_ppm.shape, pad, strict=True)]
    spectrum = fft.rfftn(chi_ppm, s=shape, workers=WORKERS)
    sx, sy, sz = spacing_xyz_mm
    kz = (fft.fftfreq(shape[0], sz) ** 2).astype(np.float32)[:, None, None]
    rest = (fft.fftfreq(shape[1], sy) ** 2).astype(np.float32)[:, None] + (fft.rfftfreq(shape[2], sx) ** 2).astype(
        np.float32
    )

    def one(n: int) -> None:
        total = rest + kz[n, 0, 0]
        total[total == 0] = np.inf
        spectrum[n] *= np.float32(1 / 3) - kz[n, 0, 0] / total

    each_slice(one, shape[0])
    field = fft.irfftn(spectrum, s=shape, workers=WORKERS)
    return np.asarray(field[tuple(slice(0, n) for n in chi_ppm.shape)], dtype=np.float32)


def dephasing(phase: Field) -> Field:
    """Signal left where the phase changes linearly across a voxel: product of |sinc| of the change along each axis."""
    out = np.ones(phase.shape, np.float32)
    for axis in range(3):
        out *= np.abs(np.sinc(np.gradient(phase, axis=axis) / np.float32(2 * np.pi)))
    return out


def near_box(
    grid: Grid, centre: NDArray[np.float64], reach_mm: float
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Index box (low, high) of the grid within `reach_mm` of a frame point."""
    middle = grid.index(centre)
    half = reach_mm / np.asarray(grid.spacing_xyz_mm)[::-1]
    low = [min(n, max(0, int(np.floor(m - h)))) for m, h, n in zip(middle, half, grid.shape, strict=True)]
    high = [max(0, min(n, int(np.ceil(m + h)) + 1)) for m, h, n in zip(middle, half, grid.shape, strict=True)]
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def lesion_chi(head: Head, placed: PlacedLesion, grid: Grid, splits: tuple[int, int, int]) -> list[Field]:
    """Signal with the lesion, susceptibility without and with it, on a small grid."""
    values = table(placed, spoiled_gradient_echo, lambda t: t.chi_ppm)
    signal, chi = paint(head, placed, grid, model_from("MR"), values, edge_mm=grid.spacing_xyz_mm[0], splits=splits)
    bare = paint(
        head, None, grid, model_from("MR"), {k: (v[1],) for k, v in values.items()}, edge_mm=grid.spacing_xyz_mm[0]
    )[0]
    return [signal, bare, chi]


def complex_image(head: Head, placed: PlacedLesion, grid: Grid) -> tuple[Field, Field]:
    """Magnitude (with dephasing) and phase in radians (paramagnetic shift positive) without noise."""
    values = table(placed, spoiled_gradient_echo, lambda t: t.chi_ppm)
    signal, chi = painted(head, None, grid, "MR", values, 0.65, (1, 1, 1))
    chi -= np.float32(TISSUES["air"].chi_ppm)
    extra = 16
    chi = np.pad(chi, ((extra, extra), (0, 0), (0, 0)), mode="edge")
    field = dipole_field(chi, grid.spacing_xyz_mm, (48, 96, 96))[extra:-extra]
    phase = field * np.float32(RADIANS_PER_PPM)
    centre = model_from("MR").inverse().apply(placed.centre)
    radius = max(placed.lesion.diameters_mm) / 2
    wide_low, wide_high = near_box(grid, centre, radius + 34)
    wide = grid.crop(wide_low, wide_high)
    _, bare, full = lesion_chi(head, placed, wide, (3, 3, 3))
    far = dipole_field(full - bare, wide.spacing_xyz_mm, wide.shape) * np.float32(RADIANS_PER_PPM)
    box = tuple(slice(a, b) for a, b in zip(wide_low, wide_high, strict=True))
    background = phase[box].copy()
    phase[box] += far
    magnitude = signal * dephasing(phase)
    low, high = near_box(grid, centre, radius * 1.8 + 7)
    fine_signal, fine_phase = fine_patch(
        head, placed, grid.crop(low, high), background, np.asarray(low) - np.asarray(wide_low)
    )
    wave = fine_signal * np.exp(1j * fine_phase)
    n = [b - a for a, b in zip(low, high, strict=True)]
    voxel = wave.reshape(n[0], SPLITS[0], n[1], SPLITS[1], n[2], SPLITS[2]).mean(axis=(1, 3, 5))
    patch = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    magnitude[patch] = np.abs(voxel)
    phase[patch] = np.angle(voxel)
    return magnitude, phase


def fine_patch(
    head: Head, placed: PlacedLesion, coarse: Grid, background: Field, corner: NDArray[np.int_]
) -> tuple[Field, Field]:
    """Signal and phase on voxels split in SPLITS about the lesion: its own field computed there, the rest interpolated."""
    fine = coarse.finer(SPLITS)
    signal, bare, full = lesion_chi(head, placed, fine, (1, 1, 1))
    own = dipole_field(full - bare, fine.spacing_xyz_mm, fine.shape) * np.float32(RADIANS_PER_PPM)
    index = [(np.arange(fine.shape[a]) + 0.5) / SPLITS[a] - 0.5 + float(corner[a]) for a in range(3)]
    grid_index = np.meshgrid(*index, indexing="ij")
    smooth = ndimage.map_coordinates(background, np.stack(grid_index), order=1, mode="nearest")
    return signal, np.asarray(own + smooth, dtype=np.float32)


def homodyne(image: NDArray[np.complex64]) -> Field:
    """Phase in radians of one slice after dividing by its low-pass copy (Hann window of FILTER_WIDTH in k-space)."""
    rows, columns = image.shape
    windows = []
    for n in (rows, columns):
        u = np.abs(fft.fftfreq(n) * n) / (FILTER_WIDTH / 2)
        windows.append(np.where(u < 1, 0.5 + 0.5 * np.cos(np.pi * u), 0).astype(np.float32))
    low = fft.ifft2(fft.fft2(image) * windows[0][:, None] * windows[1])
    return np.asarray(np.angle(image * np.conj(low)), dtype=np.float32)


def simulate_swi(head: Head, placed: PlacedLesion, seed: int, grid: Grid, handedness: int) -> SwiSeries:
    """The four SWI series. `handedness` +1: paramagnetic veins have positive phase; -1: negative."""
    magnitude, phase = complex_image(head, placed, grid)
    gain = 330.0 / spoiled_gradient_echo(TISSUES["white"])
    bz, by, bx = bias_field(grid, seed)
    shape = (grid.shape[1], grid.shape[2])
    stored = [np.empty(grid.shape, np.int16) for _ in range(3)]
    swi = np.empty(grid.shape, np.float32)

    def one(k: int) -> None:
        wave = (
            magnitude[k]
            * (by[0] * bx[0] * bz[k, 0, 0] * np.float32(gain))
            * np.exp(1j * np.float32(handedness) * phase[k])
        )
        wave = ndimage.gaussian_filter(wave.real, 0.4) + 1j * ndimage.gaussian_filter(wave.imag, 0.4)
        wave = wave + 9.0 * (normal_slice(seed, 15, 2 * k, shape) + 1j * normal_slice(seed, 15, 2 * k + 1, shape))
        filtered = homodyne(wave.astype(np.complex64))
        size = np.abs(wave)
        paramagnetic = filtered * np.float32(handedness)
        mask = np.clip(1 - np.maximum(paramagnetic, 0) / np.float32(np.pi), 0, 1) ** 4
        swi[k] = size * mask
        stored[0][k] = np.clip(np.rint(size), 0, 4095)
        stored[1][k] = np.clip(np.rint((filtered + np.pi) * (4096 / (2 * np.pi))), 0, 4095)
        stored[2][k] = np.clip(np.rint(swi[k]), 0, 4095)

    each_slice(one, grid.shape[0])
    count = grid.shape[0] - MINIP_SLICES + 1
    minip = np.stack([stored[2][k : k + MINIP_SLICES].min(axis=0) for k in range(count)])
    return SwiSeries(stored[0], stored[1], stored[2], minip)
