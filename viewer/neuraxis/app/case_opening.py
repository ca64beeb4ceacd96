"""Where the case of a study lies, and how it is tied to the study that is open: by identity and geometry."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

from neuraxis.app.case_records import Key, Records, SeriesNames, read_record, read_records, renamed
from neuraxis.app.history import Step
from neuraxis.app.places import find_place, kept_place
from neuraxis.case.binding import BindingState, SeriesBinding, bind, find_bound
from neuraxis.case.case_file import CaseFile
from neuraxis.case.database import copies_of, is_case_file, open_for_reading
from neuraxis.case.reading import CaseReading
from neuraxis.case.revisions import Revision, settled_at, undo_and_redo
from neuraxis.domain.study import Study
from neuraxis.errors import ReadError, WriteError

SUFFIX = ".neuraxis"


def case_folder() -> Path:
    """Where cases are kept unless a file is named; NEURAXIS_CASES names another folder."""
    named = os.environ.get("NEURAXIS_CASES")
    if named:
        return Path(named)
    from platformdirs import user_data_path

    return Path(user_data_path("neuraxis", appauthor=False)) / "cases"


def case_path_for(study: Study, folder: Path) -> Path:
    """The case of a study: a file named by a hash of its DICOM identity, the same wherever the study lies.

    A study that says nothing of its identity is known by its path.
    """
    identity = sorted({s.study_uid or s.series_uid for s in study.series} - {""}) or [study.path]
    return folder / f"{hashlib.sha256(chr(10).join(identity).encode()).hexdigest()[:32]}{SUFFIX}"


def study_place(case: Path) -> Path | None:
    """Where the study of a case file was when it was open last; None where it is not there any more.

    Raises
    ------
    ReadError
        When the file is no case, or damaged beyond that.
    """
    return find_place(_note(case, "study"))


def continued_from(case: Path) -> Path:
    """The file in which the work of a case went on by "Save case as", where that is still there; else the case itself."""
    try:
        return (find_place(_note(case, "continued")) if case.exists() else None) or case
    except ReadError:  # it is told, or mended from a copy, when the case is opened
        return case


def continue_in(file: CaseFile, path: Path) -> bool:
    """Copy an open case to another file, in which the work goes on; whether opening the study leads there from now on.

    Raises
    ------
    WriteError
        When there is a file already, or it cannot be written.
    """
    file.save_copy_as(path)
    try:
        file.keep_note("continued", kept_place(path))
    except WriteError:  # that the first file cannot be written is why it is copied
        return False
    return True


def _note(case: Path, name: str) -> str:
    try:
        connection = open_for_reading(case)
        try:
            return CaseReading(case, connection).note(name)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise ReadError(f"{case.name} is damaged or no case: {error}", expected="a Neuraxis case file") from error


@dataclass(frozen=True, eq=False)
class OpenedCase:
    """A case file with what it holds, in terms of the study that is open.

    Parameters
    ----------
    names : series ids of the file and of the study
    records : its objects now
    past, future : steps to undo and redo, last one last
    notes : why it is read-only, what was restored, what does not match the study, what is damaged
    """

    file: CaseFile
    names: SeriesNames
    records: Records
    revisions: tuple[Revision, ...]
    past: tuple[Step, ...]
    future: tuple[Step, ...]
    notes: tuple[str, ...]

    @property
    def last_number(self) -> int:
        """Number of its newest revision; 0 where it has none."""
        return self.revisions[-1].number if self.revisions else 0


def open_case(path: Path, study: Study, place: str = "") -> OpenedCase:
    """Open the case at a path, or make it there, for a study; `place` is where the study's files lie.

    Raises
    ------
    ReadError
        When the case is damaged without a copy, or belongs to another study.
    WriteError
        When it is to be made and cannot be.
    """
    if path.exists() and path.stat().st_size and not is_case_file(path) and not copies_of(path):
        raise ReadError(f"{path.name} is no Neuraxis case", expected="a Neuraxis case file")
    file = CaseFile.open(path)
    try:
        names, misfits = _tie(file, study)
        notes = [*file.notes, *misfits]
        if file.is_writable:
            try:
                _remember_study(file, study, names, place)
            except WriteError as error:  # a full disk keeps nobody from looking at what is there
                notes.append(error.found)
        records, damaged = read_records(file, name=names.here)
        revisions = file.revisions()
    except BaseException:
        file.close()
        raise
    labels = {r.number: r.action for r in revisions}
    undo, redo = undo_and_redo(revisions)
    return OpenedCase(
        file, names, records, revisions, tuple(Step(labels[n], number=n) for n in undo),
        tuple(Step(labels[n], number=n) for n in redo), (*notes, *file.recovered, *damaged),
    )


def _tie(file: CaseFile, study: Study) -> tuple[SeriesNames, tuple[str, ...]]:
    """Names of the case's series in this study, and what does not match, in words."""
    ids: dict[str, str] = {}
    misfits = []
    bindings = file.bindings()
    for known in bindings:
        state, series = find_bound(known, study)
        if series is not None and state is BindingState.SAME and series.id not in ids.values():
            ids[known.series_id] = series.id
        else:
            misfits.append(f"series {known.series_id}: {state.value}")
    if bindings and not ids and not _studies(file) & _study_uids(study):
        raise ReadError(
            f"{file.path.name} belongs to another study ({'; '.join(misfits[:4])})", expected="the study it was made on",
            remedy="choose the folder of that study",
        )
    if not misfits:
        return SeriesNames(ids), ()
    return SeriesNames(ids), (
        f"{len(misfits)} of {len(bindings)} series of the case do not match this study; what was made on them is kept, "
        f"not shown in the pictures ({'; '.join(misfits[:6])})",
    )


def _remember_study(file: CaseFile, study: Study, names: SeriesNames, place: str) -> None:
    """Series that the case does not know yet are bound to it, each under an id of its own."""
    bindings = file.bindings()
    taken = {b.series_id for b in bindings}
    bound = {names.here(b.series_id) for b in bindings}
    new = [_unlike(bind(s), taken) for s in study.series if s.id not in bound]
    for added, series in zip(new, (s for s in study.series if s.id not in bound), strict=True):
        names.add(added.series_id, series.id)
    if new:
        file.bind([*bindings, *new])
    if not _study_uids(study) <= _studies(file):
        file.keep_note("studies", json.dumps(sorted(_studies(file) | _study_uids(study))))
    if place and find_place(file.note("study")) != Path(place):
        file.keep_note("study", kept_place(Path(place)))


def _studies(file: CaseFile) -> set[str]:
    """Study UIDs of all series that were ever open with the case: another series of one of them is no other study."""
    return set(json.loads(file.note("studies") or "[]"))


def _study_uids(study: Study) -> set[str]:
    return {s.study_uid for s in study.series} - {""}


def _unlike(binding: SeriesBinding, taken: set[str]) -> SeriesBinding:
    name = binding.series_id
    while name in taken:
        name += "'"
    taken.add(name)
    return replace(binding, series_id=name)


def states_around(opened: OpenedCase, number: int, *, before: bool) -> tuple[Records, tuple[Key, ...]]:
    """The objects that a step changed as they were before or after it (None: not there), and the order of all."""
    revisions = opened.file.revisions()
    at = number - 1 if before else settled_at(revisions, number)
    changes: Records = {}
    for key, stored in opened.file.touched(number, at).items():
        value = None if stored is None else read_record(opened.file, stored)
        named, value = renamed(key, value, opened.names.here)
        changes[named] = value
    return changes, tuple(renamed(key, None, opened.names.here)[0] for key in opened.file.versions())
