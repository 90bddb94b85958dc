"""Colours at the vertices in place of a texture."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from geco.errors import ConfigError
from geco.mesh.bake import bake
from geco.mesh.export.axes import srgb_to_linear
from geco.mesh.types import Mesh
from geco.mesh.vertex_colors import vertex_raster, with_vertex_colors
from geco.pipeline import GecoPipeline
from geco.surface_to_asset import AssetOptions
from tests.cli_command import geco
from tests.mesh.gltf import parse_glb, read_accessor
from tests.pictures import ball_picture

OPTIONS = AssetOptions(resolution=24, vertex_colors=True)


def test_every_vertex_has_the_colour_of_its_own_place() -> None:
    rng = np.random.default_rng(0)
    mesh = Mesh(rng.uniform(0, 1, (10, 3)), [[0, 1, 2], [2, 3, 4], [5, 4, 9], [9, 8, 7]])  # 6 has no face
    raster = vertex_raster(mesh)
    np.testing.assert_array_equal(raster.texels, [0, 1, 2, 3, 4, 5, 7, 8, 9])
    np.testing.assert_array_equal(raster.interpolate(mesh, mesh.vertices), mesh.vertices[raster.texels])
    found = with_vertex_colors(bake(mesh, lambda points: points, raster.size, raster=raster))
    assert found.colors is not None and found.texture is None and found.colors.shape == (10, 3)
    np.testing.assert_allclose(found.colors[raster.texels], mesh.vertices[raster.texels], atol=0.5 / 255)


def test_a_mesh_without_texture_shows_the_picture_where_it_was_seen() -> None:
    pipeline = GecoPipeline.from_pretrained("small")
    seen = pipeline.see(ball_picture(64))
    (views,) = pipeline.views(seen, [0])
    textured = pipeline.finish(views, seen, AssetOptions(resolution=24, texture_size=256))
    asset = pipeline.finish(views, seen, OPTIONS)
    bare = pipeline.finish(views, seen, replace(OPTIONS, projection=False))
    assert asset.mesh.colors is not None and bare.mesh.colors is not None
    assert asset.mesh.uvs is None and asset.mesh.texture is None
    assert "unwrap" not in asset.timings and asset.facts["projected"]
    assert len(asset.mesh.vertices) < len(textured.mesh.vertices)  # no seams
    moved = np.abs(asset.mesh.colors - bare.mesh.colors).max(axis=1) > 0.02
    front = asset.mesh.normals[:, 0]
    assert moved[front > 0.8].mean() > 0.5 and moved[front < -0.2].mean() < 0.02


def test_formats_carry_the_colours(tmp_path: Path) -> None:
    ball_picture(64).save(tmp_path / "ball.png")
    wanted = ["--vertex-colors", "--resolution", "24", "--no-projection", "-o"]
    result = geco("run", tmp_path / "ball.png", *wanted, tmp_path / "ball.glb")
    assert result.returncode == 0 and "faces" in result.stdout, result.stderr
    document, binary = parse_glb((tmp_path / "ball.glb").read_bytes())
    attributes = document["meshes"][0]["primitives"][0]["attributes"]
    assert {"POSITION", "NORMAL", "COLOR_0"} == attributes.keys() and "images" not in document
    asset = GecoPipeline.from_pretrained("small")(
        ball_picture(64), options=replace(OPTIONS, projection=False)
    )
    linear = read_accessor(document, binary, attributes["COLOR_0"])[:, :3] / 0xFFFF
    assert asset.mesh.colors is not None
    np.testing.assert_allclose(linear, srgb_to_linear(asset.mesh.colors), atol=1e-4)
    for suffix in ("ply", "obj"):
        asset.save(tmp_path / f"other.{suffix}")
        found = np.asarray(trimesh.load(tmp_path / f"other.{suffix}", force="mesh").visual.vertex_colors)
        np.testing.assert_allclose(found[:, :3].mean(axis=0), 255 * asset.mesh.colors.mean(axis=0), atol=3)
    with zipfile.ZipFile(io.BytesIO(asset.encode("3mf")["object.3mf"])) as package:
        assert package.read("3D/3dmodel.model").count(b"<m:color ") == len(asset.mesh.vertices)


def test_a_size_of_a_texture_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="texture size"):
        AssetOptions(texture_size=64, vertex_colors=True)
    with pytest.raises(ConfigError, match="unwrapping"):
        AssetOptions(uv_method="xatlas", vertex_colors=True)
