"""Objects that a stranger might send."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from geco.data.objects import Limits, ObjectError, load_object
from tests.data.glb import GlbWriter, box


def good(**node: Any) -> GlbWriter:
    """A red box; its accessors are 0 = positions, 1 = indices."""
    writer = GlbWriter()
    writer.mesh(*box(), material=writer.material(factor=[1.0, 0, 0, 1]), **node)
    return writer


def one_bit_png(side: int) -> bytes:
    """A valid, whole PNG of one bit a pixel: 30,000 x 30,000 of them are 110 kB."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = zlib.compressobj(1)
    row = bytes(1 + (side + 7) // 8)
    body = (
        b"".join(rows.compress(row * 1000) for _ in range(side // 1000))
        + rows.compress(row * (side % 1000))
        + rows.flush()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (
            chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)),
            chunk(b"IDAT", body),
            chunk(b"IEND", b""),
        )
    )


BOX_OBJ = "v 0 0 0 1 0 0\nv 1 0 0 1 0 0\nv 0 1 0 1 0 0\n"


PLY = (
    "ply\nformat ascii 1.0\nelement vertex {v}\nproperty float x\nproperty float y\nproperty float z\n"
    "element face {f}\nproperty list uchar int vertex_indices\nend_header\n"
)


def reason(path: Path, limits: Limits | None = None) -> str:
    """Why a file is refused; the message names the file and says more than a word."""
    with pytest.raises(ObjectError) as caught:
        load_object(path, limits)
    assert path.name in caught.value.problem and len(caught.value.problem) > len(path.name) + 8
    return str(caught.value.reason)


NAN, INF = float("nan"), float("inf")
