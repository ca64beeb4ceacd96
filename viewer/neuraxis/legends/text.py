"""Legend text as tokens that keep their place: normalised character by character, so that spans stay valid."""

from __future__ import annotations

import re
from dataclasses import dataclass

_REPLACED = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d\u00ad", "-"),
    **dict.fromkeys("\u2014\u2015", ";"),
    **dict.fromkeys("\u00a0\u2002\u2003\u2009\u200a\u202f\t\r", " "),
    **dict.fromkeys("\u2018\u2019\u02bc\u2032", "'"),
    **dict.fromkeys("\u2217\u204e\uff0a", "*"),
    **dict.fromkeys("\u00d7\u2715\u2a2f", "x"),
    "\uff08": "(", "\uff09": ")", "\uff1a": ":", "\uff0c": ",", "\uff1b": ";", "\u0131": "i",
}
_TOKEN = re.compile(
    r"(?P<number>\d+(?:[.,]\d+)?(?=\s*-?\s*(?:mm|cm|x)\b|(?:mm|cm)|[^\w.]|\.(?!\d)|$))|(?P<word>[a-z0-9]+(?:'[a-z]+)?\*?[a-z]*)|(?P<mark>\S)"
)
_ABBREVIATIONS = frozenset(["fig", "figs", "vs", "e.g", "i.e", "approx", "ca", "cf", "dr", "no", "al", "resp", "max", "min", "ref", "st", "incl"])


@dataclass(frozen=True)
class Token:
    """One word, number or punctuation mark; `start`, `end` are characters of the figure's text."""

    text: str
    start: int
    end: int
    label: int = -1
    """Index of the panel label that stands here, or -1."""


def normalise(text: str) -> str:
    """The text in lower case with one kind of dash, quote and space; the same number of characters."""
    out = []
    for original in text:
        char = _REPLACED.get(original, original)
        low = char.lower()
        out.append(low if len(low) == 1 else char)
    return "".join(out)


def tokenise(norm: str, skipped: list[tuple[int, int]], labels: list[tuple[int, int]]) -> list[Token]:
    """Tokens of normalised text in order.

    Parameters
    ----------
    norm : from `normalise`
    skipped : character ranges that are no part of the statements (abbreviation lists, headings)
    labels : character ranges of the panel labels; each becomes one token
    """
    tokens: list[Token] = []
    position = 0
    cuts = sorted([(s, e, -1) for s, e in skipped] + [(s, e, k) for k, (s, e) in enumerate(labels)])
    for start, end, label in [*cuts, (len(norm), len(norm), -1)]:
        if start < position:
            continue
        _add_words(tokens, norm, position, start)
        if label >= 0:
            tokens.append(Token("\0label", start, end, label))
        position = end
    return tokens


def _add_words(tokens: list[Token], norm: str, start: int, end: int) -> None:
    for match in _TOKEN.finditer(norm, start, end):
        piece = match.group()
        if piece == "-" and _glued(norm, match.start(), match.end()):
            continue
        tokens.append(Token(piece, match.start(), match.end()))


def _glued(norm: str, start: int, end: int) -> bool:
    """True for a hyphen that touches a word on one side at least ("extra-axial", "iso- to")."""
    before = start > 0 and norm[start - 1].isalnum()
    after = end < len(norm) and norm[end].isalnum()
    return before or (after and not (start > 0 and norm[start - 1] == " " and norm[end].isdigit()))


def is_sentence_end(norm: str, tokens: list[Token], index: int) -> bool:
    """True where the token ends a sentence: a full stop that is no abbreviation's, or a blank line."""
    token = tokens[index]
    following = tokens[index + 1] if index + 1 < len(tokens) else None
    if following is not None and norm.count("\n", token.end, following.start) > 1:
        return True
    if token.text not in {".", "?", "!"}:
        return False
    if following is None:
        return True
    gap = norm[token.end:following.start]
    if not gap and following.label < 0:
        return False
    previous = tokens[index - 1].text if index else ""
    return previous not in _ABBREVIATIONS or "\n" in gap


_EXPANSION = re.compile(
    r"\b([A-Z][A-Za-z0-9*&-]{1,7})\s*(?:[:=,]|\bis\b|\bstands for\b|\bindicates\b)\s*"
    r"([A-Za-z][A-Za-z0-9' *-]+(?:\([a-z ]+\))?)\s*(?=[;,.]|$|\band\b)"
)
_INTRODUCED = re.compile(r"(?:^|(?<=[.;]\s)|(?<=\n))(?:list of )?abbreviations?(?: used)?\s*[:.]?\s.*\Z", re.S)


def abbreviation_ranges(text: str, norm: str) -> list[tuple[int, int]]:
    """Character ranges of abbreviation lists ("CT: computed tomography; MRI: ...")."""
    introduced = _INTRODUCED.search(norm)
    ranges = [introduced.span()] if introduced else []
    return ranges + [m.span() for m in _EXPANSION.finditer(text) if _expands(m.group(1), m.group(2))]


_PICTURE_NAMES = {
    "ct": "comput", "cta": "comput", "ctv": "comput", "mr": "magnet", "mri": "magnet", "mra": "magnet", "mrv": "magnet",
    "mrs": "magnet", "swi": "suscep", "dwi": "diffus", "adc": "appar", "gre": "grad", "dsa": "digital", "flair": "fluid", "pd": "proton",
}
"""How the expansion of a picture's name begins; "CT, calcification of the tumour" is none."""


def _expands(short: str, long: str) -> bool:
    if not long.lower().startswith(_PICTURE_NAMES.get(short.lower(), "")):
        return False
    letters = [c for c in short.lower() if c.isalpha()]
    words = re.findall(r"[a-z]+", long.lower())
    if not any(len(w) > 3 for w in words) or any(c.isdigit() for c in long) or re.search(r"[A-Z]{3}", long):
        return False
    if not words or words[0] == "the" or {"is", "was", "are", "shows", "showing", "with", "no"} & set(words):
        return False
    if letters[0] != words[0][0] or (len(words) < 2 and len(letters) > 2):
        return False
    hits, position = 0, 0
    for letter in letters:
        ahead = [k for k, word in enumerate(words[position:], position) if word[0] == letter]
        if ahead:
            hits, position = hits + 1, ahead[0] + 1
    return hits >= max(2, len(letters) - 1) and len(words) <= len(letters) + 3
