"""Groups of frames to `Series`: ids, roles, windows, warnings, and the source of their voxels."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict

from neuraxis.dicom.attributes import Common, parse_decimal
from neuraxis.dicom.byte_sources import printable
from neuraxis.dicom.frame import Frame
from neuraxis.dicom.grouping import Group
from neuraxis.dicom.meaning import meaning_of
from neuraxis.dicom.role_rules import assign_role
from neuraxis.dicom.series_source import SeriesSource
from neuraxis.domain.study import Acquisition, InstanceReference, Series
from neuraxis.domain.window import Window, WindowFunction

MAX_WARNINGS = 24


def build_series(groups: list[Group]) -> tuple[Series, ...]:
    """One `Series` per group, by series number, with ids that depend on nothing but the files' content."""
    by_uid: dict[tuple[str, str, str], list[Group]] = defaultdict(list)
    for group in groups:
        common = group.frames[0].common
        folder = "" if common.get("SeriesInstanceUID") else os.path.dirname(group.frames[0].ref.path)
        by_uid[(common.get("StudyInstanceUID"), common.get("SeriesInstanceUID"), folder)].append(group)
    numbers = Counter(_number(members[0]) for members in by_uid.values())
    out: list[Series] = []
    used: set[str] = set()
    ordered = sorted(by_uid.items(), key=lambda kv: (_number(kv[1][0]) is None, _number(kv[1][0]) or 0, kv[0]))
    for key, members in ordered:
        number = _number(members[0])
        tail = hashlib.sha1("\n".join(key[:2]).encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:5]
        base = f"s{tail}" if number is None else str(number) if numbers[number] == 1 else f"{number}-{tail}"
        members.sort(key=_group_order)
        while base in used:
            base += "x"
        used.add(base)
        for rank, group in enumerate(members, 1):
            out.append(_series(group, base if len(members) == 1 else f"{base}.{rank}"))
    return tuple(out)


def _number(group: Group) -> int | None:
    value = group.frames[0].common.value("SeriesNumber")
    return None if value is None else int(value)


def _group_order(group: Group) -> tuple[object, ...]:
    first = min((f.number if f.number is not None else 1 << 40, f.sop_instance_uid, f.index) for f in group.frames)
    return (group.placement.geometry is None, *first)


