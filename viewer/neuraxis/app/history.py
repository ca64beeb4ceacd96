"""What a reader made of a study, as one immutable value, and the steps back to its earlier values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.lesion import Lesion
from neuraxis.domain.quantity import Quantity
from neuraxis.domain.study import Role
from neuraxis.domain.tag import Tag
from neuraxis.domain.transform import RegistrationSet

if TYPE_CHECKING:
    from neuraxis.evidence.context import DuralTailAnswers

STATES_IN_MEMORY = 100
"""Steps further back keep their place in the history; their states are recalled from the case file."""


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
    """Everything a reader made: lesions, tags, drawings, accepted registrations, corrected roles, key images,
    answers on the dural tail.
    """

    lesions: tuple[Lesion, ...] = ()
    tags: Mapping[str, tuple[Tag, ...]] = field(default_factory=lambda: MappingProxyType({}))
    registrations: RegistrationSet = field(default_factory=RegistrationSet)
    drawings: tuple[Drawing, ...] = ()
    roles: Mapping[str, Role] = field(default_factory=lambda: MappingProxyType({}))
    key_images: tuple[tuple[str, int], ...] = ()
    dural_tails: Mapping[str, DuralTailAnswers] = field(default_factory=lambda: MappingProxyType({}))

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


@dataclass(eq=False)
class Step:
    """One step of the reader.

    `before` and `after` are the states around it where they are in memory; `number` is its revision in the case file,
    from which they are recalled where they are not.
    """

    label: str
    before: CaseState | None = None
    after: CaseState | None = None
    number: int | None = None


class History:
    """The present state, the steps that led to it and the ones taken back, last one last."""

    def __init__(self, state: CaseState | None = None, past: Iterable[Step] = (), future: Iterable[Step] = ()) -> None:
        self.state = state or CaseState()
        self.past, self.future = list(past), list(future)

    @property
    def undo_label(self) -> str | None:
        """What undo would take back."""
        return self.past[-1].label if self.past else None

    @property
    def redo_label(self) -> str | None:
        """What redo would bring back."""
        return self.future[-1].label if self.future else None

    def push(self, label: str, state: CaseState) -> Step:
        """Make `state` the present one; `label` says what was done."""
        step = Step(label, before=self.state)
        self.past.append(step)
        self.future.clear()
        self.state = state
        for old in self.past[-STATES_IN_MEMORY - 1 : -STATES_IN_MEMORY]:
            if old.number is not None:
                old.before = None
        return step

    def replace(self, state: CaseState) -> None:
        """Make `state` the present one without a step of its own (computed results that nobody asserted)."""
        self.state = state

    def undo(self) -> Step | None:
        """Back one step, which is returned; None at the beginning or where its state has to be recalled first."""
        if not self.past or self.past[-1].before is None:
            return None
        step = self.past.pop()
        assert step.before is not None
        step.after, self.state = self.state, step.before
        self.future.append(step)
        return step

    def redo(self) -> Step | None:
        """Forward one step, which is returned; None at the end or where its state has to be recalled first."""
        if not self.future or self.future[-1].after is None:
            return None
        step = self.future.pop()
        assert step.after is not None
        step.before, self.state = self.state, step.after
        self.past.append(step)
        return step

    def steps_after(self, number: int) -> list[tuple[Step, CaseState, CaseState]]:
        """Steps that are no revision up to `number`, with the states before and after each, oldest first."""
        states = [*(s.before for s in self.past[1:]), self.state]
        return [
            (step, step.before, after) for step, after in zip(self.past, states, strict=False)
            if (step.number is None or step.number > number) and step.before is not None and after is not None
        ]
