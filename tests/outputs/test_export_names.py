"""Names inside files, sizes, and the same bytes for the same mesh, in every format."""

from __future__ import annotations

import io
import os
import re
import tempfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geco.asset import Asset
from geco.data.objects import find_objects, load_object
from geco.errors import ConfigError, OutputError
from geco.marks import Source, find_mark, read_mark
from geco.mesh import Mesh
from geco.mesh.export import FORMATS, About, encode, object_name, save
from geco.mesh.export.metadata import plain
from geco.mesh.export.names import ascii_name, usd_name
from tests.mesh.gltf import parse_glb
from tests.mesh.shapes import CORNERS, textured

SOURCE = Source("toy #1.png", "0123456789abcdef")
CORE = "{http://schemas.microsoft.com/3dmanufacturing/core/2015/02}"
MATERIALS = "{http://schemas.microsoft.com/3dmanufacturing/material/2015/02}"
NAMES = st.text(st.characters(blacklist_characters="/\x00"), min_size=1, max_size=80)


def asset(name: str) -> Asset:
    """An asset of a picture called ``name``."""
    empty = np.zeros((6, 4, 4, 3), np.float32)
    return Asset(
        textured(16), empty, empty[0], {"total": 1.5}, 0, "small", {"faces": 1}, Source(name, "0" * 16)
    )


@given(NAMES)
def test_a_name_of_an_object_is_plain_whatever_the_pictures_name(name: str) -> None:
    assert re.fullmatch(r"[\w.\-]*\w[\w.\-]*", object_name("a" + name)) or not name.isascii()
    for text in (object_name(name), ascii_name(name), usd_name(name)):
        assert text and text == text.strip() and not set(text) & set(" #\"'\\/\t\n:*?<>|") and len(text) <= 65
        assert text.isprintable()
    assert re.fullmatch(r"[A-Za-z0-9_.\-]+", ascii_name(name)) and usd_name(name).isidentifier()
    assert ascii_name(ascii_name(name)) == ascii_name(name)


def test_names_keep_what_they_can() -> None:
    assert (
        object_name("toy #1") == "toy_1"
        and object_name("Café (2)") == "Café_2"
        and object_name("模型") == "模型"
    )
    assert (
        ascii_name("Café (2)") == "Cafe_2"
        and ascii_name("模型") == "object"
        and object_name("#?") == "object"
    )
    assert object_name("cafe\u0301") == object_name("caf\u00e9") and usd_name("4 chairs") == "_4_chairs"


def test_every_part_of_a_file_is_called_after_the_picture() -> None:
    made = asset("toy #1.png")
    document, _ = parse_glb(made.encode("glb")["toy_1.glb"])
    for part in ("nodes", "meshes", "materials", "textures", "images"):
        assert document[part][0]["name"] == "toy_1"
    (obj, geometry), (mtl, material), (picture, _) = made.encode("obj").items()
    assert obj == "toy_1.obj" and re.fullmatch(r"toy_1-[0-9a-f]{8}\.mtl", mtl)
    assert re.fullmatch(r"toy_1-[0-9a-f]{8}\.jpg", picture)
    for line in (f"mtllib {mtl}", "o toy_1", "usemtl toy_1"):
        assert f"\n{line}\n" in geometry.decode()
    assert b"\nnewmtl toy_1\n" in material and f"\nmap_Kd {picture}\n" in material.decode()
    assert b'comment {"name":"toy_1"}' in made.encode("ply")["toy_1.ply"]
    assert b"toy%20%231.png" in made.encode("stl")["toy_1.stl"][:80]
    with zipfile.ZipFile(io.BytesIO(made.encode("3mf")["toy_1.3mf"])) as package:
        model = ElementTree.fromstring(package.read("3D/3dmodel.model"))
        assert model.find(f"{CORE}resources/{CORE}object").attrib["name"] == "toy_1"  # type: ignore
        assert "3D/Textures/toy_1.jpg" in package.namelist()


def test_every_prim_of_a_usdz_is_called_after_the_picture(tmp_path: Path) -> None:
    pytest.importorskip("pxr")
    from pxr import Usd

    asset("4 toys.png").save(tmp_path / "a.usdz")
    stage = Usd.Stage.Open(str(tmp_path / "a.usdz"))
    paths = [str(prim.GetPath()) for prim in stage.Traverse()]
    assert paths[:3] == ["/_4_toys", "/_4_toys/_4_toys_mesh", "/_4_toys/_4_toys_material"]
    assert zipfile.ZipFile(tmp_path / "a.usdz").namelist() == ["_4_toys.usdc", "_4_toys.jpg"]


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_saved_is_what_is_encoded_and_says_what_it_was_made_from(format: str, tmp_path: Path) -> None:
    if format == ".usdz":
        pytest.importorskip("pxr")
    order = {"about": About("toy_1", SOURCE, {"seed": 1, "tags": {"a", "b", "c"}})}
    files = encode(textured(), format, **order)
    assert encode(textured(), format.strip("."), **order) == files  # the dot is no part of the name
    written = save(textured(), tmp_path / f"other name{format}", **order)
    assert [path.read_bytes() for path in written] == list(files.values())
    for path, made in zip(written, ("mesh", "material", "texture")):
        mark = read_mark(path)
        assert mark is not None and mark.is_of(SOURCE) and mark.made == made
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)


