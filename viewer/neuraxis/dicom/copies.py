"""Files that claim to be the same instance: copies are named, contradictions are not decided."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from neuraxis.dicom.attributes import Rescale
from neuraxis.dicom.elements import DamagedFileError
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.frame_reader import open_file, read_stored
from neuraxis.dicom.stored_values import Findings, SlicePlan, stored_numbers
from neuraxis.domain.study import SkippedFile

_BLOCK = 1 << 20


class CopyFinder:
    """Compares files byte by byte and remembers which were left out as copies."""

    def __init__(self) -> None:
        self.skipped: list[SkippedFile] = []
        self.named: set[str] = set()

    def settle(self, frames: list[Frame]) -> tuple[list[Frame], list[str]]:
        """(frames to keep, remarks) of frames with one SOPInstanceUID, or at one place."""
        kept: list[Frame] = []
        remarks: list[str] = []
        # of copies the one with the soundest header stays
        for frame in sorted(frames, key=lambda f: (len(f.common.notes), len(f.ref.path), f.ref.path)):
            twin = next((k for k in kept if same_pixels(k, frame)), None)
            if twin is None:
                kept.append(frame)
                continue
            remarks.append(f"{frame.name} is a copy of {twin.name}")
            if frame.ref.path not in self.named:
                self.named.add(frame.ref.path)
                self.skipped.append(SkippedFile(frame.ref.path, f"{frame.name} is a copy of {twin.name}"))
        if len(kept) < 2:
            return kept, remarks
        names = " and ".join(f.name for f in kept[:3])
        syntaxes = defaultdict(list)
        for frame in kept:
            syntaxes[frame.common.transfer_syntax].append(frame)
        if len(syntaxes) == len(kept):
            remarks.append(f"{names} carry the same UID in different transfer syntaxes: kept apart")
        else:
            remarks.append(f"{names} carry the same UID but differ: none was chosen")
            for frame in kept:
                frame.position = None
                frame.position_problem = f"carries the same UID as another file ({names}) but differs: choose one"
        return kept, remarks


def same_pixels(a: Frame, b: Frame) -> bool:
    """Whether two files with one SOPInstanceUID hold the same picture: the same bytes, or the same decoded pixels."""
    if a.index != b.index or a.tiles != b.tiles or a.position != b.position:
        return False
    if a.common.lossy != b.common.lossy or a.common.image_type != b.common.image_type:
        return False
    if (a.common.rescale, a.common.spacing_mm, a.common.orientation) != (
        b.common.rescale, b.common.spacing_mm, b.common.orientation
    ):
        return False
    if a.common.transfer_syntax == b.common.transfer_syntax and a.pixel_length == b.pixel_length and _same_bytes(a, b):
        return True
    return _same_decoded(a, b)


def _same_bytes(a: Frame, b: Frame) -> bool:
    """Whether the pixel data and all that follows are the same bytes."""
    with open_file() as left, open_file() as right:
        try:
            left.open(a)
            right.open(b)
        except (OSError, DamagedFileError):
            return False
        assert left.source is not None
        assert right.source is not None
        start_a, start_b = a.pixel_offset, b.pixel_offset
        while True:
            x, y = left.source.read(start_a, _BLOCK), right.source.read(start_b, _BLOCK)
            if x != y:
                return False
            if not x:
                return True
            start_a += len(x)
            start_b += len(y)


def _same_decoded(a: Frame, b: Frame) -> bool:
    if a.common.pixel_format is None or b.common.pixel_format is None:
        return False
    numbers = []
    for frame in (a, b):
        try:
            with open_file() as opened:
                raw, as_format = read_stored(frame, opened, Findings())
                plan = SlicePlan(as_format, Rescale(), None, None, False)
                # all bits count: whether those above BitsStored mean anything is not known yet
                findings = Findings(keep_high_bits=True)
                numbers.append(stored_numbers(raw, plan, findings, frame.name).astype(np.float64))
        except (OSError, DamagedFileError):
            return False
    return numbers[0].shape == numbers[1].shape and bool((numbers[0] == numbers[1]).all())
