"""Rasterising textures and baking fields: every texel right, none twice, none empty."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.errors import MeshError
from geco.mesh import Mesh
from geco.mesh.bake import bake, rasterize_uv
from geco.mesh.dilate import nearest_full
from geco.mesh.uv import unwrap
from tests.mesh import shapes, surfaces


def by_position(points: np.ndarray) -> np.ndarray:
    """A colour field that says where it was asked."""
    return (points + 1) / 2


def flat_mesh(uvs: np.ndarray, faces: np.ndarray) -> Mesh:
    return Mesh(np.pad(uvs, ((0, 0), (0, 1))), faces, uvs=np.asarray(uvs, np.float32))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 40))
def test_raster_against_a_test_of_every_texel(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    mesh = flat_mesh(rng.uniform(-0.1, 1.1, (3, 2)), np.array([[0, 1, 2]]))
    assert mesh.uvs is not None
    raster = rasterize_uv(mesh, size)
    centres = (np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1) + 0.5) / size
    corners = mesh.uvs.astype(np.float64)
    system = np.concatenate([corners.T, np.ones((1, 3))])
    weights = np.linalg.solve(system, np.concatenate([centres, np.ones((size, size, 1))], axis=2)[..., None])[
        ..., 0
    ]
    inside, on_edge = weights.min(axis=2) > 1e-6, np.abs(weights.min(axis=2)) <= 1e-6
    assert ((raster.face_ids == 0) == inside)[~on_edge].all()
    np.testing.assert_allclose(
        raster.barycentrics[inside], weights[inside], atol=2e-4 / np.abs(np.linalg.det(system)).clip(1e-2)
    )


def test_neighbours_leave_no_gap_and_no_texel_twice() -> None:
    """A square cut into many triangles, corners on texel centres among them, covers each of its
    texels once.
    """
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.arange(0, 65, 4) / 64, np.arange(0, 65, 4) / 64, indexing="ij")
    points = np.stack([x, y], axis=-1)
    points[1:-1, 1:-1] += rng.choice([0, 0.5 / 64, 0.013], points[1:-1, 1:-1].shape)
    mesh = surfaces.grid_mesh(np.pad(points, ((0, 0), (0, 0), (0, 1))))
    mesh.uvs = mesh.vertices[:, :2]
    raster = rasterize_uv(mesh, 64)
    assert len(raster.texels) == 64 * 64 == len(np.unique(raster.texels))
    where = raster.interpolate(mesh, mesh.uvs)
    expected = np.stack([raster.texels % 64, raster.texels // 64], axis=1) / 64 + 0.5 / 64
    np.testing.assert_allclose(where, expected, atol=1e-6)


def test_unwrapped_meshes_cover_no_texel_twice() -> None:
    for mesh in (shapes.sphere(5), surfaces.knot(), surfaces.bumpy(4)):
        raster = rasterize_uv(unwrap(mesh, 512), 512)
        assert len(np.unique(raster.texels)) == len(raster.texels)
        np.testing.assert_allclose(raster.weights.sum(axis=0), 1, atol=1e-6)
        assert raster.weights.min() >= 0
        assert raster.mask.sum() == len(raster.texels) == (raster.face_ids >= 0).sum()


def test_texels_lie_on_the_sphere() -> None:
    flat = unwrap(shapes.sphere(5), 512)
    raster = rasterize_uv(flat, 512)
    radius = np.linalg.norm(raster.interpolate(flat, flat.vertices), axis=1)
    assert radius.max() <= 0.8 + 1e-6 and radius.min() >= 0.8 * 0.998  # chords of a fine sphere


@pytest.mark.parametrize("size", [256, 500])
def test_position_field_reads_back(size: int) -> None:
    """Looked up bilinearly at random points of the surface, the texture says where they are,
    seams included.
    """
    from geco.mesh.texture import sample_texture

    flat = unwrap(shapes.sphere(4), size)
    baked = bake(flat, by_position, size)
    assert (
        baked.texture is not None
        and baked.texture.shape == (size, size, 3)
        and baked.texture.dtype == np.uint8
    )
    raster = rasterize_uv(flat, size)
    exact = by_position(raster.interpolate(flat, flat.vertices))
    assert np.abs(baked.texture.reshape(-1, 3)[raster.texels] / 255 - exact).max() <= 0.5 / 255 + 1e-6

    rng = np.random.default_rng(0)
    face = rng.integers(0, len(flat.faces), 20_000)
    weights = rng.dirichlet([1, 1, 1], 20_000)[..., None]
    points = (flat.vertices[flat.faces[face]] * weights).sum(axis=1)
    uvs = (flat.uvs[flat.faces[face]] * weights).sum(axis=1)
    error = np.abs(sample_texture(baked.texture, uvs.astype(np.float32)) - by_position(points)).max(axis=1)
    texel = np.sqrt(4 * np.pi * 0.8**2 / len(raster.texels)) / 2  # colour change over one texel
    assert error.max() < 1.5 * texel + 1 / 255
    assert np.median(error) < 1 / 255


def test_seams_are_dilated_with_near_colours() -> None:
    """Every texel within four of a chart has a colour that occurs in the chart within six of it;
    no texel is left empty.
    """
    size = 48
    full = np.zeros((size, size), bool)
    full[6:20, 4:18] = full[25:40, 10:44] = True
    sources = nearest_full(full)
    assert full.reshape(-1)[sources].all()
    row, column = np.mgrid[:size, :size]
    reach = np.hypot(sources // size - row, sources % size - column)
    assert (reach[full] == 0).all()
    rows, columns = np.nonzero(full)
    exact = np.sqrt(((row[..., None] - rows) ** 2 + (column[..., None] - columns) ** 2).min(axis=2))
    near = exact <= 4
    assert (reach[near] <= exact[near] + 2).all()
    assert reach.max() < size


def test_filling_handles_extremes() -> None:
    for shape in ((1, 1), (1, 7), (5, 3), (33, 64)):
        one = np.zeros(shape, bool)
        one[-1, -1] = True
        assert (nearest_full(one) == one.size - 1).all()
        np.testing.assert_array_equal(nearest_full(np.ones(shape, bool)).reshape(-1), np.arange(one.size))
        assert (nearest_full(np.zeros(shape, bool)) == -1).all()


def test_a_mesh_too_thin_for_any_texel_still_has_a_texture() -> None:
    mesh = flat_mesh(np.array([[0.1, 0.1], [0.101, 0.1], [0.1, 0.101]]), np.array([[0, 1, 2]]))
    texture = bake(mesh, by_position, 16).texture
    assert texture is not None and (texture == 255).all()


def test_chunks_do_not_matter_and_field_is_asked_once_a_texel() -> None:
    flat = unwrap(shapes.torus(), 128)
    asked: list[int] = []

    def field(points: np.ndarray) -> np.ndarray:
        asked.append(len(points))
        return by_position(points)

    raster = rasterize_uv(flat, 128)
    one, two = bake(flat, field, 128, chunk=1000, raster=raster), bake(flat, by_position, 128)
    np.testing.assert_array_equal(one.texture, two.texture)
    assert max(asked) <= 1000 and sum(asked) == len(raster.texels)


def test_colours_outside_the_range_are_clipped() -> None:
    flat = unwrap(shapes.box(), 64)
    texture = bake(flat, lambda p: np.tile(np.float32([-1, 0.5, 2]), (len(p), 1)), 64).texture
    assert texture is not None
    np.testing.assert_array_equal(np.unique(texture.reshape(-1, 3), axis=0), [[0, 128, 255]])


def test_bad_input() -> None:
    with pytest.raises(MeshError, match="no texture coordinates"):
        rasterize_uv(shapes.box(), 64)
    flat = unwrap(shapes.box(), 64)
    with pytest.raises(MeshError, match="finite"):
        bake(flat, lambda p: p * np.nan, 64)
    with pytest.raises(MeshError, match="texels a side"):
        bake(flat, by_position, 64, raster=rasterize_uv(flat, 32))


def python_calls(work: Callable[[], object]) -> int:
    """How many functions Python calls on the way, of C too."""
    count = 0

    def tally(frame: object, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(tally)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def test_a_hundred_times_the_work_takes_few_more_steps_of_python() -> None:
    """What makes it fast (18 ms at 1024 on a free core): no loop over faces or rows, and over texels only by
    blocks of thousands.
    """
    few, many = unwrap(surfaces.knot(40, 8)), unwrap(surfaces.knot(400, 25))
    assert len(many.faces) > 30 * len(few.faces)
    calls = python_calls(lambda: rasterize_uv(few, 96))
    more = python_calls(lambda: rasterize_uv(many, 1024)) - calls
    assert calls > 10 and more < 40 * len(rasterize_uv(many, 1024).texels) / 2**15
