"""Where a legend puts the abnormality: locations with their side, sides that stand alone, and sizes."""

from __future__ import annotations

from dataclasses import dataclass

from neuraxis.legends.phrases import Entity
from neuraxis.legends.reading import Reading
from neuraxis.legends.views import is_level, is_region
from neuraxis.legends.vocabulary import words

UNPAIRED = frozenset(
    ["pons", "medulla", "midbrain", "brainstem", "vermis", "corpus_callosum", "third_ventricle", "fourth_ventricle", "sella", "suprasellar", "pineal", "clivus", "foramen_magnum", "posterior_fossa", "craniocervical", "cervical_spine", "thoracic_spine", "lumbar_spine", "sacral_spine", "conus", "basilar_artery", "falx", "interhemispheric", "quadrigeminal", "cisterna_magna", "prepontine", "basal_cisterns", "sagittal_sinus", "spinal_cord"]
)
MAX_LIST = 80
"""Words of a list of structures over which "compressing" reaches."""
_NEVER_TO_THE_LEFT = frozenset({".", ";", ":", ",", "(", ")", "with", "but", "show", "shows"})
_ASPECT = frozenset(["aspect", "side", "part", "half", "portion", "margin", "lateral", "of", "the", "posterior", "anterior", "superior", "inferior", "medial", "edge", "border", "wall"])
_TARGET_VERBS = frozenset({"mass_effect"})
_ADJOIN = frozenset(["the", "a", "an", "left", "right", "both", "bilateral", "adjacent", "of", "on", "upon", "underlying", "overlying", "upper", "lower", "lateral", "ipsilateral", "contralateral", "medial", "anterior", "posterior", "superior", "inferior", "and", ",", "surrounding", "neighbouring", "neighboring", "aspect", "rostral", "caudal", "dorsal", "ventral", "its", "entire", "nearby", "over", "onto", "against", "around", "side", "subjacent", "or", "from", "part", "mild", "floor", "roof", "horn"])


@dataclass(frozen=True)
class Place:
    """A location where something sits; `entity` is where it stands in the text."""

    entity: Entity
    values: tuple[str, ...]
    side: str | None
    plural: bool = False
    """True where "bilateral" is read from the plural alone."""


def find_places(reading: Reading, first: int, last: int) -> tuple[list[Place], set[int]]:
    """Locations of abnormality in a token range, and the tokens of the sides that belong to any location."""
    places, sides = [], set()
    previous: Place | None = None
    for entity in reading.within(first, last):
        values = tuple(m.value for m in entity.meanings if m.kind == "finding" and m.key == "location")
        if not values or entity.has("sequence", "ignored") or _is_gyrus_of(reading, entity):
            continue
        side, used = _side(reading, entity, first, last, previous)
        sides.update(used)
        if is_region(reading, entity) or is_level(reading, entity) or _is_reference(reading, entity, first) or (
                _is_healthy(reading, entity) or _is_bordered(reading, entity, first)):
            continue
        place = Place(entity, values, side, side == "bilateral" and not used and _is_plural(reading, entity, first))
        previous = place
        if _is_target(reading, entity, first, last):
            continue
        places.append(place)
    for k in range(len(places) - 2, -1, -1):
        if places[k].side is None and places[k + 1].entity.first == places[k].entity.last:
            places[k] = Place(places[k].entity, places[k].values, places[k + 1].side)
    return places, sides


_BESIDE = frozenset({"posterior", "anterior", "lateral", "dorsal", "ventral", "behind"})
"""What lies "posterior to the C2 vertebral body" lies at the level C2."""
_BOTH_LOBES = frozenset({"bifrontal", "biparietal", "bitemporal", "bioccipital"})
_HEALTHY = frozenset({"normal", "patent", "intact", "preserved", "unremarkable", "healthy", "decompressed"})


def _is_healthy(reading: Reading, entity: Entity) -> bool:
    """True for "normal pons" and "the fourth ventricle is unremarkable"."""
    k = entity.first - 1
    while reading.word(k) in {"appearing", "looking"} or ((side := reading.entity(k)) is not None and side.has("side")):
        k -= 1
    following = reading.entity(entity.last)
    stated = reading.word(entity.last + 1) if following is not None and following.has("verb") else ""
    return reading.word(k) in _HEALTHY or stated in _HEALTHY


