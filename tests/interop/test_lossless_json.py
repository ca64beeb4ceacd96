"""The JSON document keeps every value that a reader made."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from neuraxis.domain.transform import Registration
from neuraxis.errors import ReadError
from neuraxis.interop.lossless_json import LesionDocument, TaggedLesion, read_lesions_json, write_lesions_json

if TYPE_CHECKING:
    from tests.interop.conftest import Scene


def test_a_document_comes_back_equal_in_every_field(scene: Scene) -> None:
    path = scene.folder / "lesions.json"
    registration = Registration.from_array(np.eye(4), "1.2", "1.3", float("inf"), "manual")
    other = replace(scene.lesion.mask, series_uid="1.2.9", method="drawn", boundary_value=None, seed_lps_mm=None)
    lesion = replace(scene.lesion, other_masks=(other,))
    write_lesions_json(LesionDocument((TaggedLesion(lesion, scene.tags),), (registration,)), path)
    back = read_lesions_json(path)
    assert back.registrations == (registration,)
    (tagged,) = back.lesions
    assert tagged.tags == scene.tags
    assert tagged.lesion.measurement == lesion.measurement
    for one, expected in zip((tagged.lesion.mask, *tagged.lesion.other_masks), (lesion.mask, other), strict=True):
        assert np.array_equal(one.box, expected.box)
        for field in fields(expected):
            if field.name != "box":
                assert getattr(one, field.name) == getattr(expected, field.name), field.name


@pytest.mark.parametrize(("change", "words"), [
    ({"format": "other"}, "no lesion document"), ({"version": 2}, "has version 2"),
    ({"lesions": [{"lesion": {"label": 5}}]}, r"lesions\[0\]\.lesion\.label is 5"),
    ({"lesions": "many"}, "LesionDocument.lesions is 'many'"),
])
def test_what_does_not_fit_is_named(scene: Scene, change: dict[str, object], words: str) -> None:
    path = scene.folder / "lesions.json"
    write_lesions_json(LesionDocument(()), path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ReadError, match=words):
        read_lesions_json(path)


def test_a_mask_that_claims_more_voxels_than_it_has_is_refused(scene: Scene) -> None:
    path = scene.folder / "lesions.json"
    write_lesions_json(LesionDocument((TaggedLesion(scene.lesion),)), path)
    plain = json.loads(path.read_text())
    plain["lesions"][0]["lesion"]["mask"]["box"]["shape"] = [4000, 4000, 4000]
    path.write_text(json.dumps(plain))
    with pytest.raises(ReadError, match="mask of"):
        read_lesions_json(path)


def test_keys_of_a_newer_program_are_left_out(scene: Scene) -> None:
    path = scene.folder / "lesions.json"
    write_lesions_json(LesionDocument((TaggedLesion(scene.lesion),)), path)
    plain = json.loads(path.read_text())
    plain["lesions"][0]["lesion"]["colour"] = "red"
    path.write_text(json.dumps(plain))
    assert read_lesions_json(path).lesions[0].lesion.label == "Lesion 1"
