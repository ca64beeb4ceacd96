"""Panels of a figure with the attributes that their stretches of text give them."""

from __future__ import annotations

import itertools
import re

from neuraxis.legends.coordination import inherit, same_as_before
from neuraxis.legends.descriptors import Description, Element, describe
from neuraxis.legends.drafts import Draft
from neuraxis.legends.polarity import denied
from neuraxis.legends.reading import Reading
from neuraxis.legends.stretches import Segmentation, Stretch
from neuraxis.legends.views import surgery

_MARKS_INSIDE = tuple(
    (key, re.compile(pattern)) for key, pattern in (
        ("arrow", r"\barrows?\b"), ("arrowhead", r"\barrowheads?\b"), ("asterisk", r"\basterisks?\b|\bstars?\b"),
        ("circle", r"\bcircles?\b"), ("box", r"\bbox(?:es)?\b"), ("line", r"\blines?\b"),
    )
)


def draft_panels(reading: Reading, labels: tuple[str, ...], parts: Segmentation) -> dict[str, Draft]:
    """Drafts by label: own words first, then words shared by a list, then inheritance, then those of the whole figure."""
    drafts = {label: Draft(label) for label in labels}
    described: dict[str, Description] = {}
    for stretch in parts.own:
        _own(reading, drafts, described, stretch)
    for scope in parts.scopes:
        _region_of_joined(reading, drafts, parts, scope)
    for stretch in parts.shared:
        if stretch.labels is not None:
            _shared(reading, drafts, stretch)
    for group in parts.lists:
        inherit(reading, parts, drafts, described, group)
    sizes = {label: len(s.labels) for s in parts.own if s.labels for label in s.labels}
    for label in labels:
        same_as_before(drafts, described, labels, label, sizes.get(label, 1))
    for stretch in parts.shared:
        if stretch.labels is None:
            _whole_figure(reading, drafts, stretch)
    for one, two in itertools.pairwise(drafts.values()):
        if two.kind is None and not two.own_picture and one.kind in {"histology", "photo"} and not two.plane:
            two.kind = one.kind
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
        draft.surgery = draft.surgery or surgery(reading, stretch.first, stretch.last)
        _kind(draft, found)
        if found.kind and draft.kind == found.kind and draft.own:
            continue
        draft.put("region", found.region, found.spans.get("region"))
        if len(labels) == 1 and not found.elements[0].names_picture and not stretch.leading:
            _picture_of_finding(reading, stretch, draft)
        element = (named[0] if stretch.leading else named[-1]) if len(labels) == 1 else named[min(k, len(named) - 1)]
        if len(labels) > 1:
            draft.put("plane", _nth(found.planes, k, len(labels)), element.spans.get("plane"))
            draft.put("window", _nth(found.windows, k, len(labels)), element.spans.get("window"))
            draft.put("contrast", _nth(found.contrasts, k, len(labels)) if len(named) == 1 else None, element.spans.get("contrast"))
        draft.take(element)
        if len(labels) > 1 and len(set(found.planes)) == 1 and not _plane_of_one(named):
            source = next(e for e in found.elements if e.plane) if any(e.plane for e in found.elements) else element
            draft.put("plane", found.planes[0], source.spans.get("plane"))
        if len(labels) == 1:
            for other in found.elements:
                draft.put("plane", other.plane, other.spans.get("plane"))
                draft.put("window", other.window, other.spans.get("window"))


def _region_of_joined(reading: Reading, drafts: dict[str, Draft], parts: Segmentation, scope: Stretch) -> None:
    """The region of "(A) T2 and (B) T1 images through the sella show a mass" is that of both."""
    joined = scope.labels or ()
    if len(joined) < 2 or not any((s.first, s.last) == (scope.first, scope.last) and s.leading for s in parts.own):
        return
    found = describe(reading, scope.first, scope.last)
    if any(reading.word(k) == "images" for k in range(scope.first, scope.last)):
        for label in joined:
            if drafts[label].kind in {None, "imaging"}:
                drafts[label].put("region", found.region, found.spans.get("region"))


def _plane_of_one(named: list[Element]) -> bool:
    """True for the plane of "T1 and axial CT", which stands before a later picture of the list."""
    for element in named[1:]:
        plane, name = element.spans.get("plane"), element.spans.get("sequence") or element.spans.get("modality")
        if plane is not None and name is not None and plane.start < name.start:
            return True
    return False


def _picture_of_finding(reading: Reading, stretch: Stretch, draft: Draft) -> None:
    """Rule 9 for "the wall enhances (B), the contents restrict diffusion (C)": such words name no picture before them."""
    negated = denied(reading, stretch.first, stretch.last)
    for entity in reading.within(stretch.first, stretch.last):
        meaning = entity.get("finding")
        span = reading.span(entity.first, entity.last)
        if meaning and meaning.key == "diffusion_restriction":
            draft.put("sequence", "DWI", span)
            draft.put("modality", "MR", span)
        elif meaning and meaning.key == "enhancement" and meaning.value != "none" and entity.first not in negated:
            draft.put("contrast", "post", span)


def _kind(draft: Draft, found: Description) -> None:
    if found.kind and (found.kind_first or not any(e.names_picture for e in found.elements)):
        draft.put("kind", found.kind, found.spans.get("kind"))
        draft.own = True
    elif any(e.names_picture for e in found.elements):
        draft.kind = draft.kind or "imaging"


def _shared(reading: Reading, drafts: dict[str, Draft], stretch: Stretch) -> None:
    found = describe(reading, stretch.first, stretch.last, named_later=stretch.leading)
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
    first = next((e for e in reading.within(stretch.first, stretch.last) if not e.has("article", "preposition")
                  and reading.word(e.first) != "with"), None)
    return first is None or first.has("sequence", "modality", "plane", "contrast", "window", "caption", "zoom", "region", "same") \
        or reading.word(stretch.first) in {",", "all", "both", ":", "of"}


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
        titled = {e.modality for e in named}
        if draft.modality in {None, "CT", "MR"} and (len(titled) != 1 or draft.modality in {None, *titled}):
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
