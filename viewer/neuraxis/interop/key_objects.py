"""Key images as DICOM Key Object Selection documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neuraxis.domain.lexicon import Code
from neuraxis.domain.study import Series, Study
from neuraxis.errors import UsageError
from neuraxis.interop.concepts import dicom_code
from neuraxis.interop.dicom_file import pin_identity, write_object
from neuraxis.interop.identity import MANUFACTURER, Author, Authorship, UidSource
from neuraxis.interop.observers import observer_contexts
from neuraxis.interop.seg import SERIES_NUMBER_OFFSET
from neuraxis.interop.source_images import source_images
from neuraxis.interop.sr_tree import read_report

if TYPE_CHECKING:
    import datetime

FOR_TEACHING = Code("DCM", "113004", "For Teaching")
DESCRIPTION = Code("DCM", "113012", "Key Object Description")


@dataclass(frozen=True)
class KeyImage:
    """One image of a selection; `series_id` is "" where it is not in the study."""

    sop_instance_uid: str
    frames: tuple[int, ...]
    series_id: str


@dataclass(frozen=True)
class KeyObjects:
    """A selection as read; `notes` say what is not here."""

    title: Code | None
    description: str
    images: tuple[KeyImage, ...]
    notes: tuple[str, ...]


def write_key_objects(
    images: Sequence[tuple[Series, int]], path: Path, *, description: str = "", title: Code = FOR_TEACHING,
    author: Author | None, uids: UidSource, written_at: datetime.datetime,
) -> str:
    """Write a selection of slices (series, slice index) of one study; return the SOP Instance UID.

    Raises
    ------
    UsageError
        When nothing is selected or the images are of several studies.
    GeometryError, ReadError, WriteError
        As in `write_seg`.
    """
    import highdicom as hd

    if not images or len({series.study_uid for series, _ in images}) != 1:
        raise UsageError(
            f"{len(images)} key images of {len({s.study_uid for s, _ in images})} studies",
            expected="at least one image, all of one study", remedy="write one selection a study",
        )
    authorship = Authorship(author, written_at, uids)
    headers = {}
    for series, index in images:
        (source,) = source_images(series, [index])
        headers[str(source.header.SOPInstanceUID)] = source.header
    person, device = observer_contexts(authorship)
    content = hd.ko.KeyObjectSelection(
        document_title=dicom_code(title), referenced_objects=list(headers.values()),
        observer_person_context=person, observer_device_context=device, description=description or None,
    )
    dataset = hd.ko.KeyObjectSelectionDocument(
        evidence=list(headers.values()), content=content, series_instance_uid="2.25.1",
        series_number=4 * SERIES_NUMBER_OFFSET, sop_instance_uid="2.25.1", instance_number=1,
        manufacturer=MANUFACTURER, series_description="Neuraxis key images",
    )
    pin_identity(dataset, authorship, kind="KO", series_key=(images[0][0].study_uid, title.value))
    return write_object(dataset, path, uids)


def read_key_objects(path: Path, study: Study | None = None) -> KeyObjects:
    """Images of a Key Object Selection document; those that are not in the study are named in `notes`.

    Raises ReadError where the file is no such document.
    """
    _, root = read_report(Path(path))
    where = {i.sop_instance_uid: s.id for s in (study.series if study else ()) for i in s.instances}
    images = tuple(
        KeyImage(i.reference.sop_instance_uid, i.reference.frames, where.get(i.reference.sop_instance_uid, ""))
        for i in root.walk() if i.kind in ("IMAGE", "COMPOSITE") and i.reference is not None
    )
    lost = sum(not image.series_id for image in images)
    notes = (f"{lost} of {len(images)} key images are not in the study",) if study is not None and lost else ()
    words = root.child(DESCRIPTION)
    return KeyObjects(root.name, words.words if words else "", images, notes)
