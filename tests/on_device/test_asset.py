"""From fields to a mesh on a device and on the host: the same object, whatever is asked of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from geco.cameras import INPUT_FOV, orbit_poses
from geco.errors import ConfigError, MeshError
from geco.mesh import Mesh
from geco.mesh.manifold import manifold_report
from geco.mesh.uv_report import overlaps, report
from geco.reconstruct.fields import SurfaceFields, TensorFields
from geco.reconstruct.instantmesh.mesh import MeshSynthesizer
from geco.reconstruct.instantmesh.surface import MeshSurface, NerfSurface
from geco.render.shade_numpy import render_mesh
from geco.surface_to_asset import AssetOptions, surface_to_asset
from geco.timing import Stopwatch
from tests.on_device.fields import Figure
from tests.reconstruct import tiny

ELEVATION, SIZE = 17.0, 256


@pytest.fixture(scope="module")
def figure() -> Figure:
    return Figure()


@pytest.fixture(scope="module")
def picture(figure: Figure) -> np.ndarray:
    return figure.picture(ELEVATION)


def made(fields: SurfaceFields, picture: np.ndarray, **options: Any) -> tuple[Mesh, dict[str, Any]]:
    return surface_to_asset(fields, picture, AssetOptions(**options), 48, SIZE, Stopwatch())


def psnr(one: Mesh, two: Mesh) -> float:
    """Of the pictures of two meshes, over four sides."""
    views = [orbit_poses(azimuth, 20.0, 4.0) for azimuth in (0, 90, 180, 270)]
    shown = [[render_mesh(mesh, pose, INPUT_FOV, 128) for pose in views] for mesh in (one, two)]
    return float(-10 * np.log10(np.square(np.subtract(*shown)).mean() + 1e-10))


def test_the_object_is_the_one_that_the_host_makes(figure: Figure, picture: np.ndarray) -> None:
    assert isinstance(figure, TensorFields)
    (mesh, facts), (host, known) = (made(figure, picture, on_device=where) for where in (True, False))
    np.testing.assert_allclose(mesh.triangles, host.triangles, atol=1e-5)
    assert facts["faces"] == known["faces"] > 8_000
    assert facts["projected"] and known["projected"]
    assert abs(facts["input_camera"]["elevation"] - known["input_camera"]["elevation"]) <= 2
    assert abs(facts["input_camera"]["elevation"] - ELEVATION) <= 2
    assert facts["agreement"] == facts["input_camera"]["iou"] > 0.9
    assert mesh.texture is not None and mesh.texture.shape == (SIZE, SIZE, 3)
    assert manifold_report(mesh, weld=True).watertight
    assert len(overlaps(mesh, 1e-6)) == 0 and report(mesh).flipped == 0
    assert psnr(mesh, host) > 35


def test_the_same_fields_give_the_same_bytes(picture: np.ndarray) -> None:
    one, two = (made(Figure(24), picture, on_device=True)[0] for _ in range(2))
    for name in ("vertices", "faces", "normals", "uvs", "texture"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_colours_at_the_vertices(figure: Figure, picture: np.ndarray) -> None:
    options = {"vertex_colors": True, "projection": True}
    (mesh, facts), (host, known) = (made(figure, picture, on_device=w, **options) for w in (True, False))
    np.testing.assert_allclose(mesh.vertices, host.vertices, atol=1e-5)
    np.testing.assert_array_equal(mesh.faces, host.faces)
    assert mesh.texture is None and mesh.uvs is None and mesh.colors is not None and host.colors is not None
    assert facts["projected"] == known["projected"] and psnr(mesh, host) > 35
    (bare, without), (plain, _) = (
        made(figure, picture, on_device=w, vertex_colors=True, projection=False) for w in (1, 0)
    )
    assert without["agreement"] is None and without["agreement_unknown"]
    assert bare.colors is not None and plain.colors is not None
    assert np.abs(bare.colors - plain.colors).max() <= 1.01 / 255


@pytest.mark.parametrize("options", [{"faces": 2000}, {"faces": 900, "watertight": True}])
def test_what_the_host_does_to_the_mesh_is_done(
    figure: Figure, picture: np.ndarray, options: dict[str, Any]
) -> None:
    mesh, _ = made(figure, picture, on_device=True, **options)
    host, _ = made(figure, picture, on_device=False, **options)
    np.testing.assert_allclose(mesh.triangles, host.triangles, atol=1e-5)
    assert "faces" not in options or len(mesh.faces) <= options["faces"]
    assert manifold_report(mesh, weld=True).watertight or "watertight" not in options


@pytest.mark.parametrize("kind", ["mesh", "nerf"])
def test_the_full_familys_own_fields(kind: tiny.Kind) -> None:
    model, planes = tiny.sphere(kind)
    net = model.synthesizer
    fields = MeshSurface(net, planes) if isinstance(net, MeshSynthesizer) else NerfSurface(net, planes)
    nothing = np.zeros((64, 64, 4), np.float32)
    (mesh, facts), (host, _) = (made(fields, nothing, on_device=where) for where in (True, False))
    np.testing.assert_allclose(mesh.triangles, host.triangles, atol=1e-5)
    assert not facts["projected"] and facts["input_camera"]["iou"] == 0
    assert manifold_report(mesh, weld=True).watertight and psnr(mesh, host) > 40
    assert made(fields, nothing)[0].uvs is not None  # on the host, since that is where they live
    np.testing.assert_array_equal(made(fields, nothing)[0].uvs, host.uvs)


def test_without_a_surface_or_tensors_it_says_so(figure: Figure, picture: np.ndarray) -> None:
    class Nothing(Figure):
        def tensor_grid(self, resolution: int) -> Any:
            grid = super().tensor_grid(resolution)
            grid.sdf = torch.ones_like(grid.sdf)
            return grid

    with pytest.raises(MeshError, match="no object"):
        made(Nothing(16), picture, on_device=True)

    class Numbers:
        half_extent, grid, color = 1.0, figure.grid, figure.color

    with pytest.raises(ConfigError, match="numpy"):
        made(Numbers(), picture, on_device=True)
