"""The input camera is found again, and the picture lands on the side that it shows, and nowhere else."""

from __future__ import annotations

import time

import numpy as np
import pytest

from geco.errors import ConfigError, MeshError
from geco.mesh import Mesh
from geco.mesh.bake import bake, rasterize_uv
from geco.mesh.normals import vertex_normals
from geco.mesh.uv import unwrap
from geco.mesh.uv_raster import UVRaster
from geco.photo.projection import InputCamera, fit_input_camera, project_picture, trusted
from geco.render.shade_numpy import interpolate
from tests.mesh import shapes, surfaces

SIZE = 256


def toy() -> Mesh:
    """A body, a head to one side, a snout to the front: its outline tells the elevation."""
    body, head = shapes.sphere(4, 0.5, (0.0, 0.0, -0.3)), shapes.sphere(4, 0.3, (0.1, 0.25, 0.4))
    return shapes.together(body, head, shapes.box((0.3, 0.15, 0.3), (0.7, 0.35, 0.4)))


def stripes(points: np.ndarray) -> np.ndarray:
    """Colours that change along all axes, as smooth as a picture of 256 pixels can show."""
    return 0.5 + 0.4 * np.sin(points * np.array([7.0, 11.0, 9.0]) + np.array([0.0, 1.0, 2.0]))


def picture_of(mesh: Mesh, camera: InputCamera, size: int = SIZE) -> np.ndarray:
    """What the camera sees: the stripes, cut out exactly."""
    seen = camera.rasterize(mesh, size)
    rgba = np.zeros((size, size, 4), np.float32)
    points = interpolate(mesh.vertices, mesh.faces, seen.face_ids[seen.mask], seen.barycentrics[seen.mask])
    rgba[seen.mask, :3] = stripes(points)
    rgba[seen.mask, 3] = 1
    return rgba


def grey(mesh: Mesh, size: int = SIZE) -> tuple[Mesh, UVRaster]:
    """The mesh unwrapped and baked with a blurred version of the stripes."""
    flat = unwrap(mesh, size)
    flat.normals = vertex_normals(flat.vertices, flat.faces)
    raster = rasterize_uv(flat, size)
    return bake(flat, lambda p: 0.3 + 0.4 * stripes(p), size, raster=raster), raster


@pytest.mark.parametrize("elevation", [-17.0, 3.0, 21.5, 48.0])
def test_camera_is_found_again(elevation: float) -> None:
    mesh, _ = grey(toy())
    truth = InputCamera(elevation, scale=1.15, offset=(0.06, -0.04))
    found = fit_input_camera(mesh, picture_of(mesh, truth))
    assert found.agrees and found.iou > 0.97
    assert abs(found.elevation - truth.elevation) <= 2
    one, _ = truth.to_pixels(mesh.vertices, SIZE)
    two, _ = found.to_pixels(mesh.vertices, SIZE)
    assert np.abs(one - two).max() < 0.03 * SIZE and np.abs(one - two).mean() < 1.5


def test_azimuth_is_found_where_asked_for() -> None:
    mesh, _ = grey(toy())
    found = fit_input_camera(mesh, picture_of(mesh, InputCamera(20.0, azimuth=7.0)), azimuth_range=10.0)
    assert abs(found.azimuth - 7) <= 2 and abs(found.elevation - 20) <= 2
    turned = fit_input_camera(mesh, picture_of(mesh, InputCamera(20.0, azimuth=90.0)), azimuth=90.0)
    assert abs(turned.elevation - 20) <= 2 and turned.azimuth == 90


def test_shape_alone_is_enough() -> None:
    bare = toy()
    found = fit_input_camera(bare, picture_of(bare, InputCamera(33.0)))
    assert found.agrees and found.color_error == 0 and abs(found.elevation - 33) <= 2


@pytest.mark.parametrize("size", [100, 333, 512])
def test_any_picture_size(size: int) -> None:
    mesh, _ = grey(toy())
    found = fit_input_camera(mesh, picture_of(mesh, InputCamera(20.0, offset=(0.05, 0.0)), size))
    assert (
        found.agrees and abs(found.elevation - 20) <= 2.5 and found.offset[0] == pytest.approx(0.05, abs=0.01)
    )


def test_another_object_does_not_agree() -> None:
    mesh, _ = grey(toy())
    camera = InputCamera(20.0)
    for other in (shapes.torus(), shapes.box((-0.05, -0.7, -0.05), (0.05, 0.7, 0.05))):
        assert not fit_input_camera(mesh, picture_of(other, camera)).agrees
    inverted = picture_of(mesh, camera)
    inverted[..., :3] = np.random.default_rng(0).integers(0, 2, (16, 16, 3)).repeat(16, 0).repeat(16, 1)
    found = fit_input_camera(mesh, inverted)
    assert found.iou > 0.8 and not found.agrees  # the right outline with another pattern in it
    assert not fit_input_camera(mesh, np.zeros((64, 64, 4), np.float32)).agrees


