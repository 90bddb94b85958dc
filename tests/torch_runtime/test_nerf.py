"""InstantMesh's NeRF variants through the pipeline: density to surface, as a model folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geco.isosurface.grids import mixed
from geco.mesh.types import Mesh
from geco.pipeline import GecoPipeline
from geco.reconstruct.instantmesh.decoders import NERF_LEVEL, activate_density, raw_density
from geco.reconstruct.instantmesh.surface import NerfSurface
from geco.surface_to_asset import AssetOptions
from tests.cli_command import geco
from tests.pictures import ball_picture
from tests.reconstruct import tiny
from tests.torch_runtime.build import full_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_folder(tmp_path_factory.mktemp("nerf"), "nerf")


def test_a_nerf_model_makes_a_textured_mesh(folder: Path) -> None:
    """Dense everywhere: what comes out is the cube of its planes, closed within the grid."""
    asset = GecoPipeline.from_pretrained(folder, "cpu")(
        ball_picture(64), options=AssetOptions(projection=False)
    )
    assert isinstance(asset.mesh, Mesh) and asset.mesh.texture is not None
    np.testing.assert_allclose(np.abs(asset.mesh.vertices).max(axis=0), 1, atol=0.05)


@pytest.mark.slow
def test_geco_run_takes_a_nerf_model(folder: Path, tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    out = tmp_path / "ball.glb"
    ran = geco("run", tmp_path / "ball.png", "--model", folder, "--device", "cpu", "-o", out)
    assert ran.returncode == 0, ran.stderr
    assert out.read_bytes()[:4] == b"glTF"


def test_the_raw_density_is_the_one_of_the_level() -> None:
    raw = torch.tensor(raw_density(NERF_LEVEL), dtype=torch.float64)
    assert float(activate_density(raw)) == pytest.approx(NERF_LEVEL)


def test_the_surface_passes_where_the_density_grid_crosses_the_level() -> None:
    synthesizer, planes = tiny.model("nerf").synthesizer, torch.randn(1, 3, 4, 8, 8) * 30
    resolution = 24
    density = synthesizer.density_grid(planes, resolution + 1)[0].detach().numpy()
    level = float(np.quantile(density, 0.9))
    density[[0, -1]] = density[:, [0, -1]] = density[:, :, [0, -1]] = 0  # closed at the border
    grid = NerfSurface(synthesizer, planes, level).grid(resolution)
    assert len(grid.cubes) == mixed(density > level).sum() > 100
