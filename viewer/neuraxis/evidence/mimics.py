"""Which findings the sources on each entity mention: a table to look at, without score and without order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True)
class MimicsRow:
    """What the sources that were read say of one entity.

    Parameters
    ----------
    entity : name of the entity
    findings : (concept, words of the table); concepts that the sources do not mention are missing: unknown, not absent
    sources : where it was read
    """

    entity: str
    findings: tuple[tuple[str, str], ...]
    sources: tuple[str, ...]


@lru_cache(maxsize=1)
def mimics_table() -> tuple[MimicsRow, ...]:
    """The rows in alphabetical order of the entities.

    Display only: there are no likelihoods in these sources, so nothing is scored or ranked.
    """
    rows = json.loads(files("neuraxis.evidence").joinpath("mimics.json").read_text(encoding="utf-8"))
    table = [MimicsRow(r["entity"], tuple(sorted(r["findings"].items())), tuple(r["sources"])) for r in rows]
    return tuple(sorted(table, key=lambda row: row.entity.casefold()))
