"""A case as DICOM objects, JSON and table: everything a reader made, written for other systems."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuraxis.app.history import CaseState
from neuraxis.domain.lesion import Lesion, LesionMask
from neuraxis.domain.study import Series, Study
from neuraxis.domain.tag import Tag

if TYPE_CHECKING:
    from neuraxis.interop.identity import Author, UidSource

Progress = Callable[[float, str], None]


def write_case_objects(
    state: CaseState, study: Study, folder: Path, *, author: Author | None, written_at: datetime.datetime,
    progress: Progress = lambda _f, _t: None,
) -> tuple[Path, ...]:
    """Write SEG and SR of every lesion, the accepted registrations, the key images, and the table and JSON of all.

    A lesion's masks on further series become SEGs of their own. Tags that a reader asserted need `author`.

    Raises
    ------
    UsageError, GeometryError, ReadError, WriteError
        As the writers of each object.
    """
    from neuraxis.interop.identity import UidSource
    from neuraxis.interop.lesion_table import write_lesion_table
    from neuraxis.interop.lossless_json import LesionDocument, TaggedLesion, write_lesions_json

    folder.mkdir(parents=True, exist_ok=True)
    uids = UidSource(f"case {written_at.isoformat()}")
    files: list[Path] = []
    for number, lesion in enumerate(state.lesions, start=1):
        progress((number - 1) / len(state.lesions), lesion.label)
        tags = state.tags.get(lesion.tracking_uid, ())
        files += _lesion_objects(lesion, tags, study, folder / f"lesion-{number}", author, uids, written_at)
    files += _shared_objects(state, study, folder, author, uids, written_at)
    tagged = tuple(TaggedLesion(one, state.tags.get(one.tracking_uid, ())) for one in state.lesions)
    write_lesions_json(LesionDocument(tagged, state.registrations.registrations), folder / "lesions.json")
    write_lesion_table(tagged, folder / "lesions.csv")
    return (*files, folder / "lesions.json", folder / "lesions.csv")


def _lesion_objects(
    lesion: Lesion, tags: Sequence[Tag], study: Study, folder: Path, author: Author | None, uids: UidSource,
    written_at: datetime.datetime,
) -> list[Path]:
    from neuraxis.interop.seg import write_seg
    from neuraxis.interop.sr import write_sr

    folder.mkdir(exist_ok=True)
    files = []
    for place, mask in enumerate((lesion.mask, *lesion.other_masks), start=1):
        seg = folder / f"seg-{place}.dcm"
        write_seg(lesion, _series_of(study, mask), seg, author=author, uids=uids, written_at=written_at)
        files.append(seg)
    sr = folder / "sr.dcm"
    write_sr(
        lesion, tags, _series_of(study, lesion.mask), sr, seg_path=files[0], author=author, uids=uids, written_at=written_at,
    )
    return [*files, sr]


def _shared_objects(
    state: CaseState, study: Study, folder: Path, author: Author | None, uids: UidSource, written_at: datetime.datetime
) -> list[Path]:
    from neuraxis.interop.key_objects import write_key_objects
    from neuraxis.interop.spatial_registration import write_registration

    files = []
    for number, registration in enumerate(state.registrations.registrations, start=1):
        ends = [
            next((s for s in study.series if s.is_volume and s.frame_of_reference_uid == frame), None)
            for frame in (registration.from_frame, registration.to_frame)
        ]
        if ends[0] is not None and ends[1] is not None:
            path = folder / f"registration-{number}.dcm"
            write_registration(registration, ends[0], ends[1], path, author=author, uids=uids, written_at=written_at)
            files.append(path)
    by_study: dict[str, list[tuple[Series, int]]] = {}
    for series_id, index in state.key_images:
        series = study.find(series_id)
        by_study.setdefault(series.study_uid, []).append((series, index))
    for number, images in enumerate(by_study.values(), start=1):
        path = folder / f"key-images-{number}.dcm"
        write_key_objects(images, path, author=author, uids=uids, written_at=written_at)
        files.append(path)
    return files


def _series_of(study: Study, mask: LesionMask) -> Series:
    return study.find(mask.series_id or mask.series_uid)
