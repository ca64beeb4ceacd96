"""Lesions: segment from a click, measure with uncertainty, edit, follow; pure functions on volumes and masks."""

from neuraxis.lesions import editing, tools
from neuraxis.lesions.bone import BoneMask, bone_mask, saddle_hu
from neuraxis.lesions.followup import Change, FollowUp, SizeChange, follow
from neuraxis.lesions.measurement import measure
from neuraxis.lesions.segmentation import SegmentKind, segment

__all__ = [
    "BoneMask",
    "Change",
    "FollowUp",
    "SegmentKind",
    "SizeChange",
    "bone_mask",
    "editing",
    "follow",
    "measure",
    "saddle_hu",
    "segment",
    "tools",
]
