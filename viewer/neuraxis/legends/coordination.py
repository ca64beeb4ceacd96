"""What pictures that are coordinated in a list take from each other (rule 8 of the annotation scheme)."""

from __future__ import annotations

import itertools

from neuraxis.legends.descriptors import Description, has_findings
from neuraxis.legends.drafts import Draft
from neuraxis.legends.reading import Reading
from neuraxis.legends.stretches import Segmentation, Stretch


def _names_caption(reading: Reading, parts: Segmentation, label: str) -> bool:
    """True where the panel's own words say "image", "section" and the like, or stand after their label."""
    return any(
        s.leading or any(e.has("caption") for e in reading.within(s.first, s.last))
        for s in parts.own if label in (s.labels or ())
    )


def inherit(
    reading: Reading, parts: Segmentation, drafts: dict[str, Draft], described: dict[str, Description], group: tuple[str, ...]
) -> None:
    """Rule 8: what the first of a coordinated list states holds for those after it that state nothing."""
    members = [drafts[label] for label in group]
    leading = {x for s in parts.own if s.leading for x in s.labels or ()}
    for previous, draft in itertools.pairwise(members):
        if draft.kind not in {None, "imaging"} or previous.kind not in {None, "imaging"}:
            continue
        if _contrast_leads(described, previous, draft):
            draft.put("contrast", previous.contrast, previous.spans.get("contrast"))
        named = any(e.names_picture for e in described[draft.label].elements) if draft.label in described else False
        if not named and draft.modality in {None, previous.modality} and draft.sequence is None and previous.modality:
            if previous.sequence in {"T1", "T1C", "CT", "CTA"} or not (draft.contrast == "post" or _of_enhancement(reading, parts, draft.label)):
                draft.put("sequence", previous.sequence, previous.spans.get("sequence"))
            draft.put("modality", previous.modality, previous.spans.get("modality"))
            if not _names_caption(reading, parts, draft.label) and draft.spans.get("sequence") == previous.spans.get("sequence"):
                draft.put("plane", previous.plane, previous.spans.get("plane"))
            trails = draft.label not in leading
            if trails and not _names_caption(reading, parts, draft.label):
                draft.put("window", previous.window, previous.spans.get("window"))
            draft.put("contrast", previous.contrast if previous.modality == "MR" or (trails and draft.window) else None,
                      previous.spans.get("contrast"))
    for draft, following in reversed(list(itertools.pairwise(members))):
        if draft.kind in {None, "imaging"} and draft.modality is None and draft.sequence is None:
            draft.put("sequence", following.sequence, following.spans.get("sequence"))
            draft.put("modality", following.modality, following.spans.get("modality"))
            draft.put("region", following.region, following.spans.get("region"))
            if draft.plane:
                draft.put("contrast", following.contrast, following.spans.get("contrast"))


def _of_enhancement(reading: Reading, parts: Segmentation, label: str) -> bool:
    """True where the panel's own words speak of enhancement: they show another picture than the FLAIR before it."""
    return any(m.key == "enhancement" for s in parts.own if label in (s.labels or ())
               for e in reading.within(s.first, s.last) for m in e.meanings if m.kind == "finding")


def _contrast_leads(described: dict[str, Description], previous: Draft, draft: Draft) -> bool:
    """True for the B of "Contrast-enhanced axial (A) and coronal (B) T1", where the words of B name a plane alone."""
    contrast, plane = previous.spans.get("contrast"), previous.spans.get("plane")
    own, before = described.get(draft.label), described.get(previous.label)
    if contrast is None or plane is None or own is None or before is None or contrast.start > plane.start:
        return False
    return bool(own.planes) and not own.contrasts and not any(e.names_picture for e in (*own.elements, *before.elements))


