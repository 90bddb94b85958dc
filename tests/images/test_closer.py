"""A small object of a large picture is cut out at the picture's own resolution."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from geco.errors import InputImageError
from geco.images import cut_out, load_picture
from geco.images.load import ORIENTATION_TAG
from tests.images.pictures import disc, iou, textured

WIDE, HIGH = 2400, 1800


def photo(side: int, left: int, top: int, noise: float = 0.0, alpha: bool = False) -> NDArray[np.uint8]:
    """(HIGH, WIDE, 3 or 4): a striped disc of ``side`` pixels on pale grey, or on transparency."""
    rng = np.random.default_rng(5)
    picture = np.full((HIGH, WIDE, 4 if alpha else 3), 0.92, np.float32)
    if noise:
        picture[..., :3] += rng.normal(0, noise, (HIGH, WIDE, 1)).astype(np.float32)
    share, window = disc(side, 0.48)[..., None], picture[top : top + side, left : left + side]
    window[..., :3] = share * textured(side, rng) + (1 - share) * window[..., :3]
    if alpha:
        picture[..., 3] = 0
        window[..., 3] = share[..., 0]
    return np.rint(picture.clip(0, 1) * 255).astype(np.uint8)


def saved(pixels: NDArray[np.uint8], orientation: int = 1) -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    if pixels.shape[2] == 4:
        Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    else:
        Image.fromarray(pixels).save(buffer, "JPEG", quality=92, exif=exif)
    return buffer.getvalue()


def roundness(alpha: NDArray[np.float32]) -> float:
    """IoU with the disc that fills the alpha's box."""
    inside = alpha > 0.5
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    side = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    full = np.zeros((side, side), np.float32)
    piece = alpha[rows[0] : rows[0] + side, columns[0] : columns[0] + side]
    full[: piece.shape[0], : piece.shape[1]] = piece
    return iou(full, disc(side, 0.5))


@pytest.mark.parametrize("side", [12, 24, 60])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_dozen_pixels_on_a_large_plain_picture_are_found(side: int, noise: float) -> None:
    cut = cut_out(load_picture(saved(photo(side, 1700, 300, noise))))
    assert cut.method == "plain" and roundness(cut.rgba[..., 3]) > 0.85
    assert (cut.rgba[..., 3] > 0.5).any(axis=0).sum() > 40  # enlarged to what the networks can use


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_part_is_the_right_one_whichever_way_the_file_lies(orientation: int) -> None:
    cut = cut_out(load_picture(saved(photo(40, 300, 1500), orientation)))
    assert cut.method == "plain" and roundness(cut.rgba[..., 3]) > 0.9


@pytest.mark.parametrize("side", [16, 100, 500])
def test_small_cut_outs_keep_their_own_pixels(side: int) -> None:
    picture = load_picture(saved(photo(side, 1000, 1200, alpha=True)))
    cut = cut_out(picture)
    assert cut.method == "alpha" and roundness(cut.rgba[..., 3]) > 0.93
    across = int((cut.rgba[..., 3] > 0.5).any(axis=0).sum())
    assert across > 0.9 * side and across > 1.5 * (picture.rgba[..., 3] > 0.5).any(axis=0).sum()


def test_arrays_and_images_are_looked_at_closer_too() -> None:
    pixels = photo(30, 2000, 900)
    for source in (pixels, Image.fromarray(pixels), pixels.astype(np.float32) / 255):
        cut = cut_out(load_picture(source))
        assert cut.method == "plain" and roundness(cut.rgba[..., 3]) > 0.9


def test_a_file_that_cannot_be_read_again_is_cut_out_as_it_is() -> None:
    picture = load_picture(saved(photo(60, 1700, 300)))
    assert isinstance(picture.source, bytes)
    picture.source = picture.source[:400]
    cut = cut_out(picture)
    assert cut.method == "plain" and roundness(cut.rgba[..., 3]) > 0.8


@pytest.mark.parametrize("side", [16, 30])
def test_a_small_object_of_a_picture_of_common_size_is_found(side: int) -> None:
    cut = cut_out(load_picture(photo(side, 500, 300, noise=0.004)[:700, :900]))
    assert cut.method == "plain" and roundness(cut.rgba[..., 3]) > 0.85


def test_a_large_object_is_cut_out_of_the_whole_picture() -> None:
    cut = cut_out(load_picture(saved(photo(1200, 600, 300))))
    assert cut.rgba.shape == (768, 1024, 4)


def test_an_empty_wall_has_no_small_object() -> None:
    rng = np.random.default_rng(1)
    wall = np.full((HIGH, WIDE, 3), 0.8) + rng.normal(0, 0.02, (HIGH, WIDE, 3))
    with pytest.raises(InputImageError, match="no object"):
        cut_out(load_picture(saved(np.rint(wall.clip(0, 1) * 255).astype(np.uint8))), "plain")
