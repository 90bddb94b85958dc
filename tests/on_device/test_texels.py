"""Texels on a device: the faces, places and colours that numpy finds, and the same filling of the gaps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from geco.errors import MeshError
from geco.mesh import Mesh
from geco.mesh.bake import bake, rasterize_uv
from geco.mesh.dilate import nearest_full
from geco.mesh.uv import unwrap
from geco.mesh.vertex_colors import vertex_raster
from geco.on_device import texels
from geco.on_device.types import DeviceMesh
from tests.mesh import shapes, surfaces


def stripes(points: np.ndarray) -> np.ndarray:
    return (0.5 + 0.6 * np.sin(points * np.float32(9))).astype(np.float32)


@pytest.mark.parametrize("make", [lambda: shapes.sphere(4), surfaces.bumpy, surfaces.soup])
@pytest.mark.parametrize("size", [64, 251])
def test_every_texel_shows_the_face_and_colour_that_numpy_finds(make: Callable[[], Mesh], size: int) -> None:
    mesh = unwrap(make(), size)
    raster, wanted = rasterize_uv(mesh, size), bake(mesh, stripes, size)
    flat = DeviceMesh.of(mesh, "cpu")
    found = texels.texels_of(flat, size)
    np.testing.assert_array_equal(found.places.numpy(), np.flatnonzero(raster.mask))
    np.testing.assert_array_equal(found.faces.numpy(), raster.face_ids.ravel()[found.places.numpy()])
    points, other = found.interpolate(flat, flat.vertices).numpy(), np.zeros((size * size, 3))
    other[raster.texels] = raster.interpolate(mesh, mesh.vertices)
    np.testing.assert_allclose(points, other[found.places.numpy()], atol=1e-5)
    baked = texels.bake(flat, lambda p: torch.from_numpy(stripes(p.numpy())), found).texture
    assert baked is not None and wanted.texture is not None
    assert np.abs(baked.numpy().astype(int) - wanted.texture).max() <= 1


def test_a_later_face_lies_over_an_earlier_one() -> None:
    uvs = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float32)
    mesh = Mesh(np.zeros((4, 3)), [[0, 1, 2], [0, 1, 3]], uvs=uvs)
    found = texels.texels_of(DeviceMesh.of(mesh, "cpu"), 32)
    np.testing.assert_array_equal(found.faces.numpy(), rasterize_uv(mesh, 32).face_ids.ravel()[found.places])


@pytest.mark.parametrize("shape", [(1, 1), (7, 12), (64, 33)])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.05, 0.6])
def test_gaps_are_filled_as_on_the_host(shape: tuple[int, int], share: float) -> None:
    full = np.random.default_rng(1).random(shape) < share
    numbers = torch.where(torch.from_numpy(full), torch.arange(full.size).reshape(shape), -1)
    np.testing.assert_array_equal(texels.nearest_full(numbers).numpy(), nearest_full(full))


def test_vertices_have_colours_of_their_own() -> None:
    mesh = shapes.sphere(2)
    mesh = mesh.with_(vertices=np.concatenate([mesh.vertices, [[9, 9, 9]]]))
    found, wanted = texels.texels_of_vertices(DeviceMesh.of(mesh, "cpu")), vertex_raster(mesh)
    assert found.size == wanted.size
    np.testing.assert_array_equal(found.places.numpy(), wanted.texels)
    points = found.interpolate(DeviceMesh.of(mesh, "cpu"), torch.from_numpy(mesh.vertices))
    np.testing.assert_array_equal(points.numpy(), mesh.vertices[:-1])


def test_colours_that_are_no_numbers_and_a_mesh_without_coordinates_are_refused() -> None:
    flat = DeviceMesh.of(unwrap(shapes.box(), 64), "cpu")
    with pytest.raises(MeshError, match="finite"):
        texels.bake(flat, lambda points: points * torch.nan, texels.texels_of(flat, 64))
    with pytest.raises(MeshError, match="coordinates"):
        texels.texels_of(flat.with_(uvs=None), 64)
