"""Which files lie under a path: folders, single files, zip archives, DICOMDIR; nothing that is no regular file is opened."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field

from neuraxis.dicom.byte_sources import FileRef, printable
from neuraxis.domain.study import SkippedFile
from neuraxis.errors import ReadError

MAX_FOLDER_DEPTH = 4000
MAX_ARCHIVE_MEMBERS = 500_000
MAX_ARCHIVE_RATIO = 200
ARCHIVE_FLOOR_BYTES = 64 << 20
MAX_MEMBER_BYTES = 4 << 30


@dataclass
class Listing:
    """Files to read, what was left out before reading, and remarks."""

    files: list[FileRef] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def skip(self, path: str, reason: str) -> None:
        """Name a file that is not read."""
        self.skipped.append(SkippedFile(path, reason))


def list_files(path: str, should_stop: Callable[[], bool] | None = None) -> Listing:
    """All regular files under a path, archives opened, each other entry named with its reason.

    Raises
    ------
    ReadError
        When the path itself does not exist or cannot be listed.
    """
    listing = Listing()
    try:
        status = os.stat(path)
    except OSError as error:
        raise ReadError(
            f"{printable(path)} cannot be opened ({error.strerror or error})", expected="a DICOM file, folder or zip archive"
        ) from None
    if stat.S_ISDIR(status.st_mode):
        _walk_folder(path, listing, should_stop)
    elif stat.S_ISREG(status.st_mode):
        if os.path.basename(path).upper() == "DICOMDIR":
            _walk_folder(os.path.dirname(path) or ".", listing, should_stop)
        elif _is_zip(path):
            _list_archive(path, listing)
        else:
            listing.files.append(FileRef(path))
    else:
        raise ReadError(f"{printable(path)} is not a regular file", expected="a DICOM file, folder or zip archive")
    return listing


def _walk_folder(root: str, listing: Listing, should_stop: Callable[[], bool] | None) -> None:
    try:
        os.scandir(root).close()
    except OSError as error:
        raise ReadError(
            f"folder {printable(root)} cannot be listed ({error.strerror})", remedy="check the permissions of the folder"
        ) from None
    pending = [(root, 0)]
    visited: set[tuple[int, int]] = set()
    while pending:
        if should_stop is not None and should_stop():
            return
        folder, depth = pending.pop()
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in visited and status.st_ino:
                continue
            visited.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                ordered = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            listing.skip(folder, f"folder cannot be read ({error.strerror})")
            continue
        below: list[str] = []
        for entry in ordered:
            _take_entry(entry, listing, below)
        if depth < MAX_FOLDER_DEPTH:
            pending.extend((name, depth + 1) for name in reversed(below))
        elif below:
            listing.skip(folder, "folders nested too deep")


def _take_entry(entry: os.DirEntry[str], listing: Listing, below: list[str]) -> None:
    try:
        if entry.is_file(follow_symlinks=False):
            regular = True
        elif entry.is_dir(follow_symlinks=False):
            below.append(entry.path)
            return
        elif entry.is_symlink():
            mode = os.stat(entry.path).st_mode
            if stat.S_ISDIR(mode):
                below.append(entry.path)
                return
            regular = stat.S_ISREG(mode)
        else:
            regular = False
    except OSError:
        listing.skip(entry.path, f"{printable(entry.name)} points nowhere")
        return
    if not regular:
        listing.skip(entry.path, f"{printable(entry.name)} is not a regular file")
    elif entry.name.lower().endswith(".zip") and _is_zip(entry.path):
        _list_archive(entry.path, listing)
    else:
        listing.files.append(FileRef(entry.path))


def _is_zip(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


def _list_archive(path: str, listing: Listing) -> None:
    name = printable(os.path.basename(path))
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            packed = os.path.getsize(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        listing.skip(path, f"{name} is a damaged archive ({type(error).__name__})")
        return
    refused = {id(m): _refuse_member(m) for m in members if not m.is_dir()}
    total = sum(m.file_size for m in members if not refused.get(id(m)))
    if len(members) > MAX_ARCHIVE_MEMBERS:
        listing.skip(path, f"{name} holds {len(members)} members; not opened")
        return
    if total > max(packed * MAX_ARCHIVE_RATIO, ARCHIVE_FLOOR_BYTES):
        listing.skip(path, f"{name} expands {total / max(packed, 1):.0f} times; not opened")
        return
    taken = 0
    for member in members:
        if member.is_dir():
            continue
        shown = f"{path}!/{member.filename}"
        reason = refused[id(member)]
        if reason:
            listing.skip(shown, reason)
            continue
        taken += 1
        listing.files.append(
            FileRef(
                shown, path, member.header_offset, member.compress_size, member.file_size,
                member.compress_type == zipfile.ZIP_DEFLATED, member.CRC,
            )
        )
    listing.notes.append(f"{name} was opened: {taken} files in the archive")


def _refuse_member(member: zipfile.ZipInfo) -> str | None:
    shown = printable(member.filename)
    parts = member.filename.replace("\\", "/").split("/")
    if member.filename.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
        return f"{shown} points outside the archive"
    if member.flag_bits & 0x1:
        return f"{shown} is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"{shown} is compressed in a way that is not read"
    if member.file_size > MAX_MEMBER_BYTES or member.file_size > max(member.compress_size * 1100, 1 << 20):
        return f"{shown} expands beyond its limits; not opened"
    if member.filename.lower().endswith(".zip"):
        return f"{shown} is an archive inside an archive; not opened"
    return None
