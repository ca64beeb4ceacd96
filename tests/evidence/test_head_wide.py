"""Ventricles, midline, cysts and flow voids: numbers of known shapes, and verdicts that follow their rules."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.study import Acquisition, Role
from neuraxis.domain.tag import Verdict
from neuraxis.evidence import EvidenceContext, collect, cystic, flow_void, hydrocephalus, midline_shift
from neuraxis.evidence.ventricles import STEP_MM, find_fluid, rows_across

N = 57
"""Columns on each side of the midline."""


def brain_with(
    horn_mm: float, shift_mm: float = 0.0, third_mm: float = 0.0
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
    """Inside of a skull 132 x 162 mm with two frontal horns `horn_mm` wide together, both moved to the left."""
    ends = (56, 72, N)
    z, y, x = np.meshgrid(*(STEP_MM * np.arange(-n, n + 1.0) for n in ends), indexing="ij")
    inside = (x / 66) ** 2 + (y / 81) ** 2 < 1
    x = x - shift_mm
    horns = (np.abs(x) > 1.6) & (np.abs(x) < horn_mm / 2) & (y > -45) & (y < -20) & (np.abs(z) < 10)
    third = (np.abs(x) < third_mm / 2) & (y > -15) & (y < 15) & (z > -15)
    return inside, horns | third, STEP_MM * np.arange(-N, N + 1.0)


@pytest.mark.parametrize(("width", "verdict"), [(26.0, "none"), (54.0, "wide"), (40.5, "near")])
def test_evans_index_is_the_ratio_of_the_widths(width: float, verdict: str) -> None:
    inside, fluid, _ = brain_with(width)
    horns = hydrocephalus.frontal_horns(fluid, inside)
    assert horns is not None
    assert horns.width_mm == pytest.approx(width, abs=STEP_MM)
    assert horns.skull_mm == pytest.approx(132, abs=2 * STEP_MM)
    answers = hydrocephalus.judge(horns)
    expected = {
        "none": (Verdict.SUPPORTS, Verdict.CONTRADICTS), "wide": (Verdict.NEUTRAL, Verdict.NEUTRAL),
        "near": (Verdict.NOT_ASSESSABLE, Verdict.NOT_ASSESSABLE),
    }[verdict]
    assert (answers["none"][0], answers["present"][0]) == expected


def test_one_horn_or_a_wide_fissure_is_no_pair_of_horns() -> None:
    inside, fluid, left = brain_with(30.0)
    one = fluid & (left > 0)
    assert hydrocephalus.frontal_horns(one, inside) is None
    low = np.concatenate([fluid[30:], np.zeros_like(fluid[:30])])
    assert hydrocephalus.frontal_horns(low, inside) is None
    fissure = inside & (np.abs(left) < 2.0)
    assert hydrocephalus.frontal_horns(fissure, inside) is None


@pytest.mark.parametrize("shift", [0.0, 6.0, -7.5])
def test_the_septum_is_measured_where_it_lies(shift: float) -> None:
    _, fluid, left = brain_with(28.0, shift)
    found = midline_shift.displacement(fluid, left, 0.8)
    assert found is not None
    assert found.named == "septum"
    assert found.distance_mm == pytest.approx(shift, abs=0.8)
    answers = midline_shift.judge(found)
    assert answers["none" if shift == 0 else "present"][0] is Verdict.SUPPORTS
    assert answers["present" if shift == 0 else "none"][0] is Verdict.CONTRADICTS


def test_without_horns_the_third_ventricle_speaks_and_without_fluid_nothing_does() -> None:
    _, fluid, left = brain_with(0.0, 5.0, third_mm=6.0)
    found = midline_shift.displacement(fluid, left, 0.5)
    assert found is not None
    assert found.named.startswith("third")
    assert found.distance_mm == pytest.approx(5.0, abs=0.8)
    assert midline_shift.displacement(np.zeros_like(fluid), left, 0.5) is None
    uncertain = midline_shift.Shift(3.4, 1.0, 40, (0.0, 0.0, 0.0), "septum")
    assert midline_shift.judge(uncertain)["present"][0] is Verdict.NOT_ASSESSABLE


def test_fluid_is_found_on_ct_and_t2_only_in_the_depth() -> None:
    inside, horns, _ = brain_with(30.0)
    shell = ~inside
    hu = np.where(inside, 32.0, 900.0)
    hu[horns] = 6.0
    sulcus = inside & (np.abs(horns.shape[2] // 2 - np.arange(horns.shape[2])) * STEP_MM > 60)
    hu[sulcus] = 6.0
    hu += np.random.default_rng(3).normal(0, 3.0, hu.shape)
    found_inside, fluid = find_fluid(hu, Role.CT)
    assert (found_inside & shell).sum() < 0.01 * inside.sum()
    assert (fluid & horns).sum() > 0.6 * horns.sum()
    assert not (fluid & sulcus).any()
    t2 = np.where(inside, 300.0, 0.0)
    t2[horns] = 1200.0
    _, bright = find_fluid(t2, Role.T2)
    assert (bright & horns).sum() > 0.5 * horns.sum()
    assert (bright & ~horns).sum() < 0.4 * horns.sum()


def test_runs_of_a_row_are_listed_with_their_ends() -> None:
    fluid = np.zeros((2, 2, 9), dtype=bool)
    fluid[1, 0, 2:4] = fluid[1, 0, 6:9] = True
    assert rows_across(fluid).tolist() == [[1, 0, 2, 4], [1, 0, 6, 9]]


def test_a_cyst_is_fluid_on_every_sequence_and_takes_up_nothing() -> None:
    core = np.ones((6, 6, 6), dtype=bool)
    half = np.zeros_like(core)
    half[:3] = True
    index = np.where(half, 0.02, 0.9)
    used = ("T2", "T1")
    cyst = cystic.measure(core, [half, core], index, used)
    assert (cyst.fluid, cyst.taking_up) == (0.5, 0.5)
    assert cystic.judge(cyst, 0.0)["present"][0] is Verdict.SUPPORTS
    # The same signal that takes up contrast is no fluid.
    solid = cystic.measure(core, [half, core], np.full(core.shape, 0.9), used)
    answers = cystic.judge(solid, 0.0)
    assert answers["none"][0] is Verdict.SUPPORTS
    assert answers["present"][0] is Verdict.CONTRADICTS
    # Not like CSF and nothing known of contrast: a cyst with protein would look the same.
    unknown = cystic.measure(core, [~core, core], None, used)
    assert cystic.judge(unknown, 0.0)["none"][0] is Verdict.NOT_ASSESSABLE
    assert cystic.judge(unknown, 0.9)["none"][0] is Verdict.SUPPORTS


def test_voids_are_counted_from_four_voxels_on_and_never_called_present() -> None:
    spacing = np.array([1.0, 0.5, 0.5])
    dark = np.zeros((20, 20, 20), dtype=bool)
    assert flow_void.judge(flow_void.measure(dark, spacing))["none"][0] is Verdict.SUPPORTS
    dark[3, 3, 3] = True
    assert flow_void.measure(dark, spacing).parts == 0
    dark[4:14, 8:11, 8:11] = True
    tube = flow_void.measure(dark, spacing)
    assert tube.parts == 1
    assert tube.volume_mm3 == pytest.approx(90 * 0.25)
    assert tube.elongation > 2.5
    assert flow_void.judge(tube)["present"][0] is Verdict.NEUTRAL
    assert flow_void.judge(tube)["none"][0] is Verdict.NEUTRAL


def test_without_the_head_around_it_nothing_is_said_of_ventricles_and_midline(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    hu = np.where(radius < 4, 700.0, 35.0)
    tags = {t.concept: t for t in collect(make_context(radius < 4, {Role.CT: hu}, grid))}
    for concept in ("hydrocephalus", "midline_shift", "cystic", "flow_void", "herniation"):
        assert tags[concept].value is None
        for value in ("none", "present"):
            verdict, reason = tags[concept].verdict_on(value)
            assert verdict is Verdict.NOT_ASSESSABLE
            assert reason


def test_a_real_head_after_contrast_has_its_septum_on_the_midline_and_nothing_is_claimed_without_a_pair(
    shared_real: Path,
) -> None:
    from neuraxis.app.workup import open_input, work_up

    study = open_input(shared_real / "mr_t1post_ax_siemens")
    series = next(s for s in study.series if s.is_volume)
    assert series.geometry is not None
    x, y, z = (float(v) for v in series.geometry.lps_from_index((16, 215, 180)))
    tags = {t.concept: t for t in work_up(study, (x, y, z), series_key=series.id).tags}
    assert tags["laterality"].value == "left"
    for value in ("none", "present", "rim", "homogeneous", "intense"):
        verdict, reason = tags["enhancement"].verdict_on(value)
        assert verdict is Verdict.NOT_ASSESSABLE
        assert "T1" in reason
    assert abs(tags["midline_shift"].evidence[0].value or 0.0) < 3.0
    assert "needs CT" in tags["hydrocephalus"].verdict_on("none")[1]
    for concept in ("calcification", "attenuation", "bone_change", "blooming", "t2_signal", "perilesional_oedema"):
        assert tags[concept].value is None, concept


def test_ct_alone_claims_nothing_about_enhancement_or_signal(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    hu = np.where(radius < 4, 700.0, 35.0)
    tags = {t.concept: t for t in collect(make_context(radius < 4, {Role.CT: hu}, grid))}
    assert tags["calcification"].verdict_on("present")[0] is Verdict.SUPPORTS
    for concept in ("enhancement", "t1_signal", "t2_signal", "flair_signal", "blooming", "perilesional_oedema", "mass_effect"):
        verdicts = {verdict for _, verdict, _ in tags[concept].values}
        assert verdicts == {Verdict.NOT_ASSESSABLE}, concept
        assert all(reason for _, _, reason in tags[concept].values)


def test_lossy_series_are_set_aside_with_the_reason(
    make_context: Callable[..., EvidenceContext], grid: VolumeGeometry, radius: NDArray[np.float64]
) -> None:
    hu = np.where(radius < 4, 700.0, 35.0)
    context = make_context(radius < 4, {Role.CT: hu}, grid, {Role.CT: Acquisition(lossy=True)})
    tags = {t.concept: t for t in collect(context)}
    for concept, value in (("calcification", "present"), ("attenuation", "hyper"), ("bone_change", "erosion"), ("bone_change", "continuity")):
        verdict, reason = tags[concept].verdict_on(value)
        assert verdict is Verdict.NOT_ASSESSABLE
        assert "lossy" in reason
