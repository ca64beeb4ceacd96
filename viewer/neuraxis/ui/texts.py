"""The English texts of all widgets, from one file."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


@cache
def texts() -> dict[str, str]:
    """Every text by its key, 'section.name'."""
    sections = tomllib.loads((files("neuraxis.ui") / "texts.toml").read_text(encoding="utf-8"))
    return {f"{section}.{name}": text for section, named in sections.items() for name, text in named.items()}


def say(key: str, /, **values: object) -> str:
    """The text of a key, with `values` in place of the names in braces.

    Raises
    ------
    KeyError
        When there is no such text, or a name in it has no value: a fault of the program, found by its tests.
    """
    text = texts()[key]
    return text.format(**values) if values else text
