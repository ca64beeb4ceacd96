"""The manual and the README say what the program does."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_evidence_page_is_what_the_metrics_say_of_themselves() -> None:
    from neuraxis.evidence import describe_all

    assert (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8") == describe_all(), "run `make docs`"


def test_every_picture_and_file_that_the_readme_names_is_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    assert targets
    assert [t for t in targets if not t.startswith("http") and not (ROOT / t).exists()] == []


def test_every_command_in_the_readme_exists() -> None:
    from typer.main import get_command

    from neuraxis.cli import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`neuraxis ([a-z]+)", text)) | set(re.findall(r"^(?:\.venv/bin/)?neuraxis ([a-z]+)", text, re.M))
    assert named
    assert named <= known


def test_every_make_target_in_the_readme_and_the_rules_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"`make ([a-z-]+)", (ROOT / name).read_text(encoding="utf-8")))
        assert named <= targets, name
