"""The lexicon: complete, coded as published, extensible, and plain about mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuraxis.domain.lexicon import Code, LexiconError, UnknownTermError, load_lexicon
from neuraxis.errors import NeuraxisError

HEADER = "concept,value,meaning,wordings,modifiers,scheme,code,code_meaning,source,evidence\n"


@pytest.fixture(scope="module")
def published() -> dict[tuple[str, str], set[str]]:
    """Meanings of every code in pydicom's copy of PS3.16, by scheme and value."""
    concepts = pytest.importorskip("pydicom.sr._concepts_dict").concepts
    found: dict[tuple[str, str], set[str]] = {}
    for scheme, by_name in concepts.items():
        for codes in by_name.values():
            for value, (meaning, _) in codes.items():
                found.setdefault((scheme, value), set()).add(meaning)
    return found


def test_every_published_code_stands_in_the_standard_with_this_meaning(published: dict[tuple[str, str], set[str]]) -> None:
    codes = {c for term in load_lexicon() for c in term.codes if c.source == "DICOM PS3.16"}
    assert len(codes) > 80
    wrong = []
    for code in codes:
        meanings = published.get((code.scheme, code.value), set())
        if not any(m.lower().startswith(code.meaning.lower()) for m in meanings):
            wrong.append((code, meanings))
    assert wrong == []


def test_every_sct_and_dcm_code_is_checked_or_names_another_source() -> None:
    for term in load_lexicon():
        for code in term.codes:
            if code.scheme in {"SCT", "DCM"}:
                assert code.source in {"DICOM PS3.16", "SNOMED CT (Open Imaging Finding Models)"}, code


def test_private_codes_fit_their_value_representations_and_are_unique() -> None:
    seen: dict[str, str] = {}
    for term in load_lexicon():
        for code in term.codes:
            assert len(code.value) <= 16
            assert 0 < len(code.meaning) <= 64
            if code.is_private:
                assert code.scheme == "99NEURAXIS"
                assert seen.setdefault(code.value, code.meaning) == code.meaning


def test_every_concept_of_the_annotation_scheme_is_there() -> None:
    lexicon = load_lexicon()
    assert set(lexicon.concepts) >= {
        "calcification", "compartment", "location", "laterality", "bone_change", "attenuation", "t1_signal", "t2_signal",
        "flair_signal", "dwi_signal", "adc_signal", "gre_signal", "diffusion_restriction", "blooming", "enhancement", "dural_tail",
        "perilesional_oedema", "mass_effect", "midline_shift", "herniation", "hydrocephalus", "haemorrhage", "flow_void", "cystic",
        "margin", "size", "vasari_f2", "vasari_f4", "vasari_f5", "vasari_f11", "vasari_f12", "vasari_f14", "vasari_f16",
        "vasari_f17", "vasari_f25", "vasari_size", "phase_sign",
    }
    assert len(lexicon.values("location")) == 73


def test_the_seed_case_finds_its_codes() -> None:
    lexicon = load_lexicon()
    assert Code("SCT", "24532009", "") in lexicon.codes("location", "foramen_magnum")
    assert Code("RADLEX", "RID34303", "") in lexicon.codes("enhancement", "rim")
    assert lexicon.codes("calcification", "dense")[0] == Code("99NEURAXIS", "CALC-DENSE", "")
    assert lexicon.codes("blooming", "marked")[0].value == "RID34299"
    assert "calcification" in lexicon.evidence_for("calcification", "dense")


def test_terms_are_found_by_scheme_and_value_never_by_meaning() -> None:
    lexicon = load_lexicon()
    assert [(t.concept, t.value) for t in lexicon.find("SCT", "24532009")] == [("location", "foramen_magnum")]
    assert Code("SCT", "1", "Left") != Code("SCT", "2", "Left")
    assert Code("SCT", "1", "Left") == Code("SCT", "1", "left side")
    assert hash(Code("SCT", "1", "Left")) == hash(Code("SCT", "1", "left side"))


