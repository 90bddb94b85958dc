"""The small reconstructor: lifting, points and files, each against something computed another way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from geco.cameras import ZERO123PLUS_V12, project_points
from geco.errors import ConfigError, WeightsError
from geco.isosurface.grids import voxel_centres
from geco.reconstruct.small.config import SmallReconstructorConfig
from geco.reconstruct.small.model import SmallReconstructor
from geco.reconstruct.small.volume import Lifting, lifting_coordinates
from tests.reconstruct.tiny import CONFIG


@pytest.fixture(scope="module")
def model() -> SmallReconstructor:
    torch.manual_seed(0)
    return SmallReconstructor(CONFIG).eval()


def test_lifting_is_grid_sample_in_value_and_gradient() -> None:
    torch.manual_seed(0)
    where = np.random.default_rng(0).uniform(-1.3, 1.3, (7, 50, 2)).astype(np.float32)
    maps = torch.randn(2, 7, 3, 8, 8, requires_grad=True)
    ours = Lifting(where, 8)(maps)
    grid = torch.from_numpy(where)[:, :, None].repeat(2, 1, 1, 1)
    theirs = functional.grid_sample(maps.flatten(0, 1), grid, align_corners=False, padding_mode="border")[
        ..., 0
    ].unflatten(0, (2, 7))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    weight = torch.randn_like(ours)
    gradients = [torch.autograd.grad((result * weight).sum(), maps)[0] for result in (ours, theirs)]
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=0)


def test_voxels_lie_where_the_cameras_see_them() -> None:
    where, depth = lifting_coordinates(SmallReconstructorConfig())
    true, distance = project_points(voxel_centres(24, 1.0), ZERO123PLUS_V12.poses(), 30.0)
    np.testing.assert_allclose(depth[:6], distance - 4.0, atol=1e-6)
    inside = (np.abs(true * 2 - 1) < 1).all(axis=-1)
    assert inside.mean() > 0.8
    assert np.abs(where[:6] / 2 + 0.5 - true)[inside].max() <= 0.5 / 64 + 1e-6
    centres = voxel_centres(4, 1.0).reshape(4, 4, 4, 3)
    # z, y, x with x fastest
    assert centres[0, 0, 1, 0] > centres[0, 0, 0, 0] and centres[1, 0, 0, 2] > centres[0, 0, 0, 2]


def test_points_look_where_the_cameras_project(model: SmallReconstructor) -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (30, 3)).astype(np.float32)
    where, depth = model.field.look(torch.from_numpy(points)[None])
    true, distance = project_points(points, ZERO123PLUS_V12.poses(), 30.0)
    np.testing.assert_allclose(where[0], true * 2 - 1, atol=1e-5)
    np.testing.assert_allclose(depth[0], distance - 4.0, atol=1e-5)


@torch.no_grad()
def test_untrained_distance_is_the_interpolated_volume(model: SmallReconstructor) -> None:
    features = model.encode(torch.rand(1, 6, 3, 16, 16), torch.rand(1, 3, 16, 16))
    centres = torch.from_numpy(voxel_centres(8, 1.0)).float()[None]
    torch.testing.assert_close(
        model.sdf(features, centres)[0], features.volume[0, 0].flatten() * 0.1, atol=1e-6, rtol=0
    )


@torch.no_grad()
def test_untrained_colour_lies_among_the_views_colours(model: SmallReconstructor) -> None:
    shades = torch.tensor([0.2, 0.3, 0.4, 0.5, 0.6, 0.7]).reshape(1, 6, 1, 1, 1).expand(1, 6, 3, 16, 16)
    colors = model.color(model.encode(shades, torch.rand(1, 3, 16, 16)), torch.rand(1, 100, 3) - 0.5)
    assert colors.min() >= 0.2 - 1e-5 and colors.max() <= 0.7 + 1e-5
    assert colors.std() > 0


@torch.no_grad()
def test_objects_of_a_batch_do_not_mix(model: SmallReconstructor) -> None:
    views, picture, points = (
        torch.rand(3, 6, 3, 16, 16),
        torch.rand(3, 3, 16, 16),
        torch.rand(3, 20, 3) * 2 - 1,
    )
    together = model.encode(views, picture)
    alone = model.encode(views[1:2], picture[1:2])
    torch.testing.assert_close(
        model.color(together, points)[1:2], model.color(alone, points[1:2]), atol=1e-5, rtol=0
    )


@torch.no_grad()
def test_folder_keeps_everything(model: SmallReconstructor, tmp_path: Path) -> None:
    model.save(tmp_path, {"samples": 3})
    again = SmallReconstructor.load(tmp_path)
    assert again.config == CONFIG and not again.training
    for name, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_broken_folder_is_a_weights_error(
    model: SmallReconstructor, tmp_path: Path, file: str, damage: str
) -> None:
    model.save(tmp_path)
    path = tmp_path / file
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match=str(tmp_path)):
        SmallReconstructor.load(tmp_path)


def test_weights_of_another_size_are_refused(model: SmallReconstructor, tmp_path: Path) -> None:
    model.save(tmp_path / "a")
    SmallReconstructor(SmallReconstructorConfig()).save(tmp_path / "b")
    (tmp_path / "b" / "model.safetensors").write_bytes((tmp_path / "a" / "model.safetensors").read_bytes())
    with pytest.raises(WeightsError, match="truncated"):
        SmallReconstructor.load(tmp_path / "b")


def test_settings_are_checked() -> None:
    assert SmallReconstructorConfig.from_dict({**CONFIG.to_dict(), "widths": [8, 16, 16]}) == CONFIG
    with pytest.raises(ConfigError, match="multiple"):
        SmallReconstructorConfig(view_size=60)
    with pytest.raises(ConfigError, match="'wings'"):
        SmallReconstructorConfig.from_dict({"wings": 2})
