"""Pictures as files: every mode and format that Pillow writes, with metadata; and files that only pretend."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from benchmarks.fuzzing.case import choose
from geco.types import Bytes

FORMATS = {
    "PNG": 8, "JPEG": 5, "WEBP": 3, "TIFF": 4, "GIF": 3, "BMP": 2, "AVIF": 1, "PPM": 1, "TGA": 1, "HEIF": 1,
    "ICO": 0.5, "JPEG2000": 0.5, "EPS": 0.3, "PCX": 0.3, "DDS": 0.3, "SGI": 0.3, "PDF": 0.2, "MPO": 0.5,
    "ICNS": 0.2, "XBM": 0.2, "QOI": 0.2,
}  # fmt: skip
MODES = (
    "RGBA",
    "RGBA",
    "RGB",
    "RGB",
    "L",
    "LA",
    "P",
    "PA",
    "1",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
    "RGBX",
    "La",
    "RGBa",
)
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def encode(rgba: Bytes, rng: Random) -> tuple[bytes, str]:
    """A file of the picture (H, W, 4) uint8, and what it is; PNG where the format will not take it."""
    kind, mode = choose(rng, FORMATS), rng.choice(MODES)
    image, options = in_mode(rgba, mode, rng), _options(kind, rng, rgba)
    for what, picture in (
        (f"{kind} {mode}", image),
        (f"{kind} RGBA", Image.fromarray(rgba)),
        (f"{kind} RGB", None),
    ):
        picture = Image.fromarray(rgba).convert("RGB") if picture is None else picture
        if (data := _saved(picture, kind, options)) is not None:
            return data, f"{what} {sorted(options)}"
    return _saved(Image.fromarray(rgba), "PNG", {}) or b"", "PNG"


def in_mode(rgba: Bytes, mode: str, rng: Random) -> Image.Image:
    """The picture in one of Pillow's modes."""
    image = Image.fromarray(rgba)
    grey = np.asarray(image.convert("L"))
    if mode == "I;16":
        return Image.fromarray(grey.astype(np.uint16) * rng.choice((1, 16, 257)))
    if mode == "I":
        return Image.fromarray(grey.astype(np.int32) * rng.choice((1, 257, -3, 2**22)))
    if mode == "F":
        scale = rng.choice((1.0, 1 / 255, 1e30, -1.0))
        values = grey.astype(np.float32) * np.float32(scale)
        if rng.random() < 0.3:
            values[rng.randrange(len(values))] = rng.choice((np.nan, np.inf))
        return Image.fromarray(values)
    if mode == "LAB":
        forward = ImageCms.buildTransform(
            ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
        )
        return ImageCms.applyTransform(image.convert("RGB"), forward) or image
    if mode == "PA":
        return image.convert("P").convert("PA")
    if mode == "La":
        return image.convert("LA").convert("La")
    if mode == "P":
        return image.quantize(rng.choice((2, 16, 200)))
    return image.convert(mode)