def spread_planes(reading: Reading, drafts: dict[str, Draft], parts: Segmentation) -> None:
    """Rule 8 for planes: "Axial FLAIR (A), T1 (B) and CT (C)" are all axial."""
    trailing = {label for s in parts.own if not s.leading for label in s.labels or ()}
    starts = {label: s.first for s in reversed(parts.own) if not s.leading for label in s.labels or ()}
    ends = {label: s.last for s in parts.own if not s.leading for label in s.labels or ()}
    stated_in = {label: _states_first(reading, s, drafts[label]) for s in reversed(parts.own) if not s.leading for label in s.labels or ()}
    for group in parts.lists:
        _all_in_one_plane(reading, drafts, parts, group)
        plane, span = None, None
        for one, two in itertools.pairwise(group):
            if two in trailing and drafts[two].kind in {None, "imaging"} and (
                    drafts[one].modality == drafts[two].modality or (
                    _region_leads(drafts[one]) and reading.word(starts[two]) in {"and", ",", "&", "/"}
                    and not any(has_findings(reading, s.first, s.last) for s in parts.own if not s.leading and one in (s.labels or ())))):
                drafts[two].put("region", drafts[one].region, drafts[one].spans.get("region"))
        stated = [k for k, label in enumerate(group) if drafts[label].plane]
        for k, label in enumerate(group):
            draft = drafts[label]
            if k and label in starts and _stated_between(reading, ends.get(group[k - 1]), starts[label]):
                plane, span = None, None
            restated = plane is not None and draft.plane is None and any(
                j > k and drafts[group[j]].plane == plane and drafts[group[j]].spans.get("plane") != span for j in stated)
            if restated or label not in trailing or draft.kind not in {None, "imaging"}:
                continue
            if draft.plane:
                leads = _plane_leads(draft)
                plane, span = (draft.plane, draft.spans.get("plane")) if leads else (None, None)
            elif plane and draft.own_picture and not stated_in.get(label) and reading.word(starts[label]) in {",", "and", "/", "&", "or", ""}:
                draft.put("plane", plane, span)


def _stated_between(reading: Reading, last: int | None, first: int) -> bool:
    """True where a verb stands between the label at token `last` and the words of the next picture."""
    return last is not None and any(e.has("verb") for e in reading.within(last + 1, first))


def _states_first(reading: Reading, stretch: Stretch, draft: Draft) -> bool:
    """True for "and destruction on CT (D)", where a finding stands before the picture's name."""
    name = draft.spans.get("sequence") or draft.spans.get("modality")
    stop = next((k for k in range(stretch.first, stretch.last) if name and reading.tokens[k].start >= name.start), stretch.first)
    return has_findings(reading, stretch.first, stop)


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


def _region_leads(draft: Draft) -> bool:
    """True for "Cranial CT (A) and MRI (B)", where the region stands before the picture's name."""
    region, name = draft.spans.get("region"), draft.spans.get("sequence") or draft.spans.get("modality")
    return region is not None and name is not None and region.start < name.start


def _plane_leads(draft: Draft) -> bool:
    """True where the plane stands before the sequence, so that it can hold for the list."""
    span, name = draft.spans.get("plane"), draft.spans.get("sequence") or draft.spans.get("modality")
    return span is not None and (name is None or span.start < name.start)


def same_as_before(
    drafts: dict[str, Draft], described: dict[str, Description], labels: tuple[str, ...], label: str, back: int
) -> None:
    """Takes what "same level" and "corresponding" leave out from the picture `back` labels before."""
    found = described.get(label)
    index = labels.index(label)
    if found is None or not found.same or not index:
        return
    draft, previous = drafts[label], drafts[labels[index - back if index >= back else index - 1]]
    draft.put("plane", previous.plane, previous.spans.get("plane"))
    if draft.modality is None and draft.contrast is None:
        draft.put("sequence", previous.sequence, previous.spans.get("sequence"))
        draft.put("contrast", previous.contrast, previous.spans.get("contrast"))
    elif draft.modality == "CT" == previous.modality:
        draft.put("contrast", previous.contrast, previous.spans.get("contrast"))
    draft.put("modality", previous.modality, previous.spans.get("modality"))
