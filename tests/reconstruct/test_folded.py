"""A decoder whose first layer is in the planes says what it said before."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from geco.reconstruct import folded
from geco.reconstruct.folded import FoldedDecoder
from geco.reconstruct.instantmesh.grid import corner_points, cube_corners, grid_tensors
from geco.reconstruct.triplane import PLANE_AXES, Axes, sample_planes
from geco.reconstruct.triposr.decoder import PLANE_AXES as TRIPOSR_AXES

CHANNELS = 5
NET = nn.Sequential(nn.Linear(3 * CHANNELS, 8), nn.SiLU(), nn.Linear(8, 2)).requires_grad_(False)
PLANES = torch.randn(1, 3, CHANNELS, 6, 7, generator=torch.Generator().manual_seed(0))


def plain(points: torch.Tensor, axes: Axes) -> torch.Tensor:
    return NET(sample_planes(PLANES, points[None], axes)[0].transpose(0, 1).flatten(1))


@pytest.mark.parametrize("axes", [PLANE_AXES, TRIPOSR_AXES])
@pytest.mark.parametrize("on_cpu", [True, False])
def test_points_within_and_beyond_the_planes(axes: Axes, on_cpu: bool) -> None:
    points = torch.rand(300, 3, generator=torch.Generator().manual_seed(1)) * 2.6 - 1.3
    points[:8] = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)
    decoder = FoldedDecoder(PLANES[0], NET, axes)
    decoder.on_cpu, decoder.chunk = on_cpu, 70
    torch.testing.assert_close(decoder.at(points), plain(points, axes), rtol=1e-5, atol=1e-6)
    assert decoder.at(points[:0]).shape == (0, 2)


@pytest.mark.parametrize("axes", [PLANE_AXES, TRIPOSR_AXES])
@pytest.mark.parametrize("chunk", [1, 10, 70, 10**6])
def test_grids_of_three_different_sides(axes: Axes, chunk: int) -> None:
    x, y, z = (torch.linspace(-1.1, 1.2, count) for count in (4, 5, 6))
    decoder = FoldedDecoder(PLANES[0], NET, axes)
    decoder.chunk = chunk
    expected = plain(torch.cartesian_prod(x, y, z), axes).reshape(4, 5, 6, 2)
    torch.testing.assert_close(decoder.on_grid(x, y, z), expected, rtol=1e-5, atol=1e-6)


def test_a_decoder_in_half_is_computed_in_float32_and_left_as_it_is() -> None:
    half = nn.Sequential(nn.Linear(3 * CHANNELS, 8), nn.ReLU(), nn.Linear(8, 2)).to(torch.bfloat16)
    found = FoldedDecoder(PLANES[0].bfloat16(), half, PLANE_AXES).at(torch.zeros(3, 3))
    assert found.dtype == torch.float32 and half[2].weight.dtype == torch.bfloat16
    assert folded.CPU_POINTS * 64 * 4 <= 1 << 20  # a layer's numbers fit a second cache of 1 MB


def test_corners_by_number_are_those_of_the_whole_grid() -> None:
    corners, cubes = grid_tensors(5)
    numbers = torch.tensor([0, 7, 31, 124])
    assert torch.equal(cube_corners(numbers, 5), cubes[numbers])
    assert torch.equal(corner_points(torch.arange(6**3), corners[:6, 2]), corners)
