"""`neuraxis report`: from a case file and its images to a page, and what it says where something is missing."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from neuraxis.app.case_records import records_of
from neuraxis.app.history import CaseState, Drawing
from neuraxis.app.view_state import ViewState
from neuraxis.app.workup import lesion_from_mask, lesion_series, open_input, segment_on
from neuraxis.case.binding import bind
from neuraxis.case.case_file import CaseFile
from neuraxis.case.database import is_case_file
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.tag import Tag, Verdict

Neuraxis = Callable[..., Any]  # the fixture of conftest.py


@pytest.fixture(scope="module")
def case_file(capnon_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from neuraxis.app.demo import sample_click

    at, _ = sample_click(capnon_folder)
    study = open_input(capnon_folder)
    series = lesion_series(study)
    lesion = lesion_from_mask(series, segment_on(series, at))
    length = Drawing(
        "d1", "length", series.id, series.frame_of_reference_uid, ((0.0, 0.0, 0.0), (9.0, 0.0, 0.0)), (0.0, 0.0, 1.0),
        (("", Quantity(9.0, "mm", 0.6, "two points")),),
    )
    tags = (Tag("compartment", "extra_axial", Verdict.NEUTRAL, asserted_by="Reader One"),)
    state = CaseState((lesion,), MappingProxyType({lesion.tracking_uid: tags}), drawings=(length,))
    path = tmp_path_factory.mktemp("case") / "case.nxcase"
    with CaseFile.open(path) as case:
        case.bind([bind(s) for s in study.series])
        changes = [case.keep(kind, uid, value, 0) for (kind, uid), value in records_of(state, ViewState()).items()]
        case.commit("read", changes, author="Reader^One")
    return path


def test_a_case_and_its_images_become_a_pdf_that_names_no_reader(
    neuraxis: Neuraxis, case_file: Path, capnon_folder: Path, tmp_path: Path
) -> None:
    from pypdf import PdfReader

    out = tmp_path / "report.pdf"
    run = neuraxis("report", case_file, "--study", capnon_folder, "-o", out)
    assert run.code == 0, run.err
    content = out.read_bytes()
    text = " ".join(" ".join(p.extract_text() for p in PdfReader(io.BytesIO(content)).pages).split())
    assert re.search(r"Long axis 4\.[01]\d? ± ", text)
    for words in ("compartment extra axial (asserted by the reader)", "length 9.0 ± 0.6 mm", "Panel a: CT", "Limits"):
        assert words in text, words
    # MR has another frame of reference, and the case holds no registration: the panels say so
    assert "another frame of reference and is not registered" in run.err
    assert "Reader" not in text.replace("Tags are the reader", "")
    assert b"Reader" not in content


def test_a_case_without_images_and_a_study_without_a_point_are_wrong_usage(
    neuraxis: Neuraxis, case_file: Path, capnon_folder: Path, tmp_path: Path
) -> None:
    assert is_case_file(case_file)
    assert not is_case_file(capnon_folder / "truth.json")
    assert not is_case_file(tmp_path)
    for arguments, words in (((case_file,), "--study"), ((capnon_folder,), "--at")):
        run = neuraxis("report", *arguments, "-o", tmp_path / "r.html")
        assert run.code == 2
        assert words in run.err
    assert list(tmp_path.iterdir()) == []
