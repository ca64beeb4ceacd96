"""Reads lexicon tables (CSV) and checks every row."""

from __future__ import annotations

import csv
import functools
import re
from importlib import resources
from pathlib import Path
from typing import NoReturn

from neuraxis.domain.lexicon.model import PRIVATE_SCHEME, Code, Lexicon, Term
from neuraxis.errors import NeuraxisError

TABLES = ("findings.csv", "locations.csv", "vasari.csv")
COLUMNS = (
    "concept", "value", "meaning", "wordings", "modifiers", "scheme", "code", "code_meaning", "source", "evidence",
)
_KEY = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*\Z")
_WORDING = re.compile(r"[\w*?/>+=&,'!.# -]+\Z")
MAX_CODE_VALUE = 16
"""Characters in Code Value (0008,0100), VR SH."""
MAX_CODE_MEANING = 64
"""Characters in Code Meaning (0008,0104), VR LO."""


class LexiconError(NeuraxisError, ValueError):
    """A lexicon table with a row that cannot be used; the message names file and line."""

    def __init__(self, file: str, line: int, found: str, *, expected: str = "", remedy: str = "") -> None:
        super().__init__(f"{file}, line {line}: {found}", expected=expected, remedy=remedy)
        self.file = file
        self.line = line


def load_lexicon(extra: Path | None = None) -> Lexicon:
    """The built-in lexicon, with the terms of one more table.

    Parameters
    ----------
    extra : CSV file (UTF-8) with the columns concept, value, meaning, wordings, modifiers, scheme, code, code_meaning,
        source, evidence; lists are separated by "|". A row without value makes a concept, and a row that repeats a
        known concept and value adds its code, wordings and metrics to that term.

    Raises LexiconError with the line of the first row that cannot be used.
    """
    return _builtin() if extra is None else _assemble([*_builtin_rows(), (extra.name, _text(extra))])


@functools.cache
def _builtin() -> Lexicon:
    return _assemble(_builtin_rows())


def _builtin_rows() -> list[tuple[str, str]]:
    folder = resources.files("neuraxis.domain.lexicon")
    return [(name, folder.joinpath(name).read_text(encoding="utf-8")) for name in TABLES]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LexiconError(path.name, 1, f"cannot be read ({error})", expected="a CSV file in UTF-8",
                           remedy="check the path and save the file as UTF-8") from error


def _assemble(tables: list[tuple[str, str]]) -> Lexicon:
    terms: dict[tuple[str, str], Term] = {}
    for name, text in tables:
        reader = csv.DictReader(text.splitlines(), strict=True)
        header = tuple(reader.fieldnames or ())
        if set(COLUMNS) - set(header):
            raise LexiconError(name, 1, f"columns {', '.join(header) or 'none'}", expected=", ".join(COLUMNS),
                               remedy="add the missing columns; they may stay empty")
        try:
            for row in reader:
                _add(terms, _Row(name, reader.line_num, row))
        except csv.Error as error:
            raise LexiconError(name, reader.line_num, f"not CSV ({error})", expected="quotes that are closed") from error
    return Lexicon(tuple(terms.values()))


class _Row:
    """One line of a table with its place, for messages."""

    def __init__(self, file: str, line: int, cells: dict[str | None, object]) -> None:
        self.file, self.line = file, line
        if None in cells or None in cells.values():
            self.fail("wrong number of cells", expected=f"{len(COLUMNS)} cells", remedy="quote cells that hold a comma")
        self.cells = {str(key): str(cell).strip() for key, cell in cells.items()}

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def items(self, column: str) -> tuple[str, ...]:
        return tuple(part.strip() for part in self[column].split("|") if part.strip())

    def fail(self, found: str, *, expected: str = "", remedy: str = "") -> NoReturn:
        raise LexiconError(self.file, self.line, found, expected=expected, remedy=remedy)

    def phrases(self, column: str) -> tuple[str, ...]:
        for phrase in self.items(column):
            if not _WORDING.match(phrase):
                self.fail(f"{column[:-1]} {phrase!r}", expected="words, with * ? / ! or ... as in the manual")
            if phrase.split()[0] in {"...", "*"} or phrase.startswith("!"):
                self.fail(f"{column[:-1]} {phrase!r}", expected="a word first")
        return self.items(column)


def _code(row: _Row) -> Code | None:
    filled = [bool(row[name]) for name in ("scheme", "code", "code_meaning")]
    if not any(filled):
        return None
    if not all(filled):
        row.fail("a code with a part missing", expected="scheme, code and code_meaning, or none of them")
    code = Code(row["scheme"], row["code"], row["code_meaning"], row["source"])
    if len(code.scheme) > MAX_CODE_VALUE or len(code.value) > MAX_CODE_VALUE:
        row.fail(f"code {code.scheme}:{code.value}", expected=f"scheme and code of at most {MAX_CODE_VALUE} characters")
    if len(code.meaning) > MAX_CODE_MEANING:
        row.fail(f"code_meaning of {len(code.meaning)} characters", expected=f"at most {MAX_CODE_MEANING}")
    return code


def _add(terms: dict[tuple[str, str], Term], row: _Row) -> None:
    concept, value = row["concept"], row["value"]
    for name, key in (("concept", concept), ("value", value)):
        if (key or name == "concept") and not _KEY.match(key):
            row.fail(f"{name} {key!r}", expected="lower-case letters, digits and single underscores")
    code = _code(row)
    known = terms.get((concept, value))
    if value and (concept, "") not in terms:
        row.fail(f"value {value!r} of the unknown concept {concept!r}", expected="a row of the concept, value empty, above",
                 remedy=f"known concepts: {', '.join(c for c, v in terms if not v)}")
    if known is None and not row["meaning"]:
        row.fail(f"new term {concept} {value}".rstrip() + " without meaning", expected="a meaning in plain words")
    if known is None and code is None:
        row.fail(f"new term {concept} {value}".rstrip() + " without code", expected="scheme, code and code_meaning",
                 remedy=f"a code of your own takes a scheme that starts with 99 (ours is {PRIVATE_SCHEME})")
    if known is not None and code is not None and code in known.codes:
        row.fail(f"code {code.scheme}:{code.value} of {concept} {value}".rstrip() + " a second time",
                 expected="each code once for a term")
    old = known or Term(concept, value, row["meaning"], ())
    terms[concept, value] = Term(
        concept, value, old.meaning,
        old.codes + ((code,) if code else ()),
        old.wordings + row.phrases("wordings"),
        old.modifiers + row.phrases("modifiers"),
        old.evidence + tuple(e for e in row.items("evidence") if e not in old.evidence),
    )
