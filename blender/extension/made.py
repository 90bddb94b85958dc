"""What a picture became, as arrays that a Blender mesh is filled from: seams welded, front towards -Y."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
PIVOTS = ("center", "base")


class Surface(Protocol):
    """A mesh as :class:`geco.Mesh` has it: z up, the picture's side towards +x, uvs from the top left."""

    vertices: Array  # (V, 3) world units
    faces: Array  # (F, 3)
    normals: Array | None  # (V, 3)
    uvs: Array | None  # (V, 2)
    texture: Array | None  # (H, W, 3) uint8
    colors: Array | None  # (V, 3) in [0, 1], sRGB


@dataclass(frozen=True)
class Made:
    """One object.

    Attributes:
        name: of the picture, without its suffix. seed: of the noise.
        vertices: (V, 3) float32, metres; z up, the picture's side towards -Y, as Blender's front view looks.
        corners: (F, 3) int32, vertices of each triangle, counter-clockwise seen from outside.
        normals: (3F, 3) float32, one a corner. uvs: (3F, 2) float32 from the bottom left, or None.
        images: "color" and "normal" -> (H, W, 3) uint8, rows from the top.
        colors: (V, 3) float32 in [0, 1], sRGB, or None.
        facts: what Blender shows as the object's own properties: its model, its seed, how well its outline
            agreed with the picture's (0 to 1) before it was fitted.
    """

    name: str
    seed: int
    vertices: Array
    corners: Array
    normals: Array
    uvs: Array | None = None
    images: dict[str, Array] = field(default_factory=dict)
    colors: Array | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def extent(self) -> Array:
        """(3,) sides of the bounding box."""
        return np.ptp(self.vertices, axis=0)


def made_of(surface: Surface, name: str, seed: int, facts: dict[str, Any]) -> Made:
    """A mesh as it comes to the one that Blender gets.

    A vertex on a UV seam comes once a chart. In Blender UVs and normals belong to corners, so such vertices
    become one again: the object stays whole when it is edited, smoothed or subdivided.
    """
    faces = surface.faces
    vertices, first, group = weld(surface.vertices)
    assert surface.normals is not None
    uvs = None if surface.uvs is None else surface.uvs[faces.ravel()] * [1, -1] + [0, 1]
    named = {"color": surface.texture, "normal": getattr(surface, "normal_map", None)}
    return Made(
        name=name,
        seed=seed,
        vertices=to_front(vertices),
        corners=group[faces].astype(np.int32),
        normals=to_front(surface.normals[faces.ravel()]),
        uvs=None if uvs is None else uvs.astype(np.float32),
        images={key: image for key, image in named.items() if image is not None},
        colors=None if surface.colors is None else surface.colors[first],
        facts={f"geco_{key}": value for key, value in {**facts, "seed": seed}.items() if value is not None},
    )


def weld(vertices: Array) -> tuple[Array, Array, Array]:
    """Vertices at exactly the same place as one, in the order in which they first come: (W, 3) those that
    stay, (W,) which they were, (V,) what each became.
    """
    _, first, inverse = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    kept = first[order]
    return vertices[kept], kept, rank[inverse.ravel()]


def to_front(vectors: Array) -> Array:
    """(N, 3): the side at +x turned to -y, a quarter about z."""
    return np.stack([vectors[:, 1], -vectors[:, 0], vectors[:, 2]], axis=1).astype(np.float32)


def fitted(made: Made, size: float | None, pivot: str) -> Made:
    """To its size, with the origin where it is wanted.

    Args:
        size: longest side in metres; None keeps the model's, about 2.
        pivot: "center" of the bounding box, or the middle of its "base".
    """
    low, high = made.vertices.min(axis=0), made.vertices.max(axis=0)
    origin = (low + high) / 2
    if pivot == "base":
        origin[2] = low[2]
    scale = 1.0 if size is None else size / float((high - low).max())
    return replace(made, vertices=((made.vertices - origin) * scale).astype(np.float32))


def spots(count: int, columns: int, cell: tuple[float, float]) -> Array:
    """(count, 3) where objects stand: rows along X from the first at the origin, the next row behind it."""
    place = np.arange(count)
    return np.stack([place % columns * cell[0], place // columns * cell[1], np.zeros(count)], axis=1)
