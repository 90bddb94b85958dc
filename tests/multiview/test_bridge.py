"""The volume between the views: its constant gathers against the camera model, and what it adds
to the network.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geco.cameras import orbit_poses, project_points, rig
from geco.isosurface.grids import voxel_centres
from geco.multiview.interface import Condition
from geco.multiview.small.bridge import HALF_EXTENT, PICTURE_ELEVATION, VolumeBridge, constant_gathers
from geco.multiview.small.config import SmallConfig
from geco.multiview.small.network import SmallMultiView

RIG = rig("zero123plus-v1.2")
CELLS, SIZE = 16, 8


def test_lifting_takes_the_pixel_that_shows_the_voxel() -> None:
    lift, _ = constant_gathers(RIG, CELLS, SIZE)
    lift = lift.reshape(7, SIZE**3)
    centres = voxel_centres(SIZE, HALF_EXTENT)
    poses = np.concatenate([RIG.poses(), orbit_poses(0.0, PICTURE_ELEVATION, RIG.radius)[None]])
    where, _ = project_points(centres, poses, RIG.fov)
    for view in range(7):
        pixel = lift[view] - view * CELLS**2
        assert pixel.min() >= 0 and pixel.max() < CELLS**2
        middle = np.stack([pixel % CELLS + 0.5, pixel // CELLS + 0.5], axis=1) / CELLS
        inside = ((where[view] > 0) & (where[view] < 1)).all(axis=1)
        assert inside.mean() > 0.8
        assert np.abs(middle - where[view])[inside].max() <= 0.5 / CELLS + 1e-6


def test_rays_run_from_near_to_far_through_the_voxels_that_the_pixel_sees() -> None:
    _, draw = constant_gathers(RIG, CELLS, SIZE)
    draw = draw.reshape(6, CELLS, CELLS, SIZE)
    centres = voxel_centres(SIZE, HALF_EXTENT)
    for view, pose in enumerate(RIG.poses()):
        where, depth = project_points(centres[draw[view].reshape(-1)], pose, RIG.fov)
        depth = depth.reshape(CELLS, CELLS, SIZE)
        central = slice(CELLS // 2 - 2, CELLS // 2 + 2)
        # A voxel's depth differs from its sample's by at most half its diagonal; outside the cube the border
        # stands in.
        assert (np.diff(depth[central, central], axis=-1) > -2 / SIZE * np.sqrt(3)).all()
        assert depth[central, central, 0].max() < 4 < depth[central, central, -1].min()
        where = where.reshape(CELLS, CELLS, SIZE, 2)[central, central, SIZE // 2]
        pixel = (
            np.stack(np.meshgrid(np.arange(CELLS), np.arange(CELLS)), axis=-1)[central, central] + 0.5
        ) / CELLS
        assert np.abs(where - pixel).max() < 1.5 / SIZE


def test_a_solid_ball_is_drawn_as_a_disc_in_every_view() -> None:
    bridge = VolumeBridge(RIG, CELLS, 8, 16, 8, 4)
    radius = torch.from_numpy(np.linalg.norm(voxel_centres(16, HALF_EXTENT), axis=1)).float()
    volume = torch.zeros(1, 9, 16, 16, 16)
    volume[0, -1] = torch.where(radius < 0.6, 20.0, -20.0).reshape(16, 16, 16)
    _, opacity = bridge.render(volume)
    focal = 0.5 / np.tan(np.radians(RIG.fov) / 2)
    axis = ((np.arange(CELLS) + 0.5) / CELLS - 0.5) / focal * RIG.radius
    distance = np.hypot(*np.meshgrid(axis, axis))
    for view in opacity[0].detach().numpy():
        assert (view[distance < 0.45] > 0.99).all() and (view[distance > 0.8] < 0.01).all()


@pytest.mark.parametrize("volume", [0, 8])
def test_the_network_with_and_without_a_volume(volume: int) -> None:
    torch.manual_seed(0)
    network = SmallMultiView(
        SmallConfig(size=32, channels=16, width=24, stages=1, embedding=32, volume=volume, volume_width=8)
    ).eval()
    torch.nn.init.normal_(network.head.weight, std=0.1)
    picture, x_t, t = torch.rand(2, 3, 32, 32), torch.randn(2, 6, 3, 32, 32), torch.tensor([10, 900])
    state = network.encode_condition(Condition(picture))
    x0, opacity = network.predict_opacity(x_t, t, state)
    assert x0.shape == x_t.shape and (opacity is None) == (volume == 0)
    if opacity is not None:
        assert opacity.shape == (2, 6, 8, 8) and opacity.min() >= 0 and opacity.max() <= 1
    # samples of a batch do not see each other
    alone, _ = network.predict_opacity(x_t[1:], t[1:], state.map(lambda value: value[1:]))
    assert torch.allclose(alone, x0[1:], atol=1e-5)
    x0.square().sum().backward()
    unused = [name for name, p in network.named_parameters() if p.grad is None]
    assert not unused


def test_a_volume_carries_one_view_into_the_others() -> None:
    """Without attention between views, only the volume lets view 0's pixels reach view 3."""
    torch.manual_seed(0)
    bridge = VolumeBridge(RIG, CELLS, 8, 8, 8, 4)
    views = torch.randn(1, 6, 8, CELLS, CELLS, requires_grad=True)
    drawn, _ = bridge(views, torch.randn(1, 8, CELLS, CELLS), torch.randn(1, 4))
    drawn[0, 3].square().sum().backward()
    assert views.grad is not None and views.grad[0, 0].abs().max() > 0
