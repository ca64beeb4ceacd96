"""A folder, file or archive to a `Study`: every file accounted for, every decision named."""

from __future__ import annotations

import gc
import os
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace

from neuraxis.dicom.attributes import Common
from neuraxis.dicom.byte_sources import FileRef, printable
from neuraxis.dicom.copies import CopyFinder
from neuraxis.dicom.decoding import POOL
from neuraxis.dicom.elements import UNDEFINED, DamagedFileError, NotDicomError
from neuraxis.dicom.files import Listing, list_files
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.grouping import Group, group_frames, mark_refused
from neuraxis.dicom.header_reader import HeaderReader
from neuraxis.dicom.multiframe import expand, is_mosaic, split_mosaic
from neuraxis.dicom.object_kinds import DICOMDIR_CLASS, set_apart_as
from neuraxis.dicom.series_building import build_series
from neuraxis.domain.study import Confidence, LoadReport, Role, RoleAssignment, Series, SkippedFile, Study
from neuraxis.errors import CancelledError, ReadError

Progress = Callable[[float, str], None]
ShouldStop = Callable[[], bool]


def open_study(
    path: str | os.PathLike[str], *, progress: Progress | None = None, should_stop: ShouldStop | None = None
) -> Study:
    """Everything found under a path: a DICOM file, a folder (searched to the bottom), a zip archive or a DICOMDIR.

    Headers are read once; voxels only when `series.volume()` or `series.source.read_slice(index)` asks for them.

    Parameters
    ----------
    progress : called with (fraction done, what is being done)
    should_stop : asked now and then; True stops the reading

    Raises
    ------
    ReadError
        When the path cannot be opened, or holds no file at all. A file that cannot be read is no error: it is named in
        `study.report.skipped`.
    CancelledError
        When `should_stop` said so.
    """
    shown = os.fsdecode(os.fspath(path))
    if progress is not None:
        progress(0.0, "listing files")
    listing = list_files(shown, should_stop)
    if should_stop is not None and should_stop():
        raise CancelledError("opening the study was stopped")
    if not listing.files and not listing.skipped:
        raise ReadError(f"{printable(shown)} holds no files", expected="DICOM files", remedy="choose another folder")
    # thousands of small records are about to be made and none of them is garbage
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _StudyReading(shown, listing, progress, should_stop).run()
    finally:
        if collecting:
            gc.enable()


def with_role(study: Study, series_id: str, role: Role) -> Study:
    """The same study with the user's own role for one series; certain, because a person said so."""
    chosen = study.find(series_id)
    assignment = RoleAssignment(role, Confidence.CERTAIN, f"set by the user (was {chosen.role.role.value}: {chosen.role.reason})")
    series = tuple(replace(s, role=assignment) if s.id == chosen.id else s for s in study.series)
    return replace(study, series=series)


def _folder_and_ending(path: str) -> tuple[str, str]:
    """Folder (for a member its archive) and ending of a file."""
    archive, inside, _ = path.partition("!/")
    return archive if inside else os.path.dirname(path), os.path.splitext(path)[1].lower()


def _matrix(common: Common) -> tuple[int, int] | None:
    return None if common.pixel_format is None else (common.pixel_format.rows, common.pixel_format.columns)


def _where_lost_slices_may_be(groups: list[Group]) -> dict[tuple[str, str, tuple[int, int] | None], list[Group]]:
    """Groups by series and matrix, and those of a lone placed slice also by frame of reference and matrix."""
    out: dict[tuple[str, str, tuple[int, int] | None], list[Group]] = defaultdict(list)
    for group in groups:
        common = group.frames[0].common
        lone = len(group.frames) == 1 and group.frames[0].position is not None
        for keyword in ("SeriesInstanceUID", "FrameOfReferenceUID") if lone else ("SeriesInstanceUID",):
            if common.get(keyword):
                out[keyword, common.get(keyword), _matrix(common)].append(group)
    return out


