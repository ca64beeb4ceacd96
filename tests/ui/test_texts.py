"""English stands in one file: every text that a widget shows is asked for by its key."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from neuraxis.ui.texts import say, texts

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("viewer/neuraxis/ui", "viewer/neuraxis/desktop", "plugins/napari_neuraxis")
PROGRAMS = ("gallery.py", "interaction_cost.py", "canvas_cost.py", "opening_cost.py")
"""Run by a developer; they show no widgets of their own."""
NOT_YET = ("figure_dock.py",)
"""Their texts still stand in the widgets."""
TWO_WORDS = re.compile(r"[A-Za-z]{2,}[,:;.]? [A-Za-z]{2,}")
A_WORD = re.compile(r"[A-Za-z]{2,}")
SHOWING = frozenset((
    "setText", "setToolTip", "setWindowTitle", "setAccessibleName", "setPlainText", "setHeaderLabels", "setHtml",
    "addAction", "addMenu", "addItem", "addRow", "QLabel", "QPushButton", "QTreeWidgetItem", "post_notice",
))
NO_TEXT = frozenset(("Neuraxis", "br", "small"))
"""The program's name, and marks of HTML."""


def modules() -> list[Path]:
    return [
        path for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py"))
        if path.name not in (*PROGRAMS, *NOT_YET) and not path.name.startswith("figure_desk")
    ]


def literal(node: ast.AST) -> str:
    """The fixed part of a string literal or f-string; '' for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "\0".join(str(v.value) for v in node.values if isinstance(v, ast.Constant))
    return ""


def strings(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Literals that may reach a reader's eyes: no docstrings, nothing that is raised, asserted, compared or an annotation."""
    for name, child in ast.iter_fields(tree):
        for node in child if isinstance(child, list) else [child]:
            if not isinstance(node, ast.AST) or name in ("annotation", "returns"):
                continue
            if isinstance(node, ast.Raise | ast.Assert | ast.Compare):
                continue
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue
            text = literal(node)
            if text:
                yield node, text
            elif not isinstance(node, ast.JoinedStr):
                yield from strings(node)


def shown_words(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Literals that are handed straight to a widget."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name not in SHOWING:
            continue
        for argument in node.args:
            parts = argument.elts if isinstance(argument, ast.List) else [argument]
            for part in parts:
                words = set(A_WORD.findall(re.sub(r"<[^>]*>|&\w+;", " ", literal(part)))) - NO_TEXT
                if words and "\t" not in literal(part)[:1]:
                    yield part.lineno, literal(part)


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.stem)
def test_no_text_stands_in_a_widget(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    sentences = [
        (node.lineno, text) for node, text in strings(tree)  # type: ignore[attr-defined]
        if TWO_WORDS.search(text) and "{" not in text and "<" not in text and text != "not linked"
    ]
    assert sentences == []
    assert list(shown_words(tree)) == []


def calls_of_say(path: Path) -> Iterator[tuple[str, frozenset[str]]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "say":
            key = node.args[0]
            for one in (key.body, key.orelse) if isinstance(key, ast.IfExp) else (key,):
                yield literal(one), frozenset(k.arg or "" for k in node.keywords)


def test_every_text_that_is_asked_for_is_there_with_its_names_and_none_is_left_over() -> None:
    asked = {pair for path in modules() for pair in calls_of_say(path)}
    for key, names in asked:
        fields = {name for _, name, _, _ in string.Formatter().parse(texts()[key]) if name} if names else set()
        assert fields == names, key
    assert {key for key, _ in asked} == set(texts())


def test_a_text_that_is_not_there_is_no_empty_button() -> None:
    with pytest.raises(KeyError):
        say("nowhere.nothing")
