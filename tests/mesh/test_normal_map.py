"""Normal maps: their axes are glTF's, and a coarse mesh with one is shaded like the surface it came from."""

from __future__ import annotations

import numpy as np
import pytest

from geco.cameras import orbit_poses
from geco.mesh import Mesh
from geco.mesh.bake import rasterize_uv
from geco.mesh.decimate import decimate
from geco.mesh.nearest import Surface
from geco.mesh.normal_map import bake_normals, mapped_normals, tangents
from geco.mesh.normals import vertex_normals
from geco.mesh.uv import unwrap
from geco.render.rasterize_numpy import rasterize
from geco.render.shade_numpy import interpolate, render_buffers
from tests.mesh import shapes, surfaces


def smooth(mesh: Mesh) -> Mesh:
    return mesh.with_(normals=vertex_normals(mesh.vertices, mesh.faces))


def square(slope: tuple[float, float] = (0.0, 0.0)) -> Mesh:
    """[-1, 1]² seen from above, with x to the right and y upwards in its texture."""
    x, y = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9), indexing="ij")
    mesh = surfaces.grid_mesh(np.stack([x, y, slope[0] * x + slope[1] * y], axis=-1))
    mesh.uvs = np.stack([mesh.vertices[:, 0] + 1, 1 - mesh.vertices[:, 1]], axis=1) / 2
    return smooth(mesh)


def test_red_is_to_the_right_and_green_upwards_in_the_picture() -> None:
    """glTF 2.0, 3.9.3: what falls to the right shows more red, what falls upwards more green."""
    flat = square()
    raster = rasterize_uv(flat, 32)
    for slope, channel in (((-0.3, 0.0), 0), ((0.0, -0.3), 1)):
        texel = bake_normals(flat, raster, square(slope))[16, 16].astype(float) / 127.5 - 1
        assert texel[channel] == pytest.approx(0.3 / np.hypot(0.3, 1), abs=0.01)
        assert texel[2] == pytest.approx(1 / np.hypot(0.3, 1), abs=0.01)
        assert abs(texel[1 - channel]) < 0.01
    assert (bake_normals(flat, raster, flat) == [128, 128, 255]).all()


def test_tangents_follow_u_and_know_mirrored_charts() -> None:
    flat = square()
    np.testing.assert_allclose(tangents(flat), np.tile([1, 0, 0, 1], (81, 1)), atol=1e-6)
    assert flat.uvs is not None
    mirrored = flat.with_(uvs=flat.uvs * [-1, 1] + [1, 0])
    np.testing.assert_allclose(tangents(mirrored), np.tile([-1, 0, 0, -1], (81, 1)), atol=1e-6)
    collapsed = tangents(flat.with_(uvs=np.zeros_like(flat.uvs)))
    np.testing.assert_allclose(np.linalg.norm(collapsed[:, :3], axis=1), 1, atol=1e-6)
    assert np.abs((collapsed[:, :3] * flat.normals).sum(axis=1)).max() < 1e-6


def degrees(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    return np.degrees(np.arccos(np.clip((one * two).sum(axis=-1), -1, 1)))


@pytest.mark.parametrize("fine", [surfaces.knot(200, 24), shapes.torus(96, 48)], ids=["knot", "torus"])
def test_a_decimated_mesh_is_shaded_like_its_surface(fine: Mesh) -> None:
    fine = smooth(fine)
    coarse = smooth(unwrap(decimate(fine, len(fine.faces) // 8), 256))
    bent = coarse.with_(normal_map=bake_normals(coarse, rasterize_uv(coarse, 256), fine))
    pose = orbit_poses(20.0, 30.0, 4.0)
    truth, plain, mapped = (render_buffers(each, pose, 30.0, 192) for each in (fine, coarse, bent))
    both = truth.mask & plain.mask
    before, after = (degrees(each.normals, truth.normals)[both] for each in (plain, mapped))
    assert after.mean() < 0.5 * before.mean() and np.quantile(after, 0.95) < 0.6 * np.quantile(before, 0.95)


def test_the_map_gives_back_the_normals_that_went_in() -> None:
    """To the 8 bits of the picture, through a viewer's own sums at places between the vertices."""
    fine = smooth(shapes.sphere(5))
    coarse = smooth(unwrap(shapes.sphere(2), 512))
    raster = rasterize_uv(coarse, 512)
    coarse.normal_map = bake_normals(coarse, raster, fine)
    centre = np.stack([raster.texels % 512, raster.texels // 512], axis=1) + 0.5
    normals, along = (raster.interpolate(coarse, each) for each in (coarse.normals, tangents(coarse)))
    found = mapped_normals(coarse, (centre / 512).astype(np.float32), normals, along)
    points = raster.interpolate(coarse, coarse.vertices)
    truth = points / np.linalg.norm(points, axis=1, keepdims=True)
    assert np.quantile(degrees(found, truth), 0.99) < 1.0


def test_of_two_sheets_the_one_that_is_turned_the_same_way_is_taken() -> None:
    plate = smooth(surfaces_of_a_plate())
    up = np.float32([[0.01 * x, 0.0, 0.0] for x in range(-40, 40)])  # in the middle of the plate
    for sign in (1.0, -1.0):
        turned = np.tile(np.float32([0, 0, sign]), (len(up), 1))
        np.testing.assert_allclose(Surface(plate).normals_near(up, turned)[:, 2] * sign, 1, atol=1e-3)


def surfaces_of_a_plate() -> Mesh:
    """1 x 1 x 0.004, many faces."""
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 40), np.linspace(-0.5, 0.5, 40), indexing="ij")
    top = surfaces.grid_mesh(np.stack([x, y, np.full_like(x, 0.002)], axis=-1))
    bottom = shapes.turned(surfaces.grid_mesh(np.stack([x, y, np.full_like(x, -0.002)], axis=-1)))
    return shapes.together(top, bottom)


def test_the_walk_ends_at_the_nearest_point() -> None:
    torus = smooth(shapes.torus(64, 32))
    rng = np.random.default_rng(0)
    face = rng.integers(len(torus.faces), size=4000)
    weights = rng.dirichlet(np.ones(3), 4000).astype(np.float32)
    on, out = (interpolate(each, torus.faces, face, weights) for each in (torus.vertices, torus.normals))
    points = (on + rng.uniform(-0.03, 0.03, (4000, 1)) * out).astype(np.float32)
    found, at = Surface(torus).nearest(points, out.astype(np.float32))
    reached = interpolate(torus.vertices, torus.faces, found, at.T)
    igl = pytest.importorskip("igl")
    square, *_ = igl.point_mesh_squared_distance(
        points.astype(np.float64), torus.vertices.astype(np.float64), torus.faces.astype(np.int64)
    )
    excess = np.linalg.norm(reached - points, axis=1) - np.sqrt(square)
    assert np.quantile(excess, 0.99) < 2e-3 and excess.max() < 0.02


def test_shading_uses_the_frame_of_the_fragments() -> None:
    """A flat normal map changes nothing."""
    mesh = smooth(unwrap(shapes.torus(), 128))
    flat = mesh.with_(normal_map=np.full((8, 8, 3), (128, 128, 255), np.uint8))
    pose = orbit_poses(0.0, 20.0, 4.0)
    one, two = (render_buffers(each, pose, 30.0, 96) for each in (mesh, flat))
    assert degrees(one.normals, two.normals)[one.mask].max() < 0.6
    assert rasterize(mesh.vertices, mesh.faces, pose, 30.0, 96).mask.any()
