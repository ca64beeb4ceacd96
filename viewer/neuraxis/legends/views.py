"""Whether a body part names the field of view or the level of a picture rather than the place of a lesion."""

from __future__ import annotations

from neuraxis.legends.phrases import Entity
from neuraxis.legends.reading import Reading

_ANCHORS = ("sequence", "modality", "caption", "plane", "contrast")
_LINKS = frozenset(["of", "the", "through", "at", "level", "levels", "region", "a", "patient's", "s", "her", "his", "for", "over", "in"])


def is_region(reading: Reading, entity: Entity) -> bool:
    """True where a body part names the field of view ("MRI of the brain", "cervical spine CT"), not a place of disease."""
    if not entity.has("region"):
        return False
    following = reading.entity(entity.last)
    if following and following.has("modality", "sequence") and not _is_vertebra(reading, entity.last):
        return not following.has("finding")
    if following and following.has("lesion", "finding") and not following.has("caption"):
        return False
    k = entity.first - 1
    linked = False
    while k >= 0 and (reading.word(k) in _LINKS or _is_side(reading, k) or reading.mark(k) or _is_region_word(reading, k)) and not linked_anchor(reading, k):
        linked = linked or reading.word(k) in {"of", "through", "at", "for", "over"}
        k -= 1
    if reading.word(k) == ")":
        k = next((j - 1 for j in range(k, max(k - 4, 0), -1) if reading.word(j) == "("), k)
    previous = reading.entity(k)
    if previous is None or not previous.has(*_ANCHORS) or previous.has("finding"):
        return False
    return True if linked else previous.has("modality", "sequence") or (
        previous.has("plane", "contrast") and _anchor_before_lesion(reading, entity)
    )


def is_level(reading: Reading, entity: Entity) -> bool:
    """True for the level of a picture: "axial T2 at the level of the pons", "... of the pons (A) and medulla (B)"."""
    following = reading.entity(entity.last)
    if following is not None and following.has("modality") and not following.has("finding"):
        return True
    if reading.word(entity.last) == "level" and not any(m.value.endswith("_spine") for m in entity.meanings):
        return True
    k = entity.first - 1
    labelled = False
    while reading.word(k) in {"the", "left", "right", "upper", "lower", "mid"} or (
            reading.word(k) in {"and", ","} and reading.mark(k - 1)) or reading.mark(k) or (labelled and names_place(reading, k)):
        labelled = labelled or reading.mark(k) is not None
        k -= 1
    if reading.word(k) in {"of"} and reading.word(k - 1) in {"level", "levels"}:
        k -= 2
        while reading.word(k) in {"the", "at", "a"}:
            k -= 1
    elif reading.word(k) == "through":
        k -= 1
    else:
        return False
    before = reading.entity(k)
    return before is not None and before.has("sequence", "modality", "caption", "contrast") and not before.has("lesion")


def names_place(reading: Reading, token: int) -> bool:
    """True where a token belongs to the name of a location."""
    entity = reading.entity(token)
    return entity is not None and any(m.key == "location" for m in entity.meanings)


def linked_anchor(reading: Reading, token: int) -> bool:
    """True where a token belongs to the name of a picture."""
    entity = reading.entity(token)
    return entity is not None and entity.has("modality", "sequence", "caption")


def _is_side(reading: Reading, token: int) -> bool:
    entity = reading.entity(token)
    return entity is not None and entity.has("side") and reading.word(token - 1) in {"the", "of"}


def _is_region_word(reading: Reading, token: int) -> bool:
    entity = reading.entity(token)
    return (entity is not None and entity.has("region")) or reading.word(token) == "and"


def _anchor_before_lesion(reading: Reading, entity: Entity) -> bool:
    following = reading.entity(entity.last)
    return following is not None and following.has("modality", "sequence", "caption")


def _is_vertebra(reading: Reading, token: int) -> bool:
    return reading.word(token) in {"t1", "t2"} and reading.word(token - 1) in {"to", "and"}


_BEFORE = ("preoperat", "presurg", "pretreat")
_AFTER = ("postoperat", "postsurg", "posttreat")


def surgery(reading: Reading, first: int, last: int) -> str | None:
    """"before" or "after" where a token range speaks of one side of an operation; None where of neither or of both."""
    found = set()
    for k in range(first, last):
        pair = reading.word(k) + reading.word(k + 1) if reading.word(k) in {"pre", "post"} else reading.word(k)
        if pair.startswith(_BEFORE):
            found.add("before")
        elif pair.startswith(_AFTER):
            found.add("after")
    return found.pop() if len(found) == 1 else None
