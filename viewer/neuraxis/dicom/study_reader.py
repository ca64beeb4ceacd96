"""A folder, file or archive to a `Study`: every file accounted for, every decision named."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from neuraxis.dicom.byte_sources import FileRef, printable
from neuraxis.dicom.copies import CopyFinder
from neuraxis.dicom.decoding import POOL
from neuraxis.dicom.elements import UNDEFINED, DamagedFileError, NotDicomError
from neuraxis.dicom.files import Listing, list_files
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.grouping import Group, group_frames
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
        self.images = 0
        self.dicomdirs: list[FileRef] = []

    def run(self) -> Study:
        self._read_headers()
        self._tell(0.9, "sorting slices")
        finder = CopyFinder()
        groups = group_frames(self.frames, finder.settle)
        self.skipped.extend(finder.skipped)
        self.images -= len(finder.skipped)
        for group in groups:
            self._explain_gaps(group)
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

    def _explain_gaps(self, group: Group) -> None:
        """Take a gap for a file that was left out where as many files of the same folder were."""
        placement = group.placement
        unexplained = len(placement.missing) - len(placement.refused)
        if not unexplained:
            return
        folders = {os.path.dirname(f.ref.path) for f in group.frames}
        damaged = sum(self.damaged_folders[f] for f in folders)
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


