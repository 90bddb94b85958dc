"""Grid fields, the empty-shape rule, mesh extraction and the numpy face of both variants."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geco.errors import MeshError
from geco.isosurface.flexicubes_numpy import extract
from geco.reconstruct.instantmesh import mesh as mesh_module
from geco.reconstruct.instantmesh.grid import (
    center_index,
    fill_empty,
    shell_mask,
    surface_cubes,
)
from geco.reconstruct.instantmesh.surface import MeshSurface, NerfSurface
from tests.reconstruct import tiny


def test_surface_cubes_are_those_with_two_signs() -> None:
    torch.manual_seed(0)
    sdf = torch.randn(6**3) + 1.2
    made = tiny.model("mesh")
    _, cubes = made.synthesizer.grid(torch.device("cpu"), 5)
    inside = (sdf[cubes] < 0).sum(1)
    assert surface_cubes(sdf, 5).tolist() == torch.nonzero((inside > 0) & (inside < 8))[:, 0].tolist()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_empty_shapes_get_a_surface_and_only_they(sign: float) -> None:
    torch.manual_seed(0)
    full = torch.randn(1, 9**3, 1)
    empty = (torch.rand(1, 9**3, 1) + 0.1) * sign
    sdf = torch.cat([full, empty]).requires_grad_()
    filled, penalty = fill_empty(sdf, 8)
    assert torch.equal(filled[0], full[0])
    assert penalty[0] == 0
    assert penalty[1].item() == pytest.approx(empty.abs().mean().item())
    assert filled[1, center_index(8), 0] == 1 - sdf.min()
    assert (filled[1, shell_mask(8), 0] == -1 - sdf.max()).all()
    assert len(surface_cubes(filled[1, :, 0], 8)) > 0
    # No gradient reaches an empty item through its SDF.
    filled.sum().backward()
    assert (sdf.grad[0] == 1).all()
    assert (sdf.grad[1] == 0).all()


def test_chunks_change_no_field(monkeypatch: pytest.MonkeyPatch) -> None:
    made = tiny.model("mesh").double()
    planes = torch.randn(2, 3, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    whole = made.synthesizer.fields(planes, everywhere=True)
    (expected,) = torch.autograd.grad(
        whole.sdf.sum() + whole.deformation.sum() + torch.stack(whole.weights).sum(), planes
    )
    monkeypatch.setattr(mesh_module, "POINTS_AT_ONCE", 100)
    monkeypatch.setattr(mesh_module, "CUBES_AT_ONCE", 70)
    pieces = made.synthesizer.fields(planes, everywhere=True)
    for name in ("sdf", "deformation", "weights", "cubes"):
        torch.testing.assert_close(getattr(whole, name), getattr(pieces, name))
    (found,) = torch.autograd.grad(
        pieces.sdf.sum() + pieces.deformation.sum() + torch.stack(pieces.weights).sum(), planes
    )
    torch.testing.assert_close(found, expected)


def test_the_surface_needs_no_more_than_its_own_cubes() -> None:
    made = tiny.model("mesh", grid_res=16)
    planes = torch.randn(1, 3, 4, 8, 8) * 3
    with torch.no_grad():
        for training in (False, True):
            every = made.synthesizer.geometry(planes, training=training, everywhere=True)
            some = made.synthesizer.geometry(planes, training=training)
            torch.testing.assert_close(every.vertices[0], some.vertices[0])
            assert torch.equal(every.faces[0], some.faces[0])
            assert len(every.faces[0]) > 100
            torch.testing.assert_close(every.surface_penalty, some.surface_penalty)


def test_gradients_reach_every_weight_and_the_pictures() -> None:
    made = tiny.model("mesh")
    images, cameras = tiny.views()
    images.requires_grad_()
    geometry = made.synthesizer.geometry(made(images, cameras), training=True)
    colors = made.synthesizer.color(made(images, cameras), geometry.vertices[0][None])
    loss = (
        colors.sum()
        + geometry.vertices[0].square().sum()
        + geometry.surface_penalty
        + geometry.fields.empty_penalty.sum()
    )
    loss.backward()
    assert torch.isfinite(images.grad).all()
    assert images.grad.abs().sum() > 0
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


def test_the_numpy_and_the_torch_mesh_of_a_sphere() -> None:
    made, planes = tiny.sphere("mesh", radius=0.6, grid_res=24)
    torch_mesh = made.synthesizer.geometry(planes)
    surface = MeshSurface(made.synthesizer, planes)
    vertices, faces = extract(surface.grid(24))
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 0.6, atol=0.01)
    assert len(faces) == len(torch_mesh.faces[0])
    np.testing.assert_allclose(
        np.sort(vertices, axis=0), np.sort(torch_mesh.vertices[0].numpy(), axis=0), atol=1e-5
    )
    np.testing.assert_allclose(surface.color(vertices), 0.5, atol=1e-3)
    assert np.abs(vertices).max() < surface.half_extent


def test_random_weights_give_the_same_mesh_in_numpy() -> None:
    made = tiny.model("mesh", grid_res=16)
    planes = torch.randn(1, 3, 4, 8, 8) * 3
    with torch.no_grad():
        torch_mesh = made.synthesizer.geometry(planes)
    surface = MeshSurface(made.synthesizer, planes)
    closed = surface.grid(16)
    vertices, _ = extract(closed)
    # Away from the border, which only the numpy side closes, every vertex is there.
    inner = torch_mesh.vertices[0].numpy()
    inner = inner[np.abs(inner).max(axis=1) < 0.8]
    gap = np.array([np.abs(vertices - v).max(axis=1).min() for v in inner])
    assert len(inner) > 100
    assert gap.max() < 1e-5


def test_a_nerf_is_cut_at_its_level_and_colours_are_in_range() -> None:
    made, planes = tiny.sphere("nerf", radius=0.5)
    surface = NerfSurface(made.synthesizer, planes)
    vertices, faces = extract(surface.grid(32))
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 0.5, atol=0.01)
    edges = np.sort(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()  # closed
    random = NerfSurface(tiny.model("nerf").synthesizer, torch.randn(1, 3, 4, 8, 8) * 30)
    colors = random.color((np.random.default_rng(0).random((500, 3)) * 2 - 1).astype(np.float32))
    assert colors.min() >= 0
    assert colors.max() <= 1
    assert random.color(np.zeros((0, 3), np.float32)).shape == (0, 3)


@pytest.mark.parametrize("kind", ["mesh", "nerf"])
def test_nothing_there_is_said(kind: tiny.Kind) -> None:
    made, planes = tiny.sphere(kind)
    net = made.synthesizer.decoder.net_sdf if kind == "mesh" else made.synthesizer.decoder.net
    net[-1].bias[0] += 1000 if kind == "mesh" else -1000
    surface = (MeshSurface if kind == "mesh" else NerfSurface)(made.synthesizer, planes)
    with pytest.raises(MeshError, match="nothing is inside"):
        surface.grid(16)


@pytest.mark.parametrize("kind", ["mesh", "nerf"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_gives_nearly_the_same_fields(kind: tiny.Kind, dtype: torch.dtype) -> None:
    made = tiny.model(kind)
    images, cameras = tiny.views()
    points = (np.random.default_rng(0).random((300, 3)) * 2 - 1).astype(np.float32)
    exact = made.surfaces(images, cameras)[0].color(points)
    half = made.to(dtype).surfaces(images, cameras)[0].color(points)
    assert half.dtype == np.float32
    assert 0 < np.abs(half - exact).max() < 0.05