class _StudyReading:
    def __init__(
        self, path: str, listing: Listing, progress: Progress | None, should_stop: ShouldStop | None
    ) -> None:
        self.path, self.listing, self.progress, self.should_stop = path, listing, progress, should_stop
        self.frames: list[Frame] = []
        self.set_apart: list[SkippedFile] = []
        self.skipped: list[SkippedFile] = list(listing.skipped)
        self.notes: list[str] = list(listing.notes)
        self.damaged_folders: Counter[str] = Counter()
        self.foreign = Counter(_folder_and_ending(s.path) for s in listing.skipped)
        self.images = 0
        self.dicomdirs: list[FileRef] = []

    def run(self) -> Study:
        self._read_headers()
        self._tell(0.9, "sorting slices")
        finder = CopyFinder()
        groups = group_frames(self.frames, finder.settle)
        self.skipped.extend(finder.skipped)
        self.images -= len(finder.skipped)
        gappy = [group for group in groups if group.placement.missing]
        elsewhere = _where_lost_slices_may_be(groups) if gappy else {}
        for group in gappy:
            common = group.frames[0].common
            keys = [(k, common.get(k), _matrix(common)) for k in ("SeriesInstanceUID", "FrameOfReferenceUID")]
            apart = {id(g): g for key in keys for g in elsewhere.get(key, []) if g is not group}
            self._explain_gaps(group, list(apart.values()))
        series = build_series(groups)
        series = self._say_lone_slices(series)
        if self.dicomdirs:
            from neuraxis.dicom.dicomdir import compare_with_folder

            self.notes.extend(compare_with_folder(self.dicomdirs, [f.path for f in self.listing.files]))
        self._tell(1.0, "done")
        report = LoadReport(
            len(self.listing.files) + len(self.listing.skipped), self.images, tuple(self.set_apart), tuple(self.skipped),
            tuple(dict.fromkeys(self.notes)),
        )
        return Study(self.path, series, report)

    def _tell(self, fraction: float, text: str) -> None:
        if self.progress is not None:
            self.progress(fraction, text)

    def _read_headers(self) -> None:
        reader = HeaderReader()
        total = max(1, len(self.listing.files))
        for number, ref in enumerate(self.listing.files):
            if not number & 255:
                if self.should_stop is not None and self.should_stop():
                    raise CancelledError("opening the study was stopped")
                self._tell(0.05 + 0.85 * number / total, "reading headers")
            try:
                self._take(reader.read(ref))
            except NotDicomError as error:
                self.skipped.append(SkippedFile(ref.path, f"{ref.name} {error}"))
                self.foreign[_folder_and_ending(ref.path)] += 1
            except DamagedFileError as error:
                self._damaged(ref, str(error))
            except OSError as error:
                self._damaged(ref, f"cannot be read ({error.strerror or error})")
            except MemoryError:
                self._damaged(ref, "asks for more memory than there is")

    def _damaged(self, ref: FileRef, reason: str) -> None:
        joint = "" if reason.startswith(("is ", "has ", "ends ", "claims ", "inflates ", "cannot ", "asks ")) else ":"
        self.skipped.append(SkippedFile(ref.path, f"{ref.name}{joint} {reason}; left out"))
        self.damaged_folders[os.path.dirname(ref.path)] += 1

    def _take(self, frame: Frame) -> None:
        common = frame.common
        if common.is_plain_image and frame.header is None:
            self.images += 1
            self.frames.append(frame)
            return
        uid = common.get("SOPClassUID") or common.get("MediaStorageSOPClassUID")
        kind = set_apart_as(uid, common.get("Modality"))
        if kind is not None:
            if uid == DICOMDIR_CLASS:
                self.dicomdirs.append(frame.ref)
            self.set_apart.append(SkippedFile(frame.ref.path, f"{frame.ref.name} is a {kind}: listed, not taken for an image"))
            return
        if common.problem:
            self._damaged(frame.ref, common.problem)
            return
        if frame.pixel_length == UNDEFINED and not POOL.idle:
            POOL.warm(1)
        if frame.header is not None:
            self.frames.extend(expand(frame))
        elif is_mosaic(frame):
            self.frames.extend(split_mosaic(frame))
        else:
            common.is_plain_image = True
            self.frames.append(frame)
        # only now: a file whose frames cannot be told apart is a damaged one, not an image
        self.images += 1

    def _explain_gaps(self, group: Group, apart: list[Group]) -> None:
        """Take a gap for a file that was left out: one set `apart` from its place, or as many of the same folder.

        A file that is no DICOM counts where it is named like the slices: it may have been one.
        """
        placement = group.placement
        if apart:
            known = placement.refused
            mark_refused(placement, [f for g in apart for f in g.frames])
            placement.refused = tuple(sorted({*known, *placement.refused}))
        unexplained = len(placement.missing) - len(placement.refused)
        if not unexplained:
            return
        folders = {os.path.dirname(f.ref.path) for f in group.frames}
        damaged = sum(self.damaged_folders[f] for f in folders)
        damaged += sum(len(g.frames) for g in apart if "beyond the stack" in (g.placement.refusal or ""))
        damaged += sum(self.foreign[key] for key in {_folder_and_ending(f.ref.path) for f in group.frames})
        if damaged >= unexplained:
            placement.refused = placement.missing

    def _say_lone_slices(self, series: tuple[Series, ...]) -> tuple[Series, ...]:
        """Name the exporter's fault that gives every slice a series of its own."""
        lone: dict[tuple[str, str, int, int, str], list[Series]] = {}
        for s in series:
            if s.frames == 1 and s.is_volume and s.frame_of_reference_uid:
                key = (s.study_uid, s.frame_of_reference_uid, s.rows, s.columns, s.description)
                lone.setdefault(key, []).append(s)
        said = {}
        for group in lone.values():
            if len({s.series_uid for s in group}) >= 4:
                text = f"{len(group)} series of 1 slice in one frame of reference: they may be one series, exported apart"
                self.notes.append(text)
                said.update({s.id: text for s in group})
        if not said:
            return series
        return tuple(replace(s, warnings=(*s.warnings, said[s.id])) if s.id in said else s for s in series)


