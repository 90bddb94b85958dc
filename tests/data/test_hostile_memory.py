"""Refusing a lie takes little memory: peaks measured in processes of their own."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from geco.data.objects import Limits
from tests.data.glb import GlbWriter, box
from tests.data.hostile import BOX_OBJ, PLY, good, one_bit_png

# Peak memory beyond an interpreter with the readers loaded, in MiB, measured in a process of its own. Read
# from /proc, because getrusage's ru_maxrss of a child begins at the size of the process that started it, and
# would show nothing.
PROBE = """
import sys
from geco.data.objects import Limits, ObjectError, load_object
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
before = peak()
try:
    load_object(sys.argv[1], Limits(faces=int(sys.argv[2])))
    said = "loaded"
except ObjectError as error:
    said = error.reason
print(said, (peak() - before) // 1024)
"""
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="peak memory is read from /proc"
)


def probe(path: Path, faces: int = Limits().faces) -> tuple[str, int]:
    command = [sys.executable, "-c", PROBE, str(path), str(faces)]
    said, mebibytes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return said, int(mebibytes)


def million_face_glb(path: Path, faces: int = 10_000_000) -> None:
    vertices = faces // 2 + 2
    writer = good()
    binary = 12 * vertices + 12 * faces  # float positions and 32-bit indices, all zero
    writer.document["accessors"] = [
        {"bufferView": 0, "componentType": 5126, "count": vertices, "type": "VEC3"},
        {"bufferView": 1, "componentType": 5125, "count": 3 * faces, "type": "SCALAR"},
    ]
    writer.document["bufferViews"] = [
        {"buffer": 0, "byteOffset": 0, "byteLength": 12 * vertices},
        {"buffer": 0, "byteOffset": 12 * vertices, "byteLength": 12 * faces},
    ]
    writer.document["buffers"] = [{"byteLength": binary}]
    text = json.dumps(writer.document).encode()
    text += b" " * (-len(text) % 4)
    with path.open("wb") as file:
        file.write(struct.pack("<4sIII4s", b"glTF", 2, 28 + len(text) + binary, len(text), b"JSON") + text)
        file.write(struct.pack("<I4s", binary, b"BIN\0"))
        file.truncate(28 + len(text) + binary)


def million_face_obj(path: Path) -> None:
    with path.open("w") as file:
        file.write(BOX_OBJ)
        for _ in range(100):
            file.write("f 1 2 3\n" * 100_000)


def million_face_stl(path: Path) -> None:
    with path.open("wb") as file:
        file.write(bytes(80) + struct.pack("<I", 10_000_000))
        file.truncate(84 + 50 * 10_000_000)


def million_face_ply(path: Path) -> None:
    with path.open("wb") as file:
        file.write(PLY.format(v=5_000_002, f=10_000_000).replace("ascii", "binary_little_endian").encode())
        file.truncate(12 * 5_000_002 + 13 * 10_000_000 + 300)


def huge_texture_glb(path: Path) -> None:
    writer = GlbWriter()
    writer.document.update(
        images=[{"bufferView": writer.view(one_bit_png(30_000))}], textures=[{"source": 0}]
    )
    writer.mesh(*box(), material=writer.material(0))
    writer.save(path)


def huge_texture_obj(path: Path) -> None:
    (path.parent / "a.png").write_bytes(one_bit_png(30_000))
    (path.parent / "a.mtl").write_text("newmtl m\nmap_Kd a.png\n")
    path.write_text("mtllib a.mtl\nusemtl m\n" + BOX_OBJ + "f 1 2 3\n")


def json_bomb(path: Path) -> None:
    path.write_bytes(b'{"a":[' + b"[]," * (20 << 20) + b"0]}")


def zip_bomb(path: Path) -> None:
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("a.glb", "w", force_zip64=True) as entry,
    ):
        for _ in range(1100):
            entry.write(bytes(1 << 20))


@needs_proc
@pytest.mark.parametrize(
    ("name", "make", "expected", "allowed"),
    [
        ("faces.glb", million_face_glb, "too-many-faces", 16),
        ("faces.obj", million_face_obj, "too-many-faces", 16),
        ("faces.stl", million_face_stl, "too-many-faces", 16),
        ("faces.ply", million_face_ply, "too-many-faces", 16),
        ("texture.glb", huge_texture_glb, "texture-too-large", 24),
        ("texture.obj", huge_texture_obj, "texture-too-large", 24),
        ("bomb.gltf", json_bomb, "too-large", 96),
        ("bomb.zip", zip_bomb, "unsafe-archive", 16),
    ],
)
def test_refusing_takes_little_memory(
    tmp_path: Path, name: str, make: Callable[[Path], None], expected: str, allowed: int
) -> None:
    make(tmp_path / name)
    said, mebibytes = probe(tmp_path / name)
    assert said == expected
    assert mebibytes <= allowed


@needs_proc
def test_the_measurement_sees_what_a_refusal_saves(tmp_path: Path) -> None:
    million_face_glb(tmp_path / "faces.glb", faces=1_000_000)
    assert probe(tmp_path / "faces.glb", faces=999_999)[1] < 8
    said, mebibytes = probe(tmp_path / "faces.glb")
    assert said == "no-extent"  # read in full this time, to find that all its vertices are one
    assert mebibytes > 36  # twice the file


def test_the_huge_png_is_a_real_one() -> None:
    from PIL import Image

    with Image.open(io.BytesIO(one_bit_png(3000))) as picture:
        picture.load()
        assert picture.size == (3000, 3000)
