"""The whole path on the sample: tags and audit against truth, and every claim turned round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import phantom_study

from neuraxis.app.workup import Workup, open_input, work_up
from neuraxis.domain.legend import Claim
from neuraxis.domain.tag import ClaimVerdict, Tag, Verdict
from neuraxis.evidence import DuralTailAnswers, EvidenceContext, ReaderAnswers, collect
from neuraxis.legends import audit, parse_legend
from neuraxis.legends.audit import audit_claim

LEGEND = (
    "FIG. 1. (a) Axial and (b) coronal CT in brain window: a densely calcified, 4 mm extra-axial lesion at the right "
    "aspect of the foramen magnum, with mild compression of the right side of the cerebellomedullary junction. (c) Axial "
    "CT in bone window: no bone changes and no continuity with the adjacent bone. (d) Axial T1-weighted and (e) axial "
    "T2-weighted MRI: the lesion shows low signal, without perilesional oedema. (f) Axial SWI: marked blooming. (g) Axial "
    "T1-weighted MRI after contrast: a rim of enhancement, no dural tail."
)


@dataclass(frozen=True, eq=False)
class Case:
    workup: Workup
    truth: Mapping[str, Any]

    @property
    def tags(self) -> dict[str, Tag]:
        return {t.concept: t for t in self.workup.tags}


def worked_up(folder: Path) -> Case:
    truth = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    x, y, z = truth["frames"]["CT"]["lesion_centroid_lps_mm"]
    return Case(work_up(open_input(folder), (x, y, z)), truth)


@pytest.fixture(scope="module")
def capnon(capnon_folder: Path) -> Case:
    return worked_up(capnon_folder)


def false_verdicts(case: Case) -> list[tuple[str, str, str, str]]:
    """Every verdict that truth says is false: (concept, value, verdict, reason)."""
    found = []
    for concept, statements in case.truth["statements"].items():
        for value, holds in statements.items():
            verdict, reason = case.tags[concept].verdict_on(value)
            if verdict is (Verdict.CONTRADICTS if holds else Verdict.SUPPORTS):
                found.append((concept, value, verdict.value, reason))
    return found


def turned(claim: Claim) -> Claim:
    """The claim with its statement turned round."""
    if claim.concept in ("laterality",) or claim.laterality in ("left", "right"):
        side = "left" if (claim.laterality or claim.value) == "right" else "right"
        return replace(claim, laterality=side, value=side if claim.concept == "laterality" else claim.value)
    if claim.concept == "size":
        return replace(claim, size_mm=tuple(3 * s for s in claim.size_mm))
    if claim.value == "none":
        return replace(claim, value="present", negated=False)
    if claim.concept.endswith("_signal"):
        return replace(claim, value="hyper" if claim.value == "hypo" else "hypo")
    return replace(claim, negated=not claim.negated)


def test_no_verdict_on_the_capnon_sample_is_false(capnon: Case) -> None:
    assert false_verdicts(capnon) == []


def test_what_is_decidable_at_four_millimetres_is_decided(capnon: Case) -> None:
    values = {c: t.value for c, t in capnon.tags.items()}
    expected = {
        "calcification": "dense", "bone_change": "none", "laterality": "right", "t1_signal": "hypo", "t2_signal": "hypo",
        "perilesional_oedema": "none", "blooming": "marked", "mass_effect": "mild", "enhancement": "present",
        "location": "foramen_magnum", "size": "measured",
    }
    assert {c: values[c] for c in expected} == expected
    assert capnon.tags["bone_change"].verdict_on("continuity")[0] is Verdict.CONTRADICTS


def test_rim_against_solid_is_never_decided_at_four_millimetres(capnon: Case) -> None:
    for value in ("rim", "homogeneous", "heterogeneous"):
        verdict, reason = capnon.tags["enhancement"].verdict_on(value)
        assert verdict is Verdict.NOT_ASSESSABLE
        assert "too small" in reason


def test_every_number_across_series_names_series_and_residual(capnon: Case) -> None:
    for concept in ("t1_signal", "t2_signal", "blooming", "enhancement", "perilesional_oedema", "mass_effect"):
        evidence = capnon.tags[concept].evidence[0]
        assert evidence.series_uid in {s.series_uid for s in capnon.workup.study.series}
        assert any("residual" in text for text in evidence.inputs), concept


def test_legend_of_the_sample_is_supported_or_honestly_open_and_turned_round_never_supported(capnon: Case) -> None:
    (figure,) = parse_legend(LEGEND)
    w = capnon.workup
    result = audit(figure, study=w.study, lesion=w.lesion, tags=w.tags, registrations=w.registrations)
    assert len(result.claims) >= 12
    by_concept: dict[str, ClaimVerdict] = {}
    for found in result.claims:
        assert found.verdict is not ClaimVerdict.CONTRADICTED, found
        by_concept[f"{found.claim.concept} {found.claim.value}"] = found.verdict
        back = audit_claim(turned(found.claim), capnon.tags, w.lesion)
        assert back.verdict is not ClaimVerdict.SUPPORTED, back
    open_ones = {k for k, v in by_concept.items() if v is ClaimVerdict.CANNOT_BE_DECIDED}
    assert open_ones <= {"compartment extra_axial", "enhancement rim", "dural_tail none"}
    assert all(p.picture.series is not None for p in result.panels)


@pytest.mark.parametrize(
    "claim",
    [
        Claim("location", "foramen_magnum", laterality="left"), Claim("mass_effect", "mild", laterality="left"),
        Claim("perilesional_oedema", "present"), Claim("perilesional_oedema", "marked"),
        Claim("calcification", "none", negated=True), Claim("blooming", "none", negated=True),
        Claim("bone_change", "continuity"), Claim("bone_change", "erosion"), Claim("bone_change", "hyperostosis"),
        Claim("enhancement", "none", negated=True), Claim("t1_signal", "hyper"), Claim("t2_signal", "hyper"),
        Claim("size", "measured", size_mm=(14.0,)), Claim("mass_effect", "none", negated=True),
    ],
    ids=lambda c: f"{c.concept} {c.value} {c.laterality or ''}",
)
def test_false_claims_are_contradicted(capnon: Case, claim: Claim) -> None:
    assert audit_claim(claim, capnon.tags, capnon.workup.lesion).verdict is ClaimVerdict.CONTRADICTED


def test_the_reader_s_answers_and_a_marked_vein_decide_what_voxels_alone_cannot(capnon: Case) -> None:
    w = capnon.workup
    x, y, z = capnon.truth["frames"]["MR"]["reference_points_lps_mm"]["vein"]
    answers = ReaderAnswers(
        dural_tail=DuralTailAnswers(False, False, False), compartment="extra_axial", paramagnetic_vein_lps_mm=(x, y, z)
    )
    tags = {t.concept: t for t in collect(EvidenceContext(w.study, w.lesion, w.registrations, answers))}
    assert tags["dural_tail"].value == "none"
    assert tags["compartment"].value == "extra_axial"
    assert tags["phase_sign"].value in ("diamagnetic", None)
    assert tags["haemorrhage"].verdict_on("present")[0] is not Verdict.SUPPORTS


@pytest.fixture(scope="module")
def mimics() -> dict[str, Case]:
    return {name: worked_up(phantom_study(name)) for name in ("meningioma_calcified", "schwannoma")}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_mimics_get_the_opposite_verdicts_where_they_differ_and_no_false_one(
    mimics: dict[str, Case], capnon: Case
) -> None:
    for name, case in mimics.items():
        assert false_verdicts(case) == [], name
    meningioma, schwannoma = mimics["meningioma_calcified"].tags, mimics["schwannoma"].tags
    assert meningioma["laterality"].value == "left"
    assert meningioma["bone_change"].value == "hyperostosis"
    assert meningioma["calcification"].value == "amorphous"
    assert meningioma["t1_signal"].value == "iso"
    assert schwannoma["calcification"].value == "none"
    assert schwannoma["blooming"].value == "none"
    assert schwannoma["enhancement"].value == "homogeneous"
    assert schwannoma["t2_signal"].value == "hyper"
    assert capnon.tags["calcification"].value == "dense"
