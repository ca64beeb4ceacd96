"""Susceptibility-weighted imaging: field by dipole convolution, intravoxel dephasing, filtered phase, minIP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from neuraxis_phantom.acquire import WORKERS, bare, each_slice, grid_for, inside, model_from, normal_slice
from neuraxis_phantom.anatomy import Index, Scene
from neuraxis_phantom.frames import Grid
from neuraxis_phantom.head import Head, Sampler, separable
from neuraxis_phantom.implicit import Field
from neuraxis_phantom.mr import SWI, bias_field, spoiled_gradient_echo, table
from neuraxis_phantom.paint import Values, paint, with_lesion
from neuraxis_phantom.place import PlacedLesion
from neuraxis_phantom.tissues import TISSUES

TESLA = 3.0
RADIANS_PER_PPM = 2 * np.pi * 42.577 * TESLA * SWI["TE"] * 1e-3
"""Phase in radians that 1 ppm of field makes until the echo (proton 42.577 MHz/T)."""
SPLITS = (3, 2, 2)
FILTER_WIDTH = 80
MINIP_SLICES = 8


@dataclass(frozen=True)
class Void:
    """Signal void of the lesion on SWI, where the head without it gives signal.

    Parameters
    ----------
    volume_mm3 : voxels darker than half of the magnitude that the head without lesion has there
    ratio : square root of void over lesion area in the slice through the lesion's centre, both where there was signal: a
        ratio of diameters as a reader sees it; None where the lesion lies nowhere in signal there
    """

    volume_mm3: float
    ratio: float | None


@dataclass(frozen=True)
class SwiSeries:
    """Stored values: magnitude, filtered phase (0..4095 for -pi..pi), SWI, minIP; and the void of the lesion."""

    magnitude: NDArray[np.int16]
    phase: NDArray[np.int16]
    swi: NDArray[np.int16]
    minip: NDArray[np.int16]
    void: Void


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


def near_box(grid: Grid, centre: NDArray[np.float64], reach_mm: float) -> tuple[Index, Index]:
    """Index box (low, high) of the grid within `reach_mm` of a frame point."""
    middle = grid.index(centre)
    half = reach_mm / np.asarray(grid.spacing_xyz_mm)[::-1]
    low = [min(n, max(0, int(np.floor(m - h)))) for m, h, n in zip(middle, half, grid.shape, strict=True)]
    high = [max(0, min(n, int(np.ceil(m + h)) + 1)) for m, h, n in zip(middle, half, grid.shape, strict=True)]
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def lesion_free(head: Head, grid: Grid, values: Values) -> list[Field]:
    """Head without lesion: signal, susceptibility (ppm), phase (radians), magnitude with dephasing."""
    signal, chi = bare(head, grid, "MR", values, 0.65)
    extra = 16
    padded = np.pad(chi - np.float32(TISSUES["air"].chi_ppm), ((extra, extra), (0, 0), (0, 0)), mode="edge")
    field = dipole_field(padded, grid.spacing_xyz_mm, (48, 96, 96))[extra:-extra]
    phase = field * np.float32(RADIANS_PER_PPM)
    return [signal, chi, phase, signal * dephasing(phase)]


def complex_image(scene: Scene, grid: Grid) -> tuple[Field, Field, tuple[tuple[Index, Index], Field]]:
    """Magnitude (with dephasing) and phase in radians (paramagnetic shift positive), without noise; then the index box
    about the lesion with the magnitude that the head without it has there.

    The head without lesion is made once an anatomy. What the lesion changed adds its own field within 34 mm of it; about
    the lesion the complex signal is computed on voxels split in SPLITS.
    """
    values = table(scene.placed, spoiled_gradient_echo, lambda t: t.chi_ppm)
    name = f"SWI {grid.shape} {grid.origin_lps_mm}"
    signal, chi, phase, magnitude = scene.anatomy.picture(
        name, lambda: lesion_free(scene.anatomy.head, grid, values)
    )
    near = scene.box_on(grid, model_from("MR"))
    centre = model_from("MR").inverse().apply(scene.placed.centre)
    radius = max(scene.placed.lesion.diameters_mm) / 2
    wide = joined(near_box(grid, centre, radius + 34), near)
    local = grid.crop(*near)
    ways = (local, model_from("MR"), values)
    bare_near = paint(scene.head, None, *ways, edge_mm=0.65)
    full_near = with_lesion(scene.head, scene.placed, *ways, bare_near, (3, 3, 3))
    within = tuple(slice(a - c, b - c) for a, b, c in zip(near[0], near[1], wide[0], strict=True))
    change = np.zeros([b - a for a, b in zip(*wide, strict=True)], np.float32)
    # The head's own change first (bone, vessels, brain): it is the background of the finer picture of the lesion.
    change[within] = bare_near[1] - chi[inside(near)]
    if np.any(change):
        phase[inside(wide)] += dipole_field(change, grid.spacing_xyz_mm, change.shape) * np.float32(RADIANS_PER_PPM)
    background = phase[inside(wide)].copy()
    change[within] = full_near[1] - bare_near[1]
    if np.any(change):
        phase[inside(wide)] += dipole_field(change, grid.spacing_xyz_mm, change.shape) * np.float32(RADIANS_PER_PPM)
    signal[inside(near)] = full_near[0]
    without = magnitude[inside(wide)].copy()
    low, high = (tuple(max(0, a - 1) for a in wide[0]), tuple(min(n, b + 1) for b, n in zip(wide[1], grid.shape, strict=True)))
    around = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    own = tuple(slice(a - c, b - c) for a, b, c in zip(*wide, low, strict=True))
    magnitude[inside(wide)] = (signal[around] * dephasing(phase[around]))[own]
    box = near_box(grid, centre, radius * 1.8 + 7)
    wave = fine_waves(scene, grid.crop(*box), background, np.asarray(box[0]) - np.asarray(wide[0]))
    n = [b - a for a, b in zip(*box, strict=True)]
    voxel = wave.reshape(n[0], SPLITS[0], n[1], SPLITS[1], n[2], SPLITS[2]).mean(axis=(1, 3, 5))
    magnitude[inside(box)] = np.abs(voxel)
    phase[inside(box)] = np.angle(voxel)
    return magnitude, phase, (wide, without)


def void_in(placed: PlacedLesion, grid: Grid, without: Field, magnitude: Field) -> Void:
    """The void by comparing the magnitude without the lesion and the picture with it, on one grid and of one gain."""
    whole = (slice(0, grid.shape[0]), slice(0, grid.shape[1]), slice(0, grid.shape[2]))
    d = placed.distance(*Sampler(Head({}, (0, 0, 0), 1.0), grid, model_from("MR")).points(whole))
    around = (d > 2) & (d < 8)
    bright = without > 0.5 * np.median(without[around]) if around.any() else np.zeros(d.shape, bool)
    lost = bright & (magnitude < 0.5 * without) & (d < max(placed.lesion.diameters_mm))
    middle = int(d.min(axis=(1, 2)).argmin())
    own, seen = float((bright & (d < 0))[middle].sum()), float(lost[middle].sum())
    return Void(float(lost.sum()) * float(np.prod(grid.spacing_xyz_mm)), float(np.sqrt(seen / own)) if own >= 4 else None)


def joined(a: tuple[Index, Index], b: tuple[Index, Index]) -> tuple[Index, Index]:
    """The smallest index box that holds two."""
    low, high = np.minimum(a[0], b[0]), np.maximum(a[1], b[1])
    return (int(low[0]), int(low[1]), int(low[2])), (int(high[0]), int(high[1]), int(high[2]))


def fine_waves(scene: Scene, coarse: Grid, background: Field, corner: NDArray[np.int_]) -> NDArray[np.complex64]:
    """Complex signal on voxels split in SPLITS about the lesion: its own field computed there, the rest interpolated.

    `background` is the phase without the lesion; `corner` is the index in it of the first voxel of `coarse`.
    """
    fine = coarse.finer(SPLITS)
    values = table(scene.placed, spoiled_gradient_echo, lambda t: t.chi_ppm)
    ways = (fine, model_from("MR"), values)
    without = paint(scene.head, None, *ways, edge_mm=fine.spacing_xyz_mm[0])
    signal, chi = with_lesion(scene.head, scene.placed, *ways, without, (1, 1, 1))
    chi -= without[1]
    phase = np.zeros(fine.shape, np.float32)
    if np.any(chi):
        phase = dipole_field(chi, fine.spacing_xyz_mm, fine.shape) * np.float32(RADIANS_PER_PPM)
    scale = 1.0 / np.asarray(SPLITS, dtype=np.float64)
    phase += separable(
        background,
        scale,
        0.5 * scale - 0.5 + corner,
        (slice(0, fine.shape[0]), slice(0, fine.shape[1]), slice(0, fine.shape[2])),
    )
    wave = np.empty(fine.shape, np.complex64)
    wave.real, wave.imag = signal * np.cos(phase), signal * np.sin(phase)
    return wave


def homodyne(image: NDArray[np.complex64]) -> Field:
    """Phase in radians of one slice after dividing by its low-pass copy (Hann window of FILTER_WIDTH in k-space)."""
    rows, columns = image.shape
    windows = []
    for n in (rows, columns):
        u = np.abs(fft.fftfreq(n) * n) / (FILTER_WIDTH / 2)
        windows.append(np.where(u < 1, 0.5 + 0.5 * np.cos(np.pi * u), 0).astype(np.float32))
    low = fft.ifft2(fft.fft2(image) * windows[0][:, None] * windows[1])
    return np.asarray(np.angle(image * np.conj(low)), dtype=np.float32)


def simulate_swi(scene: Scene, seed: int, grid: Grid, handedness: int) -> SwiSeries:
    """The four SWI series. `handedness` +1: paramagnetic veins have positive phase; -1: negative."""
    magnitude, phase, (near, without) = complex_image(scene, grid)
    gain = 330.0 / spoiled_gradient_echo(TISSUES["white"])
    bz, by, bx = bias_field(grid, seed)
    shape = (grid.shape[1], grid.shape[2])
    stored = [np.empty(grid.shape, np.int16) for _ in range(3)]
    swi = np.empty(grid.shape, np.float32)

    def one(k: int) -> None:
        received = magnitude[k] * (by[0] * bx[0] * bz[k, 0, 0] * np.float32(gain))
        angle = np.float32(handedness) * phase[k]
        noise = (normal_slice(seed, 15, 2 * k, shape), normal_slice(seed, 15, 2 * k + 1, shape))
        wave = np.empty(shape, np.complex64)
        wave.real = ndimage.gaussian_filter(received * np.cos(angle), 0.4) + np.float32(9.0) * noise[0]
        wave.imag = ndimage.gaussian_filter(received * np.sin(angle), 0.4) + np.float32(9.0) * noise[1]
        filtered = homodyne(wave)
        size = np.abs(wave)
        paramagnetic = filtered * np.float32(handedness)
        mask = np.clip(1 - np.maximum(paramagnetic, 0) / np.float32(np.pi), 0, 1)
        mask *= mask
        swi[k] = size * mask * mask
        stored[0][k] = np.clip(np.rint(size), 0, 4095)
        stored[1][k] = np.clip(np.rint((filtered + np.pi) * (4096 / (2 * np.pi))), 0, 4095)
        stored[2][k] = np.clip(np.rint(swi[k]), 0, 4095)

    each_slice(one, grid.shape[0])
    count = grid.shape[0] - MINIP_SLICES + 1
    minip = np.stack([stored[2][k : k + MINIP_SLICES].min(axis=0) for k in range(count)])
    where = inside(near)
    received = without * (bz[where[0]] * by[:, where[1]] * bx[:, :, where[2]] * np.float32(gain))
    void = void_in(scene.placed, grid.crop(*near), received, swi[where])
    return SwiSeries(stored[0], stored[1], stored[2], minip, void)
