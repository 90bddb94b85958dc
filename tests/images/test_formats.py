"""Which formats are opened: those of the README and no others, under any file name, and from
every kind of source.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geco.errors import InputImageError
from geco.images import load_picture
from geco.images.formats import FORMATS, HEIC, NAMES, TGA, sniff
from tests.images.pictures import file_of, scene

CASES = Path(__file__).parent.parent / "cases"
SAVED = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "PPM", "TGA", "HEIF")


@pytest.mark.parametrize("format", SAVED)
def test_every_format_of_the_readme_is_read(format: str) -> None:
    reference = np.asarray(scene(96, 64), np.float32) / 255
    data = file_of(scene(96, 64), format)
    assert format == "TGA" or sniff(data) is not None
    for source in (data, bytearray(data), memoryview(data), io.BytesIO(data)):
        picture = load_picture(source)
        assert np.abs(picture.rgba[..., :3] - reference).mean() < 0.03 and not picture.has_alpha


@pytest.mark.parametrize("format", ["EPS", "PDF", "ICO", "JPEG2000", "PCX", "SGI", "DDS"])
def test_other_formats_are_refused_whatever_they_are_called(format: str, tmp_path: Path) -> None:
    data = file_of(scene(64, 64), format)
    for name in ("x", "x.png", "x.tga", f"x.{format.lower()}"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputImageError, match="is not a picture in a format that can be read"):
            load_picture(tmp_path / name)


@pytest.mark.parametrize("name", ["picture-endless.eps", "x.png"])
def test_postscript_is_never_run(name: str, tmp_path: Path) -> None:
    data = (CASES / "hostile" / "picture-endless.eps").read_bytes()
    (tmp_path / name).write_bytes(data)
    for source in (tmp_path / name, data, io.BytesIO(data), Image.open(io.BytesIO(data))):
        with pytest.raises(InputImageError):
            load_picture(source)


def test_an_image_that_its_caller_decoded_may_come_from_any_format() -> None:
    image = Image.open(io.BytesIO(file_of(scene(64, 64), "PCX")))
    with pytest.raises(InputImageError, match="undecoded PCX"):
        load_picture(image)
    image.load()
    assert load_picture(image).rgba.shape == (64, 64, 4)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([
    b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF1234WEBP", b"II*\0", b"GIF89a",
    b"BM1234\0\0\0\0", b"P6\n", b"\0\0\0\x1cftypavif", b"\0\0\0\x18ftypheic", b"\0\0\x02\0\0\0\0\0",
]))  # fmt: skip
def test_bytes_that_are_no_picture_end_in_our_error(tail: bytes, head: bytes) -> None:
    with pytest.raises(InputImageError) as caught:
        load_picture(head + tail)
    assert caught.value.remedy


def test_suffixes_and_names_belong_to_one_format_each() -> None:
    suffixes = [suffix for known in FORMATS for suffix in known.suffixes]
    assert len(suffixes) == len(set(suffixes)) and all(suffix == suffix.lower() for suffix in suffixes)
    assert all(known.name in NAMES for known in FORMATS if known is not HEIC)


def test_a_targa_s_tail_is_no_other_format_s_head() -> None:
    assert sniff(file_of(scene(64, 64), "TGA")) is None and TGA.suffixes == (".tga",)


def test_text_about_bitmaps_is_no_bitmap() -> None:
    with pytest.raises(InputImageError, match="holds text"):
        load_picture(b"BMW is a maker of cars, and P1 is a car of McLaren's")


@pytest.mark.parametrize("source", [None, 7, [1, 2], {"a": 1}, object(), io.StringIO("text"), np.float64(3)])
def test_what_holds_no_picture_is_refused_by_its_type(source: object) -> None:
    with pytest.raises(InputImageError):
        load_picture(source)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["", "https://example.org/toy.png", "a\0b.png", "x" * 5000])
def test_names_of_no_file_are_refused(source: str) -> None:
    with pytest.raises(InputImageError):
        load_picture(source)
