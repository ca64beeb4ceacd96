"""What stands in for identifiers: mapped UIDs, shifted dates, numbered names; the same wherever they occur."""

from __future__ import annotations

import datetime
import hashlib
import hmac
from dataclasses import dataclass, field

from neuraxis.errors import UsageError


@dataclass
class Substitution:
    """Replacements that one secret gives: the same identifier always becomes the same replacement.

    Parameters
    ----------
    secret : at least 16 bytes that stay with the exporter; whoever has them can tell which UID became which
    pseudonym : stands in for the patient's name and ID
    keep_intervals : dates move by whole days (the same for everything of the export), else they are left out
    variant : what else the UIDs depend on: a cut image is another one than the whole
    """

    secret: bytes
    pseudonym: str = "ANON"
    keep_intervals: bool = False
    variant: str = ""
    uids: dict[str, str] = field(default_factory=dict)
    """Which UID became which, as met so far."""
    _numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.secret) < 16:
            raise UsageError(f"a secret of {len(self.secret)} bytes", expected="at least 16 random bytes")
        if not 1 <= len(self.pseudonym) <= 64 or "\\" in self.pseudonym or not self.pseudonym.isascii():
            raise UsageError(
                f"a pseudonym of {len(self.pseudonym)} characters", expected="1 to 64 ASCII characters without backslash"
            )

    def uid(self, uid: str) -> str:
        """2.25 form of 128 bits of HMAC-SHA-256 over the UID (PS3.5 B.2), marked as an RFC 9562 version 8 UUID."""
        if uid not in self.uids:
            number = int.from_bytes(self._digest(f"uid{self.variant}", uid)[:16], "big")
            number = (number & ~(0xF << 76) & ~(0x3 << 62)) | (0x8 << 76) | (0x2 << 62) | (1 << 127)
            self.uids[uid] = f"2.25.{number}"
        return self.uids[uid]

    def numbered(self, word: str, text: str) -> str:
        """`Lesion 1`, `Lesion 2` ... by order of appearance; equal texts get equal numbers."""
        seen = sum(1 for kind, _ in self._numbers if kind == word)
        return f"{word} {self._numbers.setdefault((word, text), seen + 1)}"

    def date(self, value: str) -> str:
        """DA of a DA: moved, or empty where intervals are not kept or the value is none."""
        if not self.keep_intervals:
            return ""
        try:
            day = datetime.datetime.strptime(value, "%Y%m%d").date()
            return (day - datetime.timedelta(days=self.days)).strftime("%Y%m%d")
        except (ValueError, OverflowError):
            return ""

    def date_time(self, value: str) -> str:
        """DT of a DT: its date moved, its time of day kept without offset; else empty."""
        moved = self.date(value[:8])
        time = value[8:14]
        return moved + (time if time.isdigit() else "") if moved else ""

    @property
    def days(self) -> int:
        """Days by which dates move back: 1 to 10 years, from the secret."""
        return 365 + int.from_bytes(self._digest("days", "")[:4], "big") % 3286

    def _digest(self, purpose: str, text: str) -> bytes:
        return hmac.new(self.secret, f"{purpose}\x1f{text}".encode(), hashlib.sha256).digest()
