"""Coarse to fine against asking everywhere; the lattice against the decoder at the same points."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from geco.errors import MeshError
from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.tensor_grid import TensorGrid
from geco.mesh.components import component_labels
from geco.mesh.types import Mesh
from geco.reconstruct.density import level_grid
from geco.reconstruct.folded import FoldedDecoder
from geco.reconstruct.lattice import Lattice
from geco.reconstruct.triposr.decoder import PLANE_AXES
from tests.reconstruct import tiny

CPU = torch.device("cpu")


class Analytic:
    """A function of points in [-1, 1]^3, larger inside; counts what it is asked."""

    def __init__(self, function: Callable[[Tensor], Tensor], resolution: int) -> None:
        self.function, self.side, self.asked = function, resolution + 1, 0

    def at(self, numbers: Tensor) -> Tensor:
        self.asked += len(numbers)
        rows = numbers // self.side
        places = torch.stack([rows // self.side, rows % self.side, numbers % self.side], dim=1)
        return self.function(places / (self.side - 1) * 2 - 1)


def both(
    function: Callable[[Tensor], Tensor], resolution: int, step: int
) -> tuple[TensorGrid, TensorGrid, float]:
    """The grid asked coarse to fine and asked everywhere, and the share of points that the first asked."""
    coarse, dense = Analytic(function, resolution), Analytic(function, resolution)
    found = level_grid(coarse, 0.0, resolution, 1.0, CPU, step)
    every = level_grid(dense, 0.0, resolution, 1.0, CPU, 1)
    assert dense.asked == (resolution + 1) ** 3
    return found, every, coarse.asked / dense.asked


def ball(center: tuple[float, float, float], radius: float) -> Callable[[Tensor], Tensor]:
    return lambda p: radius - (p - torch.tensor(center)).norm(dim=1)


def plate(thickness: float, tilt: float = 0.0) -> Callable[[Tensor], Tensor]:
    """A tilted plate of .8 by .8 that lies between two layers of the coarse lattice."""

    def function(p: Tensor) -> Tensor:
        across = (p[:, 2] - 0.03 + tilt * p[:, 0]).abs() - thickness / 2
        return -torch.stack([across, p[:, 0].abs() - 0.8, p[:, 1].abs() - 0.8]).amax(dim=0)

    return function


def torus(p: Tensor) -> Tensor:
    return 0.06 - torch.stack([p[:, :2].norm(dim=1) - 0.6, p[:, 2]]).norm(dim=0)


@pytest.mark.parametrize("resolution", [64, 61])
@pytest.mark.parametrize(
    "function",
    [ball((0.1, 0.05, -0.02), 0.6), torus, plate(0.05), plate(0.02, 0.3), plate(0.07, 1.0)],
    ids=["ball", "thin torus", "plate", "thin tilted plate", "plate at 45 degrees"],
)
def test_a_surface_asked_coarse_to_fine_is_the_one_asked_everywhere(
    function: Callable[[Tensor], Tensor], resolution: int
) -> None:
    found, every, share = both(function, resolution, 4)
    assert share < 0.65
    for ours, theirs in zip(
        (found.vertices, found.sdf, found.cubes), (every.vertices, every.sdf, every.cubes)
    ):
        assert torch.equal(ours, theirs)


def test_no_ball_as_wide_as_a_block_is_lost_wherever_it_lies() -> None:
    resolution, step = 32, 4
    width = 2 / resolution * step
    rng = np.random.default_rng(0)
    for _ in range(40):
        center = tuple(rng.uniform(-0.7, 0.7, 3).tolist())
        found, every, _ = both(ball(center, width / 2), resolution, step)
        assert torch.equal(found.vertices, every.vertices)


def test_what_is_found_anywhere_is_followed_where_the_coarse_look_tells_nothing() -> None:
    """A flat field with a sheet in it, and a peg through it that alone meets a corner of a block."""

    def function(p: Tensor) -> Tensor:
        in_sheet = ((p[:, 2] - 0.031).abs() < 0.02) & (p[:, :2].abs() < 0.7).all(dim=1)
        peg = ((p[:, :2] - 0.25).abs() < 0.05).all(dim=1) & (p[:, 2].abs() < 0.2)
        return torch.where(in_sheet | peg, 0.5, -0.5)

    found, every, _ = both(function, 64, 8)
    assert torch.equal(found.vertices, every.vertices)


def test_random_weights_lose_nothing_that_is_as_wide_as_a_block() -> None:
    """Noise is the worst that a field can do: what differs are crumbs of less than a coarse cell."""
    resolution, step, lost = 64, 2, 0
    for seed in range(3):
        model = tiny.triposr(seed, plane_size=8, hidden_layers=4)
        with torch.no_grad():
            planes = torch.randn(3, model.config.plane_channels, 16, 16)
            lattice = Lattice(FoldedDecoder(planes, model.decoder.layers, PLANE_AXES), resolution + 1)
            level = float(lattice.at(torch.arange((resolution + 1) ** 3)).quantile(0.9))
            found = level_grid(lattice, level, resolution, 1.0, CPU, step)
            every = level_grid(lattice, level, resolution, 1.0, CPU, 1)
        vertices, faces = extract(every.on_host())
        parts = component_labels(Mesh(vertices, faces))
        there = set(map(tuple, extract(found.on_host())[0].tolist()))
        for part in range(parts.max() + 1):
            own = vertices[np.unique(faces[parts == part])]
            if not all(tuple(v) in there for v in own.tolist()):
                lost += 1
                assert np.ptp(own, axis=0).min() < 2 / resolution * step
    assert lost < 30


def test_the_surface_closes_within_the_grid() -> None:
    field = Analytic(lambda p: torch.ones(len(p)), 16)
    vertices, faces = extract(level_grid(field, 0.0, 16, 1.0, CPU, 4).on_host())
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    assert np.abs(vertices).max() <= 1


def test_an_empty_field_is_said_to_be_empty() -> None:
    with pytest.raises(MeshError, match="nothing is inside"):
        level_grid(Analytic(lambda p: -torch.ones(len(p)), 16), 0.0, 16, 1.0, CPU)


def test_the_crossing_of_an_exponential_density_lies_where_the_field_crosses() -> None:
    """log(level / density) is straight for exp(40 (r - |p|)); the density itself is bent within one cell."""
    radius, resolution = 0.53, 32
    field = Analytic(lambda p: 40 * (radius - p.norm(dim=1)), resolution)
    vertices, _ = extract(level_grid(field, 0.0, resolution, 1.0, CPU).on_host())
    assert np.abs(np.linalg.norm(vertices, axis=1) - radius).max() < 0.12 * 2 / resolution


@pytest.mark.parametrize("reduction", ["concat", "mean"])
def test_a_lattice_is_the_decoder_at_its_points(reduction: str) -> None:
    model = tiny.triposr(feature_reduction=reduction)
    planes, side = torch.randn(3, model.config.plane_channels, 8, 8), 13
    axis = torch.linspace(-1, 1, side) * model.config.radius
    points = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1).reshape(1, -1, 3)
    with torch.no_grad():
        expected = model.outputs(planes[None], points)[0, :, 0]
        lattice = Lattice(FoldedDecoder(planes, model.decoder.layers, PLANE_AXES), side)
        torch.testing.assert_close(lattice.at(torch.arange(side**3)), expected, atol=2e-5, rtol=1e-5)