def test_projected_texture_is_the_true_one_where_seen_and_untouched_elsewhere() -> None:
    mesh, raster = grey(toy(), 512)
    camera = InputCamera(20.0, scale=1.1, offset=(0.02, 0.01))
    painted = project_picture(mesh, raster, picture_of(mesh, camera, 512), camera)
    assert painted.texture is not None and mesh.texture is not None
    before = mesh.texture.reshape(-1, 3)[raster.texels].astype(float)
    after = painted.texture.reshape(-1, 3)[raster.texels].astype(float)
    points = raster.interpolate(mesh, mesh.vertices)
    truth = 255 * stripes(points)
    normals = raster.interpolate(mesh, mesh.normals)
    eye = camera.c2w[:3, 3]
    cosine = ((eye - points) * normals).sum(axis=1) / np.linalg.norm(eye - points, axis=1)
    changed = (before != after).any(axis=1)

    assert not changed[cosine < 0.2].any()
    assert changed.mean() > 0.15
    error_before, error_after = np.abs(before - truth).mean(axis=1), np.abs(after - truth).mean(axis=1)
    assert error_after[changed].mean() < 0.35 * error_before[changed].mean()
    full = changed & (error_after < 4)  # where the picture counts fully
    assert full[cosine > 0.6].mean() > 0.5
    assert (error_after <= error_before + 4)[changed].all()  # nowhere worse: nothing foreign bleeds in
    shadow = hidden_from(mesh, points, camera)
    assert not changed[shadow].any()


def hidden_from(mesh: Mesh, points: np.ndarray, camera: InputCamera) -> np.ndarray:
    """Points behind the head as the camera sees them, by a ray against that sphere: exact, and
    with a margin.
    """
    eye = camera.c2w[:3, 3].astype(np.float64)
    rays = points - eye
    length = np.linalg.norm(rays, axis=1)
    to_head = np.array([0.1, 0.25, 0.4]) - eye
    along = (rays / length[:, None]) @ to_head
    miss = np.sqrt(np.maximum((to_head**2).sum() - along**2, 0))
    found = (miss < 0.28) & (length > along + 0.1)
    assert found.sum() > 50
    return found


def test_background_never_bleeds_in() -> None:
    """A picture whose transparent part, and soft rim, is bright red leaves no red on the mesh."""
    plate = shapes.box((0.0, -0.5, -0.5), (0.2, 0.5, 0.5))  # faces the camera up to its very rim
    mesh, raster = grey(plate)
    mesh.normals = None
    camera = InputCamera(0.0)
    rgba = picture_of(mesh, camera)
    rgba[..., :3] = np.where(rgba[..., 3:] > 0, 0.5, [1.0, 0.0, 0.0])
    soft = rgba[..., 3].copy()
    for axis in (0, 1) * 3:
        soft = (np.roll(soft, 1, axis) + soft + np.roll(soft, -1, axis)) / 3
    rgba[..., :3] = np.where(soft[..., None] < 1, [1.0, 0.0, 0.0], rgba[..., :3])
    rgba[..., 3] = soft
    plain = bake(mesh, lambda p: np.full_like(p, 0.2), SIZE, raster=raster)
    texture = project_picture(plain, raster, rgba, camera).texture
    assert texture is not None
    assert texture.max() >= 127 and (np.ptp(texture.astype(int), axis=2) == 0).all()


def test_blend_is_smooth() -> None:
    """White on black: neighbouring points of the surface never differ by a hard edge."""
    mesh, raster = grey(shapes.sphere(5, 0.8), 512)
    camera = InputCamera(10.0)
    rgba = picture_of(mesh, camera, 512)
    rgba[..., :3] = 1
    black = bake(mesh, lambda p: np.zeros_like(p), 512, raster=raster)
    texture = project_picture(black, raster, rgba, camera).texture
    assert texture is not None
    shades = texture[..., 0].astype(int)
    inner = raster.mask[:, 1:] & raster.mask[:, :-1]
    step = np.abs(np.diff(shades, axis=1))[inner]
    points = np.zeros((512 * 512, 3), np.float32)
    points[raster.texels] = raster.interpolate(mesh, mesh.vertices)
    apart = np.linalg.norm(np.diff(points.reshape(512, 512, 3), axis=1), axis=2)[inner]
    assert shades.max() == 255 and shades.min() == 0
    assert step[apart < 0.01].max() < 50  # texels are 0.006 apart, the blend is 0.06 wide at least


def test_trust_is_zero_at_rims_and_steps() -> None:
    alpha = np.zeros((128, 128), np.float32)
    alpha[10:118, 10:118] = 1
    depth = np.where(alpha > 0, 4.0, np.inf).astype(np.float32)
    depth[:, :64] -= 0.5
    trust = trusted(alpha, depth)
    assert trust.min() == 0 and trust.max() == 1
    assert (trust[alpha == 0] == 0).all() and (trust[:, 62:66] == 0).all()
    assert trust[64, 90] == 1 and trust[64, 35] == 1
    assert (trust[:, 10] == 0).all() and (trust[10] == 0).all()


def test_bad_input() -> None:
    mesh, raster = grey(toy())
    camera = InputCamera(20.0)
    with pytest.raises(ConfigError, match="cannot be fitted"):
        fit_input_camera(mesh, np.zeros((32, 48, 4), np.float32))
    with pytest.raises(ConfigError, match="cannot be projected"):
        project_picture(mesh, raster, np.zeros((32, 32, 3), np.float32), camera)
    with pytest.raises(MeshError, match="Bake it first"):
        project_picture(mesh.with_(texture=None), raster, np.zeros((32, 32, 4), np.float32), camera)
    summary = camera.summary()
    assert summary["elevation"] == 20 and summary["agrees"] is True


def test_fast_enough() -> None:
    """Processor time; the aim is 80 ms for the search at 15,000 faces on a free core, the margin
    is for slow test machines.
    """
    mesh, _ = grey(surfaces.knot(300, 25))
    rgba = picture_of(mesh, InputCamera(20.0), 512)
    times = []
    for _ in range(2):
        start = time.process_time()
        fit_input_camera(mesh, rgba)
        times.append(time.process_time() - start)
    assert min(times) < 0.4
