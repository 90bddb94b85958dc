"""The differentiable rasteriser: who is seen (no gradient), and where on the face (with gradient).

    fragments = rasterize(vertices, faces, c2w, fov=30.0, size=256)
    rgb = interpolate(colors, faces, fragments)                       # (B, H, W, 3)
    rgb = antialias(rgb, fragments, vertices, faces, c2w, fov=30.0)   # silhouettes get gradients too

Visibility comes from the compiled or numpy z-buffer on the CPU, from the same algorithm on tensors elsewhere,
or from nvdiffrast; barycentrics and depth are then computed here, so their gradients do not depend on the
engine.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from geco.cameras import FAR, clip_matrix, intrinsics
from geco.errors import ConfigError
from geco.render.rasterize_numpy import NEAREST
from geco.render.zbuffer_torch import visible_faces

Engine = Literal["auto", "torch", "numpy", "numba", "nvdiffrast"]


@dataclass
class Fragments:
    """What the pixels see; leading dimensions are the cameras'.

    Attributes:
        face_ids: (..., H, W) int64, -1 where nothing is seen.
        barycentrics: (..., H, W, 3) perspective-correct, with gradients to the vertices; 0 where nothing is
            seen.
        depth: (..., H, W) along the viewing axis, world units, with gradients; inf where nothing is seen.
    """

    face_ids: Tensor
    barycentrics: Tensor
    depth: Tensor

    @property
    def mask(self) -> Tensor:
        """(..., H, W) bool, where something is seen."""
        return self.face_ids >= 0


def rasterize(
    vertices: Tensor, faces: Tensor, c2w: Tensor, fov: float, size: int, engine: Engine = "auto"
) -> Fragments:
    """Draw a mesh into the z-buffers of some cameras.

    Args:
        vertices: (V, 3) world units.
        faces: (F, 3) long.
        c2w: (..., 4, 4) camera-to-world.
        fov: degrees.
        size: pixels a side; centres at (column + 0.5, row + 0.5).
        engine: "auto" takes numba or numpy on the CPU, "torch" elsewhere. nvdiffrast needs CUDA.

    Raises:
        ConfigError: the engine asked for is not installed.
    """
    cameras = c2w.reshape(-1, 4, 4)
    corner = faces.long()
    pixels, depth = to_pixels(vertices, cameras, fov, size)
    with torch.no_grad():
        face_ids = _visible(vertices.detach(), corner, cameras, fov, size, engine)
    camera, row, column = torch.nonzero(face_ids >= 0, as_tuple=True)
    seen = corner[face_ids[camera, row, column]]
    centre = torch.stack([column, row], dim=-1).to(vertices.dtype)
    weights, at = _perspective_weights(
        pixels[camera[:, None], seen] - centre[:, None], depth[camera[:, None], seen]
    )
    barycentrics = vertices.new_zeros(*face_ids.shape, 3).index_put((camera, row, column), weights)
    depths = vertices.new_full(face_ids.shape, float("inf")).index_put((camera, row, column), at)
    lead = c2w.shape[:-2]
    return Fragments(
        face_ids.reshape(*lead, size, size),
        barycentrics.reshape(*lead, size, size, 3),
        depths.reshape(*lead, size, size),
    )


def to_pixels(vertices: Tensor, c2w: Tensor, fov: float, size: int) -> tuple[Tensor, Tensor]:
    """Pixel positions (B, V, 2) as (column, row), whole numbers at pixel centres, and depths (B, V);
    differentiable.

    Args:
        vertices: (V, 3); c2w: (B, 4, 4) rigid.
    """
    local = (vertices - c2w[:, None, :3, 3]) @ c2w[:, :3, :3]
    depth = -local[..., 2]
    focal = float(intrinsics(fov)[0, 0]) * size
    # what lies behind is never drawn, but its gradient must be finite
    ahead = torch.where(depth > NEAREST, depth, 1)
    middle = size / 2 - 0.5
    return torch.stack(
        [focal * local[..., 0] / ahead + middle, middle - focal * local[..., 1] / ahead], dim=-1
    ), depth


def interpolate(attributes: Tensor, faces: Tensor, fragments: Fragments) -> Tensor:
    """Vertex attributes at every pixel, differentiable in both.

    Args:
        attributes: (V, C).
        faces: (F, 3).

    Returns:
        (..., H, W, C), 0 where nothing is seen.
    """
    seen = fragments.mask
    values = (
        attributes[faces.long()[fragments.face_ids[seen]]] * fragments.barycentrics[seen][..., None]
    ).sum(dim=-2)
    return attributes.new_zeros(*seen.shape, attributes.shape[-1]).masked_scatter(seen[..., None], values)


def _perspective_weights(corners: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Barycentrics (N, 3) and depths (N,) at the origin of triangles (N, 3, 2) whose corners have
    depths (N, 3).
    """
    x, y = corners.unbind(dim=-1)
    opposite = torch.stack(
        [x[:, i] * y[:, j] - x[:, j] * y[:, i] for i, j in ((1, 2), (2, 0), (0, 1))], dim=-1
    )
    screen = opposite / opposite.sum(dim=-1, keepdim=True)
    inverse = screen / depth
    at = 1 / inverse.sum(dim=-1)
    return inverse * at[:, None], at


def _visible(vertices: Tensor, faces: Tensor, c2w: Tensor, fov: float, size: int, engine: Engine) -> Tensor:
    """(B, H, W) face numbers by the engine."""
    if engine == "auto":
        on_cpu = vertices.device.type == "cpu"
        engine = ("numba" if importlib.util.find_spec("numba") else "numpy") if on_cpu else "torch"
    if engine == "torch":
        exact = torch.float32 if vertices.device.type == "mps" else torch.float64
        pixels, depth = to_pixels(vertices.to(exact), c2w.to(exact), fov, size)
        ahead = depth > NEAREST
        return visible_faces(pixels, torch.where(ahead, 1 / torch.where(ahead, depth, 1), 0), faces, size)
    if engine == "nvdiffrast":
        return _by_nvdiffrast(vertices, faces, c2w, fov, size)
    if engine in ("numpy", "numba"):
        from geco.render import rasterize_numpy

        points, corners = vertices.cpu().numpy(), faces.cpu().numpy()
        rasterized = [
            rasterize_numpy.rasterize(points, corners, pose, fov, size, engine=engine)
            for pose in c2w.cpu().numpy()
        ]
        return torch.stack([torch.from_numpy(d.face_ids) for d in rasterized]).long().to(vertices.device)
    raise ConfigError(f"unknown rasteriser engine {engine!r}", "Use auto, torch, numpy, numba or nvdiffrast.")


def _by_nvdiffrast(vertices: Tensor, faces: Tensor, c2w: Tensor, fov: float, size: int) -> Tensor:
    try:
        import nvdiffrast.torch as dr
    except ImportError as error:
        raise ConfigError(
            "the engine 'nvdiffrast' is not installed",
            "Install it from NVIDIA's repository (its licence is non-commercial), or use 'auto'.",
        ) from error
    to_clip = torch.from_numpy(clip_matrix(fov, near=NEAREST, far=FAR)).to(vertices)
    to_clip[1] *= -1  # its first row is the bottom one
    points = torch.cat([vertices, torch.ones_like(vertices[:, :1])], dim=1)
    clip = points @ (to_clip @ torch.linalg.inv(c2w.to(vertices))).transpose(1, 2)
    context = dr.RasterizeCudaContext(device=vertices.device)
    rasterized, _ = dr.rasterize(
        context, clip.contiguous(), faces.int().contiguous(), (size, size), grad_db=False
    )
    return rasterized[..., 3].long() - 1
