"""UV unwrapping: charts by direction and connectivity, projected, packed without overlap. numpy only.

The steps, each in its own file: ``uv_charts`` cuts, ``uv_flatten`` projects and splits what would fold,
``uv_pack`` packs. ``uv_report`` measures the result.
"""

from __future__ import annotations

import numpy as np

from geco.errors import ConfigError, MeshError, MissingExtraError
from geco.mesh.topology import corners, cross, dot
from geco.mesh.types import Mesh
from geco.mesh.uv_boxes import evened, upright_boxes
from geco.mesh.uv_charts import segment
from geco.mesh.uv_flatten import cut_long, flatten
from geco.mesh.uv_graph import face_links
from geco.mesh.uv_pack import FIRST_FILL, Outlines, pack
from geco.types import Array, Index

LONGEST = 0.8  # own choice: charts longer than this share of the side of a well filled square are cut across


def unwrap(mesh: Mesh, texture_size: int = 1024, padding: int = 2, method: str = "charts") -> Mesh:
    """A copy of the mesh with texture coordinates; vertices on seams appear once a chart.

    Faces keep their order and their corners. No two triangles overlap, no chart is mirrored, texels are
    near-equal in size all over the surface.

    Args:
        mesh: any triangle mesh; welded vertices give fewer seams. A texture it already has is dropped.
        texture_size: side of the square texture in texels; only the padding depends on it.
        padding: texels kept free between charts and, half of it, to the rim.
        method: ``charts`` is our own; ``xatlas`` needs the ``mesh`` extra.

    Raises:
        MeshError: no faces, or positions that are not finite.
        ConfigError: unknown method, or a size or padding out of range.
        MissingExtraError: xatlas asked for and not installed.
    """
    if texture_size < 1 or padding < 0 or 2 * padding >= texture_size:
        raise ConfigError(
            f"texture size {texture_size} with padding {padding} leaves no room",
            "Use 256 or more and a padding of 2.",
        )
    if not len(mesh.faces):
        raise MeshError("the mesh has no faces to unwrap")
    if not np.isfinite(mesh.vertices).all():
        raise MeshError("the mesh has vertices that are not finite numbers", "Remove them before unwrapping.")
    if method == "charts":
        sources, faces, uvs = _unwrap_charts(mesh, texture_size, padding)
    elif method == "xatlas":
        sources, faces, uvs = _unwrap_xatlas(mesh, texture_size, padding)
    else:
        raise ConfigError(f"no unwrapping method is called {method!r}", "Use charts or xatlas.")
    return Mesh(
        mesh.vertices.take(sources, axis=0),
        faces.astype(np.int32),
        normals=None if mesh.normals is None else mesh.normals[sources],
        uvs=uvs.astype(np.float32).clip(0, 1),
        colors=None if mesh.colors is None else mesh.colors[sources],
    )


def _unwrap_charts(mesh: Mesh, texture_size: int, padding: int) -> tuple[Index, Index, np.ndarray]:
    vertices = np.ascontiguousarray(mesh.vertices.T, np.float64)
    faces = mesh.faces.astype(np.intp)
    a, b, c = corners(mesh.vertices, mesh.faces)
    normals = cross(b - a, c - a)
    double = np.sqrt(dot(normals, normals))
    # thinner faces have only rounding for a normal
    solid = double > 1e-14 * float(np.ptp(vertices, axis=1).max()) ** 2
    normals = np.where(solid, normals / np.where(solid, double, 1), 0)
    areas = np.where(solid, double / 2, 0)

    links = face_links(mesh.faces, len(mesh.vertices))
    flat = flatten(vertices, faces, segment(normals, areas, links), links)
    points, sizes = upright_boxes(evened(flat, normals, areas), flat)
    area = _area(points, flat.corners)
    shorter = cut_long(vertices, faces, flat, links, points, sizes, LONGEST * np.sqrt(area / FIRST_FILL))
    if shorter is not None:
        flat = shorter
        points, sizes = upright_boxes(evened(flat, normals, areas), flat)
    starts, ends = (points.take(side, axis=1).T for side in flat.borders)
    of_border = flat.of_point.take(flat.borders[0])
    packing = pack(Outlines(starts, ends, of_border, sizes.T, area), texture_size, padding)

    texels = points * packing.scale
    turned = np.flatnonzero(packing.turned.take(flat.of_point))
    boxes = (sizes * packing.scale).take(flat.of_point.take(turned), axis=1)
    texels[:, turned] = boxes - texels.take(turned, axis=1)
    uvs = (texels + packing.offsets.T.take(flat.of_point, axis=1)) / texture_size
    uvs[1] = 1 - uvs[1]  # texture rows grow downwards
    return flat.sources, flat.corners.T, uvs.T


def _area(points: Array, corners: Index) -> float:
    """Sum of the areas of triangles, corners (3, F) of points (2, N)."""
    (ax, ay), (bx, by), (cx, cy) = (points.take(corner, axis=1) for corner in corners)
    return float(np.abs((bx - ax) * (cy - ay) - (by - ay) * (cx - ax)).sum() / 2)


def _unwrap_xatlas(mesh: Mesh, texture_size: int, padding: int) -> tuple[Index, Index, np.ndarray]:
    try:
        import xatlas
    except ImportError as error:
        raise MissingExtraError("xatlas", "mesh", "the xatlas unwrapping") from error
    atlas = xatlas.Atlas()
    atlas.add_mesh(mesh.vertices, mesh.faces.astype(np.uint32))
    options = xatlas.PackOptions()
    options.padding = padding
    options.resolution = texture_size
    atlas.generate(xatlas.ChartOptions(), options)
    sources, faces, uvs = atlas[0]
    return sources.astype(np.intp), faces.astype(np.intp), np.asarray(uvs, np.float64)
