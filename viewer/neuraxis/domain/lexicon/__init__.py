"""The fixed vocabulary: concepts, their values, wordings and codes, read from CSV tables beside this file."""

from __future__ import annotations

from neuraxis.domain.lexicon.loader import LexiconError, load_lexicon
from neuraxis.domain.lexicon.model import Code, Lexicon, Term, UnknownTermError

__all__ = ["Code", "Lexicon", "LexiconError", "Term", "UnknownTermError", "load_lexicon"]
