"""MR forward model: signal equations of the sequences, contrast agent, coil bias, blur, Rician noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neuraxis_phantom.acquire import (
    bare,
    blur_in_plane,
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
from neuraxis_phantom.tissues import R1_PER_MM, R2_PER_MM, TISSUES, Tissue

MPRAGE = {"TR": 1900.0, "TE": 3.0, "TI": 950.0, "FA": 9.0, "echo_spacing": 7.4, "echoes": 150.0}
TSE = {"TR": 5200.0, "TE": 96.0}
FLAIR = {"TR": 9000.0, "TE": 118.0, "TI": 2500.0}
SWI = {"TR": 28.0, "TE": 20.0, "FA": 15.0}


def with_contrast(t: Tissue) -> Tissue:
    """Relaxation times after contrast: 1/T = 1/T0 + relaxivity x concentration."""
    if t.gadolinium_mm == 0:
        return t
    t1 = 1000.0 / (1000.0 / t.t1 + R1_PER_MM * t.gadolinium_mm)
    t2 = 1000.0 / (1000.0 / t.t2 + R2_PER_MM * t.gadolinium_mm)
    star = 1000.0 / (1000.0 / t.t2_star + R2_PER_MM * t.gadolinium_mm)
    return replace(t, t1=t1, t2=t2, t2_star=star)


def mprage(t: Tissue) -> float:
    """Signed signal of an inversion-prepared 3D gradient echo at the middle echo of its steady state.

    Mz is followed through inversion, recovery to the first pulse, a train of small flips with exponential
    recovery between them, and recovery to the next inversion, until it repeats.
    """
    p = MPRAGE
    cos = np.cos(np.deg2rad(p["FA"]))
    half = int(p["echoes"]) // 2
    first = p["TI"] - half * p["echo_spacing"]
    last = p["TR"] - first - p["echoes"] * p["echo_spacing"]
    e_first, e_step, e_last = (float(np.exp(-d / t.t1)) for d in (first, p["echo_spacing"], last))
    mz = 1.0
    middle = 0.0
    for _ in range(12):
        mz = 1 - (1 + mz) * e_first
        for n in range(int(p["echoes"])):
            if n == half:
                middle = mz
            mz = 1 - (1 - mz * cos) * e_step
        mz = 1 - (1 - mz) * e_last
    return float(t.pd * middle * np.sin(np.deg2rad(p["FA"])) * np.exp(-p["TE"] / t.t2_star))


def spin_echo(t: Tissue) -> float:
    """S = PD (1 - exp(-TR/T1)) exp(-TE/T2); flowing blood is void."""
    s = t.pd * (1 - np.exp(-TSE["TR"] / t.t1)) * np.exp(-TSE["TE"] / t.t2)
    return float(s * (0.08 if t.flow else 1.0))


def flair(t: Tissue) -> float:
    """S = PD |1 - 2 exp(-TI/T1) + exp(-TR/T1)| exp(-TE/T2); flowing blood is void."""
    mz = 1 - 2 * np.exp(-FLAIR["TI"] / t.t1) + np.exp(-FLAIR["TR"] / t.t1)
    return float(t.pd * abs(mz) * np.exp(-FLAIR["TE"] / t.t2) * (0.08 if t.flow else 1.0))


def spoiled_gradient_echo(t: Tissue) -> float:
    """S = PD sin a (1 - E1) / (1 - E1 cos a) exp(-TE/T2*), E1 = exp(-TR/T1)."""
    a = np.deg2rad(SWI["FA"])
    e1 = np.exp(-SWI["TR"] / t.t1)
    inflow = 1.5 if t.flow and t.chi_ppm < 0.1 else 1.0
    return float(inflow * t.pd * np.sin(a) * (1 - e1) / (1 - e1 * np.cos(a)) * np.exp(-SWI["TE"] / t.t2_star))


def all_tissues(placed: PlacedLesion) -> dict[str, Tissue]:
    """Tissues of the head with the lesion's parts beside them."""
    lesion = placed.lesion
    matrix = lesion.matrix()
    spared = lesion.enhancement in ("rim", "none")
    rim = Tissue(60, 0.8, 1350, 72, 30, 0.0, lesion.gadolinium_mm)
    return {
        **TISSUES,
        "lesion": replace(matrix, gadolinium_mm=0.0) if spared else matrix,
        "lesion_dark": replace(matrix, gadolinium_mm=matrix.gadolinium_mm * 0.2, t2=matrix.t2 * 1.3),
        "lesion_calcium": lesion.calcium(),
        "lesion_rim": rim,
        "lesion_rim_inner": rim,
        "haemosiderin": Tissue(70, 0.75, 1200, 32, 8, 1.6),
        "tail": Tissue(52, 0.82, 1250, 80, 40, 0.0, 1.1),
    }


