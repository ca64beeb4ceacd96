"""Instances on their way out: which files are sent, under which SOP Instance UIDs, and whether the archive holds them so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from neuraxis.dicom.elements import DamagedFileError
from neuraxis.dicom.files import list_files
from neuraxis.domain.study import SkippedFile
from neuraxis.errors import UsageError
from neuraxis.interop.archive.instance_check import check_instance
from neuraxis.interop.archive.query import InstanceKey
from neuraxis.interop.dicom_file import IMPLEMENTATION_CLASS_UID, encode, write_atomically

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TRAILING_PADDING = 0xFFFCFFFC
NewUid = Callable[[], str]


@dataclass(frozen=True)
class Outgoing:
    """One instance in a file of its own."""

    path: Path
    key: InstanceKey
    transfer_syntax: str
    size: int

    def blocks(self, size: int) -> Iterator[bytes]:
        """Its bytes, at most `size` at a time.

        Raises
        ------
        UsageError
            When the file is no longer as long as it was, or can no longer be read.
        """
        left = self.size
        try:
            with self.path.open("rb") as stream:
                while block := stream.read(min(size, left)):
                    left -= len(block)
                    yield block
                left -= len(stream.read(1))
        except OSError as error:  # told as it is, else it would be taken for a failure of the network
            raise UsageError(f"{self.path.name} can no longer be read: {error.strerror or error}") from error
        if left:
            raise UsageError(f"{self.path.name} changed while it was sent", expected="a file that nobody writes to")

    def is_ours(self) -> bool:
        """Whether this program wrote it, and may so give it another name."""
        import pydicom

        meta = pydicom.filereader.read_file_meta_info(str(self.path))
        return bool(meta.get("ImplementationClassUID") == IMPLEMENTATION_CLASS_UID)


@dataclass
class Outbox:
    """Files to be sent, and those under the paths that are none."""

    objects: list[Outgoing] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def collect_outgoing(paths: Iterable[Path]) -> Outbox:
    """All whole DICOM instances under the paths, each once.

    Raises
    ------
    UsageError
        Where there is none, or two files of one SOP Instance UID differ.
    """
    outbox, seen = Outbox(), dict[str, Outgoing]()
    for path in paths:
        listing = list_files(str(path))
        outbox.skipped += listing.skipped
        for ref in listing.files:
            if ref.is_member:
                outbox.skipped.append(SkippedFile(ref.name, "lies in a zip archive; unpack it first"))
                continue
            try:
                checked = check_instance(Path(ref.path))
            except (DamagedFileError, OSError) as error:
                outbox.skipped.append(SkippedFile(ref.path, str(error)))
                continue
            item = Outgoing(Path(ref.path), checked.key, checked.transfer_syntax, checked.size)
            before = seen.setdefault(checked.key.sop_uid, item)
            if before is item:
                outbox.objects.append(item)
            elif before.path.read_bytes() != item.path.read_bytes():
                raise UsageError(
                    f"{before.path.name} and {item.path.name} have one SOP Instance UID and differ",
                    expected="one file for an instance", remedy="send one of them only",
                )
    if not outbox.objects:
        raise UsageError(
            f"no whole DICOM file among {len(outbox.skipped)} files", expected="files or folders with DICOM instances",
        )
    return outbox


def renamed(objects: Sequence[Outgoing], taken: set[str], new_uid: NewUid, folder: Path) -> tuple[list[Outgoing], dict[str, str]]:
    """Copies of our objects under new SOP Instance UIDs where theirs are `taken`, references among all objects kept right.

    An object that refers to a renamed one is another object too, so it is renamed as well.

    Parameters
    ----------
    taken : UIDs under which the archive holds something else
    folder : where the copies are written

    Returns
    -------
    (what to send in place of `objects`, new UID by old UID)
    """
    import pydicom
    from pydicom.uid import UID

    if not taken:
        return list(objects), {}
    ours = {o.key.sop_uid: pydicom.dcmread(o.path) for o in objects if o.is_ours()}
    references = {uid: _uids_in(dataset) - {uid} for uid, dataset in ours.items()}
    stale = set(taken)
    while more := {uid for uid, named in references.items() if named & stale} - stale:
        stale |= more
    names = {uid: new_uid() for uid in sorted(stale)}
    result = []
    for item in objects:
        uid = item.key.sop_uid
        if uid not in names:
            result.append(item)
            continue
        dataset = ours[uid]
        _replace_uids(dataset, names)
        dataset.file_meta.MediaStorageSOPInstanceUID = UID(names[uid])
        copy = folder / f"{names[uid]}.dcm"
        write_atomically(encode(dataset), copy)
        checked = check_instance(copy)
        result.append(Outgoing(copy, checked.key, checked.transfer_syntax, checked.size))
    return result, names


def _uids_in(dataset: Dataset) -> set[str]:
    return {str(uid) for element in dataset.iterall() if element.VR == "UI" for uid in _values(element.value)}


def _replace_uids(dataset: Dataset, names: Mapping[str, str]) -> None:
    for element in dataset.iterall():
        if element.VR == "UI" and any(str(v) in names for v in _values(element.value)):
            new = [names.get(str(v), str(v)) for v in _values(element.value)]
            element.value = new if len(new) > 1 else new[0]


def _values(value: object) -> list[object]:
    if value is None:
        return []
    return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)


def differences(sent: Path, held: Path) -> list[str]:
    """Keywords of the attributes in which two files differ; empty where the archive holds what was sent.

    File meta information is the archive's own and left out; so are group lengths and trailing padding, which say
    nothing and which archives drop. Values are not told: they may name the patient.
    """
    import pydicom

    if sent.stat().st_size == held.stat().st_size and sent.read_bytes() == held.read_bytes():
        return []
    a, b = pydicom.dcmread(sent), pydicom.dcmread(held)
    if a.file_meta.TransferSyntaxUID.is_compressed != b.file_meta.TransferSyntaxUID.is_compressed:
        return ["TransferSyntaxUID"]
    tags = sorted(t for t in {*a.keys(), *b.keys()} if t.element != 0 and t != _TRAILING_PADDING)
    differing = [t for t in tags if t not in a or t not in b or a[t] != b[t]]
    return [pydicom.datadict.keyword_for_tag(t) or f"({t >> 16:04X},{t & 0xFFFF:04X})" for t in differing]
