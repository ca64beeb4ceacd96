"""A panel of a figure while its words are being read."""

from __future__ import annotations

from dataclasses import dataclass, field

from neuraxis.domain.legend import TextSpan
from neuraxis.legends.descriptors import Element


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
    surgery: str | None = None
    """"before" or "after" where the panel's own words say so."""
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
