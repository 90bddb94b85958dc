"""Objects that lie: each is refused with its own reason, and in little memory."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geco.data.objects import Limits, load_object
from tests.data.glb import GlbWriter, box
from tests.data.hostile import INF, NAN, good, one_bit_png, reason


def chain(length: int) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = [{"children": [index + 1]} for index in range(length)] + [{"mesh": 0}]
    return {"nodes": nodes, "scenes": [{"nodes": [0]}]}


def doubling(levels: int) -> dict[str, Any]:
    """2 ** levels walks through few nodes."""
    nodes: list[dict[str, Any]] = [{"children": [index + 1, index + 1]} for index in range(levels)] + [
        {"mesh": 0}
    ]
    return {"nodes": nodes, "scenes": [{"nodes": [0]}]}


DOCUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "cycle": ({"nodes": [{"mesh": 0, "children": [0]}]}, "broken"),
    "long cycle": ({"nodes": [{"mesh": 0, "children": [1]}, {"children": [2]}, {"children": [0]}]}, "broken"),
    "two parents": (doubling(60), "broken"),
    "deep": (chain(50_000), "too-large"),
    "nodes are no list": ({"nodes": {"a": 3}}, "broken"),
    "no such mesh": ({"nodes": [{"mesh": 7}]}, "broken"),
    "negative mesh": ({"nodes": [{"mesh": -1}]}, "broken"),
    "nan matrix": ({"nodes": [{"mesh": 0, "matrix": [NAN] * 16}]}, "not-finite"),
    "infinite scale": ({"nodes": [{"mesh": 0, "scale": [INF, 1, 1]}]}, "not-finite"),
    "overflowing scale": ({"nodes": [{"mesh": 0, "scale": [1e300, 1e300, 1e300]}]}, "not-finite"),
    "flattened to a point": ({"nodes": [{"mesh": 0, "scale": [0, 0, 0]}]}, "no-extent"),
    "short matrix": ({"nodes": [{"mesh": 0, "matrix": [1, 2]}]}, "broken"),
    "no scene nodes": ({"scenes": [{"nodes": []}]}, "empty"),
    "draco": ({"extensionsRequired": ["KHR_draco_mesh_compression"]}, "unsupported"),
    "meshopt": ({"extensionsRequired": ["EXT_meshopt_compression"]}, "unsupported"),
    "version 1": ({"asset": {"version": "1.0"}}, "unsupported"),
    "nan colour": (
        {"materials": [{"pbrMetallicRoughness": {"baseColorFactor": [NAN, 0, 0, 1]}}]},
        "not-finite",
    ),
    "no colour": ({"materials": [{}]}, "untextured"),
    "no skin": ({"nodes": [{"mesh": 0, "skin": -3}]}, "broken"),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_documents_that_lie(tmp_path: Path, case: str) -> None:
    writer = good()
    changes, expected = DOCUMENTS[case]
    writer.document.update(changes)
    assert reason(writer.save(tmp_path / "bad.glb")) == expected


@pytest.mark.parametrize(
    ("kind", "index", "field", "value", "expected"),
    [
        ("accessors", 0, "count", 2**31, "too-many-faces"),
        ("accessors", 1, "count", 30_000_003, "too-many-faces"),
        ("accessors", 0, "count", -5, "broken"),
        ("accessors", 0, "count", 4, "broken"),  # indices beyond the vertices
        ("accessors", 0, "count", 9, "broken"),  # one element more than the view holds
        ("accessors", 0, "count", "8", "broken"),
        ("accessors", 0, "byteOffset", 10**12, "broken"),
        ("accessors", 0, "type", "VEC2", "broken"),
        ("accessors", 0, "componentType", 1, "broken"),
        ("bufferViews", 0, "byteLength", 10**9, "broken"),
        ("bufferViews", 0, "byteOffset", -8, "broken"),
        ("bufferViews", 0, "byteStride", 10**9, "broken"),
        ("bufferViews", 0, "buffer", 3, "broken"),
    ],
)
def test_counts_and_offsets_that_lie(
    tmp_path: Path, kind: str, index: int, field: str, value: Any, expected: str
) -> None:
    writer = good()
    writer.document[kind][index][field] = value
    assert reason(writer.save(tmp_path / "bad.glb")) == expected


def test_instances_count_as_faces(tmp_path: Path) -> None:
    writer = good()
    writer.document.update(nodes=[{"mesh": 0}] * 100, scenes=[{"nodes": list(range(100))}])
    path = writer.save(tmp_path / "many.glb")
    assert len(load_object(path, Limits(faces=1200)).faces) == 1200
    assert reason(path, Limits(faces=1199)) == "too-many-faces"
    assert reason(path, Limits(nodes=99)) == "too-large"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda data: b"", "broken"),
        (lambda data: data[:7], "broken"),
        (lambda data: b"PK\3\4" + bytes(100), "broken"),
        (lambda data: data[:-40], "broken"),
        # says to be longer than it is
        (lambda data: data[:8] + struct.pack("<I", len(data) + 10**6) + data[12:], "broken"),
        (lambda data: data[:8] + struct.pack("<I", 0xFFFFFFFF) + data[12:], "broken"),
        # says to be shorter than its chunks
        (lambda data: data[:8] + struct.pack("<I", len(data) - 40) + data[12:], "broken"),
        (lambda data: data[:12] + struct.pack("<I", 2**31) + data[16:], "broken"),
        (lambda data: data[:4] + struct.pack("<I", 1) + data[8:], "unsupported"),
        (lambda data: data[:20] + b"[" * (len(data) - 20), "broken"),
    ],
)
def test_containers_that_lie(tmp_path: Path, change: Callable[[bytes], bytes], expected: str) -> None:
    path = tmp_path / "bad.glb"
    path.write_bytes(change(good().encode()))
    assert reason(path) == expected


@pytest.mark.parametrize("which", ["vertices", "uvs", "infinite"])
def test_numbers_that_are_not_finite(tmp_path: Path, which: str) -> None:
    writer = GlbWriter()
    vertices, faces = box()
    uvs = np.zeros((8, 2))
    if which == "uvs":
        uvs[3] = np.nan
    else:
        vertices[3] = np.nan if which == "vertices" else np.inf
    material = writer.material(writer.texture(np.zeros((1, 1, 3), np.uint8)))
    writer.mesh(vertices, faces, uvs=uvs, material=material)
    assert reason(writer.save(tmp_path / "bad.glb")) == "not-finite"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("../outside.png", "unsafe-path"),
        ("%2e%2e/outside.png", "unsafe-path"),
        ("..\\outside.png", "unsafe-path"),
        ("/etc/passwd", "unsafe-path"),
        ("C:\\outside.png", "unsafe-path"),
        ("file:///etc/passwd", "unsupported"),
        ("http://example.com/a.png", "unsupported"),
        ("link.png", "unsafe-path"),
        ("missing.png", "missing"),
        ("text.png", "unsupported"),
        ("data:image/png,abc", "unsupported"),
        ("data:image/png;base64,abc", "broken"),
    ],
)
def test_files_outside_the_folder_are_not_read(tmp_path: Path, uri: str, expected: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "outside.png").write_bytes(one_bit_png(1))
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    (folder / "text.png").write_text("%!PS-Adobe-3.0 EPSF-3.0")
    writer = GlbWriter()
    writer.document.update(images=[{"uri": uri}], textures=[{"source": 0}])
    writer.mesh(*box(), material=writer.material(0))
    assert reason(writer.save(folder / "bad.glb")) == expected
    if not uri.startswith(("data:", "http:", "file:")) and "%" not in uri:
        (folder / "bad.mtl").write_text(f"newmtl m\nmap_Kd {uri}\n")
        (folder / "bad.obj").write_text("mtllib bad.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nusemtl m\nf 1 2 3\n")
        assert reason(folder / "bad.obj") == expected


@pytest.mark.parametrize("cut", [10, 30, 60])
def test_broken_textures(tmp_path: Path, cut: int) -> None:
    (tmp_path / "a.png").write_bytes(one_bit_png(300)[:cut])
    writer = GlbWriter()
    writer.document.update(images=[{"uri": "a.png"}], textures=[{"source": 0}])
    writer.mesh(*box(), material=writer.material(0))
    assert reason(writer.save(tmp_path / "bad.glb")) in ("broken", "unsupported")


def test_many_pictures_count_together(tmp_path: Path) -> None:
    writer = GlbWriter()
    for index in range(3):
        writer.mesh(*box(), material=writer.material(writer.texture(np.full((10, 10, 3), index, np.uint8))))
    path = writer.save(tmp_path / "three.glb")
    load_object(path, Limits(texture_pixels_total=300))
    assert reason(path, Limits(texture_pixels_total=299)) == "texture-too-large"
    assert reason(path, Limits(texture_pixels=99)) == "texture-too-large"


def test_json_bombs(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gltf"
    path.write_bytes(b'{"asset":{"version":"2.0"},"a":[' + b"0," * 1_100_000 + b"0]}")
    assert reason(path) == "too-large"
    path.write_bytes(b"[" * 100_000)
    assert reason(path) == "broken"
    path.write_bytes(b'{"asset":"' + b"x" * 5000 + b'"}')
    assert reason(path, Limits(json_bytes=4000)) == "too-large"
    assert reason(path, Limits(file_bytes=4000)) == "too-large"


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    assert reason(tmp_path / "gone.glb") == "missing"
    (tmp_path / "folder.glb").mkdir()
    assert reason(tmp_path / "folder.glb") == "missing"
