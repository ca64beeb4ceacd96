"""What the voxels say of each tag: metrics that describe themselves, and the tags they support or contradict."""

from neuraxis.evidence.collect import collect, describe_all, metrics
from neuraxis.evidence.context import DuralTailAnswers, EvidenceContext, ReaderAnswers
from neuraxis.evidence.extent import enhancing_extent
from neuraxis.evidence.metric import Metric, MetricDescription
from neuraxis.evidence.mimics import MimicsRow, mimics_table

__all__ = [
    "DuralTailAnswers",
    "EvidenceContext",
    "Metric",
    "MetricDescription",
    "MimicsRow",
    "ReaderAnswers",
    "collect",
    "describe_all",
    "enhancing_extent",
    "metrics",
    "mimics_table",
]
