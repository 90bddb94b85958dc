"""The input camera and the picture laid on, on a device: what numpy finds, and what numpy paints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geco.mesh import Mesh
from geco.mesh.bake import rasterize_uv
from geco.on_device.fit_camera import Picture, find_camera
from geco.on_device.projection import project_picture
from geco.on_device.texels import texels_of
from geco.on_device.types import DeviceMesh
from geco.on_device.view import Cameras, rasterize, surface_colors
from geco.photo.fit_camera import fit_input_camera
from geco.photo.input_camera import InputCamera
from geco.photo.projection import project_picture as project_on_host
from geco.render import rasterize_numpy
from geco.render.shade_numpy import surface_colors as colors_on_host
from tests.photo.test_projection import SIZE, grey, picture_of, toy


def on_device(camera: InputCamera) -> Cameras:
    focal = 0.5 / np.tan(np.radians(camera.fov) / 2)
    numbers = (camera.c2w[None], np.array([camera.scale]), np.array([camera.offset]))
    return Cameras(*(torch.from_numpy(np.asarray(n)).double() for n in numbers), float(focal))


@pytest.fixture(scope="module")
def object_with_texture() -> tuple[Mesh, DeviceMesh]:
    mesh, _ = grey(toy())
    return mesh, DeviceMesh.of(mesh, "cpu")


@pytest.mark.parametrize("size", [64, 200])
def test_the_mesh_is_drawn_as_numpy_draws_it(object_with_texture: tuple[Mesh, DeviceMesh], size: int) -> None:
    mesh, flat = object_with_texture
    camera = InputCamera(25.0, scale=1.7, offset=(0.1, -0.2))  # parts of it are outside
    wanted = camera.rasterize(mesh, size)
    found = rasterize(flat, on_device(camera), size, "test")
    np.testing.assert_array_equal(found.faces.numpy(), wanted.face_ids)
    np.testing.assert_allclose(found.weights.numpy(), wanted.barycentrics, atol=1e-5)
    np.testing.assert_allclose(found.depth.numpy(), wanted.depth, atol=1e-5)
    seen = wanted.mask
    colors = surface_colors(flat, found.faces[seen], found.weights[seen])
    truth = colors_on_host(mesh, wanted.face_ids[seen], wanted.barycentrics[seen])
    np.testing.assert_allclose(colors.numpy(), truth, atol=1e-4)


def test_points_behind_the_camera_are_not_seen() -> None:
    mesh = Mesh([[9, 0, 0], [9, 1, 0], [9, 0, 1], [0, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, 1, 2], [3, 4, 5]])
    found = rasterize(DeviceMesh.of(mesh, "cpu"), on_device(InputCamera(0.0)), 32, "test")
    host = rasterize_numpy.rasterize(mesh.vertices, mesh.faces, InputCamera(0.0).c2w, 30.0, 32)
    np.testing.assert_array_equal(found.faces.numpy(), host.face_ids)


@pytest.mark.parametrize("elevation", [-17.0, 21.5])
def test_the_camera_is_the_one_that_numpy_finds(
    object_with_texture: tuple[Mesh, DeviceMesh], elevation: float
) -> None:
    mesh, flat = object_with_texture
    truth = InputCamera(elevation, scale=1.15, offset=(0.06, -0.04))
    rgba = picture_of(mesh, truth)
    picture = Picture.of(rgba, torch.device("cpu"))
    assert picture is not None
    found, host = find_camera(flat, picture).camera, fit_input_camera(mesh, rgba)
    assert found.agrees and found.iou > 0.97
    assert abs(found.elevation - truth.elevation) <= 2 and abs(found.elevation - host.elevation) <= 2
    one, two = (camera.to_pixels(mesh.vertices, SIZE)[0] for camera in (found, host))
    assert np.abs(one - two).mean() < 1.5
    assert abs(found.color_error - host.color_error) < 0.02 and abs(found.iou - host.iou) < 0.02


def test_another_object_does_not_agree(object_with_texture: tuple[Mesh, DeviceMesh]) -> None:
    flat = object_with_texture[1]
    rgba = np.zeros((128, 128, 4), np.float32)
    assert Picture.of(rgba, torch.device("cpu")) is None
    rgba[60:68, 10:118] = 1.0
    picture = Picture.of(rgba, torch.device("cpu"))
    assert picture is not None and not find_camera(flat, picture).camera.agrees


def test_a_picture_without_an_opaque_pixel_is_not_searched_for_a_camera_either(
    object_with_texture: tuple[Mesh, DeviceMesh],
) -> None:
    mesh = object_with_texture[0]
    rgba = picture_of(mesh, InputCamera(10.0))
    rgba[..., 3] *= 0.5
    assert Picture.of(rgba, torch.device("cpu")) is None
    assert fit_input_camera(mesh, rgba) == InputCamera(0.0, iou=0.0, color_error=1.0)


def test_the_picture_is_laid_on_texel_by_texel(object_with_texture: tuple[Mesh, DeviceMesh]) -> None:
    mesh, flat = object_with_texture
    rgba = picture_of(mesh, InputCamera(10.0))
    picture = Picture.of(rgba, torch.device("cpu"))
    assert picture is not None
    found = find_camera(flat, picture)
    painted = project_picture(flat, texels_of(flat, SIZE), picture, found).texture
    wanted = project_on_host(mesh, rasterize_uv(mesh, SIZE), rgba, found.camera).texture
    assert painted is not None and wanted is not None and mesh.texture is not None
    difference = np.abs(painted.numpy().astype(int) - wanted)
    assert (difference > 1).mean() < 1e-4
    assert (np.abs(wanted.astype(int) - mesh.texture) > 8).mean() > 0.1
