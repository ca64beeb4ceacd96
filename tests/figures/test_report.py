"""The report: what it says, that nothing in it can run, and that it needs nothing else."""

from __future__ import annotations

import io
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.figures.figure_cases import legend, lesion_on
from tests.figures.phantom_head import head, series_of, study_of

from neuraxis.domain.legend import Panel
from neuraxis.domain.lesion import Lesion
from neuraxis.domain.study import Role
from neuraxis.domain.tag import Evidence, Tag, Verdict
from neuraxis.domain.transform import RegistrationSet
from neuraxis.errors import UsageError, WriteError
from neuraxis.figures import draw_figure, recipe_from_legend, write_report
from neuraxis.figures.report import report_bytes, report_html
from neuraxis.figures.report_content import Finding, ReportInput

HOSTILE = "</td><script>alert(1)</script><img src=x onerror=alert(1)>\" onload='x' {{7*7}} {% raw %}"


class Outline(HTMLParser):
    """Tags, their attributes and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def page(text: str = "", label: str = "lesion 1") -> str:
    return report_html(case(text, label))


@cache
def case(text: str = "", label: str = "lesion 1") -> ReportInput:
    volume = head()
    lesion = lesion_on(volume)
    lesion = Lesion(lesion.tracking_uid, label, lesion.mask, lesion.measurement)
    study = study_of(series_of(volume, Role.CT))
    wanted = legend(
        Panel("a", modality="CT", sequence="CT", plane="axial", window="bone"), Panel("b", modality="MR", sequence="T2"),
        text=text or "A calcified lesion",
    )
    figure = draw_figure(recipe_from_legend(study, wanted, lesion, RegistrationSet()), study)
    evidence = Evidence(
        "saddle_hu", 42.0, "HU", volume.series_uid, "saddle at most 100 HU [T]", Verdict.SUPPORTS, text or "no bridge",
        uncertainty=8.0, inputs=("kernel H60s",),
    )
    tags = [
        Tag("bone_change", "none", Verdict.SUPPORTS, (evidence,)), Tag("dural_tail", None, Verdict.NOT_ASSESSABLE),
        Tag("enhancement", "rim", Verdict.NEUTRAL, asserted_by="reader"),
    ]
    claim = {
        "concept": "bone_change", "value": "continuity", "negated": True, "verdict": "supported", "reason": text or "gap 2 mm",
        "evidence": [evidence.to_json()],
    }
    undecided = {"concept": "enhancement", "value": "rim", "negated": False, "verdict": "cannot_be_decided", "reason": "4 mm"}
    audited = {
        "panels": [{"label": "a", "series_uid": volume.series_uid, "plane": "axial", "window": "bone",
                    "claims": [claim, undecided]}]
    }
    return ReportInput((Finding(lesion, tuple(tags), (audited,)),), figure)


def test_the_report_says_sizes_verdicts_reasons_and_limits() -> None:
    text = Outline(page()).text
    for words in (
        "For teaching and research; not a medical device.", "Long axis", "4.0 ± 0.4 mm", "33 ± 4 mm³", "supports",
        "saddle HU 42 ± 8 HU on CT: no bridge (kernel H60s)", "saddle at most 100 HU [T]", "bone change: continuity (denied)",
        "✓ supported", "cannot be decided", "not reported", "rim (asserted by the reader)", "none (suggested)",
        "window bone W 2000 L 500", "panel b is empty: the legend asks for T2", "proposes no diagnosis",
    ):
        assert words in text, words


def test_hostile_words_stay_words() -> None:
    outline = Outline(page(HOSTILE, HOSTILE))
    assert not [t for t, _ in outline.tags if t == "script"]
    assert len([t for t, _ in outline.tags if t == "img"]) == 1
    assert not [name for _, attributes in outline.tags for name in attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in outline.text
    assert "{{7*7}}" in outline.text


def test_the_report_needs_nothing_else_and_can_be_read_aloud() -> None:
    html = page()
    outline = Outline(html)
    assert not re.search(r"(?:src|href)=\"(?!data:)", html)
    assert "default-src 'none'" in html
    assert outline.tags[0] == ("html", {"lang": "en"})
    (image,) = [a for t, a in outline.tags if t == "img"]
    assert image["alt"] == (
        "Figure of 2 panels. a: CT bone, axial, with a mark at the finding; "
        "b: empty, the legend asks for T2; the study has no such volume."
    )
    assert all(a.get("scope") in ("col", "row") for t, a in outline.tags if t == "th")
    headings = [t for t, _ in outline.tags if re.fullmatch(r"h\d", t)]
    assert headings[0] == "h1"
    assert headings.count("h1") == 1
    tables = [t for t, _ in outline.tags if t in ("table", "caption")]
    assert tables.count("table") == tables.count("caption")


def test_the_same_report_has_the_same_bytes() -> None:
    assert page() == page()


def test_a_report_without_figure_or_tags_is_still_a_report(tmp_path: Path) -> None:
    path = write_report(tmp_path / "r.html", lesion=lesion_on(head()))
    assert "Measurements" in path.read_text(encoding="utf-8")
    with pytest.raises(WriteError):
        write_report(path / "below.html", lesion=lesion_on(head()))


def test_series_descriptions_quoted_by_evidence_become_roles() -> None:
    volume = head()
    after = series_of(head(series_id="post"), Role.T1C, description="SMITH JOHN head after")
    study = study_of(series_of(volume, Role.CT, description="SMITH JOHN head"), after)
    lesion = lesion_on(volume)
    wanted = legend(Panel("a", modality="CT", sequence="CT"))
    figure = draw_figure(recipe_from_legend(study, wanted, lesion, RegistrationSet()), study)
    quoting = Evidence(
        "midline_distance", -9.0, "mm", "", "5 mm [prop]", Verdict.SUPPORTS, "right of the midline",
        inputs=(f"symmetry plane of {study.series[0].title}", "SMITH JOHN head is isotropic", after.title),
    )
    tag = Tag("laterality", "right", Verdict.SUPPORTS, (quoting,))
    for made_from in (
        ReportInput((Finding(lesion, (tag,)),), figure), ReportInput((Finding(lesion, (tag,)),), series=study.series),
    ):
        html = report_html(made_from)
        assert "SMITH" not in html
        assert "symmetry plane of CT; CT is isotropic; T1C)" in html


def test_every_lesion_and_reading_of_a_case_is_reported() -> None:
    first = lesion_on(head())
    second = Lesion("2.25.2", "lesion 2", first.mask, first.measurement)
    made_from = ReportInput((Finding(first), Finding(second)), readings=(("length", "12.3 ± 0.9 mm", HOSTILE),))
    outline = Outline(report_html(made_from))
    for words in ("Measurements: lesion 1", "Measurements: lesion 2", "Further measurements", "12.3 ± 0.9 mm", "<script>alert(1)"):
        assert words in outline.text
    ids = [a["id"] for _, a in outline.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert not [t for t, _ in outline.tags if t == "script"]
    text = pdf_text(report_bytes(made_from, ".pdf"))
    assert "Measurements: lesion 2" in text
    assert "12.3 ± 0.9 mm" in text


def pdf_text(content: bytes) -> str:
    from pypdf import PdfReader

    return re.sub(r"\s+", " ", " ".join(p.extract_text() for p in PdfReader(io.BytesIO(content)).pages))


def test_the_pdf_says_what_the_page_says() -> None:
    text = pdf_text(report_bytes(case(), ".pdf"))
    for words in (
        "For teaching and research; not a medical device.", "4.0 ± 0.4 mm", "33 ± 4 mm³", "✓ supports",
        "saddle HU 42 ± 8 HU on CT: no bridge (kernel H60s)", "saddle at most 100 HU [T]", "continuity (denied)",
        "✓ supported", "cannot be decided", "rim (asserted by the", "window bone W 2000 L 500",
        "panel b is empty: the legend asks for T2", "page 1 of ", "Limits", "Not reported",
    ):
        assert words in text, words


def test_the_pdf_embeds_its_fonts_names_nobody_and_has_the_same_bytes_twice() -> None:
    from pypdf import PdfReader

    content = report_bytes(case(), ".pdf")
    assert content == report_bytes(case(), ".pdf")
    pages = PdfReader(io.BytesIO(content)).pages
    fonts = [f.get_object() for page in pages for f in page["/Resources"]["/Font"].values()]  # type: ignore[index]
    assert fonts
    assert all("/FontFile2" in f["/FontDescriptor"].get_object() for f in fonts)
    images = [image for page in pages for image in page.images]
    assert len(images) == 1
    figure = case().figure
    assert figure is not None
    assert images[0].image is not None
    assert images[0].image.size == (figure.page.width_px, figure.page.height_px)
    assert PdfReader(io.BytesIO(content)).metadata == {
        "/Title": "Lesion report", "/Subject": "For teaching and research; not a medical device.", "/Keywords": "",
        "/Author": figure.metadata["Software"], "/Creator": figure.metadata["Software"],
        "/Producer": figure.metadata["Software"], "/CreationDate": "D:20000101000000+00'00'",
        "/ModDate": "D:20000101000000+00'00'", "/Trapped": "/False",
    }


def test_hostile_and_endless_words_stay_words_in_the_pdf() -> None:
    endless = "<b>" * 50 + "x" * 9000
    long = pdf_text(report_bytes(case(f"{HOSTILE} \x00\u202e 中 {endless}", HOSTILE), ".pdf"))
    assert "<script>alert(1)</script>" in long
    assert "onerror=alert(1)" in long
    assert "□" in long
    assert long.count("x") >= 9000


def test_a_report_is_written_as_html_or_pdf_only() -> None:
    with pytest.raises(UsageError, match=r"\.docx.*\.html, \.pdf"):
        report_bytes(case(), ".docx")