def _series(group: Group, series_id: str) -> Series:
    frames, placement = group.frames, group.placement
    first = frames[0].common
    commons = list({id(f.common): f.common for f in frames}.values())
    refusal = placement.refusal or _value_refusal(commons)
    if refusal:
        placement.geometry, placement.refusal = None, refusal
    meaning = meaning_of(commons)
    warnings = _warnings(group, commons, refusal)
    pixel_format = first.pixel_format
    assert pixel_format is not None
    caveats = tuple(
        w for w in warnings
        if any(text in w for text in ("missing between", "resampled", "gantry tilt", "spacing changes", ": left out", "none was"))
    )
    thickness = first.value("SliceThickness")
    series_uid = first.get("SeriesInstanceUID")
    source = SeriesSource(
        frames, placement, meaning, series_id, series_uid, thickness if thickness and thickness > 0 else None, caveats
    )
    return Series(
        id=series_id, series_uid=series_uid, study_uid=first.get("StudyInstanceUID"),
        frame_of_reference_uid=first.get("FrameOfReferenceUID"), number=_number(group),
        description=printable(first.get("SeriesDescription"), 120), modality=printable(first.get("Modality"), 16),
        role=assign_role(first, len(frames), signed=_is_signed_map(frames)), instances=_instances(frames), frames=len(frames), rows=pixel_format.rows,
        columns=pixel_format.columns, geometry=placement.geometry, refusal=refusal, source=source,
        warnings=(*warnings, *(c for c in meaning.caveats if c not in warnings)), acquisition=_acquisition(frames[0], commons),
        windows=read_windows(frames[len(frames) // 2]), inverted=pixel_format.photometric == "MONOCHROME1",
    )


def _is_signed_map(frames: list[Frame]) -> bool:
    """Whether the header's window says that values lie on both sides of zero (field maps in Hz)."""
    common = frames[0].common
    if common.value("PixelRepresentation") != 1 or common.rescale.present:
        return False
    window = read_windows(frames[len(frames) // 2])
    return bool(window) and window[0].center - window[0].width / 2 < -0.2 * window[0].width


def _value_refusal(commons: list[Common]) -> str | None:
    """Why the values of a series have no meaning, where the geometry would do."""
    for common in commons:
        if common.rescale.problem:
            return common.rescale.problem
    return None


def _warnings(group: Group, commons: list[Common], refusal: str | None) -> list[str]:
    out = list(group.warnings) + list(group.placement.warnings)
    notes: Counter[str] = Counter()
    example: dict[str, Frame] = {}
    for frame in group.frames:
        for note in (*frame.common.notes, *([frame.common.rescale.note] if frame.common.rescale.note else [])):
            notes[note] += 1
            example.setdefault(note, frame)
        if "note" in frame.extra:
            notes[frame.extra["note"]] += 1
            example.setdefault(frame.extra["note"], frame)
    for note, count in notes.items():
        out.append(note if count == len(group.frames) and count > 1 else f"{example[note].name}: {note}" + (
            f" (and {count - 1} more)" if count > 1 else ""
        ))
    if group.frames[0].ref.is_member:
        out.append(f"read from the archive {printable(os.path.basename(group.frames[0].ref.open_path))}")
    if any(not f.own[0].strip(b"\0 ") for f in group.frames):
        out.append("no SOPInstanceUID: can be viewed, annotations cannot be stored as DICOM")
    if any("ModalityLUTSequence" in c.raw for c in commons):
        out.append("series has a modality LUT: applied instead of a rescale")
    if refusal is None:
        out.extend(_count_warnings(group.frames))
    return list(dict.fromkeys(out))[:MAX_WARNINGS]


def _count_warnings(frames: list[Frame]) -> list[str]:
    expected = frames[0].common.value("ImagesInAcquisition")
    numbers = [f.number for f in frames if f.number is not None]
    if frames[0].common.frames > 1 or expected is None or not 0 < len(frames) < expected or not numbers:
        return []
    if len(set(numbers)) != len(frames):
        return []
    return [f"{len(frames)} of {expected:.0f} images in the acquisition (InstanceNumber {min(numbers)}..{max(numbers)})"]


def _instances(frames: list[Frame]) -> tuple[InstanceReference, ...]:
    seen: dict[str, InstanceReference] = {}
    for frame in frames:
        if frame.ref.path not in seen:
            seen[frame.ref.path] = InstanceReference(
                frame.common.get("SOPClassUID"), frame.sop_instance_uid, frame.ref.path, frame.common.frames
            )
    return tuple(seen.values())


def _acquisition(frame: Frame, commons: list[Common]) -> Acquisition:
    c = frame.common
    agent = c.get("ContrastBolusAgent") or ("coded agent" if c.items("ContrastBolusAgentSequence") else "")
    thickness = c.value("SliceThickness")
    return Acquisition(
        echo_time_ms=c.value("EchoTime"), repetition_time_ms=c.value("RepetitionTime"),
        inversion_time_ms=c.value("InversionTime"), flip_angle_deg=c.value("FlipAngle"),
        field_strength_t=c.value("MagneticFieldStrength"), kvp=c.value("KVP"),
        convolution_kernel=printable(c.get("ConvolutionKernel"), 40), contrast_agent=printable(agent, 60),
        slice_thickness_mm=thickness if thickness and thickness > 0 else None,
        b_value=next((v for v in (c.value(k) for k in ("DiffusionBValue", "PhilipsBValue", "SiemensBValue")) if v is not None), None),
        image_type=c.image_type, scanning_sequence=c.multi("ScanningSequence"), sequence_variant=c.multi("SequenceVariant"),
        acquisition_time=printable(frame.acquisition_time, 24), manufacturer=printable(c.get("Manufacturer"), 60),
        lossy=any(x.lossy for x in commons), burned_in_annotation=printable(c.get("BurnedInAnnotation"), 8),
        philips_scale_slope=c.value("PhilipsScaleSlope") if c.get("PhilipsCreator").startswith("Philips MR Imaging") else None,
    )


def read_windows(frame: Frame) -> tuple[Window, ...]:
    """The usable windows of a header; widths and centres that are no numbers are left out."""
    common = frame.common
    centers, widths = (text.split("\\") for text in frame.window_texts)
    names = common.multi("WindowCenterWidthExplanation")
    try:
        function = WindowFunction(common.get("VOILUTFunction") or "LINEAR")
    except ValueError:
        function = WindowFunction.LINEAR
    out = []
    for k, (center_text, width_text) in enumerate(zip(centers, widths, strict=False)):
        center, width = parse_decimal(center_text), parse_decimal(width_text)
        if center is None or width is None or width < (1 if function is WindowFunction.LINEAR else 1e-9):
            continue
        out.append(Window(center, width, function, printable(names[k], 40) if k < len(names) else ""))
    return tuple(out)