def test_the_time_of_a_run_is_no_part_of_its_files() -> None:
    first, second = asset("toy.png"), asset("toy.png")
    second.timings["total"] = 99.0
    for format in (".glb", ".obj", ".ply", ".stl", ".3mf"):
        assert first.encode(format) == second.encode(format)
    assert plain({"b", "a"}) == ["a", "b"]


@settings(max_examples=15, deadline=None)
@given(NAMES)
def test_our_reader_and_others_read_our_obj_whatever_the_pictures_name(name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.obj"
        made = asset(name)
        made.save(path)
        (found,) = find_objects(Path(folder))
        mesh = load_object(found.path)
        assert [picture.shape for picture in mesh.textures if picture.shape[0] > 1] == [(16, 16, 4)]
        assert trimesh.load(path, process=False).visual.material.image.size == (16, 16)


def test_the_reported_name_is_read_back_by_our_own_reader(tmp_path: Path) -> None:
    asset("toy #1.png").save(tmp_path / "toy #1.obj")
    (found,) = find_objects(tmp_path)
    assert any(picture.shape == (16, 16, 4) for picture in load_object(found.path).textures)


@pytest.mark.parametrize("format", [".glb", ".obj", ".ply", ".stl", ".3mf"])
@given(size=st.floats(1e-4, 1e4))
@settings(max_examples=10, deadline=None)
def test_size_is_the_longest_side_in_metres(format: str, size: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{format}"
        save(textured(16), path, size=size)
        unit = 1000 if format in (".stl", ".3mf") else 1
        assert trimesh.load(path, force="mesh").extents.max() == pytest.approx(size * unit, rel=1e-5)


def test_a_print_is_a_hundred_millimetres_unless_asked(tmp_path: Path) -> None:
    for suffix in (".stl", ".3mf"):
        save(textured(16), tmp_path / f"a{suffix}")
        assert trimesh.load(tmp_path / f"a{suffix}", force="mesh").extents.max() == pytest.approx(100)
    for size, expected in ((None, pytest.approx(1.6)), (0.25, 0.25)):
        document, _ = parse_glb(encode(textured(16), "glb", size=size)["object.glb"])
        assert (
            document["asset"]["extras"]["size"] == expected and document["asset"]["extras"]["unit"] == "metre"
        )
    for wrong in (0.0, -1.0, 1e-5, 1e5, float("nan"), float("inf")):
        with pytest.raises(ConfigError, match="metres"):
            save(textured(16), tmp_path / "b.glb", size=wrong)
    assert not (tmp_path / "b.glb").exists()


def test_the_texture_of_a_3mf_lies_where_the_glb_has_it(tmp_path: Path) -> None:
    """Read by hand from the XML: each corner's place in the texture gives the colour that the
    mesh has there.
    """
    (tmp_path / "a.3mf").write_bytes(encode(textured(), "3mf", texture_format="png")["object.3mf"])
    with zipfile.ZipFile(tmp_path / "a.3mf") as package:
        assert package.testzip() is None
        model = ElementTree.fromstring(package.read("3D/3dmodel.model"))
        target = re.search(rb'Target="/(.+?)"', package.read("3D/_rels/3dmodel.model.rels"))[1].decode()
        picture = np.asarray(Image.open(io.BytesIO(package.read(target))))
    assert model.attrib["unit"] == "millimeter"
    positions = np.array([[float(v.attrib[a]) for a in "xyz"] for v in model.iter(f"{CORE}vertex")])
    places = np.array([[float(c.attrib[a]) for a in "uv"] for c in model.iter(f"{MATERIALS}tex2coord")])
    triangles = [t.attrib for t in model.iter(f"{CORE}triangle")]
    corner = np.array([[int(t[f"v{i}"]), int(t[f"p{i}"])] for t in triangles for i in (1, 2, 3)])
    at, uv = positions[corner[:, 0]], places[corner[:, 1]]
    size = picture.shape[0]
    column = np.clip(uv[:, 0] * size, 0, size - 1).astype(int)
    row = np.clip((1 - uv[:, 1]) * size, 0, size - 1).astype(int)  # v counts from the bottom in 3MF
    seen = picture[row, column]
    for (u, v), color in CORNERS.items():
        there = ((at[:, 0] > 7) if u else (at[:, 0] < -7)) & ((at[:, 1] > 7) if v else (at[:, 1] < -7))
        assert there.sum() > 10 and (seen[there] == color).all()


def test_vertex_colours_of_a_3mf() -> None:
    mesh = textured(16)
    bare = Mesh(mesh.vertices, mesh.faces, colors=np.tile(np.float32([1, 0.5, 0]), (len(mesh.vertices), 1)))
    with zipfile.ZipFile(io.BytesIO(encode(bare, "3mf")["object.3mf"])) as package:
        model = package.read("3D/3dmodel.model").decode()
    assert model.count('<m:color color="#FF8000"/>') == len(mesh.vertices)
    with pytest.raises(ConfigError, match="WebP"):
        encode(mesh, "3mf", texture_format="webp")


def test_a_usdz_without_a_temporary_folder_is_refused_and_the_others_need_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pxr")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(OutputError, match="temporary"):
        encode(textured(16), "usdz")
    for format in (".glb", ".obj", ".ply", ".stl", ".3mf"):
        assert encode(textured(16), format)
    assert find_mark(b"") is None and not os.listdir(tmp_path)
