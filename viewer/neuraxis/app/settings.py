"""What the program remembers between sessions: keys, theme, recent studies. No patient's name is written."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from neuraxis.app.hanging import Hanging, hanging_from_json, hanging_to_json
from neuraxis.app.places import find_place, is_kept_place, kept_place
from neuraxis.errors import UsageError, WriteError

RECENT_LIMIT = 10


@dataclass(frozen=True)
class RecentStudy:
    """A place that was opened, without its name, and the roles found there: nothing of the patient."""

    place: str
    summary: str

    def find(self) -> Path | None:
        """Where it is; None where it is not there any more. Folders are listed on the way."""
        return find_place(self.place)


@dataclass(frozen=True)
class Settings:
    """Choices of this user on this machine."""

    theme: str = "dark"
    drag_down_brightens: bool = True
    reader: str = ""
    show_names: bool = True
    """Whether names and dates of patients are shown on the screen."""
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    recent: tuple[RecentStudy, ...] = ()
    hangings: tuple[Hanging, ...] = ()

    def with_hanging(self, protocol: Hanging) -> Settings:
        """With a protocol of the user's own, in place of one of the same name."""
        kept = tuple(h for h in self.hangings if h.key != protocol.key)
        return replace(self, hangings=(*kept, protocol))

    def with_recent(self, path: str, summary: str) -> Settings:
        """With a study put first in the list."""
        place = kept_place(Path(path), like=self.recent[0].place if self.recent else "")
        kept = tuple(r for r in self.recent if r.place != place)
        return replace(self, recent=(RecentStudy(place, summary), *kept)[:RECENT_LIMIT])


def settings_file() -> Path:
    """Where the settings are kept; NEURAXIS_SETTINGS names another file."""
    named = os.environ.get("NEURAXIS_SETTINGS")
    if named:
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("neuraxis", appauthor=False) / "settings.json"


def load_settings(path: Path | None = None) -> Settings:
    """The settings; what is missing, unknown or of the wrong kind takes its default."""
    where = path or settings_file()
    try:
        data = json.loads(where.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Settings()
    return _from_json(data) if isinstance(data, dict) else Settings()


def _from_json(data: dict[str, Any]) -> Settings:
    base = Settings()
    keys = data.get("keys")
    return Settings(
        theme=data["theme"] if data.get("theme") in ("dark", "light") else base.theme,
        drag_down_brightens=bool(data.get("drag_down_brightens", base.drag_down_brightens)),
        reader=str(data.get("reader", "")),
        show_names=bool(data.get("show_names", base.show_names)),
        keys={str(k): tuple(str(x) for x in v) for k, v in keys.items() if isinstance(v, list)}
        if isinstance(keys, dict) else {},
        recent=_recent(data.get("recent")),
        hangings=_own_hangings(data.get("hangings")),
    )


def _recent(entries: object) -> tuple[RecentStudy, ...]:
    found = [r for r in entries if isinstance(r, dict)] if isinstance(entries, list) else []
    return tuple(
        RecentStudy(r["place"], str(r.get("summary", ""))) for r in found if is_kept_place(r.get("place"))
    )[:RECENT_LIMIT]


def _own_hangings(entries: object) -> tuple[Hanging, ...]:
    found = []
    for entry in entries if isinstance(entries, list) else []:
        with contextlib.suppress(UsageError):  # as with every other setting, what cannot be read takes its default
            found.append(hanging_from_json(entry))
    return tuple(found)


def save_settings(settings: Settings, path: Path | None = None) -> None:
    """Write the settings whole or not at all.

    Raises
    ------
    WriteError
        When the file cannot be written; the old one is then untouched.
    """
    where = path or settings_file()
    beside = where.with_name(where.name + ".new")
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        data = {**asdict(settings), "hangings": [hanging_to_json(h) for h in settings.hangings]}
        beside.write_text(json.dumps(data, indent=1), encoding="utf-8")
        beside.replace(where)
    except OSError as error:
        raise WriteError(
            f"settings cannot be written to {where}: {error.strerror}", expected="a folder that may be written to",
            remedy="set NEURAXIS_SETTINGS to a file elsewhere",
        ) from error
