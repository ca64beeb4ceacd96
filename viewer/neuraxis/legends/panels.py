"""Panels of a figure with the attributes that their stretches of text give them."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field

from neuraxis.domain.legend import TextSpan
from neuraxis.legends.descriptors import Description, Element, describe
from neuraxis.legends.reading import Reading
from neuraxis.legends.stretches import Segmentation, Stretch

_MARKS_INSIDE = tuple(
    (key, re.compile(pattern)) for key, pattern in (
        ("arrow", r"\barrows?\b"), ("arrowhead", r"\barrowheads?\b"), ("asterisk", r"\basterisks?\b|\bstars?\b"),
        ("circle", r"\bcircles?\b"), ("box", r"\bbox(?:es)?\b"), ("line", r"\blines?\b"),
    )
)


@dataclass
class Draft:
    """A panel under construction."""

    label: str
    kind: str | None = None
    modality: str | None = None
    sequence: str | None = None
    plane: str | None = None
    window: str | None = None
    contrast: str | None = None
    zoom: bool = False
    region: str | None = None
    marks: list[str] = field(default_factory=list)
    spans: dict[str, TextSpan] = field(default_factory=dict)
    own: bool = False
    """True where the panel's own words name the kind of picture."""

    @property
    def own_picture(self) -> bool:
        """True where a sequence or modality is known."""
        return self.sequence is not None or self.modality is not None

    def put(self, name: str, value: str | None, span: TextSpan | None) -> None:
        """Sets an attribute that is not set yet."""
        if value is None or getattr(self, name):
            return
        setattr(self, name, value)
        if span is not None:
            self.spans.setdefault(name, span)

    def take(self, element: Element, *, names: tuple[str, ...] = ("plane", "window", "contrast")) -> None:
        """Fills what is missing from a picture's description."""
        if self.sequence is None and (self.modality in {None, element.modality}):
            self.put("sequence", element.sequence, element.spans.get("sequence"))
            self.put("modality", element.modality, element.spans.get("modality"))
        for name in names:
            self.put(name, getattr(element, name), element.spans.get(name))


def draft_panels(reading: Reading, labels: tuple[str, ...], parts: Segmentation) -> dict[str, Draft]:
    """Drafts by label: own words first, then words shared by a list, then inheritance, then those of the whole figure."""
    drafts = {label: Draft(label) for label in labels}
    described: dict[str, Description] = {}
    for stretch in parts.own:
        _own(reading, drafts, described, stretch)
    for stretch in parts.shared:
        if stretch.labels is not None:
            _shared(reading, drafts, stretch)
    for group in parts.lists:
        _inherit(reading, parts, drafts, described, group)
    for label in labels:
        _same_as_before(drafts, described, labels, label)
    for stretch in parts.shared:
        if stretch.labels is None:
            _whole_figure(reading, drafts, stretch)
    marks_in_labels(reading, drafts)
    return drafts


def _nth(values: list[str], k: int, count: int) -> str | None:
    return values[k] if len(values) == count else None


def _own(reading: Reading, drafts: dict[str, Draft], described: dict[str, Description], stretch: Stretch) -> None:
    found = describe(reading, stretch.first, stretch.last, leading=stretch.leading)
    labels = stretch.labels or ()
    named = [e for e in found.elements if e.names_picture] or found.elements
    for k, label in enumerate(labels):
        draft = drafts[label]
        described.setdefault(label, found)
        _kind(draft, found)
        if found.kind and draft.kind == found.kind and draft.own:
            continue
        draft.put("region", found.region, found.spans.get("region"))
        element = (named[0] if stretch.leading else named[-1]) if len(labels) == 1 else named[min(k, len(named) - 1)]
        if len(labels) > 1:
            draft.put("plane", _nth(found.planes, k, len(labels)), element.spans.get("plane"))
            draft.put("window", _nth(found.windows, k, len(labels)), element.spans.get("window"))
            draft.put("contrast", _nth(found.contrasts, k, len(labels)) if len(named) == 1 else None, element.spans.get("contrast"))
        draft.take(element)
        if len(labels) > 1 and len(set(found.planes)) == 1:
            source = next(e for e in found.elements if e.plane) if any(e.plane for e in found.elements) else element
            draft.put("plane", found.planes[0], source.spans.get("plane"))
        if len(labels) == 1:
            for other in found.elements:
                draft.put("plane", other.plane, other.spans.get("plane"))
                draft.put("window", other.window, other.spans.get("window"))


