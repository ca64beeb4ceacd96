"""Signal equations, susceptibility field, noise and blur do what their formulas say."""

from __future__ import annotations

import numpy as np
import pytest

from neuraxis_phantom import ct, mr, swi
from neuraxis_phantom.acquire import inside, model_from
from neuraxis_phantom.anatomy import Scene
from neuraxis_phantom.frames import Grid, centred_grid
from neuraxis_phantom.head import Head
from neuraxis_phantom.paint import paint
from neuraxis_phantom.place import PlacedLesion
from neuraxis_phantom.tissues import TISSUES


def test_t1_weighting_orders_fat_white_grey_and_fluid() -> None:
    fat, white, grey, fluid = (mr.mprage(TISSUES[t]) for t in ("fat", "white", "grey", "csf"))
    assert fat > white > grey > fluid >= 0
    assert 0.5 < grey / white < 0.85


def test_t2_weighting_is_brightest_in_fluid_and_void_in_flow() -> None:
    fluid, grey, white, blood = (mr.spin_echo(TISSUES[t]) for t in ("csf", "grey", "white", "arterial_blood"))
    assert fluid > 2 * grey > 2 * white
    assert blood < 0.3 * white


def test_flair_nulls_fluid() -> None:
    assert mr.flair(TISSUES["csf"]) < 0.1 * mr.flair(TISSUES["grey"])


def test_contrast_shortens_t1_where_it_goes_and_nowhere_else() -> None:
    blood = mr.with_contrast(TISSUES["venous_blood"])
    assert 1000 / blood.t1 - 1000 / TISSUES["venous_blood"].t1 == pytest.approx(4.5 * 1.0)
    assert mr.mprage(blood) > 2 * mr.mprage(TISSUES["venous_blood"])
    assert mr.with_contrast(TISSUES["white"]) is TISSUES["white"]


def test_the_field_of_a_sphere_is_a_dipole() -> None:
    n, radius, chi = 64, 6.0, -3.0
    axis = np.arange(n) - n // 2
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    r = np.sqrt(x * x + y * y + z * z)
    field = swi.dipole_field(np.where(r < radius, chi, 0).astype(np.float32), (1.0, 1.0, 1.0), (n, n, n))
    volume = (r < radius).sum()
    moment = chi / 3 * volume / (4 / 3 * np.pi)
    for d in (12, 16, 20):
        assert field[n // 2 + d, n // 2, n // 2] == pytest.approx(2 * moment / d**3, rel=0.04)
        assert field[n // 2, n // 2 + d, n // 2] == pytest.approx(-moment / d**3, rel=0.04)
    assert abs(field[n // 2, n // 2, n // 2]) < 0.02 * abs(chi)


def test_dephasing_vanishes_where_a_voxel_holds_a_full_turn() -> None:
    ramp = np.broadcast_to(np.arange(9, dtype=np.float32) * np.float32(2 * np.pi), (9, 9, 9))
    assert swi.dephasing(ramp).max() < 1e-5
    half = np.broadcast_to(np.arange(9, dtype=np.float32) * np.float32(np.pi), (9, 9, 9))
    assert swi.dephasing(half) == pytest.approx(2 / np.pi, abs=1e-5)


def test_the_phase_filter_removes_the_slow_and_keeps_the_small() -> None:
    y, x = np.mgrid[0:192, 0:192].astype(np.float32)
    spot = np.hypot(x - 96, y - 96) < 1.5
    phase = 0.02 * x + np.where(spot, -1.0, 0.0)
    filtered = swi.homodyne((100 * np.exp(1j * phase)).astype(np.complex64))
    assert abs(float(filtered[60, 60])) < 0.05
    assert float(filtered[96, 96]) < -0.6


@pytest.mark.parametrize("kernel", [ct.THIN, ct.SOFT])
def test_ct_noise_has_the_stated_sd_and_no_offset(kernel: ct.Kernel) -> None:
    flat = np.zeros((4, 128, 128), np.float32)
    ct.add_noise(flat, kernel, 0.45, 3, 1)
    assert flat.std() == pytest.approx(kernel.noise_hu, rel=0.03)
    assert abs(flat.mean()) < 0.5
    neighbours = np.corrcoef(flat[:, :, :-1].ravel(), flat[:, :, 1:].ravel())[0, 1]
    assert 0.05 < neighbours < 0.98


def test_magnitude_noise_is_rician() -> None:
    grid = centred_grid((4, 96, 96), (1.0, 1.0, 1.0), (0, 0, 0))
    empty = mr.receive(np.zeros(grid.shape, np.float32), grid, 1.0, 10.0, 5, 1)
    assert empty.mean() == pytest.approx(10 * np.sqrt(np.pi / 2), rel=0.02)


def crop(placed: PlacedLesion, spacing: tuple[float, float, float], shape: tuple[int, int, int]) -> Grid:
    x, y, z = (float(v) for v in model_from("MR").inverse().apply(placed.centre))
    return centred_grid(shape, spacing, (x, y, z))


def test_tissue_is_where_anatomy_says(capnon_head: tuple[Head, PlacedLesion]) -> None:
    head, placed = capnon_head
    grid = crop(placed, (0.7, 0.7, 1.0), (3, 61, 61))
    pre, post = paint(
        head,
        placed,
        grid,
        model_from("MR"),
        mr.table(placed, mr.mprage, lambda t: mr.mprage(mr.with_contrast(t))),
        edge_mm=0.75,
    )
    white = mr.mprage(TISSUES["white"])
    centre = (1, 30, 30)
    assert pre[centre] < 0.4 * white
    assert post[centre] == pytest.approx(pre[centre], abs=0.05 * white)
    reach = [post[1, 30 + dy, 30 + dx] - pre[1, 30 + dy, 30 + dx] for dy, dx in ((3, 0), (-3, 0), (0, 3), (0, -3))]
    assert min(reach) > 0.3 * white
    medulla = post[1, 30, 40:46] / mr.mprage(TISSUES["stem"])
    assert medulla == pytest.approx(1.0, abs=0.02)


def test_the_signal_void_is_larger_than_the_calcification(capnon_scene: Scene) -> None:
    grid = crop(capnon_scene.placed, (0.6, 0.6, 1.2), (21, 40, 40))
    magnitude, phase, (box, without) = swi.complex_image(capnon_scene, grid)
    row = magnitude[10, 20, :]
    background = np.median(magnitude[10, 18:22, 30:38])
    dark = np.flatnonzero(row < background / 2)
    run = dark[(dark > 10) & (dark < 30)]
    assert 1.2 <= (run.max() - run.min() + 1) * 0.6 / 4.0 <= 2.6
    assert np.isfinite(phase).all()
    void = swi.void_in(capnon_scene.placed, grid.crop(*box), without, magnitude[inside(box)])
    assert void.ratio is not None
    assert 1.2 <= void.ratio <= 2.6
    assert void.volume_mm3 > capnon_scene.placed.lesion.volume_mm3()
    images = swi.simulate_swi(capnon_scene, 0, grid, -1)
    assert images.void.ratio is not None
    assert images.void.ratio > void.ratio
