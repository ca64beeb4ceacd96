"""The archives a user has named: how each is reached, without credentials, in a file beside the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from neuraxis.app.settings import settings_file
from neuraxis.errors import ReadError, UsageError
from neuraxis.output import write_json


@dataclass(frozen=True)
class ArchiveEntry:
    """How an archive is reached, without credentials: either a DICOMweb address, or a DIMSE application entity.

    Parameters
    ----------
    url : of the DICOMweb service, "" for DIMSE
    host, port, aet : of the archive's application entity
    own_aet : our application entity title
    tls : whether DIMSE is encrypted; DICOMweb always is, but to this machine
    ca_file : PEM file with the authorities that may vouch for it, "" for the system's
    receive_port : for C-MOVE; 0 retrieves by C-GET
    """

    name: str = ""
    url: str = ""
    host: str = ""
    port: int = 0
    aet: str = ""
    own_aet: str = "NEURAXIS"
    tls: bool = False
    ca_file: str = ""
    receive_port: int = 0
    receive_host: str = ""

    def check(self) -> ArchiveEntry:
        """The entry itself; UsageError where it names no archive, or two."""
        from neuraxis.interop.archive.origin import parse_address

        if bool(self.url) == bool(self.host):
            raise UsageError(
                "no archive is named" if not self.url else "two archives are named", expected="either --url, or --host, "
                "--port and --aet, or the name of a kept archive", remedy="`neuraxis archive list` names the kept ones",
            )
        if self.url:
            parse_address(self.url)
        elif not (self.port and self.aet):
            raise UsageError("the archive's port or title is missing", expected="--host, --port and --aet together")
        return self

    @property
    def where(self) -> str:
        """Address in a list; without credentials, which no address holds."""
        if self.url:
            return self.url
        return f"{self.aet} at {self.host}:{self.port}" + (" (TLS)" if self.tls else " (not encrypted)")


def archives_file() -> Path:
    """Where the named archives are kept: beside the settings."""
    return settings_file().with_name("archives.json")


def load_archives(path: Path | None = None) -> tuple[ArchiveEntry, ...]:
    """The named archives, by name.

    Raises
    ------
    ReadError
        When the file is there and cannot be understood: taking it for empty would lose it at the next change.
    """
    where = path or archives_file()
    try:
        entries = [_entry(e) for e in json.loads(where.read_text(encoding="utf-8"))["archives"]]
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ReadError(
            f"{where.name} cannot be read", expected="the archives as Neuraxis wrote them", remedy=f"mend or remove {where}"
        ) from error
    return tuple(sorted(entries, key=lambda e: e.name))


def _entry(data: dict[str, Any]) -> ArchiveEntry:
    plain = asdict(ArchiveEntry())
    return ArchiveEntry(**{k: type(default)(data[k]) for k, default in plain.items() if k in data})


def find_archive(name: str) -> ArchiveEntry:
    """The archive of that name; UsageError with the known names where there is none."""
    known = load_archives()
    for entry in known:
        if entry.name == name:
            return entry
    raise UsageError(
        f"no archive is named {name!r}", expected=", ".join(e.name for e in known) or "one that was added",
        remedy="`neuraxis archive add NAME --url https://…` adds one",
    )


def keep_archive(entry: ArchiveEntry) -> None:
    """Add an archive, or put it in place of the one of its name."""
    entry.check()
    if not entry.name.strip():
        raise UsageError("the archive has no name", expected="a name to call it by")
    _write([e for e in load_archives() if e.name != entry.name] + [entry])


def forget_archive(name: str) -> None:
    """Take an archive out of the list; its credentials stay in the keyring until `logout`."""
    find_archive(name)
    _write(e for e in load_archives() if e.name != name)


def _write(entries: Iterable[ArchiveEntry]) -> None:
    write_json(archives_file(), {"archives": [asdict(e) for e in entries]})
