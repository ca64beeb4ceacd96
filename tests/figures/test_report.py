"""The report: what it says, that nothing in it can run, and that it needs nothing else."""

from __future__ import annotations

import re
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
from neuraxis.errors import WriteError
from neuraxis.figures import draw_figure, recipe_from_legend, write_report
from neuraxis.figures.report import report_html

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
    audits = [
        {"panels": [{"label": "a", "series_uid": volume.series_uid, "plane": "axial", "window": "bone",
                     "claims": [claim, undecided]}]}
    ]
    return report_html(lesion=lesion, tags=tags, audits=audits, figure=figure)


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
    study = study_of(series_of(volume, Role.CT, description="SMITH JOHN head"))
    lesion = lesion_on(volume)
    wanted = legend(Panel("a", modality="CT", sequence="CT"))
    figure = draw_figure(recipe_from_legend(study, wanted, lesion, RegistrationSet()), study)
    quoting = Evidence(
        "midline_distance", -9.0, "mm", "", "5 mm [prop]", Verdict.SUPPORTS, "right of the midline",
        inputs=(f"symmetry plane of {study.series[0].title}", "SMITH JOHN head is isotropic"),
    )
    html = report_html(lesion=lesion, tags=[Tag("laterality", "right", Verdict.SUPPORTS, (quoting,))], figure=figure)
    assert "SMITH" not in html
    assert "symmetry plane of CT" in html
