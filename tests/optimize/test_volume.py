"""The volume and the input view against what is known by hand."""

from __future__ import annotations

import math

import numpy as np
import torch

from geco.cameras import ZERO123PLUS_V12
from geco.isosurface.flexicubes_numpy import extract
from geco.optimize.picture import PictureTerm, seen_through
from geco.optimize.rays import Packed, Rays, rays_of, rays_of_window
from geco.optimize.surface import SoftSurface
from geco.optimize.volume import START_RADIUS, Volume, density
from geco.photo.input_camera import InputCamera
from geco.render.rasterize_torch import to_pixels

POSES = torch.from_numpy(ZERO123PLUS_V12.poses())


def test_density_is_the_laplace_distributions_and_meets_at_the_surface() -> None:
    distance = torch.tensor([-0.3, 0.0, 0.3])
    wanted = [(1 - 0.5 * math.exp(-3)) / 0.1, 5.0, 0.5 * math.exp(-3) / 0.1]
    torch.testing.assert_close(density(distance, 0.1), torch.tensor(wanted))


def test_light_through_even_fog_falls_exponentially_on_every_ray() -> None:
    rays = Rays(torch.zeros(2, 3), torch.tensor([[1.0, 0, 0], [0, 1, 0]]), (2,))
    packed = Packed(rays, torch.tensor([0] * 5 + [1] * 3), torch.arange(8).float(), 0.5)
    weight, through = packed.weights(torch.full((8,), 2.0))
    torch.testing.assert_close(through, torch.exp(-torch.tensor([0.0, 1, 2, 3, 4, 0, 1, 2])))
    total = packed.sum(weight[:, None])[:, 0]
    torch.testing.assert_close(total, 1 - torch.exp(-torch.tensor([5.0, 3.0])))


def test_the_ball_at_the_start_is_as_opaque_as_its_density_along_every_ray() -> None:
    volume, width = Volume(64), 0.05
    rays = rays_of(POSES[:1], 30.0, 24)
    _, mask = volume.render(volume.pack(rays, width), width)
    along = torch.linspace(2, 6, 4001)
    points = rays.origin[:, None] + rays.direction[:, None] * along[:, None]
    inside = (points.abs() < 1).all(dim=2)
    fog = density(torch.linalg.norm(points, dim=2) - START_RADIUS, width) * inside
    wanted = 1 - torch.exp(-fog.sum(dim=1) * 0.001)
    torch.testing.assert_close(mask.detach().reshape(-1), wanted, rtol=0, atol=0.02)


def test_samples_that_are_left_out_are_not_seen() -> None:
    volume = Volume(24)
    with torch.no_grad():
        volume.tint += torch.randn(volume.tint.shape, generator=torch.Generator().manual_seed(0))
    rays = rays_of(POSES[:1], 30.0, 24)
    whole = rays.pack(torch.ones(1, 1, 1, dtype=torch.bool), 1.0, volume.cell)
    some = volume.pack(rays, 0.03)
    assert len(some.ray) < len(whole.ray) / 2
    for one, two in zip(volume.render(whole, 0.03), volume.render(some, 0.03)):
        assert float((one - two).detach().abs().max()) < 0.02


def test_a_finer_grid_shows_the_same() -> None:
    volume = Volume(16)
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before = volume.at(points)[0].detach()
    volume.refine(32)
    assert volume.resolution == 32
    torch.testing.assert_close(volume.at(points)[0].detach(), before, rtol=0, atol=0.02)


def test_the_mesh_begins_where_the_volumes_surface_is_and_is_closed() -> None:
    surface = SoftSurface.about(Volume(23), 23)
    vertices, faces, _ = surface.mesh()
    radius = torch.linalg.norm(vertices.detach(), dim=1)
    assert float((radius - START_RADIUS).abs().max()) < 0.03
    halves = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert {tuple(e) for e in halves.tolist()} == {(b, a) for a, b in halves.tolist()}
    same, _ = extract(surface.grid(23))
    np.testing.assert_allclose(np.sort(same, axis=0), np.sort(vertices.detach().numpy(), axis=0), atol=1e-5)


def test_the_input_cameras_window_is_the_same_for_rays_vertices_and_the_camera() -> None:
    term = PictureTerm(np.ones((8, 8, 4), np.float32), 1.0, 1.0, torch.device("cpu"))
    camera = InputCamera(12.0, scale=1.3, offset=(0.07, -0.11))
    term.set(camera)
    pose, scale, offset = (each.detach() for each in term.pose())
    np.testing.assert_allclose(pose.numpy(), camera.c2w, atol=1e-5)
    points = torch.rand(40, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    moved, _ = to_pixels(seen_through(points, pose, scale, offset), pose[None], camera.fov, 64)
    wanted, _ = camera.to_pixels(points.numpy(), 64)
    np.testing.assert_allclose(moved[0].numpy(), wanted.T, atol=1e-3)

    rays = rays_of_window(pose, scale, offset, camera.fov, 64)
    number = 10 * 64 + 40
    on_ray = rays.origin[number] + 3.5 * rays.direction[number]
    back, _ = camera.to_pixels(on_ray[None].numpy(), 64)
    np.testing.assert_allclose(back[:, 0], [40, 10], atol=1e-3)
