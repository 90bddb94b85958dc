"""Objects for tests of renderers, made from numbers."""

from __future__ import annotations

import numpy as np

from geco.data.objects import TexturedObject


def textured(
    vertices: np.ndarray, faces: np.ndarray, uvs: np.ndarray | None = None, texture: np.ndarray | None = None
) -> TexturedObject:
    """One material; white and without texture coordinates unless given."""
    white = np.full((1, 1, 4), 255, np.uint8)
    return TexturedObject(
        vertices=np.asarray(vertices, np.float32),
        faces=np.asarray(faces, np.int32),
        uvs=np.zeros((len(vertices), 2), np.float32) if uvs is None else np.asarray(uvs, np.float32),
        colors=np.ones((len(vertices), 3), np.float32),
        materials=np.zeros(len(faces), np.int32),
        textures=[white if texture is None else texture],
        cutoffs=np.zeros(1, np.float32),
        center=np.zeros(3, np.float32),
        scale=1.0,
    )


def sphere(radius: float = 0.7, rings: int = 96) -> TexturedObject:
    """About the origin, faces outward."""
    theta, phi = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings + 1), indexing="ij"
    )
    vertices = radius * np.stack(
        [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1
    ).reshape(-1, 3)
    row = 2 * rings + 1
    a = (np.arange(rings)[:, None] * row + np.arange(2 * rings)[None]).reshape(-1)
    faces = np.concatenate([np.stack([a, a + row, a + row + 1], 1), np.stack([a, a + row + 1, a + 1], 1)])
    return textured(vertices, faces)


def tangle(seed: int, faces: int = 60) -> TexturedObject:
    """Random triangles with two textures, one of them masked, vertex colours, and texture
    coordinates beyond [0, 1].
    """
    rng = np.random.default_rng(seed)
    obj = textured(rng.uniform(-0.5, 0.5, (2 * faces, 3)), rng.integers(0, 2 * faces, (faces, 3)))
    obj.uvs = rng.uniform(-1, 2, (2 * faces, 2)).astype(np.float32)
    obj.colors = rng.random((2 * faces, 3)).astype(np.float32)
    obj.materials = rng.integers(0, 2, faces).astype(np.int32)
    obj.textures = [
        rng.integers(0, 256, (16, 24, 4)).astype(np.uint8),
        rng.integers(0, 256, (33, 8, 4)).astype(np.uint8),
    ]
    obj.cutoffs = np.array([0.5, 0.0], np.float32)
    return obj


# no symmetry: every axis differs
WEDGE = np.array([[10, -20, 30], [13, -20, 30], [10, -18, 30], [10, -20, 31]], np.float32)
WEDGE_FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


def corners(loaded: TexturedObject) -> np.ndarray:
    """(F, 3, 3) triangles in an order of their own, whatever the file's."""
    triangles = loaded.vertices[loaded.faces].astype(np.float64)
    turned = np.stack([np.roll(t, -int(np.lexsort(t.round(4).T)[0]), axis=0) for t in triangles])
    return turned[np.lexsort(turned.round(4).reshape(len(turned), -1).T)]
