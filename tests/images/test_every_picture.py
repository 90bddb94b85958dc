"""Every mode, format, damage and size ends in a picture or in our own error; large ones stay
within memory.
"""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geco.errors import InputImageError
from geco.images import cut_out, load_picture, prepare
from tests.images.pictures import CASES, file_of, object_picture

MODES = (
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
    "I;16L",
    "I;16B",
    "I;16N",
)
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "PPM", "TGA", "HEIF")


def outcome(source: object) -> str:
    """Through reading, cutting out and framing: "ok", or our own error; any other exception and
    any warning is a failure.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            prepared = prepare(cut_out(load_picture(source)), 64)  # type: ignore[arg-type]
        except InputImageError as error:
            assert error.remedy and "\n" not in str(error)
            return str(error)
    assert (
        prepared.rgb.shape == (64, 64, 3)
        and np.isfinite(prepared.rgb).all()
        and np.isfinite(prepared.rgba(32)).all()
    )
    return "ok"


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """Any mode, by what Pillow can convert from where."""
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        made = ImageCms.applyTransform(image.convert("RGB"), ImageCms.buildTransform(*profiles, "RGB", "LAB"))
        assert made is not None
        return made
    if mode.startswith("I;16"):
        wide = np.asarray(image.convert("L"), np.uint16) * 257
        return Image.frombytes(
            mode, image.size, wide.astype(">u2" if mode.endswith("B") else "<u2").tobytes()
        )
    through = {"La": "LA", "RGBa": "RGBA", "PA": "LA", "F": "L", "I": "L"}.get(mode)
    return (
        image.convert(through)
        if through
        else image.convert("RGB")
        if mode in ("P", "YCbCr", "HSV")
        else image
    ).convert(mode)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_seen_alike_from_the_image_and_from_every_format_that_keeps_it(mode: str) -> None:
    image = in_mode(object_picture(64), mode)
    expected = load_picture(image)
    assert outcome(image) == "ok" and expected.rgba.shape == (64, 64, 4)
    kept = 0
    for format in FORMATS:
        try:
            data = file_of(image, format)
        except (OSError, ValueError, KeyError, TypeError):
            continue  # Pillow does not write this mode in this format
        ended = outcome(data)
        if Image.open(io.BytesIO(data)).mode == mode and format in ("PNG", "TIFF", "BMP", "TGA", "PPM"):
            kept += 1
            assert ended == "ok"
            np.testing.assert_allclose(
                load_picture(data).rgba, expected.rgba, atol=2 / 255, err_msg=f"{mode} {format}"
            )
    assert kept or mode in ("La", "PA", "RGBa", "HSV", "YCbCr", "I;16L", "I;16N", "RGBX")


def test_a_palette_of_clear_colours_is_alpha() -> None:
    image = object_picture(64).quantize(16)
    assert image.palette is not None and image.palette.mode == "RGBA"
    for source in (image, file_of(image)):
        assert load_picture(source).has_alpha and outcome(source) == "ok"


@pytest.mark.parametrize("format", FORMATS)
def test_no_damage_to_a_file_escapes_as_another_error(format: str) -> None:
    generator = np.random.default_rng(FORMATS.index(format))
    whole = file_of(object_picture(48).convert("RGB"), format)
    ends = set()
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(int(generator.integers(1, 6))):
            at = int(min(generator.exponential(len(data) / 4), len(data) - 1))  # headers more than pixels
            data[at] = (
                int(generator.integers(256))
                if generator.random() < 0.7
                else int(generator.choice([0, 1, 127, 128, 255]))
            )
        if generator.random() < 0.3:
            del data[int(generator.integers(len(data))) :]
        ends.add(outcome(bytes(data)) == "ok")
    assert False in ends


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"]),
    st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1),
    st.sampled_from([0, 1, 12, 26, 100, 128, 254, 255]),
)  # fmt: skip
def test_every_size_and_alpha_ends_in_a_picture_or_our_error(
    mode: str, width: int, height: int, seed: int, alpha: int
) -> None:
    image = object_picture(96, seed).crop((3, 3, 3 + width, 3 + height))
    if mode in ("LA", "RGBA"):
        image.putalpha(image.getchannel("A").point(lambda v: min(v, alpha)))
    outcome(in_mode(image, mode))


def test_a_very_wide_jpeg_is_too_narrow() -> None:
    assert "too narrow" in outcome(CASES / "picture-wide.jpg")
    for size in ((16 * 1537, 16), (16, 16 * 1600), (65500, 16)):
        assert "too narrow" in outcome(file_of(Image.new("L", size, 200), "JPEG"))


def test_what_the_avif_decoder_raises_is_our_error() -> None:
    assert "damaged" in outcome(CASES / "picture-broken.avif")


@pytest.mark.parametrize("format", ["BMP", "TGA"])
def test_fourth_bytes_that_are_all_zero_are_no_transparency(format: str) -> None:
    image = object_picture(64)
    image.putalpha(0)
    picture = load_picture(file_of(image, format))
    assert not picture.has_alpha
    np.testing.assert_allclose(picture.rgba[..., :3], np.asarray(image)[..., :3] / 255, atol=1e-6)
    assert "fully transparent" in outcome(file_of(image, "PNG"))


def test_only_the_first_of_several_pictures_counts() -> None:
    first, second = object_picture(64, 1).convert("RGB"), Image.new("RGB", (64, 64), "blue")
    for format in ("GIF", "PNG", "WEBP", "TIFF", "AVIF", "MPO"):
        data = file_of(first, format, save_all=True, append_images=[second])
        assert np.abs(load_picture(data).rgba[..., :3] - np.asarray(first) / 255).mean() < 0.06, format


def test_a_damaged_scan_says_nothing_but_our_line(capfd: pytest.CaptureFixture[str]) -> None:
    refused = 0
    for compression in ("tiff_lzw", "tiff_ccitt", "group4", "jpeg", "packbits", "tiff_deflate"):
        whole = file_of(
            in_mode(object_picture(32), "RGB" if compression == "jpeg" else "1"),
            "TIFF",
            compression=compression,
        )
        capfd.readouterr()  # what writing them says
        for at in range(8, len(whole), max(len(whole) // 25, 1)):
            refused += outcome(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]) != "ok"
    assert refused > 10 and capfd.readouterr().err == ""
