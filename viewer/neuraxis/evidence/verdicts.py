"""Builders for tags: one verdict a value, with the evidence it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from neuraxis.domain.tag import Evidence, Tag, Verdict

VALUES: Mapping[str, tuple[str, ...]] = {
    "calcification": ("none", "present", "punctate", "dense", "rim", "coarse", "amorphous", "gyriform"),
    "compartment": (
        "intra_axial", "extra_axial", "intraventricular", "intradural", "extradural", "subdural", "subarachnoid",
        "intramedullary", "extramedullary", "intraosseous", "extracranial",
    ),
    "laterality": ("left", "right", "bilateral", "midline"),
    "bone_change": ("none", "present", "erosion", "remodelling", "hyperostosis", "fracture", "continuity"),
    "attenuation": ("hyper", "hypo", "iso", "mixed", "fluid", "fat", "iso_hyper", "iso_hypo"),
    "diffusion_restriction": ("none", "present"),
    "blooming": ("none", "present", "marked"),
    "enhancement": (
        "none", "present", "rim", "homogeneous", "heterogeneous", "nodular", "serpiginous", "patchy", "linear",
        "leptomeningeal", "central", "mild", "intense",
    ),
    "dural_tail": ("none", "present"),
    "perilesional_oedema": ("none", "present", "mild", "moderate", "marked"),
    "mass_effect": ("none", "present", "mild", "moderate", "severe"),
    "midline_shift": ("none", "present"),
    "hydrocephalus": ("none", "present", "mild", "moderate", "severe"),
    "haemorrhage": (
        "none", "present", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "extradural",
        "microbleed", "intratumoral",
    ),
    "margin": ("well_defined", "ill_defined", "lobulated", "irregular", "smooth"),
    "size": ("measured",),
    "location": (
        "frontal", "parietal", "temporal", "occipital", "insula", "cerebral_hemisphere", "cortex", "subcortical",
        "white_matter", "periventricular", "corpus_callosum", "basal_ganglia", "thalamus", "hypothalamus",
        "hippocampus", "internal_capsule", "brainstem", "midbrain", "substantia_nigra", "pons", "medulla", "cerebellum",
        "vermis", "middle_cerebellar_peduncle", "lateral_ventricle", "third_ventricle", "fourth_ventricle",
        "foramen_of_monro", "basal_cisterns", "prepontine", "sylvian_fissure", "interhemispheric", "quadrigeminal",
        "cisterna_magna", "subarachnoid_space", "sella", "suprasellar", "parasellar", "cavernous_sinus", "pineal",
        "clivus", "foramen_magnum", "cpa", "iac", "inner_ear", "jugular_foramen", "petrous", "skull_base",
        "sphenoid_wing", "olfactory_groove", "falx", "parasagittal", "tentorium", "convexity", "transverse_sinus",
        "sagittal_sinus", "calvarium", "orbit", "optic_nerve", "supratentorial", "infratentorial", "posterior_fossa",
        "craniocervical", "cervical_spine", "thoracic_spine", "lumbar_spine", "sacral_spine", "spinal_cord", "conus",
        "paraspinal", "basilar_artery", "carotid_space", "other",
    ),
    "cystic": ("none", "present", "necrotic", "septated", "solid_cystic", "mural_nodule", "fluid_level"),
    "flow_void": ("none", "present"),
    "herniation": ("none", "present", "tonsillar", "subfalcine", "transtentorial"),
    "phase_sign": ("diamagnetic", "paramagnetic"),
}
"""Values of each concept that can be asked about (closed lists of the legend schema)."""

SIGNAL_VALUES = ("hyper", "hypo", "iso", "mixed", "csf", "normal", "iso_hyper", "iso_hypo")

_GENERIC = ("none", "present")

Answer = tuple[Verdict, str]


def values_of(concept: str) -> tuple[str, ...]:
    """Closed list of the values of a concept."""
    return SIGNAL_VALUES if concept.endswith("_signal") else VALUES.get(concept, ())


def tag_from(
    concept: str, answers: Mapping[str, Answer], evidence: Sequence[Evidence], otherwise: Answer | None = None
) -> Tag:
    """Tag with a verdict for every value of the concept; the suggestion is the most specific supported value.

    Parameters
    ----------
    answers : (verdict, reason) a value
    otherwise : the answer for values of the closed list that `answers` does not name
    """
    fallback = otherwise or (Verdict.NOT_ASSESSABLE, "the program measures nothing that decides this value")
    names = dict.fromkeys((*values_of(concept), *answers))
    values = tuple((name, *answers.get(name, fallback)) for name in names)
    return suggested(Tag(concept, None, Verdict.NOT_ASSESSABLE, tuple(evidence), values))


def suggested(tag: Tag) -> Tag:
    """The tag with value and verdict taken from its per-value verdicts."""
    supported = [name for name, verdict, _ in tag.values if verdict is Verdict.SUPPORTS]
    specific = [name for name in supported if name not in _GENERIC]
    chosen = specific or supported
    undecided = Verdict.NEUTRAL if any(v is Verdict.NEUTRAL for _, v, _ in tag.values) else Verdict.NOT_ASSESSABLE
    return replace(tag, value=chosen[0] if chosen else None, verdict=Verdict.SUPPORTS if chosen else undecided)


def not_assessable(concept: str, metric: str, rule: str, reason: str, unit: str = "", series_uid: str = "") -> Tag:
    """Tag of a concept about which nothing can be said, with the reason on every value."""
    evidence = Evidence(metric, None, unit, series_uid, rule, Verdict.NOT_ASSESSABLE, reason)
    answers = dict.fromkeys(values_of(concept), (Verdict.NOT_ASSESSABLE, reason))
    return tag_from(concept, answers, [evidence], (Verdict.NOT_ASSESSABLE, reason))


def absent(concept: str, reason: str) -> dict[str, Answer]:
    """The finding is absent: 'none' is supported and every other value contradicted."""
    return {
        name: (Verdict.SUPPORTS if name == "none" else Verdict.CONTRADICTS, reason) for name in values_of(concept)
    }


def present(concept: str, reason: str, undecided: str) -> dict[str, Answer]:
    """The finding is there: 'present' supported, 'none' contradicted, every kind or degree neutral for `undecided`."""
    answers: dict[str, Answer] = dict.fromkeys(
        values_of(concept), (Verdict.NEUTRAL, f"{reason}; {undecided}")
    )
    answers["none"] = (Verdict.CONTRADICTS, reason)
    answers["present"] = (Verdict.SUPPORTS, reason)
    return answers


def unclear(concept: str, reason: str) -> dict[str, Answer]:
    """Measured, but between the thresholds: no value is decided."""
    return dict.fromkeys(values_of(concept), (Verdict.NOT_ASSESSABLE, reason))


def merged(tags: Iterable[Tag]) -> tuple[Tag, ...]:
    """One tag a concept: evidence joined; for a value, an answer that decides goes before one that does not.

    Two metrics that decide a value in opposite ways leave it not assessable, and the reason says so.
    """
    by_concept: dict[str, list[Tag]] = {}
    for tag in tags:
        by_concept.setdefault(tag.concept, []).append(tag)
    return tuple(_merge(group) if len(group) > 1 else group[0] for group in by_concept.values())


def _merge(group: Sequence[Tag]) -> Tag:
    names = dict.fromkeys(name for tag in group for name, _, _ in tag.values)
    spoken = {name: [tag.verdict_on(name) for tag in group if name in {v[0] for v in tag.values}] for name in names}
    values = tuple((name, *_joint(answers)) for name, answers in spoken.items())
    evidence = tuple(e for tag in group for e in tag.evidence)
    laterality = next((tag.laterality for tag in group if tag.laterality), None)
    return suggested(Tag(group[0].concept, None, Verdict.NOT_ASSESSABLE, evidence, values, laterality))


def _joint(answers: Sequence[Answer]) -> Answer:
    decided = [a for a in answers if a[0] in (Verdict.SUPPORTS, Verdict.CONTRADICTS)]
    kinds = {verdict for verdict, _ in decided}
    if len(kinds) == 2:
        return Verdict.NOT_ASSESSABLE, "metrics disagree: " + "; ".join(reason for _, reason in decided)
    if decided:
        return decided[0]
    neutral = [a for a in answers if a[0] is Verdict.NEUTRAL]
    return neutral[0] if neutral else answers[0]
