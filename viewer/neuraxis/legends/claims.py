"""Statements become claims of the panels that can show them (rules 4, 6, 7 and 9 of the annotation scheme)."""

from __future__ import annotations

from dataclasses import replace

from neuraxis.domain.legend import CT_SEQUENCES, Claim
from neuraxis.legends.descriptors import marks_and_zoom
from neuraxis.legends.drafts import Draft
from neuraxis.legends.findings import Stater
from neuraxis.legends.phrase_sequences import SIGNAL_OF
from neuraxis.legends.phrases import Entity
from neuraxis.legends.reading import Reading
from neuraxis.legends.statements import Statement
from neuraxis.legends.stretches import Segmentation, Stretch
from neuraxis.legends.views import surgery

_SHOWN_ON = {
    "attenuation": frozenset(CT_SEQUENCES),
    "t1_signal": frozenset({"T1", "T1C"}), "t2_signal": frozenset({"T2", "STIR", "CISS"}), "flair_signal": frozenset({"FLAIR"}),
    "dwi_signal": frozenset({"DWI"}), "adc_signal": frozenset({"ADC"}), "gre_signal": frozenset({"SWI", "GRE"}),
    "blooming": frozenset({"SWI", "GRE"}), "diffusion_restriction": frozenset({"DWI", "ADC"}),
    "calcification": frozenset(CT_SEQUENCES), "bone_change": frozenset(CT_SEQUENCES),
}
_POST_ONLY = frozenset({"enhancement", "dural_tail"})


def state_claims(reading: Reading, drafts: dict[str, Draft], parts: Segmentation) -> dict[str, list[Claim]]:
    """Claims by panel label, in the order of the text; panels gain what rule 9 infers from their statements."""
    scoped = [(scope, _respectively(reading, drafts, scope, Stater(reading, scope.first, scope.last).statements()))
              for scope in parts.scopes]
    for scope, statements in scoped:
        for statement in statements:
            _infer(_scope(reading, drafts, scope, statement), statement)
    infer_from_others(drafts)
    claims: dict[str, list[Claim]] = {label: [] for label in drafts}
    for scope, statements in scoped:
        named: set[tuple[str, str]] = set()
        for statement in sorted(statements, key=lambda s: s.concept == "signal" and not s.sequences):
            panels = _scope(reading, drafts, scope, statement)
            generic = statement.concept == "signal" and not statement.sequences and len(panels) > 1
            for draft, concept in _able(panels, statement):
                if generic and (draft.label, concept) in named:
                    continue
                if len(panels) > 1 and not generic:
                    named.add((draft.label, concept))
                claims[draft.label].append(_claim(reading, statement, concept))
    return {label: _tidy(found) for label, found in claims.items()}


def _respectively(
    reading: Reading, drafts: dict[str, Draft], scope: Stretch, statements: list[Statement]
) -> list[Statement]:
    """The n-th signal word goes with the n-th sequence or panel where the text says "respectively"."""
    if not any(reading.word(k) == "respectively" for k in range(scope.first, scope.last)):
        return statements
    signals = [s for s in statements if s.concept == "signal"]
    sequences = max((s.sequences for s in signals), key=len, default=())
    panels = _imaging(drafts, scope.labels)
    if len(signals) < 2 or len(signals) not in {len(sequences), len(panels)}:
        return statements
    by_sequence = len(signals) == len(sequences)
    replaced = {
        id(s): replace(s, sequences=(sequences[k],)) if by_sequence else replace(s, labels=(panels[k].label,))
        for k, s in enumerate(signals)
    }
    return [replaced.get(id(s), s) for s in statements]


def mark_pictures(reading: Reading, drafts: dict[str, Draft], parts: Segmentation) -> None:
    """Marks and magnification go to the panels of the phrase they stand in (rule 13)."""
    for scope in parts.scopes:
        marks, zoom = marks_and_zoom(reading, scope.first, scope.last)
        if not marks and zoom is None:
            continue
        chosen = list(drafts.values()) if scope.labels is None else [drafts[x] for x in scope.labels if x in drafts]
        chosen = _named_panels(reading, scope, chosen)
        if zoom is not None:
            for draft in chosen:
                draft.zoom = True
                draft.spans.setdefault("zoom", zoom)
        statements = Stater(reading, scope.first, scope.last).statements() if len(chosen) > 1 else []
        for entity, key in marks:
            for draft in _marked(reading, drafts, scope, statements, entity) or chosen:
                if key not in draft.marks:
                    draft.marks.append(key)


