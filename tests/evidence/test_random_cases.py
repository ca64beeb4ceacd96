"""The scoring of random cases: its counting, and a few cases scored whole."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.conftest import phantom_study


@pytest.fixture(scope="module")
def scoring() -> ModuleType:
    """The scoring program, which runs as a script."""
    place = Path(__file__).with_name("score_random_cases.py")
    spec = importlib.util.spec_from_file_location("score_random_cases", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["score_random_cases"] = module
    spec.loader.exec_module(module)
    return module


def record(rows: list[list[Any]], *, diameter: float = 10.0, **more: Any) -> dict[str, Any]:
    lesion = {"diameters_mm": [diameter, 4.0, 4.0], "calcification": "none", "compartment": "extra_axial"}
    statements = {"laterality": {"left": True}, "haemorrhage": {"none": True}, "enhancement": {"present": True}}
    return {"seed": 7, "lesion": lesion | {"distance_to_bone_mm": None}, "statements": statements, "rows": rows, **more}


def test_right_wrong_neutral_and_open_are_counted_by_concept(scoring: ModuleType) -> None:
    undecided = ["cannot_be_decided", "cannot_be_decided"]
    rows = [
        ["laterality", "left", True, "supports", "supported", "contradicted", ""],
        ["laterality", "right", False, "supports", "supported", "contradicted", "the other side"],
        ["compartment", "extra_axial", True, "neutral", *undecided, ""],
        ["mass_effect", "present", True, "not_assessable", *undecided, ""],
    ]
    counts, broken = scoring.tally([record(rows)])
    side = counts["laterality"]
    assert (side.right, side.wrong, side.decidable, side.decided, side.audited_wrong) == (1, 1, 2, 2, 1)
    assert (counts["compartment"].neutral, counts["compartment"].decidable) == (1, 0)
    assert (counts["mass_effect"].open, counts["mass_effect"].decidable, counts["mass_effect"].decided) == (1, 1, 0)
    assert not broken
    assert "the other side" in scoring.table([record(rows)])


def test_a_rim_told_from_solid_below_six_millimetres_breaks_the_rule(scoring: ModuleType) -> None:
    _, broken = scoring.tally([record([], diameter=4.2, unresolved=["rim"])])
    assert broken
    _, broken = scoring.tally([record([], diameter=9.0, unresolved=["rim"])])
    assert not broken


def test_what_was_done_is_read_again_and_a_broken_line_left_out(scoring: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text('{"seed": 3, "rows": []}\n{"seed": 4, "ro', encoding="utf-8")
    assert [r["seed"] for r in scoring.read(file)] == [3]
    assert scoring.read(tmp_path / "none.jsonl") == []
    assert scoring.seeds_of("3,7-9") == [3, 7, 8, 9]


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [3])
def test_a_random_case_is_scored_without_a_wrong_verdict(scoring: ModuleType, seed: int) -> None:
    counts, broken = scoring.tally([scoring.score_case(phantom_study("random", seed), seed)])
    assert not broken
    assert [text for count in counts.values() for text in count.examples] == []
    assert sum(count.right for count in counts.values()) > 20
