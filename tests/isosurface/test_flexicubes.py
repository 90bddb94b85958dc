"""FlexiCubes: parity with the public code, equal twins, closed surfaces, true gradients, filled insides."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.flexicubes_torch import FlexiCubes
from geco.isosurface.grids import voxel_grid
from tests.reference import flexicubes as reference

GOLDEN = Path(__file__).parent.parent / "golden"


def noise(shape: tuple[int, int, int], seed: int, weighted: bool) -> FlexiGrid:
    """White noise inside, all outside on the border: every case occurs and the surface is closed."""
    rng = np.random.default_rng(seed)
    vertices, cubes = voxel_grid(shape)
    sdf = rng.normal(size=len(vertices)).astype(np.float32)
    sdf[(np.abs(vertices) > 0.499).any(axis=1)] = 1.0
    grid = FlexiGrid(vertices, sdf, cubes, weight_scale=0.7)
    if weighted:
        grid.beta, grid.alpha, grid.gamma = (
            rng.normal(size=(len(cubes), *tail)).astype(np.float32) for tail in ((12,), (8,), ())
        )
    return grid


def by_torch(grid: FlexiGrid, **options: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    weights = [None if w is None else torch.from_numpy(w) for w in (grid.beta, grid.alpha, grid.gamma)]
    inputs = (torch.from_numpy(grid.vertices), torch.from_numpy(grid.sdf), torch.from_numpy(grid.cubes))
    return FlexiCubes(grid.weight_scale)(*inputs, None, *weights, **options)


def test_golden_cases() -> None:
    tensors = load_file(GOLDEN / "flexicubes.safetensors")
    results = list(reference.run(tensors, json.loads((GOLDEN / "flexicubes.json").read_text())))
    assert len(results) > 50
    assert [r for r in results if not r.passed] == []


def test_the_parity_runner_sees_a_wrong_triangle_and_a_wrong_vertex() -> None:
    tensors = load_file(GOLDEN / "flexicubes.safetensors")
    meta = json.loads((GOLDEN / "flexicubes.json").read_text())
    tensors["09_white_4x6x5_w.eval.faces"][7] = tensors["09_white_4x6x5_w.eval.faces"][7][::-1]
    tensors["00_sphere_8.train.verts"][3, 1] += 2e-5
    failed = {r.case for r in reference.run(tensors, meta) if not r.passed}
    assert "09_white_4x6x5_w.eval.faces" in failed and "00_sphere_8.train.verts" in failed
    assert all(case.startswith(("09_white_4x6x5_w", "00_sphere_8")) for case in failed)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.tuples(*[st.integers(3, 8)] * 3), st.booleans())
def test_twins_agree_on_noise(seed: int, shape: tuple[int, int, int], weighted: bool) -> None:
    grid = noise(shape, seed, weighted)
    vertices, faces = extract(grid)
    other, other_faces, _ = by_torch(grid)
    assert np.array_equal(faces, other_faces.numpy())
    assert np.abs(vertices - other.numpy()).max(initial=0) < 1e-6


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_the_surface_of_noise_is_a_closed_manifold(seed: int, weighted: bool) -> None:
    """Every edge has one face on each side, in opposite directions, even where all 256 cases meet
    at random.
    """
    _, faces = extract(noise((9, 8, 10), seed, weighted))
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)
    assert {tuple(e) for e in directed.tolist()} == {tuple(e) for e in directed[:, ::-1].tolist()}


def test_a_ball_has_its_volume_and_faces_outwards() -> None:
    vertices, cubes = voxel_grid(40)
    grid = FlexiGrid(vertices, (np.linalg.norm(vertices, axis=1) - 0.4).astype(np.float32), cubes)
    points, faces = extract(grid)
    volume = np.linalg.det(points[faces].astype(np.float64)).sum() / 6
    assert volume == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=1e-2)
    assert np.abs(np.linalg.norm(points, axis=1) - 0.4).max() < 2e-3
    edges = len(faces) * 3 // 2
    assert len(points) - edges + len(faces) == 2


def test_any_superset_and_order_of_the_crossing_cubes_gives_the_same_surface() -> None:
    grid = noise((6, 6, 6), 4, True)
    rows = np.random.default_rng(0).permutation(len(grid.cubes))
    assert grid.beta is not None and grid.alpha is not None and grid.gamma is not None
    mixed = FlexiGrid(
        grid.vertices,
        grid.sdf,
        grid.cubes[rows],
        grid.beta[rows],
        grid.alpha[rows],
        grid.gamma[rows],
        grid.weight_scale,
    )
    vertices, faces = extract(grid)
    other, other_faces = extract(mixed)

    def corners(v: np.ndarray, f: np.ndarray) -> set[bytes]:
        return {np.roll(t, -int(np.lexsort(t.T)[0]), axis=0).tobytes() for t in v[f].round(5)}

    assert corners(vertices, faces) == corners(other, other_faces)


def test_nothing_crosses() -> None:
    vertices, cubes = voxel_grid(3)
    points, faces = extract(FlexiGrid(vertices, np.ones(len(vertices), np.float32), cubes))
    assert points.shape == (0, 3) and faces.shape == (0, 3)
    empty = by_torch(FlexiGrid(vertices, -np.ones(len(vertices), np.float32), cubes), output_tetmesh=True)
    assert [tuple(t.shape) for t in empty] == [(0, 3), (0, 4), (0,)]


def test_gradients_match_finite_differences() -> None:
    grid = noise((3, 3, 3), 1, True)
    # far enough from sign changes
    sdf = torch.from_numpy(np.sign(grid.sdf) * (0.3 + np.abs(grid.sdf))).double()
    weights = [torch.from_numpy(w).double() for w in (grid.beta, grid.alpha, grid.gamma) if w is not None]
    x, cubes = torch.from_numpy(grid.vertices).double(), torch.from_numpy(grid.cubes)

    def surface(*inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        vertices, _, deviation = FlexiCubes(0.7)(inputs[0], inputs[1], cubes, 3, *inputs[2:], training=True)
        return vertices, deviation

    leaves = [t.requires_grad_(True) for t in (x, sdf, *weights)]
    assert torch.autograd.gradcheck(surface, leaves, eps=1e-6, atol=1e-5, fast_mode=True)


@pytest.mark.parametrize("training", [False, True])
def test_tetrahedra_fill_the_inside_exactly(training: bool) -> None:
    vertices, cubes = voxel_grid(12)
    centre = np.array([0.03, -0.02, 0.01], np.float32)
    grid = FlexiGrid(vertices, (np.linalg.norm(vertices - centre, axis=1) - 0.36).astype(np.float32), cubes)
    points, faces, _ = by_torch(grid, training=training)
    corners, tets, _ = by_torch(grid, training=training, output_tetmesh=True)
    enclosed = np.linalg.det(points.numpy()[faces.numpy()].astype(np.float64)).sum() / 6
    tetrahedra = corners.numpy()[tets.numpy()].astype(np.float64)
    volumes = np.linalg.det(tetrahedra[:, 1:] - tetrahedra[:, :1]) / 6
    assert np.abs(volumes.sum()) == pytest.approx(enclosed, rel=1e-6)
    # No overlap: what few turn the other way (a dual vertex just beyond its inner grid point) weigh next to
    # nothing.
    assert np.abs(volumes).sum() == pytest.approx(enclosed, rel=1e-2)


def test_with_gradients_a_box_keeps_its_corners() -> None:
    """Tangent planes meet in the box's corners and edges, which averages of crossings would cut off."""
    vertices, cubes = voxel_grid(12)
    half = torch.full((3,), 3.5 / 12)  # half way between grid planes, so that crossings lie on the box

    def box(points: torch.Tensor) -> torch.Tensor:
        return (points.abs() - half).amax(dim=-1)

    def gradient(points: torch.Tensor) -> torch.Tensor:
        axis = (points.abs() - half).argmax(dim=-1)
        return torch.nn.functional.one_hot(axis, 3) * points.sign()

    x = torch.from_numpy(vertices)
    points, _, _ = FlexiCubes()(x, box(x), torch.from_numpy(cubes), 12, gradient=gradient)
    averaged, _, _ = FlexiCubes()(x, box(x), torch.from_numpy(cubes), 12)
    assert box(points).abs().max() < 1e-4
    assert (points.abs().amax(dim=0) - half).abs().max() < 1e-4
    corner = (points.abs() - half).norm(dim=1).min()
    assert corner < 1e-3 < (averaged.abs() - half).norm(dim=1).min()
