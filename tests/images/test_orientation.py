"""The eight orientations, applied once, in every format that can say one, however the picture comes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geco.images import load_picture
from geco.images.load import ORIENTATION_TAG
from tests.images.pictures import file_of, scene

CASES = Path(__file__).parent.parent / "cases" / "bugs" / "run"
FLIPS = Image.Transpose
# How a picture is stored that its orientation turns upright (EXIF 2.3, table 4).
STORED = {
    1: None, 2: FLIPS.FLIP_LEFT_RIGHT, 3: FLIPS.ROTATE_180, 4: FLIPS.FLIP_TOP_BOTTOM,
    5: FLIPS.TRANSPOSE, 6: FLIPS.ROTATE_90, 7: FLIPS.TRANSVERSE, 8: FLIPS.ROTATE_270,
}  # fmt: skip
WRITERS = {
    "JPEG": {}, "PNG": {}, "WEBP": {}, "AVIF": {}, "MPO": {}, "TIFF": {},
    "TIFF lzw": {"compression": "tiff_lzw"}, "TIFF jpeg": {"compression": "jpeg"},
    "TIFF pages": {"save_all": True, "append_images": [scene(20, 20)]},
}  # fmt: skip


def turned(image: Image.Image, orientation: int) -> Image.Image:
    how = STORED[orientation]
    return image if how is None else image.transpose(how)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("writer", WRITERS)
def test_an_orientation_is_applied_once(writer: str, orientation: int) -> None:
    upright = scene(96, 64)
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    data = file_of(turned(upright, orientation), writer.split()[0], exif=exif, **WRITERS[writer])
    decoded = Image.open(io.BytesIO(data))
    decoded.load()
    for source in (data, Image.open(io.BytesIO(data)), decoded):
        rgba = load_picture(source).rgba
        assert rgba.shape == (64, 96, 4)
        assert np.abs(rgba[..., :3] - np.asarray(upright, np.float32) / 255).mean() < 0.03


@pytest.mark.parametrize("orientation", [3, 6])
def test_sixteen_bit_scans_are_turned_too(orientation: int) -> None:
    grey = np.asarray(scene(96, 64).convert("L"), np.uint16) * 257
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    rgba = load_picture(file_of(turned(Image.fromarray(grey), orientation), "TIFF", exif=exif)).rgba
    np.testing.assert_allclose(rgba[..., 0], grey / 65535, atol=1 / 255)


@pytest.mark.parametrize("name", ["scan-orientation-3.tif", "scan-orientation-6.tif"])
def test_a_scan_stands_as_in_every_viewer(name: str) -> None:
    upright = load_picture(CASES / "toy.png").rgba
    scan = load_picture(CASES / name).rgba
    upright = upright[..., :3] * upright[..., 3:] + (1 - upright[..., 3:])
    small = [
        np.asarray(Image.fromarray(np.uint8(p[..., :3] * 255)).resize((16, 16))) / 255
        for p in (upright, scan)
    ]
    off = {turn: np.abs(small[0] - np.rot90(small[1], turn)).mean() for turn in range(4)}
    assert min(off, key=lambda turn: off[turn]) == 0, off


def test_heic_is_turned_by_its_own_boxes_only() -> None:
    # ISO 23008-12, 6.5.10: irot and imir turn a picture, and libheif does so; EXIF only tells it once more.
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    assert load_picture(file_of(scene(96, 64), "HEIF", exif=exif)).rgba.shape == (64, 96, 4)


def test_damaged_metadata_do_not_make_a_picture_unreadable() -> None:
    assert load_picture(
        file_of(scene(96, 64), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\1" * 40)
    ).rgba.shape == (
        64,
        96,
        4,
    )
