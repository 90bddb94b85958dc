"""What Blender is given: whole meshes that stand where and how they are wanted."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from blender.extension.glb import read_glb
from blender.extension.made import Made, fitted, made_of, spots, weld
from blender.extension.work import Failure

from geco.asset import Asset
from geco.pipeline import GecoPipeline
from geco.surface_to_asset import AssetOptions
from tests.pictures import ball_picture


@pytest.fixture(scope="module")
def asset() -> Asset:
    options = AssetOptions(texture_size=64, resolution=24)
    return GecoPipeline.from_pretrained("small")(ball_picture(64), 0, options)


def test_seams_are_welded_and_the_mesh_is_whole(asset: Asset) -> None:
    made = made_of(asset.mesh, "ball", 0, {})
    assert len(made.vertices) < len(asset.mesh.vertices) and made.uvs is not None
    edges = np.sort(made.corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    _, counts = np.unique(edges, axis=0, return_counts=True)
    assert (counts == 2).all()
    assert made.normals.shape == (made.corners.size, 3) and made.uvs.shape == (made.corners.size, 2)
    outward = (made.normals * made.vertices[made.corners.ravel()]).sum(axis=1)
    assert (outward > 0).mean() > 0.95


def test_corners_keep_their_colour_of_the_texture(asset: Asset) -> None:
    made, mesh = made_of(asset.mesh, "ball", 0, {}), asset.mesh
    assert made.uvs is not None and mesh.uvs is not None
    np.testing.assert_allclose(made.uvs[:, 0], mesh.uvs[mesh.faces.ravel(), 0])
    np.testing.assert_allclose(made.uvs[:, 1], 1 - mesh.uvs[mesh.faces.ravel(), 1], atol=1e-6)
    assert made.images["color"] is mesh.texture


def test_the_pictures_side_is_turned_to_blenders_front() -> None:
    from blender.extension.made import to_front

    front, right, up = np.eye(3, dtype=np.float32)  # world: the camera at +x, +y at its right, z up
    turned = to_front(np.stack([front, right, up]))
    assert turned.tolist() == [[0, -1, 0], [1, 0, 0], [0, 0, 1]]


def test_vertices_at_one_place_become_the_first_of_them() -> None:
    vertices = np.array([[1, 0, 0], [0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]], np.float32)
    kept, which, became = weld(vertices)
    assert which.tolist() == [0, 1, 3] and became.tolist() == [0, 1, 0, 2, 1]
    np.testing.assert_array_equal(kept[became], vertices)


@pytest.mark.parametrize(("pivot", "low"), [("center", -0.25), ("base", 0.0)])
def test_size_and_pivot_place_the_origin(pivot: str, low: float) -> None:
    box = np.array([[3, 1, 2], [5, 2, 4]], np.float32)
    made = Made("box", 0, box, np.zeros((0, 3), np.int32), np.zeros((0, 3), np.float32))
    placed = fitted(made, 0.5, pivot)
    np.testing.assert_allclose(placed.extent, [0.5, 0.25, 0.5])
    np.testing.assert_allclose(placed.vertices.min(axis=0), [-0.25, -0.125, low])
    np.testing.assert_allclose(fitted(made, None, pivot).extent, [2, 1, 2])


def test_objects_stand_in_rows() -> None:
    places = spots(5, 3, (2.0, 1.0)).tolist()
    assert places == [[0, 0, 0], [2, 0, 0], [4, 0, 0], [0, 1, 0], [2, 1, 0]]
    assert all(first != second for first, second in pairwise(places))


def test_a_glb_of_ours_is_the_same_mesh_again(asset: Asset) -> None:
    (data,) = asset.encode("glb", texture_format="png").values()
    read, mesh = read_glb(data), asset.mesh
    for name in ("vertices", "faces", "normals", "uvs", "texture"):
        np.testing.assert_allclose(getattr(read, name), getattr(mesh, name), atol=1e-6, err_msg=name)


def test_a_glb_keeps_colours_at_vertices() -> None:
    options = AssetOptions(vertex_colors=True, resolution=24)
    asset = GecoPipeline.from_pretrained("small")(ball_picture(64), 0, options)
    read = read_glb(next(iter(asset.encode("glb").values())))
    assert read.colors is not None and asset.mesh.colors is not None and read.texture is None
    np.testing.assert_allclose(read.colors, asset.mesh.colors, atol=0.01)


@pytest.mark.parametrize("data", [b"", b"glTF", b"<html>" * 9, b"glTF\x02\0\0\0\x0c\0\0\0"])
def test_what_is_no_glb_fails_in_one_line(data: bytes) -> None:
    with pytest.raises(Failure, match="no GLB"):
        read_glb(data)
