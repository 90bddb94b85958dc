"""Which pictures are read, and how they are told by their first bytes: no other decoder of Pillow's is ever
started.

Pillow knows forty formats more. Some of them start another program (PostScript), some are read by code that
nobody looks after, and none is what a camera, a scanner or a drawing program writes for others.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass

SNIFFED = 64  # bytes that tell a format; the longest signature used here is a list of brands of ISO 14496-12
HEIC_MODULES = ("pillow_heif", "pi_heif")  # the second is the first without its encoders, of the same author
# ISO 23008-12, annex B
_HEVC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: what people call it.
        pillow: the decoder's name in Pillow.
        suffixes: of its files, lower case.
    """

    name: str
    pillow: str
    suffixes: tuple[str, ...]


PNG = Format("PNG", "PNG", (".png", ".apng"))
# MPO: a JPEG that holds others as well
JPEG = Format("JPEG", "JPEG", (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"))
WEBP = Format("WebP", "WEBP", (".webp",))
TIFF = Format("TIFF", "TIFF", (".tif", ".tiff"))
GIF = Format("GIF", "GIF", (".gif",))
BMP = Format("BMP", "BMP", (".bmp",))
AVIF = Format("AVIF", "AVIF", (".avif",))
PPM = Format("PPM", "PPM", (".ppm", ".pgm", ".pbm", ".pnm", ".pfm"))
TGA = Format("TGA", "TGA", (".tga",))
HEIC = Format("HEIC", "HEIF", (".heic", ".heif", ".hif"))
FORMATS = (PNG, JPEG, WEBP, TIFF, GIF, BMP, AVIF, PPM, TGA, HEIC)
SUFFIXES = frozenset(suffix for known in FORMATS for suffix in known.suffixes)
_BMP_HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)  # bytes of the second header: OS/2 1 and 2, Windows 3 to 5
_OTHERS = {
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"%PDF": "a PDF document",
    b"8BPS": "a Photoshop document",
    b"\0\0\1\0": "an icon",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"DDS ": "a DirectDraw texture",
    b"\x76\x2f\x31\x01": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"SIMPLE  =": "FITS",
    b"glTF": "a 3D model",
    b"PK\3\4": "a zip archive",
}
NAMES = "PNG, JPEG, WebP, TIFF, GIF, BMP, AVIF, PPM or TGA"


def sniff(head: bytes) -> Format | None:
    """The format of a file by its first :data:`SNIFFED` bytes; None where they are those of no known picture.

    TGA has no signature and is never found here.
    """
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if head.startswith(b"\xff\xd8\xff"):
        return JPEG
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return TIFF
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return GIF
    # text may begin with BM as well
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BMP
    if head[:1] == b"P" and head[1:2] in b"123456f" and head[2:3] in b" \t\r\n#":
        return PPM
    if head[4:8] == b"ftyp":
        return _by_brands(head)
    return None


def advice(head: bytes) -> str:
    """What to do about a file that is none of the formats, by what its first bytes look like."""
    give = f"Give {NAMES}."
    for start, what in _OTHERS.items():
        if head.startswith(start):
            return f"It looks like {what}, which is not read. {give}"
    if head[4:8] == b"ftyp":
        return f"It looks like a video. {give}"
    if b"<svg" in head or head.startswith(b"<?xml"):
        return "It looks like SVG, a drawing: export it as PNG."
    if all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head):
        return f"It holds text: was the download a web page? {give}"
    return give


def has_heic() -> bool:
    """Whether a reader of HEIC is installed (extra ``heic``)."""
    return any(importlib.util.find_spec(module) for module in HEIC_MODULES)


def register_heic() -> bool:
    """Make Pillow read HEIC; False where no reader is installed."""
    for module in HEIC_MODULES:
        if importlib.util.find_spec(module):
            importlib.import_module(module).register_heif_opener()
            return True
    return False


def _by_brands(head: bytes) -> Format | None:
    """AVIF or HEIC by the brands of the first box; both are ISO 14496-12 files, and both may
    claim ``mif1``.
    """
    size = int.from_bytes(head[:4], "big")
    brands = {head[at : at + 4] for at in (8, *range(16, min(size, len(head)), 4))}
    if brands & {b"avif", b"avis"}:
        return AVIF
    return HEIC if brands & _HEVC_BRANDS else None
