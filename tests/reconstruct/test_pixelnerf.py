"""PixelNeRF: where points lie in pictures, what arrives along rays, one and several pictures, its files."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from geco.cameras import INPUT_FOV, intrinsics, orbit_poses, project_points
from geco.errors import ConfigError, MeshError, WeightsError
from geco.reconstruct.fields import TensorFields
from geco.reconstruct.instantmesh.volume import Draws
from geco.reconstruct.pixelnerf.config import PixelNeRFConfig
from geco.reconstruct.pixelnerf.model import PixelNeRF, Scene, cameras_at
from geco.reconstruct.pixelnerf.point_network import encoded
from geco.reconstruct.pixelnerf.render import Rays, render
from geco.reconstruct.pixelnerf.seen import Cameras, pixel_rays, read
from geco.reconstruct.pixelnerf.surface import PixelNeRFSurface

TINY = PixelNeRFConfig(16, (8, 8, 8, 16), (1, 1, 1, 1), 4, 8, 3, 2, coarse=6, fine=4)
FOCAL = float(intrinsics(INPUT_FOV)[0, 0])


def network(config: PixelNeRFConfig = TINY) -> PixelNeRF:
    """Weights that are nowhere zero."""
    torch.manual_seed(0)
    model = PixelNeRF(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def cameras(azimuths: list[float], elevation: float = 10.0, batch: int = 1) -> Cameras:
    poses = torch.from_numpy(orbit_poses(azimuths, elevation, 4.0)).expand(batch, -1, -1, -1)
    return Cameras(poses, torch.tensor([FOCAL, 0.5, 0.5]).expand(batch, len(azimuths), 3))


def test_points_lie_where_the_projects_cameras_see_them() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (20, 3)).astype(np.float32)
    seen = cameras([0.0, 75.0]).project(torch.from_numpy(points)[None])[0]
    expected, _ = project_points(points, orbit_poses([0.0, 75.0], 10.0, 4.0), INPUT_FOV)
    torch.testing.assert_close(seen, torch.from_numpy(expected * 2 - 1), atol=2e-6, rtol=0)


def test_a_point_by_hand() -> None:
    """A camera on +x, 4 away: a point 1 to its left and 0.5 up, 2 nearer, lies at focal / 2 of its lateral
    place; the lens' middle is moved.
    """
    seen = Cameras(
        torch.from_numpy(orbit_poses([0.0], 0.0, 4.0))[None], torch.tensor([[[1.0, 0.4, 0.6]]])
    ).project(torch.tensor([[[2.0, -1.0, 0.5]]]))
    assert seen[0, 0, 0].tolist() == pytest.approx([2 * (-0.5 + 0.4) - 1, 2 * (-0.25 + 0.6) - 1])


def test_a_ray_goes_through_the_points_that_lie_in_its_pixel() -> None:
    view = cameras([40.0])
    places = torch.rand(1, 1, 9, 2)
    origins, directions = pixel_rays(view.c2w[:, :, None], view.lenses[:, :, None], places)
    points = (origins + 3.3 * directions)[0]
    torch.testing.assert_close(view.project(points), places * 2 - 1, atol=1e-5, rtol=0)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(1, 1, 9))


def test_maps_are_read_between_pixels_and_hold_beyond_the_border() -> None:
    maps = torch.arange(4.0).reshape(1, 1, 1, 2, 2)
    places = torch.tensor([[[[-0.5, -0.5], [0.0, 0.0], [0.5, 0.0], [-9.0, 9.0]]]])
    assert read(maps, places).flatten().tolist() == [0.0, 1.5, 2.0, 2.0]


def test_positions_are_encoded_at_doubling_frequencies() -> None:
    code = encoded(torch.tensor([[0.1, 0.2, 0.3]]), 2, 1.5)[0]
    angles = [1.5 * x for x in (0.1, 0.2, 0.3)] + [3.0 * x for x in (0.1, 0.2, 0.3)]
    expected = [0.1, 0.2, 0.3, *map(math.sin, angles), *map(math.cos, angles)]
    assert code.tolist() == pytest.approx(expected, abs=1e-6)


def test_the_way_of_a_ray_is_the_spheres() -> None:
    origins = torch.tensor([[[4.0, 0.0, 0.0], [4.0, 0.0, 0.3], [4.0, 0.0, 2.0]]])
    directions = torch.tensor([-1.0, 0.0, 0.0]).expand_as(origins)
    start, end = Rays(origins, directions, torch.zeros(1, 3), torch.tensor([0.5])).limits()
    assert start.flatten().tolist() == pytest.approx([3.5, 3.6, 3.999])
    assert end.flatten().tolist() == pytest.approx([4.5, 4.4, 4.001])


class _Fog(PixelNeRF):
    """The same density everywhere, red where y is below 0, else blue."""

    raw = 2.0

    def outputs(self, scene: Scene, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        left = (points[..., 1:2] < 0).float()
        return torch.cat([left, 0 * left, 1 - left], dim=-1), torch.full_like(left, self.raw)


def test_a_fog_is_as_opaque_as_beers_law_says() -> None:
    origins = torch.tensor([[[4.0, -0.1, 0.0], [4.0, 0.1, 0.0]]])
    directions = torch.tensor([-1.0, 0.0, 0.0]).expand_as(origins)
    rays = Rays(origins, directions, torch.zeros(1, 3), torch.ones(1))
    model, draws = _Fog(TINY), Draws.middle(origins, 40, 20)
    found = render(model, Scene(*[torch.zeros(0)] * 2, cameras([0.0])), rays, draws)  # type: ignore[arg-type]
    # the samples begin and end half a stratum later than the sphere
    density, way = math.log1p(math.exp(model.raw - 1)), 2 * math.sqrt(0.99)
    opacity = 1 - math.exp(-density * way)
    assert found.opacity.flatten().tolist() == pytest.approx([opacity] * 2, abs=2e-3)
    assert found.coarse_opacity.flatten().tolist() == pytest.approx([opacity] * 2, abs=2e-3)
    red, blue = [1.0, 1 - opacity, 1 - opacity], [1 - opacity, 1 - opacity, 1.0]
    for row, expected in zip(found.rgb[0], (red, blue)):
        assert row.tolist() == pytest.approx(expected, abs=2e-3)


def test_gradients_are_those_of_finite_differences() -> None:
    model = network(PixelNeRFConfig(16, (8, 8, 8, 8), (0, 0, 0, 0), 3, 4, 2, 1, 1, coarse=4, fine=0)).double()
    pictures = torch.rand(1, 2, 3, 16, 16, dtype=torch.double)
    view = cameras([0.0, 90.0])
    view = Cameras(view.c2w.double(), view.lenses.double())
    origins = torch.tensor([[[4.0, 0.1, 0.0], [4.0, -0.3, 0.4]]], dtype=torch.double)
    directions = torch.nn.functional.normalize(-origins, dim=-1)
    rays = Rays(origins, directions, torch.zeros(1, 3).double(), torch.ones(1).double())
    draws = Draws.middle(origins, 4, 0)
    maps = model.encoder(pictures[0])[0].double()

    def arriving(maps: Tensor, weight: Tensor) -> Tensor:
        scene = Scene(maps[None], pictures, view)
        asked = {"points.enter.weight": weight}
        with torch.no_grad():
            plain = dict(model.named_parameters())
        functional = _Call(model, scene, rays, draws)
        return torch.func.functional_call(
            functional, {f"model.{k}": v for k, v in (plain | asked).items()}, ()
        )

    inputs = (
        maps.detach()[:, :, :4, :4].requires_grad_(),
        model.points.enter.weight.detach().requires_grad_(),
    )
    assert torch.autograd.gradcheck(arriving, inputs, atol=1e-4, fast_mode=True)


class _Call(torch.nn.Module):
    """Rendering as a module, so that its parameters can be given."""

    def __init__(self, model: PixelNeRF, scene: Scene, rays: Rays, draws: Draws) -> None:
        super().__init__()
        self.model, self.given = model, (scene, rays, draws)

    def forward(self) -> Tensor:
        found = render(self.model, *self.given)
        return torch.cat([found.rgb, found.opacity], dim=-1)


def test_the_order_of_several_pictures_does_not_matter_but_each_of_them_does() -> None:
    model, points = network(), torch.rand(1, 30, 3) - 0.5
    pictures, view = torch.rand(1, 3, 3, 16, 16), cameras([0.0, 120.0, 250.0])
    directions = torch.nn.functional.normalize(-points, dim=-1)

    def asked(order: list[int]) -> Tensor:
        chosen = Cameras(view.c2w[:, order], view.lenses[:, order])
        scene, elevations = model.encode(pictures[:, order], chosen)
        assert elevations.shape == (1, len(order))
        return torch.cat(model.outputs(scene, points, directions), dim=-1)

    with torch.no_grad():
        one, two, three = asked([0]), asked([0, 1]), asked([0, 1, 2])
        torch.testing.assert_close(asked([2, 0, 1]), three)
    assert (one - two).abs().max() > 1e-3 and (two - three).abs().max() > 1e-3


def test_the_density_hears_nothing_of_the_direction() -> None:
    model, points = network(), torch.rand(1, 10, 3) - 0.5
    with torch.no_grad():
        scene, _ = model.encode(torch.rand(1, 1, 3, 16, 16), cameras([0.0]))
        first, second = (
            model.outputs(scene, points, torch.tensor(axis).expand_as(points))
            for axis in ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
        )
    assert torch.equal(first[1], second[1]) and (first[0] - second[0]).abs().max() > 1e-5


def test_a_turned_world_is_another_camera() -> None:
    """Only what lies in the cameras' own frames reaches the network."""
    model, points, pictures = network(), torch.rand(1, 10, 3) - 0.5, torch.rand(1, 1, 3, 16, 16)
    c, s = math.cos(0.7), math.sin(0.7)
    turn = torch.tensor([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    with torch.no_grad():
        here, there = (
            model.raw_density(model.encode(pictures, cameras([azimuth]))[0], where)
            for azimuth, where in ((0.0, points), (math.degrees(0.7), points @ turn.T))
        )
    torch.testing.assert_close(here, there, atol=1e-4, rtol=1e-4)


def test_the_camera_of_a_picture_alone_stands_at_the_elevation_read_off_it() -> None:
    found = cameras_at(torch.tensor([0.0, math.radians(20)]))
    expected = torch.from_numpy(orbit_poses([0.0, 0.0], [0.0, 20.0], 4.0))
    torch.testing.assert_close(found.c2w[:, 0], expected, atol=1e-6, rtol=0)
    assert found.lenses[:, 0].tolist() == [pytest.approx([FOCAL, 0.5, 0.5])] * 2


class _Ball(PixelNeRF):
    """Density falls with the distance from the origin, the level lies at 0.5."""

    def outputs(self, scene: Scene, points: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
        return (1 - directions) / 2, self.raw_density(scene, points)

    def raw_density(self, scene: Scene, points: Tensor) -> Tensor:
        return self.raw_level + 20 * (0.5 - points.norm(dim=-1, keepdim=True))


def test_the_surface_is_the_densitys_level_and_is_seen_from_outside() -> None:
    fields = PixelNeRFSurface(_Ball(TINY), Scene(torch.zeros(1), torch.zeros(1), cameras([0.0])))
    assert isinstance(fields, TensorFields)
    grid = fields.grid(32)
    inside = np.linalg.norm(grid.vertices, axis=1) < 0.5
    assert ((grid.sdf < 0) == inside).all() and np.abs(grid.vertices).max() < TINY.half_extent
    expected = 20 * (np.linalg.norm(grid.vertices, axis=1) - 0.5)
    np.testing.assert_allclose(grid.sdf, expected, atol=1e-4)
    ahead = fields.color(np.array([[0.5, 0.0, 0.0]], np.float32))
    np.testing.assert_allclose(ahead, [[1.0, 0.5, 0.5]], atol=1e-6)


def test_many_colours_are_those_of_a_few() -> None:
    fields = PixelNeRFSurface(_Ball(TINY), Scene(torch.zeros(1), torch.zeros(1), cameras([0.0])))
    rng = np.random.default_rng(0)
    points = rng.normal(size=(30_000, 3)).astype(np.float32)
    points *= 0.5 / np.linalg.norm(points, axis=1, keepdims=True)
    many, few = fields.color(points), fields.color(points[:1000])
    np.testing.assert_allclose(many[:1000], few, atol=2e-3)
    assert not np.array_equal(many[:1000], few)


@pytest.mark.parametrize("level", [0.5, 10.0, 40.0])
def test_the_raw_level_is_where_the_density_has_the_level(level: float) -> None:
    model = PixelNeRF(PixelNeRFConfig(16, (8,) * 4, (0,) * 4, 1, 2, 1, 1, level=level))
    assert math.log1p(math.exp(model.raw_level - 1)) == pytest.approx(level, rel=1e-6)


def test_nothing_inside_is_an_error() -> None:
    model = network()
    model.points.density.weight.data.zero_()
    model.points.density.bias.data.fill_(-5.0)
    with torch.no_grad(), pytest.raises(MeshError, match="no surface"):
        PixelNeRFSurface(model, model.seen_alone(torch.rand(1, 3, 16, 16))).grid(8)


def test_a_folder_holds_the_same_network(tmp_path: Path) -> None:
    model, picture = network(), torch.rand(1, 3, 16, 16)
    model.save(tmp_path)
    loaded = PixelNeRF.load(tmp_path)
    assert loaded.config == TINY and not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded.seen_alone(picture).maps, model.seen_alone(picture).maps)
    (tmp_path / "model.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(WeightsError):
        PixelNeRF.load(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"view_size": 24},
        {"widths": (12, 8, 8, 8)},
        {"blocks": 2, "read_blocks": 3},
        {"view_size": 16, "widths": (8, 8, 8, 8)},
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        PixelNeRFConfig(**changes)  # type: ignore[arg-type]
