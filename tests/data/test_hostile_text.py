"""OBJ, PLY and STL files that lie about themselves."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from geco.data.objects import Limits
from tests.data.hostile import BOX_OBJ, NAN, PLY, reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOX_OBJ + "f 1 2 4\n", "broken"),
        (BOX_OBJ + "f 1 2 0\n", "broken"),
        (BOX_OBJ + "f 1 2 -4\n", "broken"),
        (BOX_OBJ + "f 1/1 2/1 3/1\n", "broken"),
        (BOX_OBJ + "f 1 2 99999999999\n", "broken"),
        (BOX_OBJ + "f 1 2 x\n", "broken"),
        (BOX_OBJ + "f\n", "broken"),
        (BOX_OBJ + "f 1 2\n", "empty"),
        (BOX_OBJ, "empty"),
        ("", "empty"),
        ("v 1 2\n", "broken"),
        ("v nan 0 0 1 0 0\n" + BOX_OBJ + "f 1 2 3\n", "not-finite"),
        ("v 1e999 0 0 1 0 0\n" + BOX_OBJ + "f 1 2 3\n", "not-finite"),
        ("v 1e300 0 0 1 0 0\n" + BOX_OBJ + "f 1 2 3\n", "not-finite"),
        ("v 0 0 0 1 1 1\n" * 3 + "f 1 2 3\n", "no-extent"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "untextured"),
        ("mtllib gone.mtl\nusemtl a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "untextured"),
        ("mtllib ../a.mtl\nusemtl a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "unsafe-path"),
        (BOX_OBJ + "f" + " 1" * 600_000, "too-large"),  # one line of more than a MiB
        (BOX_OBJ + "f 1 2 3\n" * 41, "too-many-faces"),
        (BOX_OBJ + "f" + " 1 2 3" * 20 + "\n", "too-many-faces"),
        (BOX_OBJ * 200 + "f 1 2 3\n", "too-large"),
    ],
)
def test_obj_files_that_lie(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "bad.obj").write_text(text)
    assert reason(tmp_path / "bad.obj", Limits(faces=40)) == expected


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.ply", b"", "broken"),
        ("a.ply", b"ply\nformat", "broken"),
        ("a.ply", PLY.format(v=3, f=10**7).encode(), "too-many-faces"),
        ("a.ply", PLY.format(v=10**9, f=1).encode(), "too-large"),
        ("a.ply", PLY.format(v=10**6, f=10**6).encode() + b"0 0 0\n", "broken"),
        ("a.ply", PLY.format(v=3, f=1).encode() + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 7\n", "broken"),
        ("a.ply", PLY.format(v=3, f=-1).encode(), "broken"),
        ("a.ply", PLY.format(v=3, f=0).encode() + b"0 0 0\n1 0 0\n0 1 0\n", "empty"),
        ("a.ply", PLY.format(v=3, f=1).encode() + b"0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "untextured"),
        ("a.stl", b"", "broken"),
        ("a.stl", bytes(80) + struct.pack("<I", 10**6), "broken"),
        ("a.stl", bytes(84), "empty"),
        (
            "a.stl",
            bytes(80) + struct.pack("<I", 1) + struct.pack("<12fH", *[0] * 3, 0, 0, 0, 1, 0, 0, NAN, 1, 0, 0),
            "untextured",
        ),
        ("a.stl", b"solid x\nfacet normal 0 0 1\nouter loop\nvertex 0 0", "broken"),
        ("a.blend", b"BLENDER", "unsupported"),
    ],
)
def test_other_files_that_lie(tmp_path: Path, name: str, data: bytes, expected: str) -> None:
    pytest.importorskip("trimesh")
    (tmp_path / name).write_bytes(data)
    assert reason(tmp_path / name) == expected


def test_nan_in_an_stl(tmp_path: Path) -> None:
    pytest.importorskip("trimesh")
    record = struct.pack("<12fH", *[0] * 3, 0, 0, 0, 1, 0, 0, NAN, 1, 0, 0)
    (tmp_path / "a.stl").write_bytes(bytes(80) + struct.pack("<I", 1) + record)
    assert reason(tmp_path / "a.stl", Limits(allow_untextured=True)) in ("not-finite", "empty")
