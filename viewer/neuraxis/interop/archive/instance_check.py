"""Whether a file is one whole DICOM instance: walked from its first byte to its last, without decoding anything."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from neuraxis.dicom.byte_sources import DescriptorSource, open_regular
from neuraxis.dicom.elements import UNDEFINED, ByteSource, DamagedFileError, Header, Walk
from neuraxis.dicom.header_walk import walk_header
from neuraxis.interop.archive.query import InstanceKey, is_uid

_STUDY, _SERIES, _INSTANCE, _CLASS = 0x0020000D, 0x0020000E, 0x00080018, 0x00080016
_IMPLEMENTATION = 0x00020012


@dataclass(frozen=True)
class CheckedInstance:
    """What a whole instance says of itself."""

    key: InstanceKey
    transfer_syntax: str
    size: int


def check_instance(path: Path) -> CheckedInstance:
    """Walk a file to its end.

    Raises
    ------
    DamagedFileError
        When it is no DICOM file, ends early, or does not name itself. The text has nothing of the patient.
    OSError
        When it cannot be read.
    """
    descriptor, size = open_regular(str(path))
    try:
        source = DescriptorSource(descriptor, size)
        if source.read(128, 4) != b"DICM":
            raise DamagedFileError("is no DICOM file (no DICM behind the preamble)")
        header, valid = walk_header(source, frozenset((_STUDY, _SERIES, _INSTANCE, _CLASS)))
        _walk_behind_pixels(header, valid)
    finally:
        os.close(descriptor)
    study, series, instance, kind = (_uid(header, tag) for tag in (_STUDY, _SERIES, _INSTANCE, _CLASS))
    if not (is_uid(study) and is_uid(series) and is_uid(instance) and is_uid(kind)):
        raise DamagedFileError("lacks a proper study, series, instance or class UID")
    return CheckedInstance(InstanceKey(study, series, instance, kind), header.transfer_syntax, size)


def _walk_behind_pixels(header: Header, source: ByteSource) -> None:
    if not header.pixel_tag:
        return
    walk = Walk(source)
    walk.set_encoding(explicit=header.explicit, big=header.big_endian)
    if header.pixel_length == UNDEFINED:
        end = walk.skip_sequence(header.pixel_offset, header.pixel_tag, 1)
    else:
        end = header.pixel_offset + header.pixel_length
    if end > source.size:
        raise DamagedFileError(f"ends early (pixel data needs {end} bytes, the file has {source.size})")
    walk.data_set(end)


def _uid(header: Header, tag: int) -> str:
    return header.values.get(tag, b"").rstrip(b"\0 ").decode("ascii", "replace")
