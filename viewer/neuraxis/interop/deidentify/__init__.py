"""De-identified export: an allow-list of attributes over images and the objects that describe them."""

from neuraxis.interop.deidentify.cleaner import RETAINABLE
from neuraxis.interop.deidentify.export import OVERRIDES, DeidentificationReport, deidentify_study
from neuraxis.interop.deidentify.region import Region
from neuraxis.interop.deidentify.substitution import Substitution

__all__ = ["OVERRIDES", "RETAINABLE", "DeidentificationReport", "Region", "Substitution", "deidentify_study"]
