"""The same object through every format, and what each format stores in more than one way."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geco.data.objects import BOUNDING_RADIUS, Limits, ObjectError, Reason, TexturedObject, load_object
from geco.mesh import Mesh
from geco.mesh.export import save
from tests.data.glb import GlbWriter
from tests.data.shapes import WEDGE, WEDGE_FACES, corners

BARE = Limits(allow_untextured=True)


def wedge_in_the_world() -> np.ndarray:
    centered = WEDGE - (WEDGE.min(0) + WEDGE.max(0)) / 2
    loaded = TexturedObject(
        centered * BOUNDING_RADIUS / np.linalg.norm(centered, axis=1).max(), WEDGE_FACES, *[None] * 6, 1.0
    )  # type: ignore[arg-type]
    return corners(loaded)


@pytest.mark.parametrize("suffix", [".glb", ".obj", ".ply", ".stl"])
def test_what_the_export_writes_comes_back_in_the_same_frame(tmp_path: Path, suffix: str) -> None:
    if suffix == ".ply":
        pytest.importorskip("trimesh")
    colors = np.tile(np.array([0.2, 0.4, 0.8], np.float32), (4, 1))
    path = tmp_path / f"wedge{suffix}"
    save(Mesh(WEDGE, WEDGE_FACES, colors=colors), path)
    loaded = load_object(path, BARE)
    np.testing.assert_allclose(corners(loaded), wedge_in_the_world(), atol=2e-5)
    if suffix != ".stl":
        np.testing.assert_allclose(loaded.colors, colors[:1].repeat(len(loaded.colors), 0), atol=0.003)
    else:
        assert loaded.colors.std() == 0
        with pytest.raises(ObjectError, match="neither a texture"):
            load_object(path)


def file_points(path: Path) -> np.ndarray:
    return np.array(
        [
            [float(x) for x in line.split()[1:4]]
            for line in path.read_text().splitlines()
            if line.startswith("v ")
        ]
    )


@pytest.mark.parametrize("up", [None, "y", "z"])
def test_the_transform_takes_the_file_to_the_world(tmp_path: Path, up: Any) -> None:
    (tmp_path / "a.obj").write_text(
        "".join(f"v {x} {y} {z} 1 0 0\n" for x, y, z in WEDGE)
        + "".join(f"f {a + 1} {b + 1} {c + 1}\n" for a, b, c in WEDGE_FACES)
    )
    loaded = load_object(tmp_path / "a.obj", up=up)
    points = file_points(tmp_path / "a.obj")
    for each, sign in ((loaded, 1), (loaded.mirrored(), -1)):
        expected = np.c_[points, np.ones(4)] @ each.transform.T
        np.testing.assert_allclose(each.vertices, expected[:, :3], atol=1e-6)
        assert np.sign(np.linalg.det(each.transform[:3, :3])) == sign
    extent = np.ptp(loaded.vertices, axis=0) / loaded.scale
    np.testing.assert_allclose(extent, [3, 2, 1] if up == "z" else [1, 3, 2], rtol=1e-5)
    np.testing.assert_allclose(loaded.mirrored().mirrored().transform, loaded.transform)


def test_far_from_the_origin_nothing_is_rounded(tmp_path: Path) -> None:
    (tmp_path / "a.obj").write_text("v 1e8 0 0 1 0 0\nv 100000001 0 0 1 0 0\nv 1e8 1 0 1 0 0\nf 1 2 3\n")
    extent = np.ptp(load_object(tmp_path / "a.obj").vertices, axis=0)
    assert extent[1] == pytest.approx(extent[2], rel=1e-6)


OBJ = """# several of everything
mtllib my materials.mtl
mtllib gone.mtl
v 0 0 0
v 2 0 0
v 2 2 0
v 0 2 0
v 1 1 3
vt 0 0
vt 1 0
vt 1 1 0
vt 0 1
vn 0 0 1
g a
usemtl red paint
f 1//1 2//1 \\
  5//1
usemtl wood
f -5/-4/1 -4/-3/1 -3/-2/1 -2/-1/1
usemtl holes
f 3/3 4/4 5
usemtl nowhere
f 4 1 5
l 1 2
"""
MTL = """newmtl red paint
Kd 1 0.5 0
newmtl wood
  Kd 0 0 0
  map_Kd -s 1 1 1 -o 0 0 -clamp on textures\\the wood.png