def _is_bordered(reading: Reading, entity: Entity, first: int) -> bool:
    """True for the lobe of "a cleft between the tumour and the temporal lobe"."""
    for k in range(entity.first - 1, max(first, entity.first - 9) - 1, -1):
        if reading.word(k) == "between":
            sides = reading.within(k, entity.first)
            return any(e.has("lesion") for e in sides) and any(reading.word(j) == "and" for j in range(k, entity.first))
        if reading.word(k) in {",", ";", "."}:
            return False
    return False


def _is_gyrus_of(reading: Reading, entity: Entity) -> bool:
    """True for the gyrus of "precentral gyrus"."""
    before = reading.entity(entity.first - 1)
    return reading.word(entity.first) in {"gyrus", "gyri", "sulcus", "sulci"} and before is not None and any(
        m.key == "location" for m in before.meanings)


def _side(
    reading: Reading, entity: Entity, first: int, last: int, previous: Place | None
) -> tuple[str | None, set[int]]:
    if reading.word(entity.first) in _BOTH_LOBES:
        return "bilateral", set()
    within = next((w for k in range(entity.first, entity.last) if (w := reading.word(k)) in {"left", "right"}), None)
    if within:
        return within, set(range(entity.first, entity.last))
    k = entity.first - 1
    steps = 0
    while k >= first and steps < 8:
        word, other = reading.word(k), reading.entity(k)
        side = other.get("side") if other else None
        if side and other:
            return side.key, set(range(other.first, other.last))
        if word == "," and reading.word(k - 1) == "sided":
            k -= 1
            continue
        if word == "," and (both := _bilateral_before(reading, k, first)) is not None:
            return "bilateral", {both}
        if word in _NEVER_TO_THE_LEFT or word in {"a", "an"} or reading.mark(k):
            break
        if other and other.has("verb", "preposition") and word not in _ASPECT:
            break
        if word == "the" and not (reading.word(k - 1) == "of" and reading.word(k - 2) in _ASPECT):
            break
        if word == "of" and reading.word(k - 1) not in _ASPECT and not (other and other.has("finding")):
            break
        if word in {"and", "or", "/"}:
            if previous is None or previous.side is None or previous.plural or set(_values(entity)) & UNPAIRED:
                break
            return previous.side, set()
        k -= 1
        steps += 1
    after = _side_after(reading, entity, last)
    if after[0]:
        return after
    return ("bilateral" if _is_plural(reading, entity, first) else None), set()


def _bilateral_before(reading: Reading, comma: int, first: int) -> int | None:
    """The "bilateral" of "bilateral, confluent, periventricular foci": only adjectives stand between."""
    for k in range(comma - 1, max(first, comma - 6) - 1, -1):
        if reading.word(k).startswith("bilateral"):
            return k
        entity = reading.entity(k)
        if entity is not None and not entity.has("modifier", "finding"):
            return None
        if entity is not None and any(m.key == "location" for m in entity.meanings):
            return None
    return None


def _values(entity: Entity) -> tuple[str, ...]:
    return tuple(m.value for m in entity.meanings if m.kind == "finding" and m.key == "location")


def _side_after(reading: Reading, entity: Entity, last: int) -> tuple[str | None, set[int]]:
    k = entity.last
    if (lesion := reading.entity(k)) and lesion.has("lesion") and not lesion.has("side"):
        k = lesion.last
    while k < last and reading.word(k) in {"lobe", "lobes", "region", "hemisphere", "hemispheres", "nuclei", "gyrus", "on", "the", "(",
                                           "matter", "area", "cortex", "regions", "of", "/", "level"} | _LEVEL_NUMBERS:
        other = reading.entity(k)
        if other and other.has("side"):
            break
        k += 1
    other = reading.entity(k) if k < last else None
    side = other.get("side") if other else None
    if not side or other is None:
        return None, set()
    on_the = reading.word(k - 1) in {"the", "("} or (side.key == "midline" and reading.word(other.first) == "in")
    closed = reading.word(other.last) in {"", ".", ",", ")", ";", "and", "with", "(", "side"}
    return (side.key, set(range(other.first, other.last))) if closed and (on_the or side.key == "bilateral") else (None, set())


_LEVEL_NUMBERS = frozenset(str(k) for k in range(1, 13))