def _marked(
    reading: Reading, drafts: dict[str, Draft], scope: Stretch, statements: list[Statement], mark: Entity
) -> list[Draft]:
    """Panels of the phrase before a mark in brackets, or of the reference beside it; none where nothing narrows it."""
    for k in range(mark.last, min(mark.last + 3, scope.last)):
        label = reading.mark(k)
        if label is not None and label.reference:
            return [drafts[x] for x in label.labels if x in drafts]
    if not any(reading.word(k) == "(" for k in range(max(scope.first, mark.first - 4), mark.first)):
        return []
    before = [s for s in statements if s.first < mark.first and not any(
        reading.word(k) in {",", ";"} for k in range(s.last, mark.first))]
    if not before:
        return []
    nearest = max((s for s in before if s.concept not in {"location", "size"}), key=lambda s: s.last, default=None)
    if nearest is None or nearest.concept not in _POST_ONLY | {"blooming", "diffusion_restriction", "signal", "attenuation"}:
        return []
    return [draft for draft, _ in _able(_scope(reading, drafts, scope, nearest), nearest)]


def _imaging(drafts: dict[str, Draft], labels: tuple[str, ...] | None) -> list[Draft]:
    chosen = drafts.values() if labels is None else [drafts[x] for x in labels if x in drafts]
    return [d for d in chosen if d.kind in {None, "imaging"}]


def _scope(reading: Reading, drafts: dict[str, Draft], scope: Stretch, statement: Statement) -> list[Draft]:
    if statement.labels is not None:
        return _imaging(drafts, statement.labels)
    return _named_panels(reading, scope, _imaging(drafts, scope.labels))


def _named_panels(reading: Reading, scope: Stretch, panels: list[Draft]) -> list[Draft]:
    """The panels of the picture or of the side of surgery that an unlabelled sentence names; all of them where it names none."""
    if len(panels) < 2 or not scope.free:
        return panels
    when = surgery(reading, scope.first, scope.last)
    panels = [d for d in panels if when is not None and d.surgery == when] or panels
    named = _opening_sequence(reading, scope)
    narrowed = [d for d in panels if named in (d.sequence, d.modality)] if named else []
    return narrowed or panels


def _opening_sequence(reading: Reading, scope: Stretch) -> str | None:
    """The sequence or modality with which an unlabelled sentence begins: "On FLAIR the tumour is ..."."""
    for k in range(scope.first, min(scope.last, scope.first + 5)):
        entity = reading.entity(k)
        if entity is None:
            if reading.word(k) not in {"on", "the", "in", "axial", "(", ","}:
                return None
            continue
        if entity.has("finding", "lesion") and not entity.has("sequence"):
            return None
        sequence, modality = entity.get("sequence"), entity.get("modality")
        if sequence:
            return None if _is_listed(reading, entity.last, scope.last) else sequence.key
        if modality:
            return None if _is_listed(reading, entity.last, scope.last) else modality.key
    return None


def _is_listed(reading: Reading, first: int, last: int) -> bool:
    """True where another picture is named right after an "and" or a comma."""
    if reading.word(first) not in {"and", ",", "/", "or", "&"}:
        return False
    return any(e.has("sequence", "modality") for e in reading.within(first, min(last, first + 4)))


def _infer(panels: list[Draft], statement: Statement) -> None:
    """Rules 9a-c: what a positive statement says of the picture."""
    if statement.hidden:
        return
    if statement.concept == "diffusion_restriction":
        unnamed = [d for d in panels if d.sequence is None and d.modality in {None, "MR"}]
        if unnamed and not any(d.sequence in {"DWI", "ADC"} for d in panels):
            for draft, sequence in zip(unnamed[:2], ("DWI", "ADC"), strict=False):
                draft.sequence, draft.modality = sequence, "MR"
    if statement.concept != "enhancement" or statement.negated or any(d.contrast == "post" for d in panels):
        return
    for draft in panels:
        if draft.contrast == "pre":
            continue
        if draft.sequence == "T1" or (draft.modality == "MR" and draft.sequence is None):
            draft.sequence, draft.modality, draft.contrast = "T1C", "MR", "post"
        elif draft.modality in {"CT", None}:
            draft.contrast = "post"


