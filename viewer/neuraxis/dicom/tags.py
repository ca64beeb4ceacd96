"""The DICOM attributes the reader looks at: everything else in a header is stepped over, never parsed."""

from __future__ import annotations

PIXEL_DATA = 0x7FE00010
FLOAT_PIXEL_DATA = 0x7FE00008
DOUBLE_PIXEL_DATA = 0x7FE00009
TRANSFER_SYNTAX_UID = 0x00020010

# keyword -> (tag, value type). Types: S text, D decimal string, I integer string, U unsigned, N signed by
# PixelRepresentation, F float, Q sequence or bytes kept as they are.
ATTRIBUTES: dict[str, tuple[int, str]] = {
    "MediaStorageSOPClassUID": (0x00020002, "S"),
    "SpecificCharacterSet": (0x00080005, "S"),
    "ImageType": (0x00080008, "S"),
    "SOPClassUID": (0x00080016, "S"),
    "Modality": (0x00080060, "S"),
    "Manufacturer": (0x00080070, "S"),
    "SeriesDescription": (0x0008103E, "S"),
    "ComplexImageComponent": (0x00089208, "S"),
    "AcquisitionContrast": (0x00089209, "S"),
    "PatientName": (0x00100010, "S"),
    "PatientID": (0x00100020, "S"),
    "ContrastBolusAgent": (0x00180010, "S"),
    "ContrastBolusAgentSequence": (0x00180012, "Q"),
    "ScanningSequence": (0x00180020, "S"),
    "SequenceVariant": (0x00180021, "S"),
    "ScanOptions": (0x00180022, "S"),
    "MRAcquisitionType": (0x00180023, "S"),
    "SequenceName": (0x00180024, "S"),
    "AngioFlag": (0x00180025, "S"),
    "SliceThickness": (0x00180050, "D"),
    "KVP": (0x00180060, "D"),
    "RepetitionTime": (0x00180080, "D"),
    "EchoTime": (0x00180081, "D"),
    "InversionTime": (0x00180082, "D"),
    "EchoNumbers": (0x00180086, "I"),
    "MagneticFieldStrength": (0x00180087, "D"),
    "SpacingBetweenSlices": (0x00180088, "D"),
    "ProtocolName": (0x00181030, "S"),
    "ContrastBolusVolume": (0x00181041, "D"),
    "GantryDetectorTilt": (0x00181120, "D"),
    "ImagerPixelSpacing": (0x00181164, "S"),
    "ConvolutionKernel": (0x00181210, "S"),
    "FlipAngle": (0x00181314, "D"),
    "PatientPosition": (0x00185100, "S"),
    "PulseSequenceName": (0x00189005, "S"),
    "EchoPulseSequence": (0x00189008, "S"),
    "InversionRecovery": (0x00189009, "S"),
    "EchoPlanarPulseSequence": (0x00189018, "S"),
    "DiffusionBValue": (0x00189087, "F"),
    "DiffusionGradientOrientation": (0x00189089, "S"),
    "StudyInstanceUID": (0x0020000D, "S"),
    "SeriesInstanceUID": (0x0020000E, "S"),
    "SeriesNumber": (0x00200011, "I"),
    "ImageOrientationPatient": (0x00200037, "S"),
    "FrameOfReferenceUID": (0x00200052, "S"),
    "ImagesInAcquisition": (0x00201002, "I"),
    "ImageComments": (0x00204000, "S"),
    "StackID": (0x00209056, "S"),
    "SamplesPerPixel": (0x00280002, "U"),
    "PhotometricInterpretation": (0x00280004, "S"),
    "PlanarConfiguration": (0x00280006, "U"),
    "NumberOfFrames": (0x00280008, "I"),
    "Rows": (0x00280010, "U"),
    "Columns": (0x00280011, "U"),
    "PixelSpacing": (0x00280030, "S"),
    "BitsAllocated": (0x00280100, "U"),
    "BitsStored": (0x00280101, "U"),
    "HighBit": (0x00280102, "U"),
    "PixelRepresentation": (0x00280103, "U"),
    "PixelPaddingValue": (0x00280120, "N"),
    "PixelPaddingRangeLimit": (0x00280121, "N"),
    "BurnedInAnnotation": (0x00280301, "S"),
    "RescaleIntercept": (0x00281052, "S"),
    "RescaleSlope": (0x00281053, "S"),
    "RescaleType": (0x00281054, "S"),
    "WindowCenterWidthExplanation": (0x00281055, "S"),
    "VOILUTFunction": (0x00281056, "S"),
    "RedPaletteDescriptor": (0x00281101, "Q"),
    "GreenPaletteDescriptor": (0x00281102, "Q"),
    "BluePaletteDescriptor": (0x00281103, "Q"),
    "RedPalette": (0x00281201, "Q"),
    "GreenPalette": (0x00281202, "Q"),
    "BluePalette": (0x00281203, "Q"),
    "LossyImageCompression": (0x00282110, "S"),
    "ModalityLUTSequence": (0x00283000, "Q"),
    "RealWorldValueMappingSequence": (0x00409096, "Q"),
    "SharedFunctionalGroupsSequence": (0x52009229, "Q"),
    "PerFrameFunctionalGroupsSequence": (0x52009230, "Q"),
    "OverlayBitPosition": (0x60000102, "U"),
    # private, each read only beside its creator
    "SiemensMrCreator": (0x00190010, "S"),
    "SiemensMosaicCount": (0x0019100A, "U"),
    "SiemensBValue": (0x0019100C, "I"),
    "GeCreator": (0x00430010, "S"),
    "GeImageKind": (0x0043102F, "N"),
    "GeCollapseFlag": (0x00431030, "N"),
    "GeBValue": (0x00431039, "S"),
    "PhilipsCreator": (0x20050010, "S"),
    "PhilipsScaleSlope": (0x2005100E, "F"),
    "PhilipsImageKind": (0x20051011, "S"),
    "PhilipsImagingCreator": (0x20010010, "S"),
    "PhilipsBValue": (0x20011003, "F"),
}
"""Attributes that slices of one series usually share: parsed once for all slices that carry the same bytes."""

