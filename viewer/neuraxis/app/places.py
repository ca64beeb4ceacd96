"""Where a study lies, remembered without its name: folders are often named after patients.

A path is kept as one salted digest a folder. It is found again by looking, folder by folder, for the entry with that
digest. Folders that may not be listed, and those above the user's home, which name no patient, are kept as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path


def kept_place(path: Path, like: str = "") -> str:
    """A path as it may be written to disk; two with the salt of the same text `like` are equal where the paths are."""
    whole = Path(os.path.abspath(path))
    salt = json.loads(like)["salt"] if like else secrets.token_hex(8)
    home = Path.home()
    steps: list[list[str]] = []
    folder = Path(whole.anchor)
    for name in whole.parts[1:]:
        is_plain = home.is_relative_to(folder / name) or (folder.exists() and not os.access(folder, os.R_OK))
        steps.append(["name", name] if is_plain else ["digest", _digest(salt, name)])
        folder /= name
    return json.dumps({"anchor": whole.anchor, "salt": salt, "steps": steps})


def find_place(kept: str) -> Path | None:
    """The path of `kept_place`; None where there is nothing any more, or `kept` is no such text."""
    try:
        known = json.loads(kept)
        folder, salt = Path(known["anchor"]), str(known["salt"])
        for how, what in known["steps"]:
            names = [what] if how == "name" else [n for n in os.listdir(folder) if _digest(salt, n) == what]
            if not names:
                return None
            folder /= names[0]
    except (ValueError, KeyError, TypeError, OSError):
        return None
    return folder if folder.exists() else None


def is_kept_place(kept: object) -> bool:
    """Whether a value read from a file is a text of `kept_place`."""
    try:
        known = json.loads(kept) if isinstance(kept, str) else None
        return known is not None and {"anchor", "salt", "steps"} <= set(known)
    except (ValueError, TypeError):
        return False


def _digest(salt: str, name: str) -> str:
    return hashlib.sha256(f"{salt}/{name}".encode("utf-8", "surrogateescape")).hexdigest()[:24]
