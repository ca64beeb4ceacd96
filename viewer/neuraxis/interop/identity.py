"""Who writes a DICOM object, when, and under which identifiers: parameters, so that equal input gives equal bytes."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from neuraxis.errors import UsageError

MANUFACTURER = "Neuraxis"
SOFTWARE_NOTE = "For teaching and research; not a medical device."


@dataclass(frozen=True)
class Author:
    """The reader who answers for an object's content.

    Parameters
    ----------
    name : DICOM person name, family name first ("Reader^One"); at most 64 characters
    organization : institution, at most 64 characters; "" where none is stated
    login : user name, "" where none is stated
    """

    name: str
    organization: str = ""
    login: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 64 or "\\" in self.name:
            raise UsageError(
                f"author name of {len(self.name)} characters", expected="1 to 64 characters without backslash, "
                "as Family^Given", remedy="give the reader's name, or no author at all",
            )


@dataclass(frozen=True)
class UidSource:
    """Derives UIDs from a seed: the same seed and parts give the same UID, on every machine.

    UIDs are of the 2.25 form (PS3.5 B.2): the decimal of 128 bits of a SHA-256, marked as an RFC 9562 version 8 UUID.
    A seed that holds the case and its revision makes every saved version a new object.
    """

    seed: str

    def uid(self, *parts: str) -> str:
        """UID for what `parts` name, always 44 characters: the highest bit is set, so the decimal has 39 digits."""
        digest = hashlib.sha256("\x1f".join((self.seed, *parts)).encode()).digest()[:16]
        number = int.from_bytes(digest, "big")
        number = (number & ~(0xF << 76)) | (0x8 << 76)
        number = (number & ~(0x3 << 62)) | (0x2 << 62) | (1 << 127)
        return f"2.25.{number}"


@dataclass(frozen=True)
class Authorship:
    """Everything about an object's making that is not its content.

    Parameters
    ----------
    author : the reader; None where nobody answers for it (then the program is named as the observer)
    written_at : wall clock of the reader's place, as it shall stand in the object
    uids : source of the object's identifiers
    """

    author: Author | None
    written_at: datetime.datetime
    uids: UidSource

    @property
    def content_date(self) -> str:
        """DICOM DA of `written_at`."""
        return self.written_at.strftime("%Y%m%d")

    @property
    def content_time(self) -> str:
        """DICOM TM of `written_at`, whole seconds."""
        return self.written_at.strftime("%H%M%S")


@cache
def software_version() -> str:
    """Version that goes into SoftwareVersions; "unknown" where the program runs without being installed."""
    try:
        return metadata.version("neuraxis")
    except metadata.PackageNotFoundError:
        return "unknown"
