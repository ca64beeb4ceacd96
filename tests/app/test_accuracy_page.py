"""The accuracy page: what it says follows from its rows, and its plots are pictures."""

from __future__ import annotations

from pathlib import Path

from neuraxis.app.accuracy_page import condition_label, summary_lines, write_page
from neuraxis.lesions.accuracy import OUR_NAME, Row, Summary
from neuraxis.lesions.accuracy_peers import SITK_NAME
from neuraxis.lesions.accuracy_scene import Condition


def _row(condition: Condition, bias: float, coverage: float) -> Row:
    return Row(condition, 25, (
        Summary(OUR_NAME, bias, 0.05, 1.0, 2.0, coverage, coverage, 0), Summary(SITK_NAME, 0.5, 0.1, 40.0, 5.0, None, None, 0),
    ))


def test_the_page_names_what_misses_an_aim_and_where_a_peer_is_better(tmp_path: Path) -> None:
    rows = [
        _row(Condition(4.0, slice_mm=1.0), 0.02, 0.96), _row(Condition(6.0, slice_mm=1.0), 0.3, 0.92),
        _row(Condition(4.0, (1.3, 1.0, 0.8), slice_mm=5.0, place="bone", bone_gap_mm=1.0), 0.9, 0.9),
    ]
    write_page(rows, tmp_path / "accuracy.md", repeats=25, seed=1)
    text = (tmp_path / "accuracy.md").read_text(encoding="utf-8")
    assert "misses long axis bias +0.30 mm" in text
    assert "smaller error: long axis" in text
    assert "PyRadiomics was not run" in text
    assert "This page holds 3 of the" in text
    assert text.count("| 4 mm") + text.count("| 6 mm") == 3
    for name in ("size", "thickness", "coverage"):
        assert (tmp_path / "images" / f"accuracy_{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "Conditions that miss an aim: 1." in summary_lines(rows)[0]
    assert "1 mm from bone" in condition_label(rows[2].condition)
