"""Binary STL: triangles alone, in the world's axes (z up, as printers have it)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from geco.files import atomic_path
from geco.mesh.types import Mesh
from geco.version import __version__

_TRIANGLE = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])  # 50 bytes


def write_stl(mesh: Mesh, path: Path) -> list[Path]:
    """Write ``mesh``; STL holds no colours, no texture and no facts about the asset."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_stl(mesh))
    return [path]


def encode_stl(mesh: Mesh) -> bytes:
    """The bytes of the file."""
    triangles = np.zeros(len(mesh.faces), _TRIANGLE)
    triangles["corners"] = mesh.triangles
    normals = mesh.face_normals()
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    triangles["normal"] = normals / np.where(length > 0, length, 1.0)
    # The header may not begin with "solid": readers take that for the text format.
    header = f"GECO {__version__} binary STL, z up".encode("ascii").ljust(80)
    return header + struct.pack("<I", len(triangles)) + triangles.tobytes()
