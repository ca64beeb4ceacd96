"""The truth says what was drawn, not what was asked for; a head is drawn the same whether it was kept or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuraxis_phantom import ct, mr
from neuraxis_phantom.acquire import model_from
from neuraxis_phantom.anatomy import ANATOMIES, Anatomy, anatomy_seed
from neuraxis_phantom.frames import centred_grid
from neuraxis_phantom.lesions import CASES, Lesion
from neuraxis_phantom.observed import Statements, observed
from neuraxis_phantom.paint import paint
from neuraxis_phantom.scene import build_scene
from neuraxis_phantom.study import write_case

PLAIN = Lesion("cerebellum", "left", (10.0, 10.0, 10.0), "intra_axial", hu=36.0, t1_ms=1500.0, t2_ms=95.0)


def statements(lesion: Lesion, anatomy: Anatomy, ratio: float | None = None, void_mm3: float = 0.0) -> Statements:
    return observed(build_scene(lesion, anatomy.seed, anatomy), ratio, void_mm3)


def test_calcium_that_fills_a_lesion_leaves_nothing_that_could_enhance(anatomy: Anatomy) -> None:
    filled = replace(PLAIN, calcification="dense", calcium_hu=600.0, enhancement="homogeneous", gadolinium_mm=1.0)
    assert statements(filled, anatomy)["enhancement"]["none"]
    open_ = replace(PLAIN, enhancement="homogeneous", gadolinium_mm=1.0)
    assert statements(open_, anatomy)["enhancement"]["homogeneous"]
    rim = statements(replace(filled, enhancement="rim"), anatomy)["enhancement"]
    assert (rim["present"], rim["rim"], rim["homogeneous"]) == (True, True, False)


def test_solid_calcium_below_300_hu_is_calcified_but_not_called_dense(anatomy: Anatomy) -> None:
    faint = statements(replace(PLAIN, calcification="dense", calcium_hu=260.0), anatomy)["calcification"]
    assert faint["present"]
    assert "dense" not in faint
    solid = statements(replace(PLAIN, calcification="dense", calcium_hu=500.0), anatomy)["calcification"]
    assert solid["dense"]


def test_signal_words_hold_for_the_voxels_and_not_for_the_parameters(anatomy: Anatomy) -> None:
    bright = replace(PLAIN, t2_ms=220.0)
    assert statements(bright, anatomy)["t2_signal"] == {"hypo": False, "iso": False, "hyper": True}
    # A shell of calcium 1.6 mm thick is most of a 7 mm lesion: the bright core no longer names its signal.
    shell = replace(bright, diameters_mm=(7.0, 7.0, 7.0), calcification="rim", calcium_hu=600.0)
    assert not statements(shell, anatomy)["t2_signal"].get("hyper", False)


def test_spots_bloom_without_a_degree_and_without_calcium_or_blood_nothing_blooms(anatomy: Anatomy) -> None:
    spots = replace(PLAIN, calcification="punctate", calcium_hu=500.0, calcium_chi_ppm=-1.8)
    assert statements(spots, anatomy, 0.4, 40.0)["blooming"] == {"none": False, "present": True}
    assert statements(spots, anatomy, 0.1, 2.0)["blooming"] == {}
    assert statements(PLAIN, anatomy)["blooming"]["none"]
    solid = replace(PLAIN, calcification="dense", calcium_hu=600.0, calcium_chi_ppm=-2.2)
    assert statements(solid, anatomy, 1.9, 900.0)["blooming"]["marked"]
    assert "marked" not in statements(solid, anatomy, 1.5, 900.0)["blooming"]


def test_sides_are_left_open_at_the_midline_and_oedema_needs_brain_to_lie_in(anatomy: Anatomy) -> None:
    clivus = replace(CASES["chordoma"], calcification="none", calcium_hu=0.0)
    seen = statements(clivus, anatomy)
    assert seen["laterality"] == {}
    assert seen["bone_change"]["erosion"]
    assert statements(replace(PLAIN, oedema_mm=6.0), anatomy)["perilesional_oedema"]["present"]
    assert statements(PLAIN, anatomy)["perilesional_oedema"]["none"]


@pytest.mark.parametrize("case", ["schwannoma", "meningioma_calcified"])
def test_a_kept_head_gives_the_same_pictures_outside_what_the_lesion_changed(case: str, anatomy: Anatomy) -> None:
    scene = build_scene(CASES[case], 0, anatomy)
    x, y, z = (float(v) for v in model_from("MR").inverse().apply(scene.placed.centre))
    grid = centred_grid((16, 80, 80), (1.0, 1.0, 4.0), (x + 0.3, y, z))
    values = mr.table(scene.placed, mr.mprage)
    (quick,) = mr.signals(scene, grid, values, 1.0, (2, 2, 2))
    whole = paint(scene.head, scene.placed, grid, model_from("MR"), values, edge_mm=1.0, splits=(2, 2, 2))[0]
    assert np.abs(quick - whole).max() < 1e-4 * np.abs(whole).max()


def test_ct_about_the_lesion_is_blurred_as_the_whole_would_be(anatomy: Anatomy) -> None:
    scene = build_scene(CASES["schwannoma"], 0, anatomy)
    x, y, z = (float(v) for v in model_from("CT").inverse().apply(scene.placed.centre))
    grid = centred_grid((80, 150, 150), (0.8, 0.8, 0.8), (x + 0.3, y, z))
    quick = ct.noiseless_ct(scene, grid)
    values = ct.hu_values(scene.placed)
    clean = paint(scene.head, scene.placed, grid, model_from("CT"), values, edge_mm=0.5, splits=(4, 4, 4))[0]
    for picture, wanted in zip(quick, ct.blurred(clean, grid), strict=True):
        assert np.abs(picture - wanted).max() < 0.05


def test_random_cases_share_a_few_heads(anatomy: Anatomy, tmp_path: Path) -> None:
    assert {anatomy_seed("random", seed) for seed in range(100)} == set(range(ANATOMIES))
    assert anatomy_seed("capnon", 41) == 41
    with pytest.raises(ValueError, match="anatomy"):
        write_case("random", tmp_path, seed=1, anatomy=anatomy)
