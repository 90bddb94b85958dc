"""Binary PLY: positions, normals and 8-bit sRGB vertex colours in the world's axes (z up), seams welded."""

from __future__ import annotations

import numpy as np

from geco.images.color import to_bytes
from geco.mesh.export.metadata import About, to_ascii_json
from geco.mesh.normals import vertex_normals
from geco.mesh.texture import sample_texture
from geco.mesh.topology import weld_groups
from geco.mesh.types import Mesh

_FACE = np.dtype([("count", "u1"), ("corners", "<i4", (3,))])


def encode_ply(mesh: Mesh, about: About) -> bytes:
    """The bytes of the file; colours come from the mesh's texture where it has one (PLY has no
    standard texture).
    """
    group = weld_groups(mesh.vertices)
    kept, member = np.unique(group, return_inverse=True)  # member: (V,) number of the welded vertex
    colors = mesh.colors
    if mesh.texture is not None and mesh.uvs is not None:
        colors = sample_texture(mesh.texture, mesh.uvs)
    layout = [("position", "<f4", (3,)), ("normal", "<f4", (3,))] + (
        [("color", "u1", (3,))] if colors is not None else []
    )
    vertices = np.zeros(len(kept), np.dtype(layout))
    vertices["position"] = mesh.vertices[kept]
    vertices["normal"] = (
        mesh.normals if mesh.normals is not None else vertex_normals(mesh.vertices, mesh.faces)
    )[kept]
    if colors is not None:
        # The sides of a seam sample slightly different texels: their mean.
        total = np.stack([np.bincount(member, colors[:, axis], len(kept)) for axis in range(3)], axis=1)
        vertices["color"] = to_bytes(total / np.bincount(member)[:, None])
    faces = np.zeros(len(mesh.faces), _FACE)
    faces["count"] = 3
    faces["corners"] = member[mesh.faces]
    return (
        _header(len(vertices), len(faces), colors is not None, about) + vertices.tobytes() + faces.tobytes()
    )


def _header(vertices: int, faces: int, colored: bool, about: About) -> bytes:
    lines = ["ply", "format binary_little_endian 1.0"]
    lines += [f"comment {line}" for line in (*about.lines(), to_ascii_json({"name": about.name}))]
    lines += [
        f"element vertex {vertices}",
        *(f"property float {axis}" for axis in ("x", "y", "z", "nx", "ny", "nz")),
    ]
    lines += [f"property uchar {channel}" for channel in ("red", "green", "blue") if colored]
    lines += [f"element face {faces}", "property list uchar int vertex_indices", "end_header"]
    return ("\n".join(lines) + "\n").encode("ascii")
