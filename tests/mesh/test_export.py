"""Every format read back by an independent reader; the GLB against the rules of its
specification; nothing half written.
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geco.errors import ConfigError
from geco.marks import mark_text
from geco.mesh import Mesh
from geco.mesh.export import FORMATS, About, save
from geco.mesh.export.axes import srgb_to_linear
from geco.mesh.export.images import encode_texture, texture_format
from geco.mesh.texture import sample_texture
from geco.version import __version__
from tests.mesh.gltf import check_gltf, load, parse_glb, read_accessor
from tests.mesh.shapes import CORNERS, EXTRAS, area, box, sphere, textured, volume


def test_axes_are_a_rotation_that_turns_the_input_side_to_the_front(tmp_path: Path) -> None:
    mesh = box((0.0, 0.0, 0.0), (0.3, 0.2, 0.1))  # x towards the input camera, y to its right, z up
    for suffix in (".glb", ".obj"):
        save(mesh, tmp_path / f"a{suffix}")
        other = load(tmp_path / f"a{suffix}")
        np.testing.assert_allclose(other.bounds, [[0, 0, 0], [0.2, 0.1, 0.3]], atol=1e-6)
        assert other.volume == pytest.approx(0.006)
    save(mesh, tmp_path / "a.ply")
    np.testing.assert_allclose(load(tmp_path / "a.ply").bounds, mesh.bounds, atol=1e-6)
    for suffix in (".stl", ".3mf"):  # z up as well, in millimetres
        save(mesh, tmp_path / f"a{suffix}", size=0.3)
        np.testing.assert_allclose(load(tmp_path / f"a{suffix}").extents, [300, 200, 100], atol=1e-3)


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply", ".stl", ".3mf"])
@pytest.mark.parametrize(
    "mesh",
    [textured(), sphere(3), sphere(3).with_(colors=np.full((258, 3), 0.2, np.float32))],
    ids=["uv", "bare", "colour"],
)
def test_geometry_survives(tmp_path: Path, suffix: str, mesh: Mesh) -> None:
    assert (
        save(mesh, tmp_path / f"a{suffix}", texture_format="png", about=About(extras=EXTRAS))[0]
        == tmp_path / f"a{suffix}"
    )
    other = load(tmp_path / f"a{suffix}")
    if suffix == ".stl":
        other.merge_vertices()
    assert (len(other.vertices), len(other.faces)) == (len(mesh.vertices), len(mesh.faces))
    scale = 100 / np.ptp(mesh.vertices, axis=0).max() if suffix in (".stl", ".3mf") else 1.0
    assert other.is_watertight
    assert other.volume == pytest.approx(volume(mesh) * scale**3, rel=1e-5)
    assert other.area == pytest.approx(area(mesh) * scale**2, rel=1e-5)
    if suffix == ".glb":
        np.testing.assert_array_equal(other.vertices, mesh.vertices[:, [1, 2, 0]])
        np.testing.assert_array_equal(other.faces, mesh.faces)
        np.testing.assert_allclose(other.vertex_normals, mesh.vertices[:, [1, 2, 0]] / 0.8, atol=0.02)


@pytest.mark.parametrize("suffix", [".glb", ".obj"])
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_texture_corners_are_where_their_uvs_say(tmp_path: Path, suffix: str, kind: str) -> None:
    mesh = textured()
    save(mesh, tmp_path / f"a{suffix}", texture_format=kind)
    other = load(tmp_path / f"a{suffix}")
    uvs = other.visual.uv  # trimesh's origin is at the bottom left
    assert uvs.min() >= 0 and uvs.max() <= 1
    material = other.visual.material
    picture = material.baseColorTexture if suffix == ".glb" else material.image
    assert picture.format == kind.upper()
    seen = other.visual.material.to_color(uvs)[:, :3].astype(int)
    side = other.vertices[:, [2, 0]]  # world x and y, in the file's axes
    for (u, v), color in CORNERS.items():
        there = ((side[:, 0] > 0.1) if u else (side[:, 0] < -0.1)) & (
            (side[:, 1] > 0.1) if v else (side[:, 1] < -0.1)
        )
        assert there.sum() > 10
        assert np.abs(seen[there] - color).max() <= (0 if kind == "png" else 12)


def test_glb_keeps_the_facts(tmp_path: Path) -> None:
    save(textured(), tmp_path / "a.glb", about=About("chair π", extras=EXTRAS))
    document, _ = parse_glb((tmp_path / "a.glb").read_bytes())
    assert document["asset"]["generator"] == f"GECO {__version__}"
    assert document["asset"]["extras"] == {
        "mark": mark_text("mesh"),
        "seed": 7,
        "model": "small",
        "timings": {"bake": 0.25},
        "bad": None,
        "path": "a/b",
        "π": [1, 2],
        "size": pytest.approx(1.6),
        "unit": "metre",
    }
    assert document["meshes"][0]["name"] == document["nodes"][0]["name"] == "chair π"
    material = document["materials"][0]
    assert material["doubleSided"] is False and material["pbrMetallicRoughness"]["metallicFactor"] == 0


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", None])
@pytest.mark.parametrize("big", [False, True])
def test_glb_obeys_the_specification(tmp_path: Path, kind: str | None, big: bool) -> None:
    mesh = sphere(7 if big else 2)
    if kind is None:
        mesh.colors = np.clip(mesh.vertices + 0.5, 0, 1)
    else:
        mesh.uvs = np.clip(mesh.vertices[:, :2] + 0.5, 0, 1)
        mesh.texture = np.random.default_rng(0).integers(0, 255, (33, 17, 3)).astype(np.uint8)
    save(mesh, tmp_path / "a.glb", texture_format=kind or "jpeg", about=About(extras={"odd": "x" * 5}))
    document, binary = parse_glb((tmp_path / "a.glb").read_bytes())
    check_gltf(document, binary, len(mesh.vertices), len(mesh.faces))
    indices = document["accessors"][document["meshes"][0]["primitives"][0]["indices"]]
    assert indices["componentType"] == (5125 if big else 5123)
    assert set(document.get("extensionsRequired", [])) == ({"EXT_texture_webp"} if kind == "webp" else set())
    if kind is not None:
        view = document["bufferViews"][document["images"][0]["bufferView"]]
        picture = Image.open(io.BytesIO(binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]))
        assert picture.size == (17, 33) and document["images"][0]["mimeType"] == f"image/{kind}"
        assert Image.MIME[picture.format] == f"image/{kind}"


def test_the_largest_short_index_is_not_used(tmp_path: Path) -> None:
    """0xFFFF restarts a primitive: 65,535 vertices still fit in 16 bits, 65,536 do not."""
    for count, component in ((65535, 5123), (65536, 5125)):
        vertices = np.random.default_rng(0).random((count, 3)).astype(np.float32)
        save(Mesh(vertices, np.array([[0, 1, count - 1]])), tmp_path / "a.glb")
        document, _ = parse_glb((tmp_path / "a.glb").read_bytes())
        accessor = document["accessors"][document["meshes"][0]["primitives"][0]["indices"]]
        assert accessor["componentType"] == component


def test_vertex_colours(tmp_path: Path) -> None:
    mesh = sphere(2)
    mesh.colors = np.clip(mesh.vertices * 0.5 + 0.5, 0, 1)
    for suffix in FORMATS[:3]:
        save(mesh, tmp_path / f"a{suffix}")
    byte = mesh.colors * 255
    assert np.abs(load(tmp_path / "a.ply").visual.vertex_colors[:, :3] - byte).max() <= 0.5 + 1e-4
    assert np.abs(load(tmp_path / "a.obj").visual.vertex_colors[:, :3] - byte).max() <= 1
    document, binary = parse_glb((tmp_path / "a.glb").read_bytes())
    stored = read_accessor(document, binary, document["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"])
    # glTF colours are linear
    np.testing.assert_allclose(stored[:, :3] / 65535, srgb_to_linear(mesh.colors), atol=1e-5)
    assert (stored[:, 3] == 65535).all()
    assert srgb_to_linear(np.float32([[0.5]]))[0, 0] == pytest.approx(0.21404, abs=1e-5)


def test_ply_takes_its_colours_from_the_texture_and_welds_seams(tmp_path: Path) -> None:
    whole = textured()
    split = Mesh(
        whole.triangles.reshape(-1, 3),
        np.arange(3 * len(whole.faces)),
        uvs=whole.uvs[whole.faces].reshape(-1, 2),
        texture=whole.texture,
    )
    save(split, tmp_path / "a.ply")
    other = load(tmp_path / "a.ply")
    assert other.is_watertight and len(other.vertices) == len(whole.vertices)
    there = (other.vertices[:, 0] > 0.1) & (other.vertices[:, 1] > 0.1)
    np.testing.assert_array_equal(
        other.visual.vertex_colors[there][:, :3], np.tile(CORNERS[1, 1], (there.sum(), 1))
    )


def test_obj_shares_positions_across_seams(tmp_path: Path) -> None:
    whole = textured()
    split = Mesh(
        whole.triangles.reshape(-1, 3),
        np.arange(3 * len(whole.faces)),
        uvs=whole.uvs[whole.faces].reshape(-1, 2),
        texture=whole.texture,
    )
    save(split, tmp_path / "a.obj")
    words = [line.split()[0] for line in (tmp_path / "a.obj").read_text().splitlines() if line]
    assert words.count("v") == len(whole.vertices) and words.count("vt") == len(split.vertices)
    assert load(tmp_path / "a.obj").volume == pytest.approx(volume(whole), rel=1e-5)


def test_stl_and_ply_headers(tmp_path: Path) -> None:
    save(sphere(1), tmp_path / "a.stl", about=About(extras=EXTRAS))
    data = (tmp_path / "a.stl").read_bytes()
    assert len(data) == 84 + 50 * 32 and not data.startswith(b"solid")
    save(sphere(1), tmp_path / "a.ply", about=About(extras=EXTRAS))
    header = (tmp_path / "a.ply").read_bytes().split(b"end_header")[0].decode("ascii")
    facts = [
        json.loads(line.removeprefix("comment "))
        for line in header.splitlines()
        if line.startswith("comment {")
    ]
    assert {"seed": 7} in facts and {"π": [1, 2]} in facts


def test_texture_encodings() -> None:
    rng = np.random.default_rng(0)
    ramp = np.stack([*np.meshgrid(np.arange(128), np.arange(64)), np.full((64, 128), 90)], axis=-1).astype(
        np.uint8
    )
    for name, largest in (("png", 0), ("jpeg", 12), ("webp", 40), ("jpg", 12)):
        back = np.asarray(
            Image.open(io.BytesIO(encode_texture(ramp, texture_format(name)))).convert("RGB")
        ).astype(int)
        assert np.abs(back - ramp).max() <= largest
    noise = rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)
    sizes = [len(encode_texture(noise, texture_format("jpeg"), quality)) for quality in (10, 50, 95)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2] / 3
    for wrong in (0, 101):
        with pytest.raises(ConfigError):
            encode_texture(noise, texture_format("jpeg"), wrong)
    with pytest.raises(ConfigError):
        texture_format("gif")


def test_sampling_is_bilinear_between_texel_centres() -> None:
    texture = np.array([[[0, 0, 0], [200, 0, 0]], [[0, 100, 0], [200, 100, 0]]], np.uint8)
    uvs = np.array([[0.25, 0.25], [0.75, 0.75], [0.5, 0.5], [0, 0], [1, 1]], np.float32)
    expected = np.array([[0, 0, 0], [200, 100, 0], [100, 50, 0], [0, 0, 0], [200, 100, 0]]) / 255
    np.testing.assert_allclose(sample_texture(texture, uvs), expected, atol=1e-6)
