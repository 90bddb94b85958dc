"""Small closed shapes with known topology and volume, and ways to damage them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from geco.mesh import Mesh


def sphere(level: int = 2, radius: float = 0.8, centre: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    """An octahedron cut finer ``level`` times: 8 x 4^level faces, 4^(level + 1) + 2 vertices."""
    points = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float64)
    faces = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])
    for _ in range(level):
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
        unique, inverse = np.unique(edges, axis=0, return_inverse=True)
        ab, bc, ca = (inverse.reshape(3, -1) + len(points))[:, :]
        points = np.concatenate([points, points[unique].mean(axis=1)])
        a, b, c = faces.T
        faces = np.concatenate(
            [np.stack(t, axis=1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))]
        )
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return Mesh((points * radius + centre).astype(np.float32), faces)


def box(
    low: tuple[float, float, float] = (-0.5, -0.5, -0.5), high: tuple[float, float, float] = (0.5, 0.5, 0.5)
) -> Mesh:
    """8 vertices, 12 faces."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])  # number 4x + 2y + z
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return Mesh(np.where(corners == 0, low, high).astype(np.float32), np.array(faces))


def torus(around: int = 48, across: int = 24, major: float = 0.6, minor: float = 0.25) -> Mesh:
    """Genus one, Euler number 0."""
    u, v = np.meshgrid(np.arange(around), np.arange(across), indexing="ij")
    phi, theta = 2 * np.pi * u / around, 2 * np.pi * v / across
    ring = major + minor * np.cos(theta)
    points = np.stack([ring * np.cos(phi), ring * np.sin(phi), minor * np.sin(theta)], axis=-1).reshape(-1, 3)
    a, b = (u * across + v).ravel(), ((u + 1) % around * across + v).ravel()
    c, d = ((u + 1) % around * across + (v + 1) % across).ravel(), (u * across + (v + 1) % across).ravel()
    return Mesh(points.astype(np.float32), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def together(*meshes: Mesh) -> Mesh:
    """Several meshes as one, vertices not shared."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    faces = np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets)])
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), faces)


def turned(mesh: Mesh) -> Mesh:
    """Inside out."""
    return mesh.with_(faces=mesh.faces[:, ::-1])


def without(mesh: Mesh, dropped: np.ndarray) -> Mesh:
    """Without the faces where ``dropped`` is True."""
    return mesh.with_(faces=mesh.faces[~dropped])


def volume(mesh: Mesh) -> float:
    """Signed volume by the divergence theorem."""
    a, b, c = mesh.triangles.astype(np.float64).transpose(1, 0, 2)
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def area(mesh: Mesh) -> float:
    """Total area."""
    return float(np.linalg.norm(mesh.face_normals().astype(np.float64), axis=1).sum() / 2)


# Four colours, one a quarter of the texture: top left, top right, bottom left, bottom right.
CORNERS = {(0, 0): (255, 0, 0), (1, 0): (0, 255, 0), (0, 1): (0, 0, 255), (1, 1): (255, 255, 0)}


def textured(size: int = 64) -> Mesh:
    """A sphere whose UVs put each part of it at a known place of a texture with four colours."""
    mesh = sphere(3)
    texture = np.zeros((size, size, 3), np.uint8)
    half = size // 2
    for (u, v), color in CORNERS.items():
        texture[v * half : (v + 1) * half, u * half : (u + 1) * half] = color
    uvs = np.clip(mesh.vertices[:, :2] * 0.6 + 0.5, 0, 1)
    return mesh.with_(uvs=uvs.astype(np.float32), texture=texture)


EXTRAS = {
    "seed": np.int64(7),
    "model": "small",
    "timings": {"bake": np.float32(0.25)},
    "bad": float("nan"),
    "path": Path("a/b"),
    "π": [1, 2],
}
