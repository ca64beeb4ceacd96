"""The legend parser rule by rule: labels, attributes, negation, hedges, scope, sizes, sides, spans."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuraxis.domain.legend import LegendFigure, Panel
from neuraxis.domain.lexicon import load_lexicon
from neuraxis.legends import parse_legend, to_json


def read(text: str) -> LegendFigure:
    (figure,) = parse_legend(text)
    return figure


def said(panel: Panel) -> set[tuple[str, str, bool]]:
    return {(c.concept, c.value, c.negated) for c in panel.claims}


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("(a) Axial T1. (b) Axial T2.", ["a", "b"]),
        ("A: axial T1. B: axial T2.", ["a", "b"]),
        ("A, axial T1. B, axial T2.", ["a", "b"]),
        ("a) axial T1; b) axial T2", ["a", "b"]),
        ("a axial T1; b axial T2; c DWI", ["a", "b", "c"]),
        ("Panel A shows axial T1. Panel B shows axial T2.", ["a", "b"]),
        ("Figure 1A: axial T1. Figure 1B: axial T2.", ["a", "b"]),
        ("Axial T1 (A) and T2 (B).", ["a", "b"]),
        ("(A–D) Axial T1. (E, F) Axial T2.", ["a", "b", "c", "d", "e", "f"]),
        ("Axial T1 (Figure 3(a)) and T2 (Figure 3(b)).", ["a", "b"]),
        ("(1A) Axial T1. (1B) Axial T2.", ["a", "b"]),
        ("Left: axial T1. Right: axial T2.", ["left", "right"]),
        ("Top: T1 (left) and T2 (right). Bottom: DWI (left) and ADC (right).",
         ["top-left", "top-right", "bottom-left", "bottom-right"]),
        ("MRI (A: sagittal T1; B: coronal T2) of a cyst.", ["a", "b"]),
        ("(1) CT. (2) MRI.", ["1", "2"]),
        ("Axial T1, T2 and FLAIR images of the lesion.", ["1", "2", "3"]),
        ("Coronal T1. Inset: sagittal T1.", ["main", "inset"]),
        ("A 52-year-old woman. Axial CT shows a mass in segment B of the orbit.", ["main"]),
        ("CT of a lesion in the left frontal lobe (right-handed patient).", ["main"]),
    ],
)
def test_panel_labels_are_found_in_every_usual_style(text: str, labels: list[str]) -> None:
    assert [p.label for p in read(text).panels] == labels


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("CT: no calcification.", {("calcification", "none", True)}),
        ("CT: neither erosion nor hyperostosis.", {("bone_change", "erosion", True), ("bone_change", "hyperostosis", True)}),
        ("T1 + C: no peripheral enhancement.", {("enhancement", "rim", True)}),
        ("T1 + C: a dural tail is lacking.", {("dural_tail", "none", True)}),
        ("T1 + C: the lesion does not enhance.", {("enhancement", "none", True)}),
        ("FLAIR: oedema, haemorrhage and hydrocephalus were not seen.",
         {("perilesional_oedema", "none", True), ("haemorrhage", "none", True), ("hydrocephalus", "none", True)}),
        ("CT: without haemorrhage, mass effect or hydrocephalus.",
         {("haemorrhage", "none", True), ("mass_effect", "none", True), ("hydrocephalus", "none", True)}),
        ("CT: no oedema, but marked mass effect.", {("perilesional_oedema", "none", True), ("mass_effect", "severe", False)}),
        ("DWI: diffusion was not restricted.", {("diffusion_restriction", "none", True)}),
        ("CT: low attenuation, no calcification.", {("attenuation", "hypo", False), ("calcification", "none", True)}),
        ("SWI: microbleeds in the pons; no such focus in the thalamus.",
         {("haemorrhage", "microbleed", False), ("location", "pons", False), ("location", "thalamus", True)}),
        ("CT: no skull fracture.", {("bone_change", "fracture", True)}),
    ],
)
def test_negation_covers_what_it_denies_and_nothing_else(text: str, claims: set[tuple[str, str, bool]]) -> None:
    assert said(read(text).panels[0]) == claims


@pytest.mark.parametrize(
    ("text", "uncertain"),
    [
        ("SWI: possible haemorrhage and calcification of the pons.", {"haemorrhage", "calcification", "location"}),
        ("SWI: foci in the pons, suggestive of microbleeds.", {"haemorrhage"}),
        ("T2: hyperintense, consistent with a glioma.", set()),
        ("CT: approximately 8 mm calcification.", set()),
        ("FLAIR: haemorrhage cannot be excluded.", {"haemorrhage"}),
        ("T1 + C: patchy and possibly leptomeningeal enhancement.", {"enhancement"}),
    ],
)
def test_a_hedge_makes_the_finding_it_covers_uncertain(text: str, uncertain: set[str]) -> None:
    assert {c.concept for c in read(text).panels[0].claims if c.uncertain} == uncertain


def test_the_first_of_two_patterns_stays_certain_when_the_hedge_stands_between_them() -> None:
    claims = read("T1 + C: patchy and possibly leptomeningeal enhancement.").panels[0].claims
    assert {c.value: c.uncertain for c in claims} == {"patchy": False, "leptomeningeal": True}


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("CT: mass of 11 × 8 mm.", [(11.0, 8.0)]),
        ("CT: mass, 3.4 x 2.8 cm.", [(34.0, 28.0)]),
        ("CT: mass measuring 2 cm by 15 mm.", [(20.0, 15.0)]),
        ("CT: 14-mm nodule.", [(14.0,)]),
        ("CT: mass, 2.1 × 1.8 × 1.5 cm.", [(21.0, 18.0, 15.0)]),
        ("CT, 5 mm slices, of a mass.", []),
        ("CT: mass with 8 mm of midline shift.", []),
    ],
)
def test_sizes_are_millimetres_of_the_lesion_only(text: str, sizes: list[tuple[float, ...]]) -> None:
    assert [c.size_mm for c in read(text).panels[0].claims if c.concept == "size"] == sizes


def test_shift_and_descent_carry_their_own_size_and_direction() -> None:
    shift, = read("CT: 8 mm of midline shift to the left.").panels[0].claims
    assert (shift.concept, shift.size_mm, shift.laterality) == ("midline_shift", (8.0,), "left")
    tonsils, = read("Sagittal T2: the cerebellar tonsils lie 12 mm below the foramen magnum.").panels[0].claims
    assert (tonsils.value, tonsils.size_mm) == ("tonsillar", (12.0,))


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("CT: mass in the left frontal and parietal lobes.", {("frontal", "left"), ("parietal", "left")}),
        ("CT: foci in both thalami and the pons.", {("thalamus", "bilateral"), ("pons", None)}),
        ("CT: temporoparietal mass on the right.", {("temporal", "right"), ("parietal", "right")}),
        ("CT: nodule at the right lateral aspect of the foramen magnum.", {("foramen_magnum", "right")}),
        ("T2: clival mass compressing the pons and the medulla.", {("clivus", None)}),
        ("T2: the conus is displaced by a mass at L2.", {("lumbar_spine", None)}),
        ("T2: isointense to cortex.", set()),
        ("Axial T2 at the level of the pons.", set()),
    ],
)
def test_a_location_is_where_the_lesion_sits_not_what_it_presses_on(text: str, places: set[tuple[str, str | None]]) -> None:
    assert {(c.value, c.laterality) for c in read(text).panels[0].claims if c.concept == "location"} == places


def test_a_body_part_that_names_the_field_of_view_is_the_region() -> None:
    figure = read("MRI of the brain. (a) Sagittal T2 of the cervical spine. (b) T1.")
    assert [p.region for p in figure.panels] == ["cervical_spine", "brain"]


def test_generic_signal_words_take_the_sequence_of_the_phrase_or_of_the_panel() -> None:
    figure = read("T1 (A), T2 (B) and CT (C): the lesion is hypointense on T1 and bright on T2.")
    assert [said(p) for p in figure.panels] == [{("t1_signal", "hypo", False)}, {("t2_signal", "hyper", False)}, set()]
    figure = read("(a) T1: dark. (b) SWI: dark. (c) CT: dark.")
    assert [said(p) for p in figure.panels] == [{("t1_signal", "hypo", False)}, {("gre_signal", "hypo", False)}, set()]


def test_a_statement_on_a_group_goes_to_the_panels_that_can_show_it() -> None:
    figure = read("CT (A), T2 (B) and T1 after gadolinium (C) show a calcified, enhancing mass with oedema.")
    assert said(figure.panel("a")) == {("calcification", "present", False), ("perilesional_oedema", "present", False)}
    assert said(figure.panel("b")) == {("perilesional_oedema", "present", False)}
    assert said(figure.panel("c")) == {("enhancement", "present", False), ("perilesional_oedema", "present", False)}


def test_respectively_pairs_the_lists() -> None:
    figure = read("On T1 (A) and T2 (B) the lesion is hyperintense and hypointense, respectively.")
    assert [said(p) for p in figure.panels] == [{("t1_signal", "hyper", False)}, {("t2_signal", "hypo", False)}]


def test_contrast_and_window_pairs_go_to_their_own_labels() -> None:
    figure = read("MRI without (A) and with (B) contrast.")
    assert [(p.sequence, p.contrast) for p in figure.panels] == [(None, "pre"), ("T1C", "post")]
    figure = read("Axial CT in brain (A) and bone (B) windows.")
    assert [(p.window, p.plane) for p in figure.panels] == [("brain", "axial"), ("bone", "axial")]


def test_enhancement_makes_an_unspecified_mr_panel_contrast_enhanced() -> None:
    assert read("MRI with an enhancing mass.").panels[0].sequence == "T1C"
    assert read("Unenhanced T1 MRI. A mass, which enhances on later images.").panels[0].contrast == "pre"
    assert read("CT with an enhancing mass.").panels[0].contrast == "post"


def test_histology_and_photographs_carry_no_imaging_fields() -> None:
    figure = read("(a) Intraoperative photograph. (b) H&E, ×200: calcified core (arrow). (c) Axial CT.")
    assert [p.kind for p in figure.panels] == ["photo", "histology", "imaging"]
    assert figure.panel("b").marks == ("arrow",)
    assert figure.panel("b").claims == ()


def test_marks_belong_to_the_panels_their_reference_names() -> None:
    figure = read("Coronal (A) and axial (B) T1 + C: a mass with a dural tail (arrowheads in B).")
    assert [p.marks for p in figure.panels] == [(), ("arrowhead",)]


def test_abbreviation_lists_state_nothing() -> None:
    figure = read("Axial CT. CT: computed tomography; MRI: magnetic resonance imaging; SWI, susceptibility-weighted imaging.")
    assert [(p.label, p.sequence) for p in figure.panels] == [("main", "CT")]


def test_each_heading_opens_a_figure_and_spans_count_from_its_own_start() -> None:
    first, second = parse_legend("Figure 1. (a) CT: calcified. (b) T2.\nFigure 2. (a) H&E. (b) H&E.")
    assert (first.id, second.id) == ("Figure 1", "Figure 2")
    assert [p.kind for p in second.panels] == ["histology", "histology"]
    span = first.panel("a").claims[0].span
    assert span is not None
    assert first.text[span.start:span.end] == "calcified" == span.text


def test_words_nobody_understood_are_listed_with_their_place() -> None:
    figure = read("Axial CT: calcified mass with a glarple sign.")
    assert [s.text for s in figure.not_understood] == ["glarple"]
    assert figure.text[figure.not_understood[0].start:].startswith("glarple")


def test_json_has_the_shape_others_read() -> None:
    (figure,) = to_json(parse_legend("CT: calcified mass."))["figures"]
    assert set(figure) >= {"id", "panels", "not_understood"}
    (panel,) = figure["panels"]
    assert set(panel) >= {
        "label", "kind", "modality", "sequence", "plane", "window", "contrast", "zoom", "region", "marks", "claims"}
    assert panel["claims"][0] == {
        "concept": "calcification", "value": "present", "negated": False, "uncertain": False, "laterality": None,
        "size_mm": None, "span": {"start": 4, "end": 13, "text": "calcified"},
    }


def test_terms_of_the_users_own_lexicon_are_read(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(
        "concept,value,meaning,wordings,modifiers,scheme,code,code_meaning,source,evidence\n"
        "shape,,Shape,,,SCT,300842002,Shape,,\n"
        "shape,dumbbell,Dumbbell,dumbbell shaped,,99ME,DUMBBELL,Dumbbell,,\n", encoding="utf-8")
    (figure,) = parse_legend("T2: dumbbell-shaped mass.", load_lexicon(file))
    assert said(figure.panels[0]) == {("shape", "dumbbell", False)}


@pytest.mark.parametrize("text", ["", " ", "\n\n", "Figure 1.", "(a)", "(a) (b) (c)", ";;;", "no", "(A, B", "İ ß ﬁ 𝒜 \u202e"])
def test_text_without_a_legend_is_no_error(text: str) -> None:
    for figure in parse_legend(text):
        assert all(not p.claims for p in figure.panels)


_PIECES = ["(a)", "(b)", "A:", "in B", "Left:", "(arrow)", "axial", "T1", "T2", "CT", "no", "possible", "calcification", "rim",
           "enhancement", "left", "frontal lobe", "8 mm", ",", ";", ".", "and", "or", "with", "Figure 2.", "\n", "on", "of the", "×", "("]


@given(st.lists(st.sampled_from(_PIECES) | st.text(max_size=5), max_size=25))
@settings(max_examples=60)
def test_any_text_is_parsed_the_same_twice_with_spans_that_fit(pieces: list[str]) -> None:
    figures = parse_legend(" ".join(pieces))
    assert figures == parse_legend(" ".join(pieces))
    for figure in figures:
        spans = [c.span for p in figure.panels for c in p.claims if c.span] + [s for p in figure.panels for _, s in p.spans]
        for span in (*spans, *figure.not_understood):
            assert figure.text[span.start:span.end] == span.text


@pytest.mark.parametrize("piece", ["(a, ", "A: ", "T1 and ", "calcification, ", "no ", "CT: c c c c ", "Figure 1. "])
def test_long_hostile_text_ends_in_reasonable_time(piece: str) -> None:
    began = time.process_time()
    parse_legend(piece * (6000 // len(piece)))
    assert time.process_time() - began < 10


def test_a_heading_word_inside_a_wrapped_sentence_opens_no_figure() -> None:
    figures = parse_legend("Figure 1. Axial CT (see also\nFigure 2) shows calcification.")
    assert [f.id for f in figures] == ["Figure 1"]
