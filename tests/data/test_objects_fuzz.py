"""Valid files with random damage: they load into something sound, or are refused; nothing else."""

from __future__ import annotations

import copy
import json
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geco.data.objects import BOUNDING_RADIUS, Limits, ObjectError, load_object
from tests.data.glb import GlbWriter, box

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
LIMITS = Limits(allow_untextured=True)
damage = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6)


def rich() -> GlbWriter:
    """Every feature of the reader in one small file: texture, transform, colours, skin, morph
    target, sparse, strips, mask.
    """
    writer = GlbWriter()
    vertices, faces = box()
    picture = np.random.default_rng(0).integers(0, 256, (4, 4, 4)).astype(np.uint8)
    textured = writer.material(writer.texture(picture), alphaMode="MASK", alphaCutoff=0.1)
    place = {"scale": [2, 2], "rotation": 0.5, "offset": [0.1, 0.2], "texCoord": 0}
    writer.document["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"]["extensions"] = {
        "KHR_texture_transform": place
    }
    writer.mesh(vertices, faces, uvs=vertices[:, :2], material=textured)
    writer.mesh(
        vertices + 2, faces, colors=np.full((8, 4), 90, np.uint8), rotation=[0, 0, 0, 1], scale=[1, 2, 1]
    )
    primitive = writer.document["meshes"][1]["primitives"][0]
    primitive["targets"] = [{"POSITION": writer.accessor(vertices, "VEC3")}]
    writer.document["meshes"][1]["weights"] = [0.5]
    primitive["attributes"]["JOINTS_0"] = writer.accessor(np.zeros((8, 4), np.uint8), "VEC4")
    primitive["attributes"]["WEIGHTS_0"] = writer.accessor(np.eye(4, dtype=np.float32)[[0] * 8], "VEC4")
    writer.document["skins"] = [
        {"joints": [0], "inverseBindMatrices": writer.accessor(np.eye(4, dtype=np.float32)[None], "MAT4")}
    ]
    writer.document["nodes"][1]["skin"] = 0
    writer.document["accessors"][0]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": writer.view(np.array([3], np.uint16).tobytes()), "componentType": 5123},
        "values": {"bufferView": writer.view(np.array([1, 1, 2], np.float32).tobytes())},
    }
    strip = {"attributes": {"POSITION": 0}, "mode": 5, "material": 0}
    writer.document["meshes"][0]["primitives"].append(strip)
    return writer


def survives(path: Path, data: bytes) -> bool:
    """Whether it loaded; an object that loads keeps every promise of its type."""
    path.write_bytes(data)
    try:
        loaded = load_object(path, LIMITS)
    except ObjectError as error:
        assert error.reason and error.problem
        return False
    assert len(loaded.faces) and loaded.faces.min() >= 0 and loaded.faces.max() < len(loaded.vertices)
    assert (
        np.isfinite(loaded.vertices).all()
        and np.isfinite(loaded.uvs).all()
        and np.isfinite(loaded.transform).all()
    )
    assert loaded.colors.min() >= 0 and loaded.colors.max() <= 1
    assert len(loaded.uvs) == len(loaded.colors) == len(loaded.vertices)
    assert np.linalg.norm(loaded.vertices, axis=1).max() == pytest.approx(BOUNDING_RADIUS, rel=1e-4)
    assert len(loaded.materials) == len(loaded.faces) and loaded.materials.max() < len(
        loaded.textures
    ) == len(loaded.cutoffs)
    return True


def damaged(data: bytes, changes: list[tuple[float, int]], keep: float = 1.0) -> bytes:
    changed = bytearray(data)
    for place, mask in changes:
        changed[int(place * len(changed))] ^= mask
    return bytes(changed[: int(keep * len(changed))])


def test_the_undamaged_files_load(tmp_path: Path) -> None:
    assert survives(tmp_path / "a.glb", rich().encode())
    for name, data in OTHERS.items():
        assert survives(tmp_path / name, data), name


