"""One number for everything that is in a mesh."""

from __future__ import annotations

import hashlib

from geco.mesh.types import Mesh


def digest(mesh: Mesh) -> str:
    assert mesh.normals is not None and mesh.uvs is not None and mesh.texture is not None
    parts = (mesh.vertices, mesh.faces, mesh.normals, mesh.uvs, mesh.texture)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