OWN_ATTRIBUTES: dict[str, int] = {
    "SOPInstanceUID": 0x00080018,
    "AcquisitionTime": 0x00080032,
    "ContentTime": 0x00080033,
    "AcquisitionNumber": 0x00200012,
    "InstanceNumber": 0x00200013,
    "ImagePositionPatient": 0x00200032,
    "TemporalPositionIdentifier": 0x00200100,
    "TriggerTime": 0x00181060,
    "WindowCenter": 0x00281050,
    "WindowWidth": 0x00281051,
}
"""Attributes that differ from slice to slice."""

KEYWORD_OF: dict[int, str] = {tag: keyword for keyword, (tag, _) in ATTRIBUTES.items()} | {
    tag: keyword for keyword, tag in OWN_ATTRIBUTES.items()
}
TYPE_OF: dict[int, str] = dict(ATTRIBUTES.values()) | dict.fromkeys(OWN_ATTRIBUTES.values(), "S")

WANTED: frozenset[int] = frozenset(KEYWORD_OF) | {TRANSFER_SYNTAX_UID}

DECIDING: frozenset[int] = frozenset(
    tag for tag in WANTED
    if KEYWORD_OF.get(tag) in {
        "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "PatientID",
        "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames",
        "SamplesPerPixel", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "RescaleSlope",
        "RescaleIntercept", "PhotometricInterpretation", "Modality",
    }
)
"""Where one of these stands twice or in the wrong place, the file contradicts itself and is left out."""

SIEMENS_CSA_IMAGE = 0x00291010
"""Private header of Siemens slices: 90 kB that differ from slice to slice, so read for mosaics only."""

IMPLICIT_LE = "1.2.840.10008.1.2"
EXPLICIT_LE = "1.2.840.10008.1.2.1"
EXPLICIT_BE = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
RLE = "1.2.840.10008.1.2.5"

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_SYNTAXES = {f"1.2.840.10008.1.2.4.{n}" for n in (50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 70)}
JPEG_LOSSLESS = {"1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.58", "1.2.840.10008.1.2.4.65",
                 "1.2.840.10008.1.2.4.66", "1.2.840.10008.1.2.4.70"}
JPEG_LS = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
JPEG_2000 = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.92", "1.2.840.10008.1.2.4.93"}
HTJ2K = {"1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"}
UNCOMPRESSED = {IMPLICIT_LE, EXPLICIT_LE, EXPLICIT_BE, DEFLATED, "1.2.840.113619.5.2"}
COMPRESSED = JPEG_SYNTAXES | JPEG_LS | JPEG_2000 | HTJ2K | {RLE}
LOSSY_ALWAYS = (JPEG_SYNTAXES - JPEG_LOSSLESS)

SYNTAX_NAMES: dict[str, str] = {
    IMPLICIT_LE: "implicit VR little endian", EXPLICIT_LE: "explicit VR little endian",
    EXPLICIT_BE: "explicit VR big endian", DEFLATED: "deflated explicit VR little endian", RLE: "RLE lossless",
    JPEG_BASELINE: "JPEG baseline", "1.2.840.10008.1.2.4.51": "JPEG extended",
    "1.2.840.10008.1.2.4.57": "JPEG lossless", "1.2.840.10008.1.2.4.70": "JPEG lossless SV1",
    "1.2.840.10008.1.2.4.80": "JPEG-LS lossless", "1.2.840.10008.1.2.4.81": "JPEG-LS near-lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless", "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.201": "HTJ2K lossless", "1.2.840.10008.1.2.4.202": "HTJ2K lossless RPCL",
    "1.2.840.10008.1.2.4.203": "HTJ2K",
}


def syntax_name(uid: str) -> str:
    """Readable name of a transfer syntax, or the UID where it has none here."""
    return SYNTAX_NAMES.get(uid, uid)


def tag_text(tag: int) -> str:
    """'(0020,0032)' of 0x00200032."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
