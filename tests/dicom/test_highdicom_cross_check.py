"""Every single-frame series of the real set beside highdicom's strict volume builder: equal where it accepts, explained where it refuses."""

from __future__ import annotations

import logging
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuraxis.dicom import open_study
from neuraxis.domain.study import Series
from neuraxis.domain.volume import ValueKind

FOLDERS = (
    "ct_head_phantom_mixed_philips", "ct_head_tilt_ge", "dicomdir_small_pydicom", "mr_gre_b0map_ge", "mr_gre_megre_phantom_siemens",
    "mr_t1_sag_siemens", "mr_t1post_ax_siemens", "mr_t2_ax_siemens", "seg_ct_liver_dcmqi", "seg_small_dcmqi", "sr_seg_highdicom",
    "syntax_ct_slice_cornerstone", "syntax_head_ct_j2k_tilt", "syntax_misc_pydicom", "syntax_mr_small_pydicom",
)
CANNOT_DECODE = "Unable to decode"
NOT_REGULAR = "Series is not a regularly-spaced volume."
OTHER_ORIENTATION = "Images do not have the same orientation."


@dataclass(frozen=True)
class Answer:
    """What highdicom made of some files: an array (z, y, x) with its affine from index to LPS, or why not."""

    array: Any = None
    affine: Any = None
    refusal: str = ""


def strict(paths: list[str]) -> Answer:
    """The volume that highdicom builds from these files, modality transform applied, MONOCHROME1 not turned over."""
    import highdicom
    import pydicom

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            volume = highdicom.get_volume_from_series([pydicom.dcmread(p, force=True) for p in paths], apply_presentation_lut=False)
        except (ValueError, RuntimeError, NotImplementedError) as error:
            return Answer(refusal=str(error))
        finally:
            logging.disable(logging.NOTSET)
    return Answer(volume.array, np.asarray(volume.affine))


def series_of(folder: Path) -> dict[str, list[Series]]:
    """SeriesInstanceUID to what we made of it (at least one volume), single-frame files only."""
    out: dict[str, list[Series]] = defaultdict(list)
    for series in open_study(folder).series:
        if all(i.frames == 1 for i in series.instances):
            out[series.series_uid].append(series)
    return {uid: parts for uid, parts in out.items() if any(s.is_volume for s in parts)}


def assert_equal(series: Series, theirs: Answer) -> None:
    """Corners within 0.01 mm and every value equal, at the place that highdicom's affine gives it."""
    assert series.geometry is not None
    volume = series.volume()
    corners = np.stack(np.meshgrid(*([0, n - 1] for n in theirs.array.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    places = corners @ theirs.affine[:3, :3].T + theirs.affine[:3, 3]
    own = np.rint(series.geometry.index_from_lps(places)).astype(int)
    assert np.linalg.norm(series.geometry.lps_from_index(own) - places, axis=1).max() <= 0.01
    assert volume.array.shape == theirs.array.shape
    # both run along the rows and columns of the files, so only the order of the slices may differ
    assert (own[:, 1:] == corners[:, 1:]).all()
    flipped = len(volume.array) > 1 and own[0, 0] != 0
    wanted = theirs.array[::-1] if flipped else theirs.array
    values = volume.array * (4096 / np.pi) if volume.kind is ValueKind.PHASE else volume.array.astype(float)
    real = np.ones(values.shape, bool) if volume.padding is None else ~volume.padding
    assert np.abs(values - wanted)[real].max() <= 1e-3


def said(series: Series) -> str:
    """All that the report says of a volume."""
    return " | ".join((*series.warnings, *(series.volume().caveats if series.is_volume else ())))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_volume_equals_that_of_highdicom_or_the_report_says_why_there_is_none(folder: str, shared_real: Path) -> None:
    checked = 0
    for volumes in series_of(shared_real / folder).values():
        whole = strict([i.path for s in volumes for i in s.instances])
        if whole.refusal and len(volumes) > 1:
            assert whole.refusal in (NOT_REGULAR, OTHER_ORIENTATION)
            assert all(any(w in said(s) for w in ("split ", "kept apart", "read as separate stacks", "beyond the stack")) for s in volumes)
        elif not whole.refusal:
            assert len(volumes) == 1, "highdicom gives one volume, we split without need"
        for series in (s for s in volumes if s.is_volume):
            answer = whole if len(volumes) == 1 else strict([i.path for i in series.instances])
            checked += 1
            if not answer.refusal:
                assert_equal(series, answer)
            elif answer.refusal == NOT_REGULAR:
                assert "missing between" in said(series) or "gantry tilt" in said(series)
            else:
                assert answer.refusal.startswith(CANNOT_DECODE), answer.refusal
                assert series.acquisition.lossy
    assert checked


def test_the_whole_series_that_highdicom_refuses_are_these(shared_real: Path) -> None:
    refused = {
        (folder, tuple(s.frames for s in volumes))
        for folder in ("ct_head_tilt_ge", "mr_t2_ax_siemens", "mr_gre_b0map_ge", "mr_t1_sag_siemens", "mr_t1post_ax_siemens")
        for volumes in series_of(shared_real / folder).values()
        if strict([i.path for s in volumes for i in s.instances]).refusal
    }
    assert refused == {("ct_head_tilt_ge", (14, 14)), ("mr_t2_ax_siemens", (55,)), ("mr_gre_b0map_ge", (16, 16))}


def test_parts_of_a_tilted_and_a_gappy_series_are_where_highdicom_puts_them(shared_real: Path) -> None:
    """What highdicom refuses as a whole it accepts slice by slice: the place of every slice is still compared."""
    compared = 0
    for folder in ("ct_head_tilt_ge", "mr_t2_ax_siemens"):
        for volumes in series_of(shared_real / folder).values():
            for series in volumes:
                volume = series.volume()
                slots = {uid: k for k, uid in enumerate(volume.sop_instance_uids) if uid}
                for instance in series.instances[::5]:
                    one = strict([instance.path])
                    k = slots[instance.sop_instance_uid]
                    corners = np.array([(0, y, x) for y in (0, volume.array.shape[1] - 1) for x in (0, volume.array.shape[2] - 1)])
                    places = corners @ one.affine[:3, :3].T + one.affine[:3, 3]
                    own = volume.geometry.lps_from_index(corners + np.array([k, 0, 0]))
                    assert np.linalg.norm(own - places, axis=1).max() <= 0.01
                    real = slice(None) if volume.padding is None else ~volume.padding[k]
                    assert np.abs(volume.array[k].astype(float) - one.array[0])[real].max() <= 1e-3
                    compared += 1
    assert compared >= 17
