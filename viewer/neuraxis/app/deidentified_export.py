"""A study, or a region of it, with its lesions, for handing on without identifiers."""

from __future__ import annotations

import datetime
import secrets
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from neuraxis.domain.geometry import Vector3
from neuraxis.domain.lesion import Lesion
from neuraxis.domain.study import SkippedFile, Study
from neuraxis.domain.tag import Tag
from neuraxis.domain.transform import RegistrationSet
from neuraxis.errors import NeuraxisError, ReadError, UsageError
from neuraxis.interop.identity import Author

if TYPE_CHECKING:
    from neuraxis.interop.deidentify import DeidentificationReport, Region, Substitution

Progress = Callable[[float, str], None]
KEY_LENGTH = 32
ANONYMOUS = Author("Anonymous^")
"""What a reader asserted stays asserted, by nobody who is named."""


def read_or_make_key(path: Path | None) -> bytes:
    """The secret from which identifiers are derived: of the file, newly made into it where it is not there.

    Without a file it is random and forgotten: no later export then matches this one.

    Raises
    ------
    ReadError
        When the file cannot be read or holds less than 16 bytes.
    """
    if path is None:
        return secrets.token_bytes(KEY_LENGTH)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(KEY_LENGTH))
    try:
        key = path.read_bytes()
    except OSError as error:
        raise ReadError(f"{path.name}: {error.strerror or error}", expected="a key file") from error
    if len(key) < 16:
        raise ReadError(f"{path.name} holds {len(key)} bytes", expected="at least 16 random bytes")
    return key


def region_from_point(
    study: Study, point: Vector3, series_key: str | None, size_mm: float, progress: Progress = lambda _f, _t: None
) -> Region:
    """A cube around a point of one series, placed in every frame of reference that a registration reaches."""
    from neuraxis.app.workup import lesion_series, register_frames

    series = lesion_series(study, series_key)
    registrations, _ = register_frames(study, series, point, progress)
    return region_around(study, point, series.frame_of_reference_uid, size_mm, registrations)


def region_around(
    study: Study, point: Vector3, frame_of_reference_uid: str, size_mm: float, registrations: RegistrationSet
) -> Region:
    """A cube around a point, placed in every frame of reference that an accepted registration reaches."""
    from neuraxis.interop.deidentify import Region

    centers = {}
    for frame in dict.fromkeys(s.frame_of_reference_uid for s in study.series if s.is_volume):
        if frame == frame_of_reference_uid:
            centers[frame] = point
            continue
        transform = registrations.between(frame_of_reference_uid, frame)
        if transform is not None:
            x, y, z = (float(v) for v in transform.apply(point))
            centers[frame] = (x, y, z)
    return Region(size_mm, tuple(centers.items()))


def export_deidentified(
    study: Study, folder: Path, substitution: Substitution, *, lesions: Sequence[tuple[Lesion, Sequence[Tag]]] = (),
    objects: Sequence[Path] = (), retained: Sequence[str] = (), allow: Sequence[str] = (), region: Region | None = None,
    written_at: datetime.datetime, progress: Progress = lambda _f, _t: None,
) -> DeidentificationReport:
    """Write a study and what was found in it without identifiers; see `deidentify_study`.

    Lesions go along as SEG and SR. A cut study gets them written anew on its cut images, with the part of each mask
    that lies inside; comments and the names of readers stay behind in both.
    """
    from neuraxis.interop.deidentify import deidentify_study

    with tempfile.TemporaryDirectory(prefix="neuraxis-") as temporary:
        own: list[Path] = []
        if region is None:
            for number, (lesion, tags) in enumerate(lesions):
                own += _lesion_objects(lesion, tags, study, Path(temporary) / str(number), written_at)
        report = deidentify_study(
            study, folder, substitution, objects=(*objects, *own), retained=retained, allow=allow, region=region,
            progress=progress,
        )
    if region is not None and lesions and report.written:
        _write_on_cut_images(lesions, folder, replace(substitution, variant=repr(region), uids={}), report, written_at)
    return report


def _lesion_objects(
    lesion: Lesion, tags: Sequence[Tag], study: Study, folder: Path, written_at: datetime.datetime
) -> list[Path]:
    from neuraxis.interop.identity import UidSource
    from neuraxis.interop.seg import write_seg
    from neuraxis.interop.sr import write_sr

    folder.mkdir(parents=True, exist_ok=True)
    series = study.find(lesion.mask.series_id or lesion.mask.series_uid)
    seg, sr = folder / "seg.dcm", folder / "sr.dcm"
    uids = UidSource(f"{lesion.tracking_uid} {written_at.isoformat()}")
    author = ANONYMOUS if any(t.asserted_by for t in tags) else None
    write_seg(lesion, series, seg, author=author, uids=uids, written_at=written_at)
    unsigned = tuple(replace(t, asserted_by=ANONYMOUS.name if t.asserted_by else "", comment="") for t in tags)
    write_sr(lesion, unsigned, series, sr, seg_path=seg, author=author, uids=uids, written_at=written_at)
    return [seg, sr]


def _write_on_cut_images(
    lesions: Sequence[tuple[Lesion, Sequence[Tag]]], folder: Path, substitution: Substitution,
    report: DeidentificationReport, written_at: datetime.datetime,
) -> None:
    from neuraxis.dicom import open_study

    cut = open_study(str(folder))
    for number, (lesion, tags) in enumerate(lesions, start=1):
        try:
            moved = _moved(lesion, f"Lesion {number}", cut, substitution)
            # evidence names other series by their old identifiers; it is measured anew on the cut study
            bare = tuple(replace(t, evidence=()) for t in tags)
            report.written += _lesion_objects(moved, bare, cut, folder / "objects" / f"{number:05d}", written_at)
        except NeuraxisError as error:
            report.left_out.append(SkippedFile(f"lesion {number}", str(error)))


def _moved(lesion: Lesion, label: str, cut: Study, substitution: Substitution) -> Lesion:
    """The lesion on the cut images: the same voxels, counted from the cut grid's first."""
    uid = substitution.uid(lesion.mask.series_uid)
    series = next((s for s in cut.series if s.series_uid == uid and s.geometry is not None), None)
    if series is None or series.geometry is None:
        raise UsageError("its series is not in the region", expected="a region around the lesion")
    old, new = lesion.mask.geometry, series.geometry
    start = new.nearest_index(old.lps_from_index(lesion.mask.start_zyx))
    if any(a < 0 or a + n > total for a, n, total in zip(start, lesion.mask.box.shape, new.shape_zyx, strict=True)):
        raise UsageError("its mask reaches out of the region", expected="a region that holds the whole lesion")
    mask = replace(lesion.mask, geometry=new, start_zyx=start, series_id=series.id, series_uid=series.series_uid)
    measurement = replace(
        lesion.measurement, series_id=series.id, series_uid=series.series_uid,
        frame_of_reference_uid=new.frame_of_reference_uid,
    )
    return replace(
        lesion, label=label, tracking_uid=substitution.uid(lesion.tracking_uid), mask=mask, other_masks=(),
        measurement=measurement,
    )