def _is_plural(reading: Reading, entity: Entity, first: int) -> bool:
    plurals = words("paired", "plurals")
    last_word = reading.word(entity.last - 1)
    noun = last_word in plurals or (reading.word(entity.last) in plurals and reading.word(entity.last) not in {"regions", "bones"})
    if not noun:
        return False
    before = [reading.word(k) for k in range(max(first, entity.first - 2), entity.first)]
    listed = before and before[-1] in {"and", ",", "or"} and last_word not in plurals
    return not listed and not (set(_values(entity)) & UNPAIRED)


def _is_reference(reading: Reading, entity: Entity, first: int) -> bool:
    """True for the tissue a signal is compared with: "isointense to cortex", "relative to grey matter"."""
    k = entity.first - 1
    while k >= first and reading.word(k) in {"the", "normal", "adjacent", "gray", "grey", "that", "of", "surrounding", "cerebral",
                                              "contralateral", "or", "and"}:
        k -= 1
    word, previous = reading.word(k), reading.entity(k)
    if _is_vertebral_level(reading, entity) and word == "to":
        return False
    if previous and previous.has("target") and previous.last == k + 1 and word in {"to", "with", "than", "as"}:
        return True
    compared = reading.entity(k - 1)
    return word in {"to", "with", "than"} and compared is not None and any(
        m.key in {"signal", "attenuation"} for m in compared.meanings if m.kind == "finding"
    )


def _is_target(reading: Reading, entity: Entity, first: int, last: int) -> bool:
    """True for a structure that is compressed, displaced, touched or reached (rule 10)."""
    if reading.word(entity.first - 1) in {"adjacent", "overlying", "underlying", "neighbouring", "neighboring", "subjacent", "nearby"} and "of" in {
            reading.word(entity.first - 2), reading.word(entity.first - 3)}:
        return True
    first = max(first, entity.first - MAX_LIST)
    following = reading.entity(entity.last)
    head = following
    step = entity.last
    while step < min(last, entity.last + 5) and reading.word(step) in {
        "is", "are", "was", "were", "slightly", "mildly", "severely", "markedly", "moderately", "to", "being", "significantly", "junction",
        "sulci", "cord", "region", "tissue", "parenchyma", "lobe", "oblongata", "with", "minimal", "slight", "nerve", "appears", "chiasm",
    }:
        if reading.word(step) == "with":
            break
        step += 1
        head = reading.entity(step)
    if head and head.get("finding") and any(m.key == "mass_effect" for m in head.meanings) and head.first < last:
        passive = step > entity.last or following is head
        word = reading.word(head.first)
        if passive and not word.endswith("ing") and word not in {"mass", "compresses", "displaces", "indents"}:
            return True
    k = entity.first - 1
    while k >= first:
        word, previous = reading.word(k), reading.entity(k)
        if previous and previous.get("finding") and any(m.key == "mass_effect" for m in previous.meanings):
            return reading.word(previous.last) not in {"in", "by"}
        if previous and previous.has("target"):
            return not (_is_vertebral_level(reading, entity) and reading.word(previous.first) in _BESIDE)
        if word == "to" and (reading.word(k - 1).startswith("exten") or _is_spinal(reading.entity(k - 1))):
            return True
        if word in {"and", ","} and not _target_before(reading, k, first):
            return False
        located = previous is not None and any(m.key == "location" for m in previous.meanings)
        if word not in _ADJOIN and not located and not (previous and previous.has("side", "modifier")):
            return word == "to" and reading.entity(k - 1) is not None and reading.word(k - 1).startswith("exten")
        k -= 1
    return False


def _is_spinal(entity: Entity | None) -> bool:
    """True for a level of the spine: the second one of "from C2 to T1" is only reached."""
    return entity is not None and any(m.key == "location" and m.value.endswith("_spine") for m in entity.meanings)


def _is_vertebral_level(reading: Reading, entity: Entity) -> bool:
    """True for the name of a vertebra ("C2"), not for the dens or the cord."""
    return _is_spinal(entity) and any(c.isdigit() for c in reading.word(entity.first))


def _target_before(reading: Reading, token: int, first: int) -> bool:
    """True where the item before a comma or "and" is a target itself."""
    for k in range(token - 1, first - 1, -1):
        entity = reading.entity(k)
        if entity and any(m.kind == "finding" and m.key == "location" for m in entity.meanings):
            return _is_target(reading, entity, first, token)
        if reading.word(k) not in _ADJOIN and not (entity and entity.has("modifier")):
            return False
    return False
