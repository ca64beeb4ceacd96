"""Which sequences a phrase names: "T2-hyperintense", "dark on T1 and T2", "septated on T2"."""

from __future__ import annotations

from neuraxis.legends.phrases import Entity
from neuraxis.legends.reading import Reading

SIGNAL_OF = {
    "T1": "t1_signal", "T1C": "t1_signal", "T2": "t2_signal", "STIR": "t2_signal", "CISS": "t2_signal", "FLAIR": "flair_signal",
    "DWI": "dwi_signal", "ADC": "adc_signal", "SWI": "gre_signal", "GRE": "gre_signal",
}
"""The concept that a generic signal word takes on each sequence."""


def phrase_sequences(reading: Reading, signal: Entity, first: int, last: int) -> tuple[str, ...]:
    """Sequences named in the phrase of a signal word: "T2-hyperintense", "dark on T1 and T2", "On T1, ... bright"."""
    previous = reading.entity(signal.first - 1)
    if previous and previous.get("sequence"):
        before = reading.word(previous.first - 1)
        if before not in {"on", "in"}:
            return (_key(previous), *_chain_left(reading, previous, first))
    bracketed = reading.entity(signal.last + 1) if reading.word(signal.last) == "(" else None
    if bracketed and bracketed.get("sequence") and reading.word(bracketed.last) in {")", ",", "-"}:
        return (_key(bracketed),)
    if reading.word(signal.last) in {"on", "in"} and "phase" in {reading.word(signal.last + 1), reading.word(signal.last + 2)}:
        return ("PHASE",)
    relative = _relative(reading, signal, first)
    if relative:
        return relative
    excluded = _excluded(reading, signal, last)
    if excluded:
        return tuple(s for s in SIGNAL_OF if s not in excluded)
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


def _relative(reading: Reading, signal: Entity, first: int) -> tuple[str, ...]:
    """The sequence of "..., DWI, on which the lesion is bright"."""
    for k in range(signal.first - 1, max(first, signal.first - 8), -1):
        if reading.word(k) in {";", ",", "but", "and"}:
            return ()
        if reading.word(k) in {"which", "where"} and reading.word(k - 1) in {"on", "in", ","}:
            before = [e for e in reading.within(first, k) if e.get("sequence")]
            return (_key(before[-1]),) if before and k - before[-1].last <= 3 else ()
    return ()


def _excluded(reading: Reading, signal: Entity, last: int) -> tuple[str, ...]:
    """The sequences of "on all sequences apart from DWI"."""
    for k in range(signal.last, min(signal.last + 8, last)):
        if reading.word(k) in {";", "."}:
            return ()
        if reading.word(k) == "all" and reading.word(k - 1) in {"on", "in"}:
            end = next((j for j in range(k, min(k + 5, last)) if reading.word(j) in {"apart", "except", "other", "save"}), None)
            named = [] if end is None else [e for e in reading.within(end, min(end + 6, last)) if e.get("sequence")]
            return tuple(_key(e) for e in named)
    return ()


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


def stands_on(reading: Reading, entity: Entity, first: int) -> bool:
    """True for the T1 of "on both axial T1"; words before token `first` do not count."""
    k = entity.first - 1
    while k >= first and (reading.word(k) in {"both", "the", "all"} or (
            (other := reading.entity(k)) is not None and other.has("plane", "contrast"))):
        k -= 1
    return reading.word(k) in {"on", "in"}
