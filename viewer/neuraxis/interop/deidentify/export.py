"""A study's images and objects rewritten without identifiers, file by file, with an account for review."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuraxis.domain.study import Role, SkippedFile, Study
from neuraxis.errors import ReadError, UsageError, WriteError
from neuraxis.interop.deidentify.cleaner import RETAINABLE, Cleaner
from neuraxis.interop.deidentify.codestream import blank_comments
from neuraxis.interop.deidentify.region import Region, cropped
from neuraxis.interop.deidentify.substitution import Substitution
from neuraxis.interop.dicom_file import IMPLEMENTATION_CLASS_UID, encode, write_atomically
from neuraxis.interop.identity import software_version

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

IMAGES = {
    "1.2.840.10008.5.1.4.1.1.2": "CT", "1.2.840.10008.5.1.4.1.1.2.1": "CT", "1.2.840.10008.5.1.4.1.1.2.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR", "1.2.840.10008.5.1.4.1.1.4.1": "MR", "1.2.840.10008.5.1.4.1.1.4.4": "MR",
}
"""CT and MR, classic, enhanced and legacy converted."""
OBJECTS = {
    "1.2.840.10008.5.1.4.1.1.66.4": "seg", "1.2.840.10008.5.1.4.1.1.66.7": "seg",
    "1.2.840.10008.5.1.4.1.1.88.22": "sr", "1.2.840.10008.5.1.4.1.1.88.33": "sr", "1.2.840.10008.5.1.4.1.1.88.34": "sr",
    "1.2.840.10008.5.1.4.1.1.88.59": "kos", "1.2.840.10008.5.1.4.1.1.11.1": "gsps",
    "1.2.840.10008.5.1.4.1.1.66.1": "registration",
}
"""Objects whose every attribute the allow-list knows. Documents, secondary captures and private objects do not leave."""
OVERRIDES = ("burned_in",)
_METHODS = (
    ("113100", "Basic Application Confidentiality Profile"), ("113103", "Clean Graphics Option"),
    ("113104", "Clean Structured Content Option"), ("113105", "Clean Descriptors Option"),
)
_KEEP_INTERVALS = ("113107", "Retain Longitudinal Temporal Information Modified Dates Option")
_KEEP_PATIENT = ("113108", "Retain Patient Characteristics Option")


@dataclass
class DeidentificationReport:
    """What was written, what did not leave, and what a person has to look at before anything is handed on."""

    written: list[Path] = field(default_factory=list)
    left_out: list[SkippedFile] = field(default_factory=list)
    removed: dict[str, int] = field(default_factory=dict)
    free_text: dict[str, int] = field(default_factory=dict)
    unknown_codes: int = 0
    comments_blanked: int = 0
    outside_region: int = 0
    """Images that the region does not touch."""
    review: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """For `--json`; paths of the sources are the exporter's own."""
        return {
            "written": [str(p) for p in self.written],
            "left_out": [{"path": s.path, "reason": s.reason} for s in self.left_out],
            "removed": dict(sorted(self.removed.items())), "free_text": dict(sorted(self.free_text.items())),
            "unknown_codes": self.unknown_codes, "comments_blanked": self.comments_blanked,
            "outside_region": self.outside_region, "review": self.review,
        }


