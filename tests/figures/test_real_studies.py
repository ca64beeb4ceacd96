"""Figures of real studies, which are looked at and not kept: sides, acquired planes, and faces that do not get out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.figures.figure_cases import legend

from neuraxis.dicom import open_study
from neuraxis.domain.legend import Panel
from neuraxis.domain.study import Role, Series, Study
from neuraxis.figures import Recipe, draw_figure, recipe_at_point
from neuraxis.figures.privacy import PrivacyError
from neuraxis.figures.recipe import Inset, VolumePanel
from neuraxis.figures.scene import Picture, Text


def opened(folder: Path, role: Role, *panels: Panel) -> tuple[Recipe, Study, Series]:
    study = open_study(folder)
    series = study.volumes_of(role)[0]
    assert series.geometry is not None
    low, high = series.geometry.bounds_lps_mm()
    x, y, z = (float(v) for v in np.add(low, high) / 2)
    return recipe_at_point(study, legend(*panels), (x, y, z), series.frame_of_reference_uid), study, series


def orientation(figure: object, letter: str) -> list[str]:
    items = figure.scene.of_panel(letter)  # type: ignore[attr-defined]
    return [i.text for i in items if isinstance(i, Text) and i.role == "orientation"]


def test_a_tilted_ct_makes_a_brain_and_bone_pair_on_the_acquired_slice(shared_real: Path) -> None:
    ct = Panel("a", modality="CT", sequence="CT", plane="axial", window="brain")
    bone = Panel("b", modality="CT", sequence="CT", plane="axial", window="bone")
    recipe, study, series = opened(shared_real / "ct_head_tilt_ge", Role.CT, ct, bone)
    figure = draw_figure(recipe, study)
    assert orientation(figure, "a")[:2] == ["R", "L"]
    first = recipe.panels[0]
    assert isinstance(first, VolumePanel)
    assert series.geometry is not None
    # the tilted slice as acquired, not a cut across 7 mm slices
    assert abs(float(np.dot(np.cross(first.plane.right, first.plane.down), series.geometry.slice_normal_lps))) > 0.9999
    brain, hard = (next(i for i in figure.scene.of_panel(x) if isinstance(i, Picture)).pixels for x in "ab")
    assert brain.shape == hard.shape
    assert not np.array_equal(brain, hard)
    assert draw_figure(recipe, study).to_bytes(".png") == figure.to_bytes(".png")


def test_three_planes_of_a_t2_keep_the_face_back_unless_it_is_named(shared_real: Path) -> None:
    panels = [Panel(x, modality="MR", sequence="T2", plane=p) for x, p in zip("abc", ("axial", "coronal", "sagittal"), strict=True)]
    recipe, study, _ = opened(shared_real / "mr_t2_ax_siemens", Role.T2, *panels)
    with pytest.raises(PrivacyError, match="panel c: the sagittal view shows the face"):
        draw_figure(recipe, study)
    first = recipe.panels[0].model_copy(update={"inset": Inset(plane="sagittal")})
    figure = draw_figure(recipe.model_copy(update={"panels": (first, *recipe.panels[1:2])}), study)
    assert [orientation(figure, x) for x in "ab"] == [["R", "L", "A", "P"], ["R", "L", "H", "F"]]
    assert any("1 slice missing" in note for note in figure.notes)


def test_a_post_contrast_t1_shows_all_three_planes_with_their_letters(shared_real: Path) -> None:
    panels = [
        Panel(x, modality="MR", sequence="T1C", plane=p, contrast="post")
        for x, p in zip("abc", ("axial", "coronal", "sagittal"), strict=True)
    ]
    recipe, study, _ = opened(shared_real / "mr_t1post_ax_siemens", Role.T1C, *panels)
    figure = draw_figure(recipe, study, allow=["full_face"])
    letters = [orientation(figure, x) for x in "abc"]
    assert letters[0][:2] == ["R", "L"]
    assert letters[1] == ["R", "L", "H", "F"]
    assert letters[2] == ["A", "P", "H", "F"]