def infer_from_others(drafts: dict[str, Draft]) -> None:
    """Rules 9a, 9d and 9e."""
    imaging = [d for d in drafts.values() if d.kind in {None, "imaging"}]
    for draft in imaging:
        others = [d.modality for d in imaging if d is not draft]
        if draft.modality is None and others and set(others) - {None} == {"MR"}:
            draft.modality = "MR"
    for draft in imaging:
        agent = draft.spans.get("contrast")
        if draft.modality is None and draft.contrast == "post" and agent and agent.text.lower().find("g") >= 0 and "gad" in agent.text.lower():
            draft.modality = "MR"
        if draft.window and draft.modality is None:
            draft.modality = draft.sequence = "CT"
        if draft.modality == "MR" and draft.contrast == "post" and draft.sequence in {None, "T1"}:
            draft.sequence = "T1C"
        if draft.sequence == "T1C":
            draft.contrast = "post"


def _able(panels: list[Draft], statement: Statement) -> list[tuple[Draft, str]]:
    """Panels that can show a statement, each with the concept it takes there; all of them where none can."""
    if statement.phase and any(d.contrast == statement.phase for d in panels):
        panels = [d for d in panels if d.contrast == statement.phase]
    if statement.concept == "signal":
        return _signal_panels(panels, statement)
    concept = statement.concept
    if statement.sequences and len(panels) > 1:
        panels = [d for d in panels if d.sequence in statement.sequences] or panels
    if concept in _POST_ONLY:
        able = [d for d in panels if d.contrast == "post"]
    elif concept in _SHOWN_ON:
        able = [d for d in panels if d.sequence in _SHOWN_ON[concept]]
    else:
        able = panels
    return [(d, concept) for d in able or panels]


def _signal_panels(panels: list[Draft], statement: Statement) -> list[tuple[Draft, str]]:
    if not statement.sequences:
        return [(d, SIGNAL_OF[d.sequence]) for d in panels if d.sequence in SIGNAL_OF]
    found: list[tuple[Draft, str]] = []
    for concept in dict.fromkeys(SIGNAL_OF[s] for s in statement.sequences if s in SIGNAL_OF):
        able = [d for d in panels if d.sequence in _SHOWN_ON[concept]]
        exact = [d for d in able if d.sequence in statement.sequences]
        able = exact or able
        if not able and len(statement.sequences) > 4:
            continue
        found.extend((d, concept) for d in able or panels)
    return found


def _claim(reading: Reading, statement: Statement, concept: str) -> Claim:
    return Claim(concept, statement.value, statement.negated, statement.uncertain, statement.side, statement.size_mm,
                 reading.span(statement.first, statement.last))


def _tidy(claims: list[Claim]) -> list[Claim]:
    """Each statement once, and `present` only where nothing more precise is stated (rule 4)."""
    kept: dict[tuple[object, ...], Claim] = {}
    for claim in claims:
        key = (claim.concept, claim.value, claim.negated, claim.laterality, claim.size_mm)
        if key not in kept or (kept[key].uncertain and not claim.uncertain):
            kept[key] = claim
    found = list(kept.values())
    stated = {(c.concept, c.value) for c in found if not c.negated}
    found = [c for c in found if not c.negated or c.concept == "location" or (c.concept, c.value) not in stated]
    precise = {c.concept for c in found if not c.negated and c.value != "present"}
    found = [c for c in found if c.value != "present" or c.concept not in precise]
    if "enhancement" in precise:
        found = [c for c in found if (c.concept, c.value) != ("enhancement", "none")]
    if any(c.concept == "location" and not c.negated for c in found):
        found = [c for c in found if c.concept != "laterality"]
    sided = {(c.concept, c.value, c.negated) for c in found if c.laterality}
    return [c for c in found if c.laterality or c.concept != "location" or (c.concept, c.value, c.negated) not in sided]
