"""A figure legend as values: the figure, its panels and the claims made in each, with the text they were read from."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("imaging", "histology", "photo", "other")
MODALITIES = ("CT", "MR", "DSA", "XR", "US", "NM", "MRS")
CT_SEQUENCES = ("CT", "CTA", "CTV")
SEQUENCES = (
    *CT_SEQUENCES, "T1", "T1C", "T2", "FLAIR", "STIR", "PD", "CISS", "SWI", "GRE", "DWI", "ADC", "MRA", "MRV", "PWI",
)
PLANES = ("axial", "coronal", "sagittal", "oblique", "3d")
WINDOWS = ("bone", "brain", "soft_tissue")
CONTRASTS = ("pre", "post")
REGIONS = (
    "brain", "posterior_fossa", "foramen_magnum", "craniocervical", "skull_base", "sella", "orbit", "cpa",
    "temporal_bone", "midbrain", "neck", "cervical_spine", "thoracic_spine", "lumbar_spine", "spine",
)
MARKS = ("arrow", "arrowhead", "asterisk", "circle", "box", "line", "letter")
LATERALITIES = ("left", "right", "bilateral", "midline")


@dataclass(frozen=True, order=True)
class TextSpan:
    """A piece of the legend: characters `start` up to, not including, `end` of the text, and what stands there."""

    start: int
    end: int
    text: str

    def to_json(self) -> dict[str, object]:
        """`{"start", "end", "text"}`."""
        return {"start": self.start, "end": self.end, "text": self.text}


@dataclass(frozen=True)
class Claim:
    """What a legend states of a panel, in the lexicon's keys.

    `negated` says that the value is denied, `uncertain` that the statement is hedged, `size_mm` holds lengths in
    millimetres in the order of the text.
    """

    concept: str
    value: str
    negated: bool = False
    uncertain: bool = False
    laterality: str | None = None
    size_mm: tuple[float, ...] = ()
    span: TextSpan | None = None

    @property
    def statement(self) -> tuple[str, str, bool, bool, str | None, tuple[float, ...]]:
        """Everything but the place in the text: equal for two claims that say the same."""
        return (self.concept, self.value, self.negated, self.uncertain, self.laterality, self.size_mm)

    def to_json(self) -> dict[str, object]:
        """A claim as in the `legend` output of the command line."""
        return {
            "concept": self.concept, "value": self.value, "negated": self.negated, "uncertain": self.uncertain,
            "laterality": self.laterality, "size_mm": list(self.size_mm) or None,
            "span": self.span.to_json() if self.span else None,
        }


@dataclass(frozen=True)
class Panel:
    """One picture of a figure as its legend describes it; None or an empty tuple where nothing is stated.

    `spans` names the text behind each attribute: (attribute, span).
    """

    label: str
    kind: str = "imaging"
    modality: str | None = None
    sequence: str | None = None
    plane: str | None = None
    window: str | None = None
    contrast: str | None = None
    zoom: bool = False
    region: str | None = None
    marks: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    spans: tuple[tuple[str, TextSpan], ...] = ()

    def to_json(self) -> dict[str, object]:
        """A panel as in the `legend` output of the command line."""
        return {
            "label": self.label, "kind": self.kind, "modality": self.modality, "sequence": self.sequence,
            "plane": self.plane, "window": self.window, "contrast": self.contrast, "zoom": self.zoom,
            "region": self.region, "marks": list(self.marks), "claims": [c.to_json() for c in self.claims],
            "spans": [{"attribute": name, **span.to_json()} for name, span in self.spans],
        }


@dataclass(frozen=True)
class LegendFigure:
    """A figure: its heading ("Figure 2", or "" where there is none), text, panels and the words nobody understood.

    All spans count characters from the start of `text`.
    """

    id: str
    text: str
    panels: tuple[Panel, ...]
    not_understood: tuple[TextSpan, ...] = ()

    def panel(self, label: str) -> Panel:
        """The panel with a label. Raises KeyError."""
        for panel in self.panels:
            if panel.label == label:
                return panel
        raise KeyError(label)

    def to_json(self) -> dict[str, object]:
        """A figure as in the `legend` output of the command line."""
        return {
            "id": self.id, "panels": [p.to_json() for p in self.panels],
            "not_understood": [s.text for s in self.not_understood],
            "not_understood_spans": [[s.start, s.end] for s in self.not_understood],
        }