def test_the_code_we_write_leads_back_to_one_concept_and_one_value() -> None:
    lexicon = load_lexicon()
    heads = [lexicon.term(c).code for c in lexicon.concepts]
    assert len(set(heads)) == len(heads)
    for concept in lexicon.concepts:
        codes = [lexicon.term(concept, v).code for v in lexicon.values(concept)]
        assert len(set(codes)) == len(codes), concept


def test_every_metric_named_in_the_lexicon_exists() -> None:
    collect = pytest.importorskip("neuraxis.evidence.collect")
    known = {metric.describe().key for metric in collect.metrics()}
    assert {key for term in load_lexicon() for key in term.evidence} <= known


def test_an_unknown_term_answers_with_the_nearest_known_ones() -> None:
    lexicon = load_lexicon()
    with pytest.raises(UnknownTermError, match="did you mean cerebellum"):
        lexicon.codes("location", "cerebelum")
    with pytest.raises(UnknownTermError, match="calcification"):
        lexicon.values("calcifcation")
    with pytest.raises(UnknownTermError, match="SCT:24532009"):
        lexicon.find("SCT", "24532000")
    assert issubclass(UnknownTermError, NeuraxisError)


def test_a_users_table_adds_terms_codes_and_wordings(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(HEADER + "growth,,Growth,,,99ME,GROWTH,Growth,me,\ngrowth,slow,Slow,slowly growing,,99ME,SLOW,Slow growth,me,\n"
                    "calcification,dense,,rock hard,,99ME,ROCK,Rock hard,me,hu_sd\n", encoding="utf-8")
    lexicon = load_lexicon(file)
    assert lexicon.values("growth") == ("slow",)
    dense = lexicon.term("calcification", "dense")
    assert "rock hard" in dense.wordings
    assert Code("99ME", "ROCK", "") in dense.codes
    assert dense.evidence[-1] == "hu_sd"
    assert "growth" not in load_lexicon().concepts


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        ("Growth,,Growth,,,99ME,G,Growth,me,\n", 2, "concept 'Growth'"),
        ("growth,,Growth,,,99ME,G,Growth,me,\ngrow,slow,Slow,,,99ME,S,Slow,me,\n", 3, "unknown concept 'grow'"),
        ("growth,,,,,99ME,G,Growth,me,\n", 2, "without meaning"),
        ("growth,,Growth,,,,,,,\n", 2, "without code"),
        ("growth,,Growth,,,99ME,,Growth,me,\n", 2, "part missing"),
        ("growth,,Growth,,,99ME,A-CODE-THAT-IS-TOO-LONG,Growth,me,\n", 2, "16 characters"),
        ("growth,,Growth,,,99ME,G," + "x" * 65 + ",me,\n", 2, "code_meaning of 65"),
        ("growth,,Growth,... end,,99ME,G,Growth,me,\n", 2, "wording '... end'"),
        ("calcification,dense,,,,99NEURAXIS,CALC-DENSE,dense,me,\n", 2, "a second time"),
        ("growth,,Growth\n", 2, "wrong number of cells"),
    ],
)
def test_a_mistake_in_a_table_is_named_with_file_and_line(tmp_path: Path, rows: str, line: int, message: str) -> None:
    file = tmp_path / "own.csv"
    file.write_text(HEADER + rows, encoding="utf-8")
    with pytest.raises(LexiconError, match=f"own.csv, line {line}: ") as caught:
        load_lexicon(file)
    assert message in str(caught.value)
    assert (caught.value.file, caught.value.line) == ("own.csv", line)


def test_a_table_without_its_columns_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("concept,value\n", encoding="utf-8")
    with pytest.raises(LexiconError, match="columns concept, value"):
        load_lexicon(file)
    with pytest.raises(LexiconError, match="cannot be read"):
        load_lexicon(tmp_path / "nowhere.csv")
