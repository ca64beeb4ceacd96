"""What a DICOMDIR names, compared with what is there; the folder itself is what is read."""

from __future__ import annotations

import os

from neuraxis.dicom.byte_sources import DescriptorSource, FileRef, open_regular
from neuraxis.dicom.elements import DamagedFileError
from neuraxis.dicom.nested import parse_items

_RECORDS, _FILE_ID = 0x00041220, 0x00041500
_MAX_BYTES = 256 << 20


def compare_with_folder(dicomdirs: list[FileRef], present: list[str]) -> list[str]:
    """Remarks: files named outside the folder, named but absent, there but not named."""
    remarks: list[str] = []
    have = {os.path.normcase(os.path.abspath(p)) for p in present}
    for ref in dicomdirs:
        if ref.is_member:
            continue
        root = os.path.abspath(os.path.dirname(ref.path))
        try:
            names = referenced_files(ref.path)
        except (DamagedFileError, OSError) as error:
            remarks.append(f"{ref.name}: the directory cannot be read ({error}); the folder itself was read")
            continue
        inside, outside = [], 0
        for parts in names:
            target = os.path.abspath(os.path.join(root, *parts))
            if any(p in ("..", "") or os.path.isabs(p) or ":" in p for p in parts) or not target.startswith(root + os.sep):
                outside += 1
            else:
                inside.append(os.path.normcase(target))
        named = set(inside)
        under = {p for p in have if p.startswith(root + os.sep) and os.path.basename(p).upper() != "DICOMDIR"}
        if outside:
            remarks.append(f"{ref.name} names {outside} files outside its folder: left out")
        missing, extra = len(named - have), len(under - named)
        if missing or extra:
            remarks.append(
                f"{ref.name} names {missing} files that are not there and misses {extra} that are; the folder itself was read"
            )
    return remarks


def referenced_files(path: str) -> list[list[str]]:
    """Path components of every file that the records of a DICOMDIR name."""
    descriptor, size = open_regular(path)
    try:
        if size > _MAX_BYTES:
            raise DamagedFileError("directory is too large")
        data = DescriptorSource(descriptor, size).read(0, size)
    finally:
        os.close(descriptor)
    start = data.find(b"\x04\x00\x20\x12SQ", 132)
    if start < 0:
        raise DamagedFileError("no directory records")
    length = int.from_bytes(data[start + 8 : start + 12], "little")
    body = data[start + 12 :] if length == 0xFFFFFFFF else data[start + 12 : start + 12 + length]
    out = []
    for item in parse_items(body, explicit=True, big=False):
        raw = item.values.get(_FILE_ID)
        if raw:
            out.append([p.strip(" \0") for p in raw.decode("latin-1").split("\\")])
    return out
