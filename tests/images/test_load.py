"""Reading: every mode to the same colours; every kind of bad file to one clear error."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from geco.images import load_picture
from geco.images.load import MAX_SIDE
from tests.images.pictures import file_of as saved
from tests.images.pictures import scene


def expected(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB"), np.float32) / 255


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "La", "RGBa"]
)
def test_every_mode_gives_the_colours_pillow_gives(mode: str) -> None:
    source = scene()
    through = {"PA": "LA", "La": "LA", "RGBa": "RGBA"}.get(mode)
    image = (source.convert(through) if through else source).convert(mode)
    reference = (
        image.convert("RGBA") if mode in ("PA", "RGBa") else image.convert("LA") if mode == "La" else image
    )
    picture = load_picture(image)
    assert picture.rgba.dtype == np.float32 and picture.rgba.shape == (32, 48, 4)
    assert not picture.has_alpha
    np.testing.assert_allclose(picture.rgba[..., :3], expected(reference), atol=1.5 / 255)


def test_lab_is_converted_by_littlecms() -> None:
    source = scene()
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(source, transform)
    # Eight bits of L*a*b* hold blue to a few levels only, and the round trip through D50 adds to it.
    assert np.abs(load_picture(lab).rgba[..., :3] - expected(source)).mean() < 0.01


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_file_formats(format: str, tmp_path: Path) -> None:
    path = tmp_path / f"picture.{format.lower()}"
    path.write_bytes(saved(scene(96, 64), format))
    picture = load_picture(path)
    assert picture.name == str(path)
    assert np.abs(picture.rgba[..., :3] - expected(scene(96, 64))).mean() < 0.03


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_cmyk_files(format: str) -> None:
    picture = load_picture(saved(scene().convert("CMYK"), format))
    assert np.abs(picture.rgba[..., :3] - expected(scene())).mean() < 0.03


def test_sixteen_bits_keep_their_scale() -> None:
    ramp = np.linspace(0, 65535, 40 * 40).reshape(40, 40).astype(np.uint16)
    for data in (saved(Image.fromarray(ramp)), saved(Image.fromarray(ramp), "TIFF")):
        np.testing.assert_allclose(load_picture(data).rgba[..., 0], ramp / 65535, atol=1 / 255)
    np.testing.assert_allclose(load_picture(ramp).rgba[..., 0], ramp / 65535, atol=1e-6)


@pytest.mark.parametrize("top", [255, 65535, 2**24])
def test_wide_integers_are_scaled_by_the_smallest_range_that_holds_them(top: int) -> None:
    ramp = np.linspace(0, top, 400).reshape(20, 20).astype(np.int32)
    np.testing.assert_allclose(load_picture(Image.fromarray(ramp)).rgba[..., 2], ramp / top, atol=1 / 255)


def test_float_pictures() -> None:
    ramp = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    ramp[3, 3] = np.nan
    rgba = load_picture(Image.fromarray(ramp)).rgba
    assert np.isfinite(rgba).all()
    np.testing.assert_allclose(rgba[5:, :, 0], ramp[5:], atol=1 / 255)


def test_palette_transparency_is_alpha() -> None:
    image = Image.new("P", (20, 20), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.paste(1, (5, 5, 15, 15))
    picture = load_picture(saved(image, "PNG", transparency=0))
    assert picture.has_alpha
    inside = np.zeros((20, 20), bool)
    inside[5:15, 5:15] = True
    np.testing.assert_array_equal(picture.rgba[..., 3], inside)
    np.testing.assert_array_equal(picture.rgba[10, 10, :3], [0, 1, 0])


@pytest.mark.parametrize("mode,key", [("RGB", (0, 0, 255)), ("L", 7)])
def test_a_transparent_colour_is_alpha(mode: str, key: object) -> None:
    image = Image.new(mode, (20, 20), key)
    image.paste((200, 100, 50) if mode == "RGB" else 99, (5, 5, 15, 15))
    picture = load_picture(saved(image, "PNG", transparency=key))
    assert picture.has_alpha and picture.rgba[..., 3].sum() == 100


def test_an_opaque_alpha_channel_is_no_alpha() -> None:
    assert not load_picture(scene().convert("RGBA")).has_alpha


def test_colours_hidden_by_alpha_do_not_bleed_when_reduced() -> None:
    rgba = np.zeros((400, 400, 4), np.uint8)
    rgba[..., 1] = 255  # green where nothing is to be seen
    rgba[100:300, 100:300] = (255, 0, 0, 255)
    reduced = load_picture(rgba, max_side=97).rgba
    visible = reduced[..., 3] > 0.02
    assert reduced.shape == (97, 97, 4)
    assert reduced[visible][:, 1].max() < 0.06 and reduced[visible][:, 0].min() > 0.94


def test_a_colour_profile_is_converted_to_srgb() -> None:
    source = scene()
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_allclose(
        load_picture(saved(source, icc_profile=srgb)).rgba[..., :3], expected(source), atol=1.5 / 255
    )
    # A profile that is sRGB under another name with the red and green primaries exchanged: red is stored as
    # green.
    other = srgb.replace("sRGB".encode("utf-16-be"), "rgbs".encode("utf-16-be"))
    other = other.replace(b"rXYZ", b"tmp!").replace(b"gXYZ", b"rXYZ").replace(b"tmp!", b"gXYZ")
    for image in (source, source.convert("RGBA")):
        converted = load_picture(saved(image, icc_profile=other)).rgba[..., :3]
        np.testing.assert_allclose(converted, expected(source)[..., [1, 0, 2]], atol=3 / 255)


def test_a_damaged_colour_profile_is_left_out() -> None:
    broken = load_picture(saved(scene(), icc_profile=b"no profile at all" * 9))
    np.testing.assert_allclose(broken.rgba[..., :3], expected(scene()), atol=1e-6)


def test_large_pictures_are_reduced_with_their_shape(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    large = scene().resize((4000, 3000))
    large.save(path, quality=90)
    started = time.process_time()
    picture = load_picture(path)
    assert time.process_time() - started < 2
    assert picture.rgba.shape == (768, MAX_SIDE, 4)
    small = expected(large.resize((MAX_SIDE, 768), Image.Resampling.BOX))
    assert np.abs(picture.rgba[..., :3] - small).mean() < 0.01


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 2), (20, 30, 3), (20, 30, 4)])
def test_arrays(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).random(shape)
    rgba = load_picture(values).rgba
    channels = values.reshape(20, 30, -1).astype(np.float32)
    color = channels[..., :3] if channels.shape[2] >= 3 else channels[..., :1].repeat(3, axis=2)
    np.testing.assert_allclose(rgba[..., :3], color, atol=1e-6)
    np.testing.assert_allclose(
        rgba[..., 3], channels[..., -1] if channels.shape[2] in (2, 4) else 1, atol=1e-6
    )


def test_a_pillow_image_is_left_as_it_was() -> None:
    image = scene().convert("RGBA")
    image.putpixel((0, 0), (1, 2, 3, 4))
    before = image.tobytes()
    load_picture(image)
    assert image.tobytes() == before and image.mode == "RGBA"