def _options(kind: str, rng: Random, rgba: Bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rng.random() < 0.25:
        exif = Image.Exif()
        exif[0x0112] = rng.choice((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65535))
        found["exif"] = exif.tobytes() if rng.random() < 0.8 else b"Exif\0\0" + rng.randbytes(60)
    if rng.random() < 0.15:
        found["icc_profile"] = rng.choice(
            (ICC, ICC[:200], b"", rng.randbytes(300), ICC[:60] + rng.randbytes(80) + ICC[140:])
        )
    if kind in ("GIF", "PNG", "WEBP", "TIFF", "MPO") and rng.random() < 0.15:
        other = Image.fromarray(rgba[::-1].copy())
        found |= {"save_all": True, "append_images": [other] * rng.randint(1, 3)}
    if kind in ("PNG", "GIF") and rng.random() < 0.2:
        found["transparency"] = rng.choice((0, 1, 255, bytes(range(16)), bytes(3)))
    if kind in ("JPEG", "MPO"):
        found |= {
            "quality": rng.choice((1, 30, 90, 100)),
            "progressive": rng.random() < 0.4,
            "subsampling": rng.randrange(3),
        }
    if kind == "TIFF":
        found["compression"] = rng.choice(
            (None, "tiff_lzw", "tiff_deflate", "packbits", "jpeg", "group4", "tiff_adobe_deflate")
        )
        if rng.random() < 0.3:
            found["tiffinfo"] = {274: rng.randrange(10)}
    if kind == "WEBP":
        found |= {"lossless": rng.random() < 0.5, "method": 0, "exact": rng.random() < 0.5}
    if kind == "AVIF":
        found |= {"speed": 10}
    return found


def _saved(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes | None:
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if kind == "HEIF":
                import pillow_heif  # not registered with Pillow: that is for the code under test to do

                pillow_heif.from_pillow(image).save(stream, quality=50)
            else:
                image.save(stream, kind, **options)
        except Exception:  # a mode, size or option that this format does not have
            return None
    return stream.getvalue()


def pretended(rng: Random) -> tuple[bytes, str]:
    """A file that is no picture, or whose header promises what is not there."""
    name = choose(rng, dict.fromkeys(_PRETENDED, 1))
    return _PRETENDED[name](rng), name


def _png(width: int, height: int, depth: int, kind: int, body: bytes) -> bytes:
    def chunk(tag: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _sides(rng: Random) -> tuple[int, int]:
    sides = (0, 1, 15, 16, 100, 7999, 8000, 8001, 30_000, 65_535, 2**20, 2**31 - 1, 2**32 - 1)
    return rng.choice(sides), rng.choice(sides)


def _huge_png(rng: Random) -> bytes:
    depth, kind = rng.choice(((8, 2), (8, 6), (16, 0), (16, 6), (1, 0), (8, 3), (2, 3), (7, 9)))
    body = zlib.compress(bytes(rng.choice((0, 10_000, 2_000_000))), 9)
    return _png(*_sides(rng), depth, kind, body)


def _wide_grey_png(rng: Random) -> bytes:
    """16-bit grey (or RGBA) of many pixels in few bytes, whole."""
    side, kind = rng.choice((500, 2000, 3500)), rng.choice((0, 0, 4, 6, 2))
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    row = b"\0" + bytes(side * channels) + b"\x80\x10" * (side * channels // 2)
    return _png(
        side,
        side,
        16,
        kind,
        zlib.compress(row[: 1 + side * channels * 2].ljust(1 + side * channels * 2, b"\x40") * side, 6),
    )


def _huge_bmp(rng: Random) -> bytes:
    width, height = (value % 2**32 for value in _sides(rng))
    bits, packing = rng.choice(((24, 0), (32, 0), (8, 1), (4, 2), (1, 0), (16, 3)))
    head = struct.pack("<IIIHHIIIIII", 40, width, height, 1, bits, packing, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head + bytes(rng.choice((0, 3000)))


def _huge_ppm(rng: Random) -> bytes:
    width, height = _sides(rng)
    return (
        f"{rng.choice(('P1', 'P4', 'P5', 'P6', 'P7', 'Pf', 'PF'))} {width} {height} "
        f"{rng.choice((1, 255, 65535, 0, -1))}\n".encode()
        + bytes(500)
    )


def _huge_gif(rng: Random) -> bytes:
    width, height = (value % 65536 for value in _sides(rng))
    frame = struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\0"
    return (
        b"GIF89a"
        + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
        + b"\0\0\0\xff\xff\xff"
        + frame * rng.choice((1, 100))
        + b";"
    )


def _huge_jpeg(rng: Random) -> bytes:
    data = bytearray(_saved(Image.new("RGB", (40, 40), (200, 20, 20)), "JPEG", {}) or b"")
    place = data.find(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", *(value % 65536 for value in _sides(rng)))
    return bytes(data)


def _script(rng: Random) -> bytes:
    program = rng.choice((b"{} loop", b"(/etc/passwd) (r) file", b"showpage", b"1 0 div"))
    return b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n" + program + b"\n%%EOF\n"


def _drawing(rng: Random) -> bytes:
    return (
        b'<?xml version="1.0"?>' * rng.randrange(2)
        + b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>'
    )


def _film(rng: Random) -> bytes:
    brand = rng.choice((b"heic", b"avif", b"mp42", b"mif1", b"xxxx"))
    return (
        struct.pack(">I", 24)
        + b"ftyp"
        + brand
        + bytes(4)
        + b"mif1"
        + brand
        + rng.randbytes(rng.choice((0, 400)))
    )


def _random(rng: Random) -> bytes:
    heads = (
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"II*\0",
        b"MM\0*",
        b"RIFF\0\0\0\0WEBP",
        b"BM",
        b"\0\0\1\0",
        b"PK\3\4",
    )
    return rng.choice(heads) + rng.randbytes(rng.choice((0, 1, 3, 30, 3000)))


def _text(rng: Random) -> bytes:
    return rng.choice(
        (
            b"<html>404</html>",
            "Bild".encode("utf-16"),
            b"\n",
            b"%PDF-1.4",
            b"version https://git-lfs.github.com/spec/v1",
        )
    )


_PRETENDED: dict[str, Callable[[Random], bytes]] = {
    "huge png": _huge_png,
    "wide png": _wide_grey_png,
    "huge bmp": _huge_bmp,
    "huge ppm": _huge_ppm,
    "huge gif": _huge_gif,
    "huge jpeg": _huge_jpeg,
    "PostScript": _script,
    "SVG": _drawing,
    "film": _film,
    "random": _random,
    "text": _text,
}
