"""The whole path on a device that is not there: nothing of the host is mixed in, and the mesh is the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch

from geco.isosurface.tensor_grid import TensorGrid
from geco.mesh import Mesh
from geco.on_device import waits
from geco.reconstruct.instantmesh.surface import MeshSurface, NerfSurface
from geco.reconstruct.triposr.surface import TripoSRSurface
from geco.surface_to_asset import AssetOptions, surface_to_asset
from geco.timing import Stopwatch
from tests.on_device.fields import Figure
from tests.on_device.pretended import DEVICE, Pretended, PretendedDevice, sent
from tests.reconstruct import tiny


class FarFigure(Figure):
    """The figure, its fields on the device."""

    device = DEVICE

    def tensor_grid(self, resolution: int) -> TensorGrid:
        grid = super().tensor_grid(resolution)
        parts = (grid.vertices, grid.sdf, grid.cubes, grid.beta, grid.alpha, grid.gamma)
        far = [waits.sent(part.numpy(), DEVICE) for part in parts if part is not None]
        return TensorGrid(*far, grid.weight_scale)


@contextmanager
def named() -> Iterator[list[str]]:
    """The names of the waits inside."""
    names: list[str] = []

    def told(function: Any) -> Any:
        def wait(value: Any, name: str) -> Any:
            names.append(name)
            return function(value, name)

        return wait

    functions = {name: told(getattr(waits, name)) for name in ("number", "places", "array")}
    with patch.multiple(waits, **functions):
        yield names


def made(figure: Figure, picture: np.ndarray, **options: Any) -> Mesh:
    asked = AssetOptions(on_device=True, **options)
    return surface_to_asset(figure, picture, asked, 24, 64, Stopwatch())[0]


@pytest.mark.parametrize("options", [{"faces": 600}, {"vertex_colors": True}])
def test_the_mesh_is_the_same_and_only_named_waits_wait(options: dict[str, Any]) -> None:
    near, far = Figure(24), FarFigure(24)
    picture = near.picture(10.0)
    wanted = made(near, picture, **options)
    with PretendedDevice() as device, named() as names:
        found = made(far, picture, **options)
    np.testing.assert_array_equal(found.triangles, wanted.triangles)
    for name in ("uvs", "texture", "colors", "normals"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert device.waited.total() == len(names), (device.waited, names)
    assert device.waited["blocking copy to the device"] == 0 and device.sent > 10


def fields_of(kind: str) -> tuple[torch.nn.Module, Any, torch.Tensor]:
    """A model, what makes its fields of planes, and planes that hold a ball."""
    if kind == "triposr":
        ball = np.hypot(*np.mgrid[-7.5:8, -7.5:8]) < 5
        model = tiny.triposr_shape(*[torch.from_numpy(ball)] * 3)
        planes = torch.where(torch.from_numpy(ball), 0.0, 20.0).expand(3, model.config.plane_channels, 16, 16)
        return model, lambda p: TripoSRSurface(model, p), planes.contiguous()
    made, planes = tiny.sphere("mesh" if kind == "mesh" else "nerf")
    net = made.synthesizer
    surface: Any = MeshSurface if kind == "mesh" else NerfSurface
    return made, lambda p: surface(net, p), planes


@pytest.mark.parametrize("kind", ["mesh", "nerf", "triposr"])
def test_the_models_fields_answer_on_the_device(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operations of a card: torch's own for grids and points, none that CUDA has not."""
    model, fields, planes = fields_of(kind)
    wanted = fields(planes).grid(16)
    colors = fields(planes).color(wanted.vertices)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # knows no such device
    with PretendedDevice() as device:
        sent(model)
        far = fields(Pretended(planes))
        grid = far.tensor_grid(16)
        assert grid.vertices.device == DEVICE and far.device == DEVICE
        found = grid.on_host()
        np.testing.assert_allclose(far.color(wanted.vertices), colors, atol=1e-5)
    np.testing.assert_array_equal(found.cubes, wanted.cubes)
    np.testing.assert_allclose(found.vertices, wanted.vertices, atol=1e-5)
    assert device.waited.total() < 40


def test_mixing_and_a_wait_without_a_name_are_seen() -> None:
    with PretendedDevice() as device:
        here = waits.sent(np.arange(4.0), DEVICE)
        assert here.device == DEVICE and device.waited.total() == 0
        here[here > 1]
        torch.arange(3).to(DEVICE)
        with pytest.raises(AssertionError, match="mixes"):
            here + torch.arange(4)
        with pytest.raises(AssertionError, match="whole numbers"):
            here.long() @ here.long()
    assert device.waited.total() == 2