def _kind(draft: Draft, found: Description) -> None:
    if found.kind and (found.kind_first or not any(e.names_picture for e in found.elements)):
        draft.put("kind", found.kind, found.spans.get("kind"))
        draft.own = True
    elif any(e.names_picture for e in found.elements):
        draft.kind = draft.kind or "imaging"


def _shared(reading: Reading, drafts: dict[str, Draft], stretch: Stretch) -> None:
    found = describe(reading, stretch.first, stretch.last)
    labels = stretch.labels or ()
    named = [e for e in found.elements if e.names_picture] or found.elements
    for k, label in enumerate(labels):
        draft = drafts[label]
        if draft.kind is None and found.kind and found.kind_first:
            draft.put("kind", found.kind, found.spans.get("kind"))
        if draft.kind not in {None, "imaging"}:
            continue
        draft.put("region", found.region, found.spans.get("region"))
        if _about_picture(reading, stretch):
            draft.put("plane", _nth(found.planes, k, len(labels)), None)
            draft.put("contrast", _nth(found.contrasts, k, len(labels)) if len(named) == 1 else None, None)
            draft.take(named[k] if len(named) == len(labels) else named[0])


def _about_picture(reading: Reading, stretch: Stretch) -> bool:
    """True where shared words describe pictures, and do not name another sequence within a statement."""
    first = next((e for e in reading.within(stretch.first, stretch.last) if not e.has("article", "preposition")), None)
    return first is None or first.has("sequence", "modality", "plane", "contrast", "window", "caption", "zoom", "region", "same") \
        or reading.word(stretch.first) in {",", "all", "both", ":", "of"}


def _names_caption(reading: Reading, parts: Segmentation, label: str) -> bool:
    """True where the panel's own words say "image", "section" and the like, or stand after their label."""
    return any(
        s.leading or any(e.has("caption") for e in reading.within(s.first, s.last))
        for s in parts.own if label in (s.labels or ())
    )


def _inherit(
    reading: Reading, parts: Segmentation, drafts: dict[str, Draft], described: dict[str, Description], group: tuple[str, ...]
) -> None:
    """Rule 8: what the first of a coordinated list states holds for those after it that state nothing."""
    members = [drafts[label] for label in group]
    for previous, draft in itertools.pairwise(members):
        if draft.kind not in {None, "imaging"} or previous.kind not in {None, "imaging"}:
            continue
        named = any(e.names_picture for e in described[draft.label].elements) if draft.label in described else False
        if not named and draft.modality in {None, previous.modality} and draft.sequence is None and previous.modality:
            if draft.contrast != "post" or previous.sequence in {"T1", "T1C", "CT", "CTA"}:
                draft.put("sequence", previous.sequence, previous.spans.get("sequence"))
            draft.put("modality", previous.modality, previous.spans.get("modality"))
            if not _names_caption(reading, parts, draft.label):
                draft.put("plane", previous.plane, previous.spans.get("plane"))
            draft.put("contrast", previous.contrast if previous.modality == "MR" else None, previous.spans.get("contrast"))
    for draft, following in reversed(list(itertools.pairwise(members))):
        if draft.kind in {None, "imaging"} and draft.modality is None and draft.sequence is None:
            draft.put("sequence", following.sequence, following.spans.get("sequence"))
            draft.put("modality", following.modality, following.spans.get("modality"))
            draft.put("region", following.region, following.spans.get("region"))
            if draft.plane:
                draft.put("contrast", following.contrast, following.spans.get("contrast"))


