"""Everything a reader made for a study as one JSON file, without loss."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from neuraxis.domain.lesion import Lesion
from neuraxis.domain.plain import from_plain, to_plain
from neuraxis.domain.tag import Tag
from neuraxis.domain.transform import Registration
from neuraxis.errors import ReadError
from neuraxis.interop.dicom_file import write_atomically
from neuraxis.interop.identity import SOFTWARE_NOTE

FORMAT, VERSION = "neuraxis-lesions", 1


@dataclass(frozen=True, eq=False)
class TaggedLesion:
    """A lesion with its tags."""

    lesion: Lesion
    tags: tuple[Tag, ...] = ()


@dataclass(frozen=True, eq=False)
class LesionDocument:
    """Lesions with their tags and the registrations between their frames of reference."""

    lesions: tuple[TaggedLesion, ...] = ()
    registrations: tuple[Registration, ...] = ()


def write_lesions_json(document: LesionDocument, path: Path) -> None:
    """Write a document; masks as compressed bits in base64, numbers in full precision. WriteError as for DICOM."""
    plain = {"format": FORMAT, "version": VERSION, "note": SOFTWARE_NOTE, **to_plain(document)}
    write_atomically((json.dumps(plain, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode(), Path(path))


def read_lesions_json(path: Path) -> LesionDocument:
    """The document of `write_lesions_json`.

    Raises
    ------
    ReadError
        When the file is no such document, of a newer version, or damaged; the message names the field.
    """
    path = Path(path)
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ReadError(f"cannot read {path.name}: {error}", expected="a lesion document in JSON") from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise ReadError(f"{path.name} is no lesion document", expected=f'"format": "{FORMAT}"')
    if not isinstance(plain.get("version"), int) or plain["version"] > VERSION:
        raise ReadError(f"{path.name} has version {plain.get('version')}", expected=f"at most {VERSION}",
                        remedy="open it with a newer program")
    return from_plain(LesionDocument, plain)
