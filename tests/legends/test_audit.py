"""Claims are supported, contradicted or left open; what is false is never supported."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuraxis.domain.geometry import VolumeGeometry
from neuraxis.domain.legend import Claim, LegendFigure, Panel
from neuraxis.domain.lesion import IntensityStatistics, LengthMeasurement, Lesion, LesionMask, LesionMeasurement
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import Acquisition, Confidence, LoadReport, Role, RoleAssignment, Series, Study
from neuraxis.domain.tag import ClaimVerdict, Evidence, Tag, Verdict
from neuraxis.domain.transform import Registration, RegistrationSet
from neuraxis.domain.volume import Volume
from neuraxis.legends import audit
from neuraxis.legends.audit import LegendAudit, audit_claim

S, C, N, X = Verdict.SUPPORTS, Verdict.CONTRADICTS, Verdict.NEUTRAL, Verdict.NOT_ASSESSABLE
YES, NO, OPEN = ClaimVerdict.SUPPORTED, ClaimVerdict.CONTRADICTED, ClaimVerdict.CANNOT_BE_DECIDED

CT_FRAME, MR_FRAME = "1.1", "1.2"
CT_GRID = VolumeGeometry.axis_aligned((100, 200, 200), (1.0, 1.0, 1.0), (-100.0, -100.0, -50.0), CT_FRAME)
MR_GRID = VolumeGeometry.axis_aligned((40, 200, 200), (1.0, 1.0, 3.0), (-100.0, -100.0, -60.0), MR_FRAME)


def tag(concept: str, **values: Verdict) -> Tag:
    evidence = Evidence(f"{concept}_metric", 1.0, "1", "1.2.3", "rule", N, "why")
    return Tag(concept, None, N, (evidence,), tuple((k, v, f"{concept} {k} measured") for k, v in values.items()))


TAGS = (
    tag("calcification", none=C, present=S, dense=S, rim=X),
    tag("bone_change", none=S, present=C, erosion=C, continuity=C, remodelling=N),
    tag("perilesional_oedema", none=S, present=C, mild=C, marked=C),
    tag("blooming", none=C, present=S, marked=S),
    tag("enhancement", none=C, present=S, rim=X),
    tag("laterality", right=S, left=C, midline=C, bilateral=N),
    tag("mass_effect", none=C, present=S, mild=S, severe=C),
    tag("compartment", extra_axial=N, intra_axial=N),
    tag("location", foramen_magnum=S, pons=X),
    tag("dural_tail", none=X, present=X),
)


@dataclass(frozen=True)
class NoVoxels:
    def read_volume(self) -> Volume:
        raise AssertionError("an audit reads no voxels")

    def read_slice(self, index: int) -> NDArray[Any]:
        raise AssertionError("an audit reads no voxels")

    def read_picture(self, index: int) -> NDArray[np.uint8]:
        raise AssertionError("an audit reads no voxels")


def series(number: int, role: Role, grid: VolumeGeometry, **fields: object) -> Series:
    made = Series(
        f"s{number}", f"2.{number}", "2", grid.frame_of_reference_uid, number, role.value, "CT" if role is Role.CT else "MR",
        RoleAssignment(role, Confidence.CERTAIN, "made so"), (), 1, 1, 1, grid, None, NoVoxels(),
    )
    return replace(made, **fields)  # type: ignore[arg-type]


STUDY = Study("memory", (
    series(1, Role.CT, CT_GRID), series(2, Role.T1, MR_GRID), series(3, Role.T1C, MR_GRID), series(4, Role.SWI, MR_GRID),
), LoadReport())
REGISTRATIONS = RegistrationSet((Registration.from_array(np.eye(4), CT_FRAME, MR_FRAME, 0.3, "made"),))


@pytest.fixture
def lesion() -> Lesion:
    inside = np.zeros(CT_GRID.shape_zyx, dtype=bool)
    inside[48:53, 98:103, 88:93] = True
    length = LengthMeasurement(Quantity(4.1, "mm", 0.3), (0, 0, 0), (4, 0, 0))
    measurement = LesionMeasurement(
        "s1", "2.1", CT_FRAME, "made", (-10.0, 0.0, 0.0), IntensityStatistics("HU", 0, 0, 0, 0, 0, 0, 1),
        long_axis=length, short_axis=replace(length, quantity=Quantity(3.0, "mm", 0.3)),
    )
    return Lesion("2.25.1", "lesion", LesionMask.from_full(CT_GRID, inside, series_id="s1", series_uid="2.1"), measurement)


def verdict(lesion: Lesion, claim: Claim) -> ClaimVerdict:
    return audit_claim(claim, {t.concept: t for t in TAGS}, lesion).verdict


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (Claim("calcification", "dense"), YES),
        (Claim("calcification", "none", negated=True), NO),
        (Claim("calcification", "rim"), OPEN),
        (Claim("calcification", "present", negated=True), NO),
        (Claim("bone_change", "none", negated=True), YES),
        (Claim("bone_change", "continuity", negated=True), YES),
        (Claim("bone_change", "continuity"), NO),
        (Claim("bone_change", "erosion", negated=True), YES),
        (Claim("bone_change", "remodelling", negated=True), OPEN),
        (Claim("perilesional_oedema", "none", negated=True), YES),
        (Claim("perilesional_oedema", "marked"), NO),
        (Claim("blooming", "marked"), YES),
        (Claim("blooming", "none", negated=True), NO),
        (Claim("enhancement", "rim"), OPEN),
        (Claim("enhancement", "rim", negated=True), OPEN),
        (Claim("enhancement", "present"), YES),
        (Claim("compartment", "extra_axial"), OPEN),
        (Claim("compartment", "intra_axial"), OPEN),
        (Claim("dural_tail", "none", negated=True), OPEN),
        (Claim("cystic", "present"), OPEN),
        (Claim("laterality", "right"), YES),
        (Claim("laterality", "left"), NO),
        (Claim("laterality", "bilateral"), OPEN),
    ],
)
def test_value_and_negation(lesion: Lesion, claim: Claim, expected: ClaimVerdict) -> None:
    assert verdict(lesion, claim) is expected


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (Claim("mass_effect", "mild", laterality="right"), YES),
        (Claim("mass_effect", "mild", laterality="left"), NO),
        (Claim("location", "foramen_magnum", laterality="right"), YES),
        (Claim("location", "foramen_magnum", laterality="left"), NO),
        (Claim("location", "pons", laterality="right"), OPEN),
        (Claim("location", "pons", laterality="left"), NO),
        (Claim("enhancement", "rim", laterality="left"), NO),
        (Claim("mass_effect", "mild", laterality="bilateral"), OPEN),
        (Claim("perilesional_oedema", "none", negated=True, laterality="left"), OPEN),
        (Claim("laterality", "left", laterality="left"), NO),
    ],
)
def test_a_stated_side_must_be_the_side_of_the_lesion(lesion: Lesion, claim: Claim, expected: ClaimVerdict) -> None:
    assert verdict(lesion, claim) is expected


def test_without_a_midline_a_sided_claim_is_not_supported(lesion: Lesion) -> None:
    tags = {"mass_effect": TAGS[6]}
    assert audit_claim(Claim("mass_effect", "mild", laterality="right"), tags, lesion).verdict is OPEN


def test_the_direction_of_a_shift_is_not_the_side_of_the_lesion(lesion: Lesion) -> None:
    tags = {"laterality": TAGS[5], "midline_shift": tag("midline_shift", present=S)}
    assert audit_claim(Claim("midline_shift", "present", laterality="left"), tags, lesion).verdict is YES


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((4.0,), YES), ((4.8,), YES), ((5.3,), OPEN), ((7.0,), NO), ((3.0, 4.0), YES), ((4.0, 4.5), OPEN), ((4.0, 8.0), NO), ((), OPEN)],
)
def test_a_stated_length_is_held_against_the_measured_one_and_its_uncertainty(
    lesion: Lesion, sizes: tuple[float, ...], expected: ClaimVerdict
) -> None:
    assert verdict(lesion, Claim("size", "measured", size_mm=sizes)) is expected


def test_a_mask_of_a_part_compares_no_size(lesion: Lesion) -> None:
    tags = {"size": tag("size", measured=X)}
    found = audit_claim(Claim("size", "measured", size_mm=(14.0,)), tags, lesion)
    assert found.verdict is OPEN
    assert "measured" in found.reason


def test_a_hedge_is_named_and_changes_no_verdict(lesion: Lesion) -> None:
    found = audit_claim(Claim("blooming", "none", uncertain=True), {t.concept: t for t in TAGS}, lesion)
    assert found.verdict is NO
    assert "hedges" in found.reason


def test_no_single_claim_and_its_denial_are_both_supported(lesion: Lesion) -> None:
    for t in TAGS:
        for value, _, _ in t.values:
            if value == "none":
                continue
            both = {verdict(lesion, Claim(t.concept, value, negated=n)) for n in (False, True)}
            assert both in ({OPEN}, {YES, NO}, {YES, OPEN}, {NO, OPEN})


def figure_audit(lesion: Lesion, *panels: Panel) -> LegendAudit:
    return audit(
        LegendFigure("Figure 1", "text", panels), study=STUDY, lesion=lesion, tags=TAGS, registrations=REGISTRATIONS
    )


def test_each_panel_names_series_plane_and_window(lesion: Lesion) -> None:
    found = figure_audit(
        lesion,
        Panel("a", modality="CT", sequence="CT", plane="coronal", window="bone", claims=(Claim("calcification", "dense"),)),
        Panel("b", modality="MR", sequence="T1C", plane="coronal", contrast="post"),
        Panel("c", modality="MR", sequence="FLAIR", plane="axial"),
        Panel("d", kind="histology"),
        Panel("e", modality="CT", sequence="CT", contrast="post"),
    ).to_json()
    panels = found["panels"]
    assert isinstance(panels, list)
    a, b, c, d, e = panels
    assert (a["series_uid"], a["plane"], a["window"], a["window_width"]) == ("2.1", "coronal", "bone", 2000.0)
    assert b["series_uid"] == "2.3"
    assert "coarse at 3.0 mm" in b["reason"]
    assert b["position_lps_mm"] == pytest.approx((-10.0, 0.0, 0.0))
    assert (c["series_uid"], "axial FLAIR; the study has no such volume" in c["reason"]) == (None, True)
    assert (d["series_uid"], d["claims"]) == (None, [])
    assert "contrast post" in e["reason"]
    claim = a["claims"][0]
    assert {"concept", "value", "negated", "verdict", "reason", "evidence"} <= set(claim)
    assert claim["verdict"] == "supported"
    json.dumps(found)


def test_a_series_that_is_not_registered_or_does_not_reach_is_not_shown(lesion: Lesion) -> None:
    panel = Panel("a", modality="MR", sequence="SWI")
    figure = LegendFigure("", "", (panel,))
    alone = audit(figure, study=STUDY, lesion=lesion, tags=TAGS, registrations=RegistrationSet())
    assert "not registered" in alone.panels[0].picture.reason
    away = replace(REGISTRATIONS.registrations[0], matrix=((1, 0, 0, 500), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)))
    far = audit(figure, study=STUDY, lesion=lesion, tags=TAGS, registrations=RegistrationSet((away,)))
    assert "field of view" in far.panels[0].picture.reason


def test_a_plain_ct_is_not_taken_for_one_with_contrast(lesion: Lesion) -> None:
    with_agent = series(5, Role.CT, CT_GRID, acquisition=Acquisition(contrast_agent="iodine"))
    study = Study("memory", (*STUDY.series, with_agent), LoadReport())
    figure = LegendFigure("", "", (Panel("a", modality="CT", sequence="CT", contrast="pre"), Panel("b", sequence="CTA")))
    found = audit(figure, study=study, lesion=lesion, tags=TAGS, registrations=REGISTRATIONS)
    assert [p.picture.series.id for p in found.panels if p.picture.series] == ["s1", "s5"]
