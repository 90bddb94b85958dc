"""From whatever holds a picture to a Pillow image of which only the header was read: the one door to Pillow's
decoders.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import threading
import warnings
from collections.abc import Iterator

from PIL import Image, ImageFile, UnidentifiedImageError

from geco.errors import GecoError, InputImageError
from geco.images.formats import FORMATS, HEIC, NAMES, SNIFFED, TGA, Format, advice, register_heic, sniff
from geco.images.picture_bytes import MAX_BYTES, MAX_PIXELS, Readable, read_bytes, too_large

_ONE_AT_A_TIME = threading.Lock()  # two threads that exchange standard error at once would lose it
# Pillow logs some damage as errors; without any handler Python prints those to standard error.
logging.getLogger("PIL").addHandler(logging.NullHandler())


Holder = str | os.PathLike[str] | bytes | bytearray | memoryview | Readable | Image.Image


def open_picture(source: Holder, label: str) -> Image.Image:
    """The picture, its header read. The source stays as it was: files are closed, a caller's image is neither
    loaded nor changed where its file can be read again.

    Args:
        source: a path, a file's bytes, an open file (read from where it stands), or a Pillow image.
        label: what messages call it.

    Raises:
        InputImageError: there is no such file, it is too large, or no picture in one of the formats that are
            read.
    """
    if isinstance(source, Image.Image):
        return _of_image(source, label)
    return _of_bytes(read_bytes(source, label), label)


@contextlib.contextmanager
def decoding(label: str) -> Iterator[None]:
    """Around everything in which a decoder runs: whatever it raises becomes an InputImageError,
    what it warns of is dropped.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except GecoError:
            raise
        except Image.DecompressionBombError as error:
            raise too_large(label, str(error).split(" exceeds")[0]) from None
        except MemoryError:
            raise InputImageError(f"{label} needs more memory than there is", "Reduce it first.") from None
        except Exception as error:
            # Wide on purpose, and only here: on damaged files Pillow's decoders raise what they stumble over:
            # OSError, ValueError, SyntaxError, struct.error, zlib.error, RuntimeError (AVIF), AssertionError,
            # IndexError, TypeError, OverflowError ...
            why = (str(error).strip() or type(error).__name__)[:200]
            raise InputImageError(
                f"{label} is damaged: {why}", "Save or download the picture again."
            ) from error


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """While libtiff decodes: on damaged files it writes to standard error itself, where only our
    own line belongs.
    """
    with _ONE_AT_A_TIME:
        try:
            saved = os.dup(2)
        except OSError:  # closed: nobody to disturb
            saved = -1
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            if saved >= 0:
                os.dup2(nowhere, 2, inheritable=True)
            yield
        finally:
            os.close(nowhere)
            if saved >= 0:
                os.dup2(saved, 2, inheritable=True)
                os.close(saved)


def check_pixels(width: int, height: int, label: str) -> None:
    """Raises InputImageError above :data:`MAX_PIXELS`."""
    if width * height > MAX_PIXELS:
        raise too_large(label, f"{width} x {height} pixels")


def _of_bytes(data: bytes, label: str) -> Image.Image:
    if not data:
        raise InputImageError(f"{label} is empty (0 bytes)", "Save or download the picture again.")
    kind = sniff(data[:SNIFFED])
    if kind is HEIC and not register_heic():
        raise InputImageError(
            f"{label} is HEIC, and the package that reads it is not installed",
            "Install it with: pip install 'geco3d[heic]'; or convert the picture to JPEG.",
        )
    with decoding(label):
        try:
            # Nobody but the one decoder that the first bytes ask for is tried; without a signature only TGA
            # is left.
            image = Image.open(io.BytesIO(data), formats=[(kind or TGA).pillow])
        except KeyError:  # AVIF before Pillow 11.3
            problem = f"{label} is {(kind or TGA).name}, which the installed Pillow does not read"
            raise InputImageError(
                problem, "Install a newer one (pip install -U Pillow), or convert it to PNG."
            ) from None
        except UnidentifiedImageError:
            if kind is None:
                problem = f"{label} is not a picture in a format that can be read"
                raise InputImageError(problem, advice(data[:SNIFFED])) from None
            problem = f"{label} is damaged, or a kind of {kind.name} that cannot be read"
            raise InputImageError(problem, "Open it in a viewer and save it as PNG or JPEG.") from None
    return image


def _of_image(image: Image.Image, label: str) -> Image.Image:
    """A copy; of an image whose file was not decoded yet, the file opened once more, at the same frame."""
    if not _is_lazy(image):
        with decoding(label):
            return image.copy()
    if _format_of(image) is None:
        raise InputImageError(
            f"{label} is an undecoded {image.format} image, which is not read",
            f"Give {NAMES}, or load() it first.",
        )
    assert isinstance(image, ImageFile.ImageFile) and image.fp is not None
    with decoding(label):
        frame, at = image.tell(), image.fp.tell()
        try:
            image.fp.seek(0)
            data = image.fp.read(MAX_BYTES + 1)
        finally:
            image.fp.seek(at)
        again = _of_bytes(data, label)
        if frame:
            again.seek(frame)
    return again


def _is_lazy(image: Image.Image) -> bool:
    return (
        isinstance(image, ImageFile.ImageFile)
        and bool(image.tile)
        and image.fp is not None
        and not image.fp.closed
    )


def _format_of(image: Image.Image) -> Format | None:
    name = "JPEG" if image.format == "MPO" else image.format
    return next((known for known in FORMATS if known.pillow == name), None)