@FUZZ
@given(changes=damage, keep=st.sampled_from([1.0, 1.0, 0.9, 0.5]))
def test_bytes_of_a_glb(tmp_path: Path, changes: list[tuple[float, int]], keep: float) -> None:
    survives(tmp_path / "a.glb", damaged(rich().encode(), changes, keep))


WRONG = [
    None,
    True,
    -1,
    0,
    1,
    3,
    2**31,
    2**70,
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "x",
    [],
    [[]],
    {},
    [0, "a"],
    [1e39],
]


@settings(parent=FUZZ, max_examples=500)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 3))
def test_values_of_a_document(tmp_path: Path, seed: int, count: int) -> None:
    survives(tmp_path / "a.glb", corrupted(seed, count))


def test_the_damage_is_neither_harmless_nor_always_deadly(tmp_path: Path) -> None:
    loaded = sum(survives(tmp_path / "a.glb", corrupted(seed, 1)) for seed in range(200))
    assert 20 < loaded < 180


def corrupted(seed: int, count: int) -> bytes:
    """The rich file with ``count`` values of its document made wrong."""
    source, writer = random.Random(seed), rich()
    writer.encode()  # completes the document
    for _ in range(count):
        corrupt(writer.document, source)
    text = json.dumps(writer.document).encode()
    text += b" " * (-len(text) % 4)
    body = writer.binary + bytes(-len(writer.binary) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(body), b"BIN\0") + body
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def corrupt(value: Any, source: random.Random) -> None:
    """Replace, remove or descend at random, until something is wrong."""
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    if not keys:
        return
    key = source.choice(keys)
    if isinstance(value[key], (dict, list)) and value[key] and source.random() < 0.9:
        corrupt(value[key], source)
    elif isinstance(value, dict) and source.random() < 0.2:
        del value[key]
    else:
        value[key] = copy.deepcopy(source.choice(WRONG))


def other_files() -> dict[str, bytes]:
    import io

    obj = (
        "mtllib a.mtl\nusemtl m\nv 0 0 0 .1 .2 .3\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvt 0 0\nvt 1 1\nf 1/1 2/2 "
        "3/1 4/2\nf -1 -2 -3\n"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sub/a.obj", obj)
        archive.writestr("a.mtl", "newmtl m\nKd .1 .2 .3\n")
    head = (
        "ply\nformat {} 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float "
        "z\nproperty uchar red\n"
    )
    head += (
        "property uchar green\nproperty uchar blue\nelement face 1\nproperty list uchar int "
        "vertex_indices\nend_header\n"
    )
    text = head.format("ascii") + "0 0 0 1 2 3\n1 0 0 4 5 6\n0 1 0 7 8 9\n3 0 1 2\n"
    binary = head.format("binary_little_endian").encode() + b"".join(
        struct.pack("<3f3B", *corner, 9, 9, 9) for corner in ((0, 0, 0), (1, 0, 0), (0, 1, 0))
    )
    binary += struct.pack("<B3i", 3, 0, 1, 2)
    record = struct.pack("<12fH", *[0] * 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0)
    facet = "facet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 1 0 0\nvertex 0 1 0\nendloop\nendfacet\n"
    return {
        "a.obj": obj.encode(),
        "a.zip": packed.getvalue(),
        "text.ply": text.encode(),
        "binary.ply": binary,
        "binary.stl": bytes(80) + struct.pack("<I", 2) + record * 2,
        "text.stl": f"solid a\n{facet}{facet}endsolid a\n".encode(),
    }


OTHERS = other_files()


@pytest.mark.parametrize("name", OTHERS)
@FUZZ
@given(changes=damage, keep=st.sampled_from([1.0, 1.0, 0.9, 0.5]))
def test_bytes_of_other_formats(
    tmp_path: Path, name: str, changes: list[tuple[float, int]], keep: float
) -> None:
    if name.endswith(".ply"):
        pytest.importorskip("trimesh")
    survives(tmp_path / name, damaged(OTHERS[name], changes, keep))
