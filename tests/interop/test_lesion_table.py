"""The table of a lesion: every number in full precision, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

from neuraxis.interop.lesion_table import write_lesion_table
from neuraxis.interop.lossless_json import TaggedLesion

if TYPE_CHECKING:
    from tests.interop.conftest import Scene


def rows_of(scene: Scene, lesion: TaggedLesion) -> list[dict[str, str]]:
    path = scene.folder / "lesion.csv"
    write_lesion_table([lesion], path)
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_size_comes_back_with_unit_uncertainty_method_and_place(scene: Scene) -> None:
    rows = {r["name"]: r for r in rows_of(scene, TaggedLesion(scene.lesion, scene.tags))}
    m = scene.lesion.measurement
    assert m.long_axis is not None
    assert m.volume is not None
    long = rows["long_axis_mm"]
    assert (float(long["value"]), long["unit"], float(long["uncertainty_95"]), long["method"]) == (
        m.long_axis.quantity.value, "mm", m.long_axis.quantity.uncertainty, m.long_axis.quantity.method,
    )
    assert tuple(float(long[f"end_{a}_mm"]) for a in "lps") == m.long_axis.end_lps_mm
    assert float(rows["volume_mm3"]["value"]) == m.volume.value
    assert float(rows["mean"]["value"]) == m.intensity.mean


def test_tags_and_evidence_keep_who_says_it_and_the_verdict(scene: Scene) -> None:
    rows = rows_of(scene, TaggedLesion(scene.lesion, scene.tags))
    tags = {r["name"]: r for r in rows if r["kind"].endswith("tag")}
    assert tags["calcification"]["kind"] == "asserted tag"
    assert tags["blooming"]["kind"] == "suggested tag"
    assert tags["perilesional_oedema"]["value"] == "not reported"
    evidence = [r for r in rows if r["kind"] == "evidence" and r["name"].startswith("bone_change")]
    assert [(r["value"], r["verdict"]) for r in evidence] == [("", "not_assessable")]


def test_a_size_that_was_not_measured_is_an_empty_cell_with_a_reason(scene: Scene) -> None:
    lesion = replace(scene.lesion, measurement=replace(scene.lesion.measurement, volume=None))
    (row,) = [r for r in rows_of(scene, TaggedLesion(lesion)) if r["name"] == "volume_mm3"]
    assert row["value"] == ""
    assert "not measured" in row["reason"]


def test_a_label_that_looks_like_a_formula_is_text(scene: Scene) -> None:
    lesion = replace(scene.lesion, label='=HYPERLINK("x")')
    assert {r["lesion"] for r in rows_of(scene, TaggedLesion(lesion))} == {'\'=HYPERLINK("x")'}