def table(placed: PlacedLesion, *channels: Callable[[Tissue], float]) -> Values:
    """Signal of every tissue in each channel."""
    return {name: tuple(f(t) for f in channels) for name, t in all_tissues(placed).items()}


def bias_field(grid: Grid, seed: int, depth: float = 0.14) -> tuple[Field, Field, Field]:
    """Smooth receive field of the coil as factors along slices, rows, columns (their product); one coil for the session."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 999]))
    out = []
    for axis in range(3):
        u = np.linspace(-1, 1, grid.shape[axis], dtype=np.float32)
        a, b = rng.uniform(-1, 1, 2)
        out.append(np.exp(np.float32(depth) * (np.float32(a) * u + np.float32(b) * (u * u - np.float32(0.33)))))
    return out[0].reshape(-1, 1, 1), out[1].reshape(1, -1, 1), out[2].reshape(1, 1, -1)


def receive(signal: Field, grid: Grid, gain: float, noise: float, seed: int, stream: int) -> NDArray[np.int16]:
    """Coil bias, blur of the sampled k-space, Rician noise of SD `noise`; integers 0..4095 (in place on `signal`)."""
    blur_in_plane(signal, 0.42)
    bz, by, bx = bias_field(grid, seed)
    out = np.empty(grid.shape, np.int16)

    def one(k: int) -> None:
        shape = (grid.shape[1], grid.shape[2])
        real = signal[k] * (by[0] * bx[0] * bz[k, 0, 0]) * np.float32(gain)
        real += normal_slice(seed, stream, 2 * k, shape) * np.float32(noise)
        imaginary = normal_slice(seed, stream, 2 * k + 1, shape) * np.float32(noise)
        out[k] = np.clip(np.rint(np.hypot(real, imaginary)), 0, 4095)

    each_slice(one, grid.shape[0])
    return out


def t1_grid() -> Grid:
    """0.7 x 0.7 x 1.0 mm."""
    return grid_for("MR", (96, 320, 320), (0.7, 0.7, 1.0))


def t2_grid() -> Grid:
    """0.45 x 0.45 x 1.5 mm, tilted 5 degrees as parallel to the skull base."""
    return grid_for("MR", (60, 512, 512), (0.45, 0.45, 1.5), (-5.0, 0.0, 0.0))


def flair_grid() -> Grid:
    """0.8 x 0.8 x 3.0 mm, tilted as the T2 series."""
    return grid_for("MR", (30, 288, 288), (0.8, 0.8, 3.0), (-5.0, 0.0, 0.0))


def signals(
    scene: Scene, grid: Grid, values: Values, edge_mm: float, splits: tuple[int, int, int], parts: int = 1
) -> list[Field]:
    """Noise-free channels of `values`: the head without lesion once an anatomy, the rest about the lesion."""
    name = f"MR {grid.shape} {grid.origin_lps_mm}"
    whole = scene.anatomy.picture(name, lambda: bare(scene.anatomy.head, grid, "MR", values, edge_mm, parts))
    box = scene.box_on(grid, model_from("MR"))
    near = painted(scene, grid, "MR", values, edge_mm, splits, parts, box)
    for channel, part in zip(whole, near, strict=True):
        channel[inside(box)] = part
    return whole


def simulate_t1(scene: Scene, seed: int, grid: Grid) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """T1 before and after contrast on the same grid; the receiver gain after contrast is 6 per cent higher."""
    values = table(scene.placed, mprage, lambda t: mprage(with_contrast(t)))
    pre, post = signals(scene, grid, values, 0.75, (4, 3, 3))
    gain = 420.0 / mprage(TISSUES["white"])
    return receive(pre, grid, gain, 11.0, seed, 11), receive(post, grid, gain * 1.06, 11.6, seed, 12)


def simulate_t2(scene: Scene, seed: int, grid: Grid) -> NDArray[np.int16]:
    """T2 turbo spin echo; each slice painted in two parts."""
    (signal,) = signals(scene, grid, table(scene.placed, spin_echo), grid.spacing_xyz_mm[0], (2, 3, 3), 2)
    return receive(signal, grid, 300.0 / spin_echo(TISSUES["white"]), 11.0, seed, 13)


def simulate_flair(scene: Scene, seed: int, grid: Grid) -> NDArray[np.int16]:
    """FLAIR; each slice painted in three parts."""
    (signal,) = signals(scene, grid, table(scene.placed, flair), grid.spacing_xyz_mm[0], (2, 3, 3), 3)
    return receive(signal, grid, 300.0 / flair(TISSUES["white"]), 8.0, seed, 14)
