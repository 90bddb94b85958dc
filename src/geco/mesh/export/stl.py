"""Binary STL: triangles alone, in the world's axes (z up, as printers have it)."""

from __future__ import annotations

import struct

import numpy as np

from geco.mesh.export.metadata import About
from geco.mesh.types import Mesh

_TRIANGLE = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])  # 50 bytes


def encode_stl(mesh: Mesh, about: About) -> bytes:
    """The bytes of the file; STL holds no colours, no texture, no name, and no facts beside its mark."""
    triangles = np.zeros(len(mesh.faces), _TRIANGLE)
    triangles["corners"] = mesh.triangles
    normals = mesh.face_normals()
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    triangles["normal"] = normals / np.where(length > 0, length, 1.0)
    # The header may not begin with "solid": readers take that for the text format.
    header = about.mark(longest=80).encode("ascii").ljust(80)
    return header + struct.pack("<I", len(triangles)) + triangles.tobytes()
