"""Which sequences a phrase names: "T2-hyperintense", "dark on T1 and T2", "septated on T2"."""

from __future__ import annotations

from neuraxis.legends.phrases import Entity
from neuraxis.legends.reading import Reading


def phrase_sequences(reading: Reading, signal: Entity, first: int, last: int) -> tuple[str, ...]:
    """Sequences named in the phrase of a signal word: "T2-hyperintense", "dark on T1 and T2", "On T1, ... bright"."""
    previous = reading.entity(signal.first - 1)
    if previous and previous.get("sequence"):
        before = reading.word(previous.first - 1)
        if before not in {"on", "in"}:
            return (_key(previous), *_chain_left(reading, previous, first))
    signals = [e for e in reading.within(first, last) if any(m.kind == "finding" and m.key == "signal" for m in e.meanings)]
    following = next((e.first for e in signals if e.first > signal.first), last)
    right = on_group(reading, signal.last, _phrase_end(reading, signal.last, following))
    if right:
        return right
    if following < last:
        between = [reading.word(k) for k in range(signal.last, following)]
        if set(between) <= {"to", "and", "or", ",", "/"} and len(between) <= 2 and "and" not in between:
            return on_group(reading, following, last)
    earlier = max((e.last for e in signals if e.last <= signal.first), default=first)
    left = on_group(reading, earlier, signal.first)
    return left or (on_group(reading, first, signal.first) if earlier != first else ())


def _phrase_end(reading: Reading, first: int, last: int) -> int:
    """Where the words that can still belong to a signal word end."""
    for k in range(first, last):
        entity = reading.entity(k)
        if reading.word(k) == ";" or (entity is not None and entity.first == k and (entity.has("boundary") or (any(
                m.kind == "finding" and m.key not in {"signal", "location", "cystic", "margin", "compartment"}
                for m in entity.meanings) and not entity.has("sequence")))):
            return k
    return last


def _chain_left(reading: Reading, entity: Entity, first: int) -> tuple[str, ...]:
    """The T1 of "T1 and T2 hyperintense"."""
    k = entity.first - 1
    if k > first and reading.word(k) in {"and", "/", ",", "or"}:
        previous = reading.entity(k - 1)
        if previous and previous.get("sequence"):
            return (_key(previous),)
    return ()


def _key(entity: Entity) -> str:
    meaning = entity.get("sequence")
    return meaning.key if meaning else ""


def on_group(reading: Reading, first: int, last: int) -> tuple[str, ...]:
    """The sequences of the first "on T1 and T2" in a token range."""
    for entity in reading.within(first, last):
        if not entity.get("sequence"):
            continue
        k = entity.first - 1
        while k >= first - 3 and k >= 0 and (reading.word(k) in {
                "the", "both", "axial", "coronal", "sagittal", "all", "conventional", "(", "weighted"} or _describes(reading, k)):
            k -= 1
        if reading.word(k) not in {"on", "in", "at"}:
            continue
        group = [_key(entity)]
        k = entity.last
        while k < len(reading.tokens) and (reading.mark(k) or reading.word(k) in {
                ",", "and", "/", "or", "weighted", "images", "image", "imaging", "axial", "sagittal", "coronal", "sequences", "on",
                "&", "as", "well"} or _describes(reading, k)):
            other = reading.entity(k)
            if other and other.get("sequence"):
                group.append(_key(other))
                k = other.last
            else:
                k += 1
        return tuple(dict.fromkeys(group))
    return ()


def _describes(reading: Reading, token: int) -> bool:
    entity = reading.entity(token)
    return entity is not None and entity.has("sequence", "caption", "plane", "contrast", "modality") and not entity.has("finding")
