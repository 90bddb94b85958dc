"""Textures above the size that is baked: the same as one baked texel by texel, with the picture as it was
given.
"""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from geco.images import cut_out, load_picture, prepare
from geco.images.detail import Detail, detail, detail_of
from geco.mesh import Mesh
from geco.mesh.bake import bake, rasterize_uv
from geco.mesh.uv_raster import UVRaster
from geco.photo.input_camera import InputCamera
from geco.photo.large_texture import enlarged, project_large
from geco.photo.projection import shown_texels
from tests.photo.test_projection import grey, hidden_from, picture_of, stripes, toy

SMALL, LARGE = 256, 1024
CAMERA = InputCamera(20.0, scale=1.1, offset=(0.02, 0.01))


def decibels(one: np.ndarray, two: np.ndarray) -> float:
    return float(-10 * np.log10(((one.astype(float) - two) ** 2).mean() / 255**2))


def at_texels(mesh: Mesh, raster: UVRaster) -> np.ndarray:
    assert mesh.texture is not None
    return mesh.texture.reshape(-1, 3)[raster.texels]


def test_an_enlarged_texture_is_the_one_baked_texel_by_texel() -> None:
    mesh, _ = grey(toy(), SMALL)  # charts lie two texels of the small one apart
    raster = rasterize_uv(mesh, LARGE)
    full = bake(mesh, lambda p: 0.3 + 0.4 * stripes(p), LARGE, raster=raster)
    assert mesh.texture is not None
    large = mesh.with_(texture=enlarged(mesh.texture, LARGE))
    assert decibels(at_texels(large, raster), at_texels(full, raster)) > 45
    far = np.abs(at_texels(large, raster).astype(int) - at_texels(full, raster))
    assert np.quantile(far, 0.999) <= 3 and far.max() < 25  # nothing of another chart: they differ by 200


@pytest.fixture(scope="module")
def painted() -> tuple[Mesh, Mesh, UVRaster]:
    mesh, small = grey(toy(), SMALL)
    rgba = picture_of(mesh, CAMERA, 384)
    shown = shown_texels(mesh, small, rgba, CAMERA)[:2]
    closer = detail_of(picture_of(mesh, CAMERA, 1536))
    return mesh, project_large(mesh, small, shown, closer, LARGE, CAMERA), rasterize_uv(mesh, LARGE)


def test_the_picture_is_laid_on_where_it_is_seen_and_nowhere_else(
    painted: tuple[Mesh, Mesh, UVRaster],
) -> None:
    mesh, large, raster = painted
    assert mesh.texture is not None and large.texture is not None
    before = enlarged(mesh.texture, LARGE).reshape(-1, 3)[raster.texels].astype(float)
    after = at_texels(large, raster).astype(float)
    points = raster.interpolate(mesh, mesh.vertices)
    truth = 255 * stripes(points)
    changed = (before != after).any(axis=1)
    assert changed.mean() > 0.15
    error_before, error_after = np.abs(before - truth).mean(axis=1), np.abs(after - truth).mean(axis=1)
    assert error_after[changed].mean() < 0.35 * error_before[changed].mean()
    assert (error_after <= error_before + 4)[changed].all()
    assert not changed[hidden_from(mesh, points, CAMERA)].any()


def test_beyond_the_charts_the_texture_goes_on_as_it_ends(painted: tuple[Mesh, Mesh, UVRaster]) -> None:
    _, large, raster = painted
    assert large.texture is not None
    texture = large.texture.astype(int)
    step = np.abs(texture[:, 1:] - texture[:, :-1]).max(axis=2)
    border = raster.mask[:, 1:] != raster.mask[:, :-1]
    inner = raster.mask[:, 1:] & raster.mask[:, :-1]
    assert np.quantile(step[border], 0.99) <= np.quantile(step[inner], 0.999)


def lines(size: int) -> np.ndarray:
    """A round object on white with vertical lines of one pixel."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    rgb = np.full((size, size, 3), 255, np.uint8)
    rgb[x**2 + y**2 < 0.09] = (200, 30, 30)
    rgb[:, ::4][(x**2 + y**2 < 0.09)[:, ::4]] = (20, 30, 30)
    return rgb


@pytest.mark.parametrize("turned", [1, 6])
def test_a_reduced_picture_gives_its_own_pixels_once_more(turned: int) -> None:
    wanted = lines(2000)
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = turned
    stored = wanted if turned == 1 else np.rot90(wanted)  # 6: turn clockwise to look at it
    Image.fromarray(np.ascontiguousarray(stored)).save(file, "PNG", exif=exif)
    picture = load_picture(file.getvalue())
    assert max(picture.rgba.shape) == 1024
    np.testing.assert_array_equal(picture.at_most(4096)[..., :3], wanted)
    assert max(picture.at_most(1500).shape) == 1500 and max(picture.at_most(100).shape) == 1024
    closer = detail(prepare(cut_out(picture), 64), 3000)
    inner = np.float32(np.linspace(0.45, 0.55, 400))
    seen = closer.at(inner, np.full_like(inner, 0.5))
    assert np.ptp(seen[0]) > 0.65  # the lines; of the reduced picture they are a grey


@pytest.mark.parametrize("size", [90, 512, 900])
def test_detail_lies_where_the_square_does(size: int) -> None:
    prepared = prepare(cut_out(load_picture(lines(600))), 64, 0.85)
    square = prepared.rgba(256)
    place = (np.arange(256, dtype=np.float32) + 0.5) / 256
    x, y = np.meshgrid(place, place)
    closer = detail(prepared, size)
    found = closer.at(x.ravel(), y.ravel()).T.reshape(256, 256, 3)
    inside = np.zeros((256, 256), bool)
    inside[40:-40, 40:-40] = square[40:-40, 40:-40, 3] > 0.99
    low = [np.where(inside[..., None], each, 0).mean(axis=(0, 1)) for each in (square[..., :3], found)]
    np.testing.assert_allclose(low[0], low[1], atol=0.01)
    edges = [square[128, :, 3] > 0.5, found[128, :, 1] < 0.5]
    assert abs(int(np.argmax(edges[0])) - int(np.argmax(edges[1]))) <= 1


def test_detail_of_a_square_is_the_square() -> None:
    square = np.random.default_rng(0).random((8, 8, 4)).astype(np.float32)
    place = (np.arange(8, dtype=np.float32) + 0.5) / 8
    x, y = np.meshgrid(place, place)
    seen: Detail = detail_of(square)
    np.testing.assert_allclose(seen.at(x.ravel(), y.ravel()).T.reshape(8, 8, 3), square[..., :3], atol=0.006)
