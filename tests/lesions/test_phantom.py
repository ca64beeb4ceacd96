"""The sample study through its DICOM bytes: the lesion measured and the series aligned, against the truth it was drawn with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuraxis.align import register
from neuraxis.domain.study import Role, Study
from neuraxis.lesions import measure, saddle_hu, segment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def truth(capnon_folder: Path) -> dict[str, Any]:
    """What the sample was drawn with."""
    loaded: dict[str, Any] = json.loads((capnon_folder / "truth.json").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def study(capnon_folder: Path) -> Study:
    """The sample study as the reader finds it."""
    from neuraxis.dicom import open_study

    return open_study(capnon_folder)


def test_the_lesion_has_the_size_place_and_distance_to_bone_it_was_drawn_with(study: Study, truth: dict[str, Any]) -> None:
    ct = study.volumes_of(Role.CT)[0].volume()
    centre = np.array(truth["frames"]["CT"]["lesion_centroid_lps_mm"])
    mask = segment(ct, centre + np.array([0.8, -0.6, 0.5]))
    result = measure(ct, mask)
    assert result.long_axis is not None
    assert result.long_axis.quantity.value == pytest.approx(truth["lesion"]["diameters_mm"][0], abs=0.2)
    assert result.volume is not None
    assert result.volume.value == pytest.approx(truth["lesion"]["volume_mm3"], rel=0.08)
    assert result.centroid_lps_mm == pytest.approx(tuple(centre), abs=0.2)
    assert result.distance_to_bone is not None
    assert result.distance_to_bone.value == pytest.approx(truth["lesion"]["distance_to_bone_mm"], abs=0.4)
    saddle = saddle_hu(ct, mask)
    assert saddle is not None
    assert saddle <= 100


@pytest.mark.parametrize("role", [Role.T1, Role.T2])
def test_ct_and_mr_meet_at_the_lesion(study: Study, truth: dict[str, Any], role: Role) -> None:
    fixed, moving = study.volumes_of(Role.CT)[0].volume(), study.volumes_of(role)[0].volume()
    at_ct, at_mr = (np.array(truth["frames"][f]["lesion_centroid_lps_mm"]) for f in ("CT", "MR"))
    found = register(fixed, moving, focus_lps_mm=at_ct)
    error = float(np.linalg.norm(found.apply(at_ct) - at_mr))
    assert error <= 0.3
    assert error <= found.residual_mm