def deidentify_study(
    study: Study, folder: Path, substitution: Substitution, *, objects: Iterable[Path] = (),
    retained: Sequence[str] = (), allow: Sequence[str] = (), region: Region | None = None, progress: Callable[[float, str], None] = lambda _f, _t: None,
) -> DeidentificationReport:
    """Write the study's images, its SEG, SR, KOS, GSPS and registrations, and `objects`, without identifiers.

    An allow-list decides: what it does not name does not leave (PS3.15 Basic Profile with Clean Graphics, Structured
    Content and Descriptors). UIDs are mapped alike over images and objects, so references still resolve. File names are
    numbers. Nothing is called anonymous: pixels and faces are the exporter's to look at, the report says where.

    Parameters
    ----------
    folder : must not exist or be empty
    objects : further DICOM objects of the case
    retained : keywords of `RETAINABLE` that leave as they are, on the user's word
    allow : "burned_in" exports series that say that text is burned into them
    region : images are cut to it and objects stay behind, for they describe whole images

    Raises
    ------
    UsageError
        When the folder holds something already, or a keyword cannot be retained.
    WriteError
        When an identifier would be left in a file, or the disk refuses. What was written so far is named.
    """
    _check(folder, retained, allow)
    if region is not None:
        substitution = replace(substitution, variant=repr(region), uids={})
    report = DeidentificationReport()
    cleaner = Cleaner(substitution, frozenset(retained))
    plan = list(_planned(study, objects, allow, report))
    for number, (source, name, kinds) in enumerate(plan):
        progress(number / max(len(plan), 1), "writing without identifiers")
        try:
            dataset: Dataset | None = _read(source)
            target = folder / name
            if region is not None and dataset is not None:
                dataset = _inside(dataset, region, kinds)
            if dataset is None:
                report.outside_region += 1
                continue
            content = _cleaned_file(dataset, kinds, cleaner, report)
        except (ReadError, UsageError) as error:
            report.left_out.append(SkippedFile(str(source), str(error)))
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(content, target)
        report.written.append(target)
    _account(cleaner, report)
    return report


def _inside(dataset: Dataset, region: Region, classes: dict[str, str]) -> Dataset | None:
    if classes is not IMAGES:
        raise UsageError("it describes whole images", expected="images, where a region is cut out")
    return cropped(dataset, region)


def _check(folder: Path, retained: Sequence[str], allow: Sequence[str]) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(
            f"{folder} holds something already", expected="a new or empty folder",
            remedy="choose another folder: files of two exports must not mix",
        )
    for names, allowed in ((retained, tuple(RETAINABLE)), (allow, OVERRIDES)):
        for name in names:
            if name not in allowed:
                raise UsageError(f"{name!r} cannot be chosen here", expected="one of " + ", ".join(allowed))


def _planned(
    study: Study, objects: Iterable[Path], allow: Sequence[str], report: DeidentificationReport
) -> Iterable[tuple[Path, str, dict[str, str]]]:
    """(source, name in the export, SOP classes that may be there) of every file."""
    done: set[str] = set()
    for number, series in enumerate(study.series, start=1):
        refusal = _refusal(series.role.role, series.acquisition.burned_in_annotation, allow)
        paths = [i.path for i in series.instances if i.path not in done]
        done.update(paths)
        if refusal:
            report.left_out += [SkippedFile(path, refusal) for path in paths]
            continue
        if series.modality in ("CT", "MR") and series.geometry is not None:
            report.review.append(f"series {number:03d} ({series.role.role.value}): look at its pixels and at the face")
        for place, path in enumerate(paths, start=1):
            yield Path(path), f"{number:03d}/{place:05d}.dcm", IMAGES
    found = [Path(s.path) for s in study.report.set_apart] + [Path(p) for p in objects]
    for place, source in enumerate((p for p in found if str(p) not in done), start=1):
        yield source, f"objects/{place:05d}.dcm", OBJECTS


def _refusal(role: Role, burned_in: str, allow: Sequence[str]) -> str | None:
    if role is Role.SECONDARY:
        return "a secondary capture: its pixels may show names; expected: an original acquisition"
    if burned_in.strip().upper() == "YES" and "burned_in" not in allow:
        return "text is burned into its pixels (Burned In Annotation YES); allow it by name: burned_in"
    return None


def _read(path: Path) -> Dataset:
    import pydicom
    from pydicom.errors import InvalidDicomError

    if not path.is_file():
        raise ReadError(f"{path.name} is inside an archive or gone", remedy="unpack the archive and open the folder")
    try:
        return pydicom.dcmread(path, force=True)
    except (OSError, InvalidDicomError, ValueError, EOFError, RecursionError) as error:
        raise ReadError(f"cannot read {path.name}: {type(error).__name__}", expected="a DICOM file") from error


