"""The normals of a fine surface as a picture on a coarse one, in its tangent space.

Red is along u, green against v (upwards in the picture), blue along the vertex normal: glTF 2.0, 3.9.3.
Tangents are those of MikkTSpace (Mikkelsen 2008, "Simulation of Wrinkled Surfaces Revisited"), which viewers
compute where a format has no room for them.
"""

from __future__ import annotations

import numpy as np

from geco.mesh.bake import with_texels
from geco.mesh.nearest import Surface
from geco.mesh.texture import sample_texture
from geco.mesh.topology import corners, cross, dot
from geco.mesh.types import Mesh
from geco.mesh.uv_raster import UVRaster
from geco.types import Array, Bytes, Doubles, Floats


def tangents(mesh: Mesh) -> Floats:
    """(V, 4) unit tangents, as MikkTSpace has them, and the sign of the bitangent: ``sign * cross(normal,
    tangent)`` points upwards in the picture.

    Args:
        mesh: with normals, and uvs of charts of one orientation each.
    """
    assert mesh.normals is not None and mesh.uvs is not None
    normals = mesh.normals.T.astype(np.float64)
    place = corners(mesh.vertices, mesh.faces)
    flat = np.concatenate([mesh.uvs, np.zeros((len(mesh.uvs), 1), np.float32)], axis=1)
    (ax, ay, _), (bx, by, _), (cx, cy, _) = corners(flat, mesh.faces)
    double = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    along_u = (place[1] - place[0]) * (cy - ay) - (place[2] - place[0]) * (by - ay)
    along_u = _unit(along_u * np.sign(double))
    total = np.zeros_like(normals)
    for corner in range(3):
        vertex = mesh.faces[:, corner]
        normal = normals.take(vertex, axis=1)
        ahead, behind = (
            _unit(_in_plane(place[(corner + step) % 3] - place[corner], normal)) for step in (1, 2)
        )
        weight = np.arccos(np.clip(dot(ahead, behind), -1, 1)) * (double != 0)
        share = _unit(_in_plane(along_u, normal)) * weight
        for line, values in zip(total, share):
            line += np.bincount(vertex, values, len(mesh.vertices))
    sign = np.ones(len(mesh.vertices))
    sign[mesh.faces.ravel()] = np.where(double > 0, 1.0, -1.0).repeat(3)
    # v grows downwards: a chart that is not mirrored is turned clockwise in (u, v)
    return np.concatenate([_any_tangent(total, normals).T, -sign[:, None]], axis=1).astype(np.float32)


def bake_normals(mesh: Mesh, raster: UVRaster, fine: Mesh) -> Bytes:
    """(S, S, 3) uint8 the normal map of a mesh from a finer surface.

    Args:
        mesh: with uvs and normals.
        raster: of its texture.
        fine: the surface, with vertex normals.
    """
    assert mesh.normals is not None
    side, up, out = _frames(raster.interpolate(mesh, tangents(mesh)), raster.interpolate(mesh, mesh.normals))
    wanted = Surface(fine).normals_near(raster.interpolate(mesh, mesh.vertices), np.ascontiguousarray(out.T))
    normal = np.ascontiguousarray(wanted.T)
    # side and out are not quite at right angles between vertices, and viewers add them up as they are
    lean, along, outward = dot(side, out), dot(normal, side), dot(normal, out)
    rest = np.maximum(1 - lean * lean, np.float32(1e-3))
    local = np.stack([(along - lean * outward) / rest, dot(normal, up), (outward - lean * along) / rest])
    return _as_picture(mesh, raster, _unit(local))


def _as_picture(mesh: Mesh, raster: UVRaster, local: Floats | Doubles) -> Bytes:
    levels = np.rint(local * 127.5 + 127.5).clip(0, 255).astype(np.uint8)
    picture = with_texels(mesh, raster, np.ascontiguousarray(levels.T)).texture
    assert picture is not None
    return picture


def mapped_normals(mesh: Mesh, uvs: Floats, smooth: Floats, along: Floats) -> Floats:
    """(N, 3) unit normals of points as a viewer shades them.

    Args:
        mesh: with a normal map.
        uvs: (N, 2) of the points. smooth: (N, 3) their interpolated normals. along: (N, 4) their
            interpolated :func:`tangents`.
    """
    assert mesh.normal_map is not None
    local = sample_texture(mesh.normal_map, uvs).T * np.float32(2) - np.float32(1)
    side, up, out = _frames(along, smooth)
    return np.ascontiguousarray(_unit(side * local[0] + up * local[1] + out * local[2]).T)


def _frames(along: Floats, smooth: Floats) -> tuple[Floats, Floats, Floats]:
    """Unit tangents, bitangents and normals, (3, N) each, of interpolated ones (N, 4) and (N, 3)."""
    side, out = _unit(np.ascontiguousarray(along[:, :3].T)), _unit(np.ascontiguousarray(smooth.T))
    up = _unit(cross(out, side)) * np.where(along[:, 3] < 0, np.float32(-1), np.float32(1))
    return side.astype(np.float32), up.astype(np.float32), out.astype(np.float32)


def _in_plane(vectors: Doubles, normal: Doubles) -> Doubles:
    return vectors - normal * dot(normal, vectors)


def _any_tangent(total: Doubles, normals: Doubles) -> Doubles:
    """Unit vectors; where there is none, some direction at right angles to the normal."""
    lost = dot(total, total) < 1e-20
    if lost.any():
        axis = np.zeros_like(normals)
        axis[np.abs(normals).argmin(axis=0), np.arange(normals.shape[1])] = 1
        total = np.where(lost, _in_plane(axis, normals), total)
    return _unit(total)


def _unit(vectors: Array) -> Array:
    """Unit vectors (3, N); zero stays zero."""
    length = np.sqrt(dot(vectors, vectors))
    return np.asarray(vectors / np.where(length > 0, length, 1), vectors.dtype)
