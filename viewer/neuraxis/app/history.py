"""What a reader made of a study, as one immutable value, and the way back through its earlier values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.lesion import Lesion
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import Role
from neuraxis.domain.tag import Tag
from neuraxis.domain.transform import RegistrationSet


def shown(quantity: Quantity) -> str:
    """A quantity as it stands beside a drawing or in a sheet: '4.1 ± 0.4 mm', '1260 HU', '90°', '12 mm²'."""
    if quantity.uncertainty is None and abs(quantity.value) >= 100:
        text = f"{quantity.value:.0f} {quantity.unit}".strip()
    else:
        text = quantity.display()
    for plain, pretty in (("mm2", "mm²"), ("mm3", "mm³"), (" deg", "°")):
        text = text.replace(plain, pretty) if text.endswith(plain) else text
    return text


@dataclass(frozen=True)
class Drawing:
    """A tool's mark on a plane: what was placed, where, and what it reads.

    Parameters
    ----------
    uid : unique in the session
    tool : key of the tool ("length", "angle", ...)
    series_id, frame_of_reference_uid : the series it was drawn on
    points_lps_mm : its handles, LPS mm
    normal_lps : normal of the plane it lies in
    quantities : what was measured, first the one shown as its label
    """

    uid: str
    tool: str
    series_id: str
    frame_of_reference_uid: str
    points_lps_mm: tuple[Vector3, ...]
    normal_lps: Vector3
    quantities: tuple[tuple[str, Quantity], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Text beside the mark."""
        return "\n".join(f"{name} {shown(quantity)}".strip() for name, quantity in self.quantities)


@dataclass(frozen=True, eq=False)
class CaseState:
    """Everything a reader made: lesions, tags, drawings, accepted registrations, corrected roles, key images."""

    lesions: tuple[Lesion, ...] = ()
    tags: Mapping[str, tuple[Tag, ...]] = field(default_factory=lambda: MappingProxyType({}))
    registrations: RegistrationSet = field(default_factory=RegistrationSet)
    drawings: tuple[Drawing, ...] = ()
    roles: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))
    key_images: tuple[tuple[str, int], ...] = ()

    def lesion(self, tracking_uid: str) -> Lesion | None:
        """The lesion of that tracking UID."""
        return next((lesion for lesion in self.lesions if lesion.tracking_uid == tracking_uid), None)

    def with_lesion(self, lesion: Lesion) -> CaseState:
        """With a lesion added, or put in place of the one with its tracking UID (whose tags are then out of date)."""
        if self.lesion(lesion.tracking_uid) is None:
            return replace(self, lesions=(*self.lesions, lesion))
        swapped = tuple(lesion if old.tracking_uid == lesion.tracking_uid else old for old in self.lesions)
        return replace(self, lesions=swapped)

    def without_lesion(self, tracking_uid: str) -> CaseState:
        """Without a lesion and its tags."""
        return replace(
            self, lesions=tuple(x for x in self.lesions if x.tracking_uid != tracking_uid),
            tags=MappingProxyType({k: v for k, v in self.tags.items() if k != tracking_uid}),
        )

    def with_tags(self, tracking_uid: str, tags: tuple[Tag, ...]) -> CaseState:
        """With the tags of a lesion replaced."""
        return replace(self, tags=MappingProxyType({**self.tags, tracking_uid: tags}))


class History:
    """The present state and the ones before and after it."""

    def __init__(self, limit: int = 200) -> None:
        self._past: list[tuple[str, CaseState]] = []
        self._future: list[tuple[str, CaseState]] = []
        self._limit = limit
        self.state = CaseState()

    @property
    def undo_label(self) -> str | None:
        """What undo would take back."""
        return self._past[-1][0] if self._past else None

    @property
    def redo_label(self) -> str | None:
        """What redo would bring back."""
        return self._future[-1][0] if self._future else None

    def push(self, label: str, state: CaseState) -> None:
        """Make `state` the present one; `label` says what was done."""
        self._past.append((label, self.state))
        del self._past[: -self._limit]
        self._future.clear()
        self.state = state

    def replace(self, state: CaseState) -> None:
        """Make `state` the present one without a step of its own (computed results that nobody asserted)."""
        self.state = state

    def undo(self) -> str | None:
        """Back one step; the label of what was taken back, None at the beginning."""
        if not self._past:
            return None
        label, state = self._past.pop()
        self._future.append((label, self.state))
        self.state = state
        return label

    def redo(self) -> str | None:
        """Forward one step; the label of what was brought back, None at the end."""
        if not self._future:
            return None
        label, state = self._future.pop()
        self._past.append((label, self.state))
        self.state = state
        return label

    def clear(self) -> None:
        """Forget everything."""
        self._past.clear()
        self._future.clear()
        self.state = CaseState()