newmtl holes
map_Kd textures/holes.png
map_d textures/holes.png
"""


def write_obj(folder: Path) -> Path:
    (folder / "textures").mkdir(parents=True)
    wood = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    Image.fromarray(wood).save(folder / "textures" / "the wood.png")
    Image.fromarray(np.full((1, 1, 4), 200, np.uint8)).save(folder / "textures" / "holes.png")
    (folder / "my materials.mtl").write_text(MTL)
    (folder / "model.obj").write_text(OBJ)
    return folder / "model.obj"


def test_an_obj_with_several_materials(tmp_path: Path) -> None:
    loaded = load_object(write_obj(tmp_path / "a"))
    np.testing.assert_array_equal(np.bincount(loaded.materials), [1, 2, 1, 1])
    assert [texture.shape for texture in loaded.textures] == [(1, 1, 4), (2, 3, 4), (1, 1, 4), (1, 1, 4)]
    np.testing.assert_array_equal(loaded.cutoffs, [0, 0, 0.5, 0])
    np.testing.assert_array_equal(loaded.textures[1][..., :3].ravel(), np.arange(18))
    face_colors = loaded.colors[loaded.faces[:, 0]]
    np.testing.assert_allclose(face_colors, [[1, 0.5, 0], *[[1, 1, 1]] * 4])  # Kd does not darken a picture
    # The square's corners, by their file coordinates: OBJ's origin is at the bottom left of the picture, ours
    # at the top left.
    back = np.c_[loaded.vertices, np.ones(len(loaded.vertices))] @ np.linalg.inv(loaded.transform).T
    square = np.unique(loaded.faces[loaded.materials == 1])
    np.testing.assert_allclose(
        loaded.uvs[square], np.c_[back[square, 0] / 2, 1 - back[square, 1] / 2], atol=1e-6
    )


@pytest.mark.parametrize("layout", ["flat", "scattered"])
def test_a_zip_is_its_one_object(tmp_path: Path, layout: str) -> None:
    model = write_obj(tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("__MACOSX/._model.obj", b"junk")
        for path in model.parent.rglob("*.*"):
            place = path.relative_to(model.parent)
            if layout == "scattered":
                place = Path("materials/textures" if path.suffix == ".png" else "meshes", place.name)
            archive.write(path, place)
    loaded, expected = load_object(tmp_path / "a.zip"), load_object(model)
    np.testing.assert_array_equal(corners(loaded), corners(expected))
    np.testing.assert_array_equal(loaded.textures[1], expected.textures[1])


def test_many_corners_and_colours_of_an_obj(tmp_path: Path) -> None:
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    lines = [f"v {np.cos(a)} {np.sin(a)} 0 255 0 51" for a in angles] + [
        "f " + " ".join(str(i + 1) for i in range(12))
    ]
    (tmp_path / "a.obj").write_text("\r\n".join(lines))
    loaded = load_object(tmp_path / "a.obj")
    assert loaded.faces.shape == (10, 3)
    triangles = loaded.vertices[loaded.faces] / BOUNDING_RADIUS
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    # area of the regular 12-gon
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1).sum() / 2, 3, rtol=1e-5)
    np.testing.assert_allclose(loaded.colors, np.tile([1, 0, 0.2], (12, 1)), atol=1e-6)


def test_the_untextured_are_grey_where_they_are_allowed(tmp_path: Path) -> None:
    writer = GlbWriter()
    writer.mesh(WEDGE, WEDGE_FACES)
    loaded = load_object(writer.save(tmp_path / "a.glb"), BARE)
    np.testing.assert_allclose(loaded.colors, 0.75)


def test_faces_of_a_ply_have_colours(tmp_path: Path) -> None:
    pytest.importorskip("trimesh")
    head = (
        "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\nproperty float y\nproperty float "
        "z\nelement face 2\n"
    )
    head += (
        "property list uchar int vertex_indices\nproperty uchar red\nproperty uchar green\nproperty "
        "uchar blue\nend_header\n"
    )
    (tmp_path / "a.ply").write_text(head + "0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2 255 0 0\n3 0 1 3 0 0 255\n")
    loaded = load_object(tmp_path / "a.ply")
    np.testing.assert_allclose(loaded.colors[loaded.faces[:, 0]], [[1, 0, 0], [0, 0, 1]])


def test_reasons_survive_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(ObjectError(Reason.TOO_LARGE, "a.glb: 3 GB", "Shrink it.")))
    assert (error.reason, str(error), error.remedy) == ("too-large", "a.glb: 3 GB. Shrink it.", "Shrink it.")
    assert (
        json.dumps({"reason": error.reason}) == '{"reason": "too-large"}' and f"{error.reason}" == "too-large"
    )
