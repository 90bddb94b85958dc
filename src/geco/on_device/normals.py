"""Vertex normals on a device, weighed by the corner's angle: the twin of `mesh.normals`."""

from __future__ import annotations

import torch
from torch import Tensor

from geco.on_device.groups import first_of_group, group_sums
from geco.on_device.types import DeviceMesh


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """(V, 3) float32 unit normals, each face weighed by the angle of its corner; vertices at the same
    position share one (see `mesh.normals.vertex_normals`).
    """
    mesh, group = DeviceMesh(vertices, faces), weld_groups(vertices)
    a, b, c = mesh.corners()
    ab, bc, ca = _unit(b - a), _unit(c - b), _unit(a - c)
    normals = _unit(torch.linalg.cross(ab, bc))
    usable = normals.isfinite().all(dim=1) & (normals != 0).any(dim=1)
    at_a, at_b = _angle(ca, ab), _angle(ab, bc)
    angles = torch.stack([at_a, at_b, torch.pi - at_a - at_b])  # (3, F)
    angles, normals = torch.where(usable, angles, 0), torch.where(usable[:, None], normals, 0)
    corners = group[faces.T.reshape(-1)]
    total = group_sums((angles[..., None] * normals).reshape(-1, 3), corners, len(vertices))
    # Opposite faces cancel to rounding noise: the last of them beats noise.
    place = torch.arange(len(corners), device=faces.device)
    last = torch.full((len(vertices),), -1, dtype=torch.long, device=faces.device)
    last = last.scatter_reduce(0, corners, torch.where(usable.repeat(3), place, -1), "amax")
    alone = torch.where((last >= 0)[:, None], normals[last.clamp_min(0) % len(faces)], 0)
    alone[:, 2] += (last < 0).to(alone.dtype)
    cancelled = torch.linalg.vector_norm(total, dim=1, keepdim=True) < 1e-6
    return _unit(torch.where(cancelled, alone, total))[group].float()


def weld_groups(vertices: Tensor) -> Tensor:
    """(V,) the smallest index with exactly the same position (-0.0 equals 0.0; NaNs never match)."""
    position = vertices + 0.0  # -0.0 becomes 0.0
    words = position.view(torch.int32).long()
    # Odd multipliers of splitmix64 and xxHash64 as signed numbers, as in `mesh.topology.weld_groups`.
    key = words[:, 0] * -0x61C8864680B583EB
    key = (key ^ (key >> 29)) + words[:, 1] * -0x3D4D51C2D82B14B1
    key = (key ^ (key >> 32)) * 0x165667B19E3779F9 + words[:, 2] * -0x40A7B892E31B1A47
    first = first_of_group(key)
    same = (position[first] == position).all(dim=1)
    return torch.where(same, first, torch.arange(len(first), device=first.device))


def _unit(vectors: Tensor) -> Tensor:
    """Unit vectors; zero stays zero."""
    length = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return vectors / torch.where(length > 0, length, 1)


def _angle(arriving: Tensor, leaving: Tensor) -> Tensor:
    return torch.arccos((-(arriving * leaving).sum(dim=1)).clamp(-1, 1))
