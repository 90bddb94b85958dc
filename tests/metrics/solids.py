"""Small closed meshes as (vertices, faces), counter-clockwise from outside; built here, so that
tests need no mesh library.
"""

from __future__ import annotations

import numpy as np

MeshArrays = tuple[np.ndarray, np.ndarray]


def box(
    size: tuple[float, float, float] = (1.0, 1.0, 1.0), center: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> MeshArrays:
    corners = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return corners * size + center, np.array([f for a, b, c, d in quads for f in ((a, b, c), (a, c, d))])


def sphere(
    radius: float = 1.0, around: int = 64, center: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> MeshArrays:
    """Rings of latitude; the mesh lies within 0.3 % of the true sphere at 64 around."""
    rings = around // 2
    theta = np.pi * np.arange(1, rings) / rings
    phi = 2 * np.pi * np.arange(around) / around
    t, p = np.meshgrid(theta, phi, indexing="ij")
    middle = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], axis=-1).reshape(-1, 3)
    vertices = np.concatenate([[[0, 0, 1.0]], middle, [[0, 0, -1.0]]])
    faces = []
    for j in range(around):
        k = (j + 1) % around
        faces.append((0, 1 + j, 1 + k))
        faces.append((len(vertices) - 1, 1 + (rings - 2) * around + k, 1 + (rings - 2) * around + j))
        for i in range(rings - 2):
            a, b = 1 + i * around + j, 1 + i * around + k
            faces += [(a, a + around, b + around), (a, b + around, b)]
    return vertices * radius + center, np.array(faces)


def joined(*meshes: MeshArrays) -> MeshArrays:
    offsets = np.cumsum([0, *(len(v) for v, _ in meshes[:-1])])
    return np.concatenate([v for v, _ in meshes]), np.concatenate(
        [f + o for (_, f), o in zip(meshes, offsets)]
    )


def flipped(mesh: MeshArrays) -> MeshArrays:
    """Turned inside out."""
    return mesh[0], mesh[1][:, ::-1]


def chair() -> MeshArrays:
    """An object without any symmetry: seat, back, one arm, a lamp on one corner."""
    return joined(
        box((1.0, 0.9, 0.1)),
        box((0.1, 0.9, 0.8), (-0.45, 0.0, 0.45)),
        box((0.6, 0.1, 0.3), (-0.1, 0.4, 0.2)),
        sphere(0.12, 16, (0.4, -0.3, 0.3)),
        box((0.08, 0.08, 0.5), (0.4, -0.3, -0.3)),
    )