def spread_planes(reading: Reading, drafts: dict[str, Draft], parts: Segmentation) -> None:
    """Rule 8 for planes: "Axial FLAIR (A), T1 (B) and CT (C)" are all axial."""
    trailing = {label for s in parts.own if not s.leading for label in s.labels or ()}
    starts = {label: s.first for s in reversed(parts.own) if not s.leading for label in s.labels or ()}
    for group in parts.lists:
        _all_in_one_plane(reading, drafts, parts, group)
        plane, span = None, None
        for one, two in itertools.pairwise(group):
            if two in trailing and drafts[two].kind in {None, "imaging"} and drafts[one].modality == drafts[two].modality:
                drafts[two].put("region", drafts[one].region, drafts[one].spans.get("region"))
        stated = [k for k, label in enumerate(group) if drafts[label].plane]
        for k, label in enumerate(group):
            draft = drafts[label]
            restated = plane is not None and draft.plane is None and any(
                j > k and drafts[group[j]].plane == plane for j in stated)
            if restated or label not in trailing or draft.kind not in {None, "imaging"}:
                continue
            if draft.plane:
                leads = _plane_leads(draft)
                plane, span = (draft.plane, draft.spans.get("plane")) if leads else (None, None)
            elif plane and draft.own_picture and reading.word(starts[label]) in {",", "and", "/", "&", "or", ""}:
                draft.put("plane", plane, span)


def _all_in_one_plane(reading: Reading, drafts: dict[str, Draft], parts: Segmentation, group: tuple[str, ...]) -> None:
    """Takes "all axial" at the end of a list."""
    for stretch in (*parts.own, *parts.shared):
        if not set(stretch.labels or ()) <= set(group):
            continue
        for entity in reading.within(stretch.first, stretch.last):
            meaning = entity.get("plane")
            if meaning and reading.word(entity.first - 1) in {"all", "both"}:
                for label in group:
                    drafts[label].put("plane", meaning.key, reading.span(entity.first, entity.last))


def _plane_leads(draft: Draft) -> bool:
    """True where the plane stands before the sequence, so that it can hold for the list."""
    span, name = draft.spans.get("plane"), draft.spans.get("sequence") or draft.spans.get("modality")
    return span is not None and (name is None or span.start < name.start)


def _same_as_before(
    drafts: dict[str, Draft], described: dict[str, Description], labels: tuple[str, ...], label: str
) -> None:
    found = described.get(label)
    index = labels.index(label)
    if found is None or not found.same or not index:
        return
    draft, previous = drafts[label], drafts[labels[index - 1]]
    draft.put("plane", previous.plane, previous.spans.get("plane"))
    if draft.modality is None and draft.contrast is None:
        draft.put("sequence", previous.sequence, previous.spans.get("sequence"))
        draft.put("contrast", previous.contrast, previous.spans.get("contrast"))
    elif draft.modality == "CT" == previous.modality:
        draft.put("contrast", previous.contrast, previous.spans.get("contrast"))
    draft.put("modality", previous.modality, previous.spans.get("modality"))


def _whole_figure(reading: Reading, drafts: dict[str, Draft], stretch: Stretch) -> None:
    found = describe(reading, stretch.first, stretch.last)
    if not _about_picture(reading, stretch) and not found.region and found.kind is None:
        return
    named = [e for e in found.elements if e.names_picture]
    post = any(d.contrast == "post" for d in drafts.values())
    for draft in drafts.values():
        if draft.kind is None and draft.modality is None and found.kind and not named:
            draft.put("kind", found.kind, found.spans.get("kind"))
        if draft.kind not in {None, "imaging"}:
            continue
        if draft.modality in {None, "CT", "MR"}:
            draft.put("region", found.region, found.spans.get("region"))
        if len(named) > 1 or not _about_picture(reading, stretch):
            continue
        element = found.elements[0]
        if element.contrast == "post" and (post or draft.sequence not in {None, "T1", "CT", "FLAIR"}):
            element = Element(element.sequence, element.modality, element.plane, element.window, None, element.spans)
        if draft.modality in {None, element.modality} or element.modality is None:
            draft.take(element)


def marks_in_labels(reading: Reading, drafts: dict[str, Draft]) -> None:
    """Marks that stand in the brackets of a label: "(arrow in B)", "(A, arrowheads)"."""
    for mark in reading.marks:
        inside = reading.norm[mark.start:mark.end].replace("arrow head", "arrowhead")
        for key, pattern in _MARKS_INSIDE:
            if not pattern.search(inside):
                continue
            for label in mark.labels:
                if label in drafts and key not in drafts[label].marks:
                    drafts[label].marks.append(key)
