"""What game engines and printers ask of files: hulls, levels, pivots, normal maps, Draco, 3MF's colours."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from geco.asset_options import AssetOptions
from geco.errors import ConfigError, MeshError
from geco.mesh import Mesh
from geco.mesh.decimate import decimate
from geco.mesh.export import About, encode, save
from geco.mesh.hull import convex_hull, outermost
from geco.mesh.levels import colored_as, side_of
from geco.mesh.normals import vertex_normals
from geco.mesh.texture import sample_texture
from tests.mesh import shapes, surfaces
from tests.mesh.gltf import check_gltf, load, parse_glb
from tests.mesh.shapes import box, sphere, textured, volume


def bumpy() -> Mesh:
    """Textured, with a normal map."""
    mesh = textured()
    normals = vertex_normals(mesh.vertices, mesh.faces)
    picture = np.full((32, 16, 3), (140, 120, 250), np.uint8)
    return mesh.with_(normals=normals, normal_map=picture)


@pytest.mark.parametrize(
    "mesh", [box(), sphere(4), shapes.torus(), surfaces.knot(200, 16)], ids=["box", "sphere", "torus", "knot"]
)
def test_a_collision_shape_is_a_closed_convex_hull(mesh: Mesh) -> None:
    trimesh = pytest.importorskip("trimesh")
    spatial = pytest.importorskip("scipy.spatial")
    hull = convex_hull(mesh)
    read = trimesh.Trimesh(hull.vertices, hull.faces, process=False)
    assert read.is_watertight and read.is_winding_consistent and read.is_convex
    few = spatial.ConvexHull(outermost(mesh.vertices, 96).astype(np.float64))
    assert volume(hull) == pytest.approx(few.volume, rel=1e-5)
    whole = spatial.ConvexHull(mesh.vertices.astype(np.float64))
    assert 0.92 * whole.volume < volume(hull) <= whole.volume * 1.00001
    assert len(hull.vertices) <= 96 and len(hull.faces) <= 188


def test_nothing_flat_has_a_hull() -> None:
    with pytest.raises(MeshError, match="flat"):
        convex_hull(Mesh(np.pad(np.random.default_rng(0).random((9, 2)), ((0, 0), (0, 1))), [[0, 1, 2]]))


def test_a_level_has_the_colours_of_the_first_at_the_same_places() -> None:
    first = textured()
    first.normals = vertex_normals(first.vertices, first.faces)
    level = colored_as(decimate(first.with_(uvs=None, texture=None), 128), first, 64)
    assert level.texture is not None and level.texture.shape == (64, 64, 3) and len(level.faces) <= 128
    middle = level.triangles.mean(axis=1)
    seen = sample_texture(level.texture, level.uvs[level.faces].mean(axis=1)) * 255
    away = (np.abs(middle[:, :2]) > 0.15).all(axis=1)  # of the borders between the four colours
    for (u, v), color in shapes.CORNERS.items():
        there = away & ((middle[:, 0] > 0) == bool(u)) & ((middle[:, 1] > 0) == bool(v))
        assert there.sum() > 5 and np.abs(seen[there] - color).max() < 2
    colored = sphere(3).with_(colors=np.clip(sphere(3).vertices + 0.5, 0, 1))
    colored.normals = colored.vertices / 0.8
    plain = colored_as(sphere(2), colored, 0)
    assert plain.texture is None and plain.colors is not None
    np.testing.assert_allclose(plain.colors, np.clip(plain.vertices + 0.5, 0, 1), atol=0.01)
    assert [side_of(level, 512) for level in range(4)] == [512, 256, 128, 128]
    assert side_of(3, 64) == 64


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply", ".stl", ".3mf"])
def test_a_pivot_at_the_base_is_under_the_middle_and_levels_keep_to_it(tmp_path: Path, suffix: str) -> None:
    mesh = box((0.1, 0.2, 0.3), (0.5, 1.0, 0.9))
    mesh.beside["_LOD1"] = box((0.1, 0.2, 0.35), (0.5, 1.0, 0.9))
    written = save(mesh, tmp_path / f"a{suffix}", pivot="base", size=0.4)
    assert [path.name for path in written] == [f"a{suffix}", f"a_LOD1{suffix}"]
    scale, up = (500, 2) if suffix in (".stl", ".3mf") else (0.5, 2 if suffix == ".ply" else 1)
    bounds = load(tmp_path / f"a{suffix}").bounds / scale
    np.testing.assert_allclose(bounds[:, up], [0, 0.6], atol=1e-6)
    np.testing.assert_allclose(bounds.sum(axis=0)[[each for each in range(3) if each != up]], 0, atol=1e-5)
    if suffix == ".glb":
        assert load(tmp_path / "a_LOD1.glb").bounds[0, up] == pytest.approx(0.025, abs=1e-6)
        assert parse_glb((tmp_path / "a.glb").read_bytes())[0]["asset"]["extras"]["pivot"] == "base"
    with pytest.raises(ConfigError, match="pivot"):
        save(mesh, tmp_path / "b.glb", pivot="top")


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_a_normal_map_in_a_glb(kind: str) -> None:
    mesh = bumpy()
    (data,) = encode(mesh, "glb", texture_format=kind, about=About("toy")).values()
    document, binary = parse_glb(data)
    check_gltf(document, binary, len(mesh.vertices), len(mesh.faces))
    texture = document["textures"][document["materials"][0]["normalTexture"]["index"]]
    image = document["images"][texture["source"]]
    view = document["bufferViews"][image["bufferView"]]
    picture = Image.open(io.BytesIO(binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]))
    assert image["name"] == "toy_normal" and (np.asarray(picture) == mesh.normal_map).all()
    assert "TANGENT" in document["meshes"][0]["primitives"][0]["attributes"]


def test_a_normal_map_beside_an_obj_is_named_by_its_material_and_goes_with_it(tmp_path: Path) -> None:
    save(bumpy(), tmp_path / "a.obj")
    (material,) = tmp_path.glob("*.mtl")
    (normals,) = tmp_path.glob("*.png")
    assert f"norm {normals.name}\nmap_Bump {normals.name}\n" in material.read_text()
    save(textured(), tmp_path / "a.obj")
    assert not normals.exists()


def test_what_is_beside_a_mesh_has_names_that_engines_know() -> None:
    mesh = textured()
    mesh.beside = {"_LOD1": textured(), "_collision": convex_hull(mesh)}
    files = encode(mesh, "glb", about=About("x" * 64))
    assert list(files) == [f"{'x' * 64}{key}.glb" for key in ("", "_LOD1", "_collision")]
    names = [parse_glb(data)[0]["nodes"][0]["name"] for data in files.values()]
    assert names == ["x" * 64, "x" * 64 + "_LOD1", "UCX_" + "x" * 64]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"normal_map": True}, "nothing is decimated"),
        ({"normal_map": True, "faces": 500, "vertex_colors": True}, "texture"),
        ({"lods": (500,)}, "1 levels"),
        ({"lods": (500, 500)}, "fewer faces"),
        ({"lods": (500, 50)}, "out of range"),
        ({"lods": (500, 400), "faces": 600}, "levels of detail and a number of faces"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        AssetOptions(**options)


GREY = np.full((258, 3), 0.2, np.float32)


@pytest.mark.parametrize("mesh", [bumpy(), sphere(3).with_(colors=GREY)], ids=["uv", "color"])
def test_draco_gives_the_geometry_back(mesh: Mesh) -> None:
    draco = pytest.importorskip("DracoPy")
    (data,) = encode(mesh, "glb", compression="draco").values()
    (plain,) = encode(mesh, "glb").values()
    document, binary = parse_glb(data)
    shape = document["meshes"][0]["primitives"][0]
    extension = shape["extensions"]["KHR_draco_mesh_compression"]
    view = document["bufferViews"][extension["bufferView"]]
    read = draco.decode(binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]])
    assert "KHR_draco_mesh_compression" in document["extensionsRequired"] and len(data) < 0.7 * len(plain)
    accessors = document["accessors"]
    position = accessors[shape["attributes"]["POSITION"]]
    assert (position["count"], accessors[shape["indices"]]["count"]) == (len(read.points), read.faces.size)
    assert len(read.faces) == len(mesh.faces) and set(shape["attributes"]) == set(extension["attributes"])
    back = Mesh(read.points[:, [2, 0, 1]], read.faces)
    assert volume(back) == pytest.approx(volume(mesh), rel=1e-3)
    np.testing.assert_allclose(back.bounds, mesh.bounds, atol=2e-4)
    number = {each["unique_id"]: each for each in read.attributes}
    if mesh.uvs is not None:
        uvs = number[extension["attributes"]["TEXCOORD_0"]]["data"]
        at = np.abs(back.vertices[:, None] - mesh.vertices[None]).sum(axis=2).argmin(axis=1)
        assert np.quantile(np.abs(uvs - mesh.uvs[at]).max(axis=1), 0.9) < 3e-4
    else:
        assert (number[extension["attributes"]["COLOR_0"]]["data"][:, 3] == 65535).all()
    with pytest.raises(ConfigError, match="OBJ holds no compressed"):
        encode(mesh, "obj", compression="draco")


def test_a_3mf_with_colours_is_read_by_its_own_library(tmp_path: Path) -> None:
    lib3mf = pytest.importorskip("lib3mf")
    color = sphere(3).with_(colors=np.clip(sphere(3).vertices + 0.5, 0, 1))
    for mesh, name in ((color, "color"), (textured(), "texture"), (sphere(3), "bare")):
        save(mesh, tmp_path / f"{name}.3mf", texture_format="png")
        model = lib3mf.get_wrapper().CreateModel()
        reader = model.QueryReader("3mf")
        reader.SetStrictModeActive(True)
        reader.ReadFromFile(str(tmp_path / f"{name}.3mf"))
        assert reader.GetWarningCount() == 0 and model.GetUnit() == lib3mf.ModelUnit.MilliMeter
        objects = model.GetMeshObjects()
        objects.MoveNext()
        shape = objects.GetCurrentMeshObject()
        assert shape.IsManifoldAndOriented() and shape.GetTriangleCount() == len(mesh.faces)
        kinds = {"color": model.GetColorGroups, "texture": model.GetTexture2DGroups}
        for kind, groups in kinds.items():
            assert groups().Count() == (kind == name)
    groups = lib3mf.get_wrapper().CreateModel()
    with zipfile.ZipFile(tmp_path / "texture.3mf") as package:
        assert "3D/Textures/object.png" in package.namelist() and groups.GetUnit()
