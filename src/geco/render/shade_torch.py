"""A mesh rendered to RGB, mask, depth and normals with gradients, for training and for losses on pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from geco.render.antialias import antialias
from geco.render.rasterize_torch import Fragments, interpolate, rasterize


@dataclass
class Rendered:
    """Pictures by camera; leading dimensions are the cameras'.

    Attributes:
        rgb: (..., H, W, 3) over the background, silhouettes anti-aliased.
        mask: (..., H, W) coverage in [0, 1], anti-aliased.
        depth: (..., H, W) along the viewing axis, world units, 0 where nothing is seen.
        normal: (..., H, W, 3) unit vectors in world space, 0 where nothing is seen.
        fragments: what they were made from.
    """

    rgb: Tensor
    mask: Tensor
    depth: Tensor
    normal: Tensor
    fragments: Fragments


def render_mesh(
    vertices: Tensor,
    faces: Tensor,
    c2w: Tensor,
    fov: float,
    size: int,
    color: Tensor | Callable[[Tensor], Tensor],
    background: float = 1.0,
) -> Rendered:
    """Render a mesh from some cameras.

    Args:
        vertices: (V, 3) world units.
        faces: (F, 3).
        c2w: (..., 4, 4).
        fov: degrees.
        size: pixels a side.
        color: (V, 3) vertex colours in [0, 1], or a function of seen surface points (N, 3) -> (N, 3).
        background: grey level behind the mesh.
    """
    fragments = rasterize(vertices, faces, c2w, fov, size)
    seen = fragments.mask
    if callable(color):
        points = interpolate(vertices, faces, fragments)[seen]
        shaded = vertices.new_zeros(*seen.shape, 3).masked_scatter(
            seen[..., None], color(points).to(vertices.dtype)
        )
    else:
        shaded = interpolate(color, faces, fragments)
    opaque = seen[..., None].to(vertices.dtype)
    layers = torch.cat([shaded + (1 - opaque) * background, opaque], dim=-1)
    layers = antialias(layers, fragments, vertices, faces, c2w, fov)
    depth = torch.where(seen, fragments.depth, 0)
    return Rendered(layers[..., :3], layers[..., 3], depth, _normals(vertices, faces, fragments), fragments)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """(V, 3) unit normals, the faces' weighted by area; (0, 0, 1) where they have none, as in
    InstantMesh's renderer.
    """
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    of_faces = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for i in range(3):
        total = total.index_add(0, faces[:, i], of_faces)
    total = torch.where(
        total.square().sum(-1, keepdim=True) > 1e-20, total, total.new_tensor([0.0, 0.0, 1.0])
    )
    return torch.nn.functional.normalize(total, dim=-1)


def _normals(vertices: Tensor, faces: Tensor, fragments: Fragments) -> Tensor:
    """(..., H, W, 3) interpolated from the vertices' normals."""
    smooth = interpolate(vertex_normals(vertices, faces.long()), faces, fragments)
    return torch.nn.functional.normalize(smooth, dim=-1)
