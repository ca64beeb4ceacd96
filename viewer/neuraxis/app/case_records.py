"""The reader's work as the objects of a case file, and back: one object a lesion, tag list, drawing, role, window, ..."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from neuraxis.app.history import CaseState, Drawing
from neuraxis.app.view_state import Layout, ViewState
from neuraxis.case.reading import CaseReading
from neuraxis.case.revisions import StoredObject
from neuraxis.domain.lesion import Lesion
from neuraxis.domain.study import Role
from neuraxis.domain.tag import Tag
from neuraxis.domain.transform import Registration, RegistrationSet
from neuraxis.domain.window import Window
from neuraxis.errors import ReadError
from neuraxis.evidence.context import DuralTailAnswers

Key = tuple[str, str]
"""Kind and uid of an object in the case file."""
Records = dict[Key, Any]
"""Domain values by key, in the order in which they are shown."""
KeyImage = tuple[str, int]

_KINDS: dict[str, Any] = {
    "lesion": Lesion, "tags": tuple[Tag, ...], "registration": Registration, "drawing": Drawing, "role": Role,
    "key image": KeyImage, "dural tail": DuralTailAnswers, "window": Window, "layout": Layout,
}
_NAMED_BY_SERIES = ("role", "window")
"""Kinds whose uid is a series id."""


def records_of(state: CaseState, view: ViewState) -> Records:
    """Every object of the case; equal values are the same Python objects from call to call."""
    found: Records = {("lesion", lesion.tracking_uid): lesion for lesion in state.lesions}
    found |= {("tags", uid): tags for uid, tags in state.tags.items()}
    found |= {("registration", f"{r.from_frame} {r.to_frame}"): r for r in state.registrations.registrations}
    found |= {("drawing", drawing.uid): drawing for drawing in state.drawings}
    found |= {("role", series_id): role for series_id, role in state.roles.items()}
    found |= {("key image", f"{series_id} {index}"): (series_id, index) for series_id, index in state.key_images}
    found |= {("dural tail", uid): answers for uid, answers in state.dural_tails.items()}
    found |= {("window", series_id): window for series_id, window in view.windows.items()}
    if view.layout is not None:
        found["layout", "grid"] = view.layout
    return found


def state_of(records: Mapping[Key, Any]) -> CaseState:
    """The reader's work in a set of objects."""
    def of(kind: str) -> dict[str, Any]:
        return {uid: value for (known, uid), value in records.items() if known == kind}

    return CaseState(
        tuple(of("lesion").values()), MappingProxyType(of("tags")), RegistrationSet(tuple(of("registration").values())),
        tuple(of("drawing").values()), MappingProxyType(of("role")), tuple(of("key image").values()),
        MappingProxyType(of("dural tail")),
    )


def view_of(records: Mapping[Key, Any]) -> ViewState:
    """Windows and layout in a set of objects."""
    windows = {uid: value for (kind, uid), value in records.items() if kind == "window"}
    return ViewState(MappingProxyType(windows), records.get(("layout", "grid")))


def changes_between(old: Mapping[Key, Any], new: Mapping[Key, Any]) -> Records:
    """What has to change to come from one set of objects to another; None stands for one that is no more."""
    changed = {k: v for k, v in new.items() if k not in old or (old[k] is not v and old[k] != v)}
    return {**changed, **{k: None for k in old if k not in new}}


def with_changes(records: Mapping[Key, Any], changes: Mapping[Key, Any], order: Iterable[Key] = ()) -> Records:
    """A set of objects after changes. Objects in `order` come in that order, those it does not know last."""
    merged = {k: v for k, v in {**records, **changes}.items() if v is not None}
    ranks = {key: rank for rank, key in enumerate(order)}
    return dict(sorted(merged.items(), key=lambda item: ranks.get(item[0], len(ranks)))) if ranks else merged


class SeriesNames:
    """Ids of series in the case file against their ids in the study that is open, both ways.

    What was made on a series that the study does not hold keeps a name of its own here, which no series has.
    """

    def __init__(self, ids: Mapping[str, str]) -> None:
        self._here = dict(ids)
        self._there = {here: there for there, here in ids.items()}

    def add(self, there: str, here: str) -> None:
        """One more series that both hold."""
        self._here[there], self._there[here] = here, there

    def here(self, series_id: str) -> str:
        """The id in the open study of a series of the case."""
        if series_id and series_id not in self._here:
            self._here[series_id] = f"not here: {series_id}"
            self._there[self._here[series_id]] = series_id
        return self._here.get(series_id, series_id)

    def there(self, series_id: str) -> str:
        """The id in the case file of a series of the open study."""
        return self._there.get(series_id, series_id)


def renamed(key: Key, value: Any, name: Callable[[str], str]) -> tuple[Key, Any]:
    """An object with the ids of its series given by `name`."""
    kind, uid = key
    if kind in _NAMED_BY_SERIES:
        return (kind, name(uid)), value
    if kind == "key image":
        series_id, _, number = uid.rpartition(" ")
        return (kind, f"{name(series_id)} {number}"), (name(value[0]), value[1]) if value is not None else None
    if value is None:
        return key, None
    if kind == "drawing":
        return key, replace(value, series_id=name(value.series_id))
    if kind == "layout":
        panels = tuple(
            replace(p, series_id=name(p.series_id), overlay_id=name(p.overlay_id)) for p in value.panels
        )
        return key, replace(value, panels=panels)
    if kind == "lesion":
        masks = (value.mask, *value.other_masks)
        first, *others = (replace(m, series_id=name(m.series_id)) for m in masks)
        measurement = replace(value.measurement, series_id=name(value.measurement.series_id))
        return key, replace(value, mask=first, other_masks=tuple(others), measurement=measurement)
    return key, value


def read_record(case: CaseReading, stored: StoredObject) -> Any:
    """The domain value of a stored object, None for a kind this program does not know; ReadError where it is damaged."""
    kind = _KINDS.get(stored.kind)
    return None if kind is None else case.read(kind, stored)


def read_records(
    case: CaseReading, at_revision: int | None = None, name: Callable[[str], str] = str
) -> tuple[Records, tuple[str, ...]]:
    """The objects of a case, now or as they were after a revision, and what of it could not be read, in words.

    `name` gives the id of a series in the open study for its id in the case.
    """
    records: Records = {}
    damaged: list[str] = []
    for stored in case.objects(at_revision):
        try:
            value = read_record(case, stored)
        except ReadError as error:
            damaged.append(f"{stored.kind} {stored.uid[-12:]} cannot be read and is left out: {error.found}")
            continue
        if value is not None:
            key, value = renamed((stored.kind, stored.uid), value, name)
            records[key] = value
    return records, tuple(damaged)
