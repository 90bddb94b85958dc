"""A result made better: its input view, and nothing else; and how it is read from its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from geco.cameras import INPUT_FOV, orbit_poses
from geco.errors import MeshError
from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import grid_from_volume
from geco.mesh.bake import bake
from geco.mesh.export import save
from geco.mesh.types import Mesh
from geco.mesh.uv import unwrap
from geco.optimize import OptimizeOptions, load_teacher, read_result, refine
from geco.optimize.textured import TexturedMesh
from geco.optimize.volume import Volume
from geco.pipeline import GecoPipeline
from geco.render.shade_numpy import render_mesh
from geco.types import Floats
from tests.pictures import ball_picture
from tests.torch_runtime.build import small_folder


@pytest.fixture(scope="module")
def ball() -> Mesh:
    """A textured grey ball."""
    volume = Volume(20).sdf.detach().permute(2, 1, 0).numpy()
    bare = Mesh(*extract(grid_from_volume(volume, 1.0)))
    return bake(unwrap(bare, texture_size=64), lambda points: np.full((len(points), 3), 0.5, np.float32), 64)


def drawn(mesh: Mesh, azimuth: float) -> Floats:
    return render_mesh(mesh, orbit_poses(azimuth, 0.0, 4.0), INPUT_FOV, 32)


def test_refining_brings_the_input_view_to_the_picture_and_leaves_the_back(
    ball: Mesh, tmp_path: Path
) -> None:
    teacher = load_teacher(small_folder(tmp_path), "cpu")
    options = OptimizeOptions(steps=24, picture_size=32, refine_score=0.01)
    seen = GecoPipeline(teacher).see(ball_picture(64))
    made = refine(seen, teacher, ball, options)
    before, after = made.asset.facts["optimize"]["input_psnr"]
    assert after > before + 2
    mesh = made.asset.mesh
    front, back = (np.abs(drawn(mesh, side) - drawn(ball, side)).mean() for side in (0.0, 180.0))
    assert front > 3 * back
    np.testing.assert_array_equal(mesh.faces, ball.faces)
    again = refine(seen, teacher, ball, options).asset.mesh
    np.testing.assert_array_equal(again.vertices, mesh.vertices)


def test_seams_move_as_one(ball: Mesh) -> None:
    shape = TexturedMesh(ball, torch.device("cpu"))
    assert len(shape.places) < len(ball.vertices)
    with torch.no_grad():
        shape.offsets += torch.randn(shape.offsets.shape, generator=torch.Generator().manual_seed(0)) * 0.01
    moved = shape.mesh().vertices
    for place in np.unique(ball.vertices, axis=0)[::97]:
        same = moved[(ball.vertices == place).all(axis=1)]
        assert (same == same[0]).all()


def test_a_result_is_read_from_its_file_where_it_was(ball: Mesh, tmp_path: Path) -> None:
    save(ball, tmp_path / "ball.glb", texture_format="png")
    read = read_result(tmp_path / "ball.glb")
    np.testing.assert_allclose(read.vertices[read.faces], ball.vertices[ball.faces], atol=1e-5)
    assert read.uvs is not None and ball.uvs is not None and read.texture is not None
    np.testing.assert_allclose(read.uvs[read.faces], ball.uvs[ball.faces], atol=1e-5)
    np.testing.assert_array_equal(read.texture, ball.texture)
    colored = Mesh(ball.vertices, ball.faces, colors=np.full((len(ball.vertices), 3), 0.25, np.float32))
    save(colored, tmp_path / "colored.glb")
    again = read_result(tmp_path / "colored.glb")
    assert again.texture is None and again.colors is not None
    np.testing.assert_allclose(again.colors, 0.25, atol=0.01)


def test_a_mesh_without_colours_is_refused(ball: Mesh) -> None:
    with pytest.raises(MeshError, match="neither texture nor colours"):
        TexturedMesh(Mesh(ball.vertices, ball.faces), torch.device("cpu"))
