"""What a compressed frame says of itself, read before it is decoded: size, bits, sign against the header."""

from __future__ import annotations

from dataclasses import dataclass

from neuraxis.dicom.attributes import PixelFormat
from neuraxis.dicom.elements import DamagedFileError
from neuraxis.dicom.tags import HTJ2K, JPEG_2000, JPEG_LS, JPEG_SYNTAXES, RLE


@dataclass(frozen=True)
class Codestream:
    """Size, precision and sign of a compressed frame; `signed` is None where the format has no sign.

    `lossy` is what the codestream itself says, whatever the header does.
    """

    codec: str
    rows: int
    columns: int
    components: int
    precision: int
    signed: bool | None = None
    reversible: bool = False
    resolutions: int = 0
    colour: str = ""
    lossy: bool = False


def read_codestream(data: bytes, pixel_format: PixelFormat) -> Codestream:
    """The codestream of a frame, checked against the header.

    Raises
    ------
    DamagedFileError
        When it is no codestream of the declared kind, or is of another size than the header says.
    """
    syntax = pixel_format.transfer_syntax
    if syntax == RLE:
        return Codestream("rle", pixel_format.rows, pixel_format.columns, pixel_format.samples, pixel_format.allocated)
    if syntax in JPEG_2000 or syntax in HTJ2K:
        stream = _jpeg_2000(data)
    elif syntax in JPEG_SYNTAXES or syntax in JPEG_LS:
        stream = _jpeg(data)
        if (stream.codec == "jpegls") != (syntax in JPEG_LS):
            raise DamagedFileError(f"the compressed picture is {stream.codec}, not what the transfer syntax says")
    else:
        raise DamagedFileError(f"transfer syntax {syntax} is not read")
    if (stream.rows, stream.columns) != (pixel_format.rows, pixel_format.columns):
        raise DamagedFileError(
            f"codestream {stream.rows}x{stream.columns}, header {pixel_format.rows}x{pixel_format.columns}"
        )
    if stream.components != pixel_format.samples:
        raise DamagedFileError(f"codestream has {stream.components} components, header {pixel_format.samples}")
    if stream.precision > pixel_format.allocated:
        raise DamagedFileError(f"codestream has {stream.precision} bits, header {pixel_format.allocated}")
    return stream


def _jpeg_2000(data: bytes) -> Codestream:
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0 or len(data) < start + 42:
        raise DamagedFileError("the compressed picture is no JPEG 2000 codestream")
    siz = data[start + 2 :]

    def word(at: int) -> int:
        return int.from_bytes(siz[at : at + 4], "big")

    columns, rows = word(6) - word(14), word(10) - word(18)
    components = int.from_bytes(siz[38:40], "big")
    if not 1 <= components <= 16 or len(siz) < 40 + 3 * components:
        raise DamagedFileError("the compressed picture has a damaged JPEG 2000 header")
    tile_columns, tile_rows = max(1, word(22)), max(1, word(26))
    if rows < 1 or columns < 1 or (-(-rows // tile_rows)) * (-(-columns // tile_columns)) > 65535:
        raise DamagedFileError("the compressed picture has a damaged JPEG 2000 header")
    depth = siz[40]
    cod = siz.find(b"\xff\x52", 40)
    transform = siz[cod + 13] if cod > 0 and len(siz) > cod + 14 else None
    resolutions = siz[cod + 9] + 1 if cod > 0 and len(siz) > cod + 9 else 0
    is_ht = siz.find(b"\xff\x50", 40, cod if cod > 0 else None) > 0
    return Codestream(
        "htj2k" if is_ht else "jpeg2k", rows, columns, components, (depth & 127) + 1, bool(depth & 128), transform == 1, resolutions,
        lossy=transform == 0,
    )


def _jpeg(data: bytes) -> Codestream:
    position = 2
    adobe: int | None = None
    jfif = False
    if data[:2] != b"\xff\xd8":
        raise DamagedFileError("the compressed picture is no JPEG stream")
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            break
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        body = data[position + 4 : position + 2 + length]
        if marker == 0xEE and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        elif marker == 0xE0 and body[:4] == b"JFIF":
            jfif = True
        elif (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            near = _near_of_jpeg_ls(data, position + 2 + length) if marker == 0xF7 else 0
            return _frame_header(marker, body, adobe, jfif, near)
        elif marker == 0xDA or length < 2:
            break
        position += 2 + length
    raise DamagedFileError("the compressed picture has no JPEG frame header")


def _near_of_jpeg_ls(data: bytes, position: int) -> int:
    """How far a decoded value may be from the true one (NEAR of the scan header, ISO 14495-1 C.2.3); 0 where it is lossless."""
    scan = data.find(b"\xff\xda", position)
    if scan < 0 or scan + 5 >= len(data):
        return 0
    at = scan + 5 + 2 * data[scan + 4]
    return data[at] if at < len(data) else 0


def _frame_header(marker: int, body: bytes, adobe: int | None, jfif: bool, near: int) -> Codestream:
    if len(body) < 6:
        raise DamagedFileError("the compressed picture is cut in its header")
    precision, components = body[0], body[5]
    rows, columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    if not 2 <= precision <= 16 or len(body) < 6 + 3 * components:
        raise DamagedFileError("the compressed picture has a damaged JPEG header")
    codec = "jpegls" if marker == 0xF7 else "ljpeg" if marker in (0xC3, 0xC7, 0xCB, 0xCF) else "jpeg"
    colour = ""
    if components == 3 and codec == "jpeg":
        ids = bytes(body[6 + 3 * i] for i in range(3))
        coded = adobe == 1 or (adobe is None and (jfif or ids != b"RGB"))
        colour = "YCBCR" if coded else "RGB"
    lossy = codec == "jpeg" or near > 0
    return Codestream(codec, rows, columns, components, precision, None, not lossy, 0, colour, lossy)