def _cleaned_file(
    dataset: Dataset, classes: dict[str, str], cleaner: Cleaner, report: DeidentificationReport
) -> bytes:
    from pydicom.errors import BytesLengthException

    sop_class = str(dataset.get("SOPClassUID", ""))
    if sop_class not in classes:
        raise UsageError(
            f"{_class_name(sop_class)} is not exported", expected="CT, MR, SEG, SR, KOS, GSPS or a spatial registration"
        )
    if any(e.tag.group & 0xFF01 == 0x6000 and e.keyword == "OverlayBitPosition" and e.value for e in dataset):
        raise UsageError("an overlay lies in the unused bits of the pixels", expected="pixels without overlay")
    try:
        cleaned = cleaner.clean(dataset)
        _say_how(cleaned, cleaner)
        _meta(cleaned, dataset)
        if cleaned.file_meta.TransferSyntaxUID.is_encapsulated and "PixelData" in cleaned:
            cleaned.PixelData, blanked = blank_comments(dataset.PixelData)
            cleaned["PixelData"].is_undefined_length = True
            report.comments_blanked += blanked
        content = encode(cleaned)
    except (ValueError, TypeError, AttributeError, KeyError, NotImplementedError, BytesLengthException) as error:
        raise ReadError(
            f"a {_class_name(sop_class)} cannot be rewritten: {type(error).__name__}", expected="a well-formed data set"
        ) from error
    _make_sure(content, cleaned, cleaner)
    return content


def _class_name(sop_class: str) -> str:
    from pydicom.uid import UID

    return UID(sop_class).name if sop_class.startswith("1.2.840.10008.") else "an object of a private class"


def _say_how(cleaned: Dataset, cleaner: Cleaner) -> None:
    """What was done, as PS3.15 wants it; an export that keeps what a profile removes does not claim that profile."""
    from pydicom.dataset import Dataset

    methods = list(_METHODS)
    if cleaner.substitution.keep_intervals:
        methods.append(_KEEP_INTERVALS)
    if any(name.startswith("Patient") for name in cleaner.retained):
        methods.append(_KEEP_PATIENT)
    items = []
    for value, meaning in methods:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning[:64]
        items.append(item)
    cleaned.PatientIdentityRemoved = "YES"
    cleaned.DeidentificationMethod = "allow-list of attributes; pixels not changed, to be reviewed"
    cleaned.DeidentificationMethodCodeSequence = items
    cleaned.LongitudinalTemporalInformationModified = "MODIFIED" if cleaner.substitution.keep_intervals else "REMOVED"


def _meta(cleaned: Dataset, source: Dataset) -> None:
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import UID, ImplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = cleaned.SOPClassUID
    meta.MediaStorageSOPInstanceUID = UID(str(cleaned.SOPInstanceUID))
    meta.TransferSyntaxUID = getattr(source, "file_meta", FileMetaDataset()).get("TransferSyntaxUID", ImplicitVRLittleEndian)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = f"NEURAXIS_{software_version()}"[:16]
    cleaned.file_meta = meta


def _make_sure(content: bytes, cleaned: Dataset, cleaner: Cleaner) -> None:
    """The last net: no text that was left out may stand in the bytes outside the pixels."""
    pixels = cleaned.get("PixelData")
    header = content[: -len(pixels)] if pixels else content
    for meaning in {str(e.value) for e in cleaned.iterall() if e.keyword in ("CodeMeaning", "DeidentificationMethod")}:
        header = header.replace(meaning.encode(), b"")  # words of dictionaries and of our own may be somebody's name too
    ours = {cleaner.substitution.pseudonym, "REMOVED", "CONTRAST", "CONTENT", "Anonymous", "Neuraxis", "NEURAXIS"}
    if any(text.encode() in header for text in cleaner.findings.identities - ours):
        raise WriteError(
            "a name or number that was to be left out stands in the rewritten file", expected="none of them",
            remedy="nothing of this file was written; report this with the program version",
        )


def _account(cleaner: Cleaner, report: DeidentificationReport) -> None:
    findings = cleaner.findings
    report.removed, report.free_text = dict(findings.removed), dict(findings.free_text)
    report.unknown_codes = findings.unknown_codes
    if findings.unknown_codes:
        report.review.append(f"{findings.unknown_codes} coded items were left out: no dictionary knows their codes")
    report.review += [
        f"{name} was retained on your word: read it in every series" for name in sorted(cleaner.retained)
        if not name.startswith("Patient")
    ]
