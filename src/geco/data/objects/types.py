"""An object ready for the renderer: one normalised triangle soup with its materials."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from geco.types import Bytes, Doubles, Floats, Ints

# of the bounding sphere after normalisation: the object then fits a 30 degree view from distance 4
BOUNDING_RADIUS = 0.95
MIRROR = np.diag([1.0, -1.0, 1.0, 1.0])  # swaps left and right of the front, which looks along +x


@dataclass
class TexturedObject:
    """A triangle soup with materials, world space (z up, its front on +x), inside the sphere of
    ``BOUNDING_RADIUS``.

    Attributes:
        vertices: (V, 3) world units.
        faces: (F, 3) vertex indices.
        uvs: (V, 2) glTF texture coordinates (repeat wrapping), origin top-left.
        colors: (V, 3) vertex colour x material factor, sRGB in [0, 1].
        materials: (F,) index into ``textures``.
        textures: sRGB pictures (H, W, 4) uint8, straight alpha; materials that share a picture share the
            array.
        cutoffs: (M,) alpha below which a texel is a hole; 0 = opaque.
        center, scale: the normalisation, ``vertices = (original - center) * scale``, in world axes.
        transform: (4, 4) file coordinates (glTF: of the scene) to ``vertices``, for column vectors; axes
            included.
        notes: what was read otherwise than it stands in the file, by one word and how often; see
            docs/data-objects.md.
    """

    vertices: Floats
    faces: Ints
    uvs: Floats
    colors: Floats
    materials: Ints
    textures: list[Bytes]
    cutoffs: Floats
    center: Floats
    scale: float
    transform: Doubles = field(default_factory=lambda: np.eye(4))
    notes: dict[str, int] = field(default_factory=dict)

    def mirrored(self) -> TexturedObject:
        """The object seen in a mirror that swaps left and right of its front (y -> -y),
        orientation of faces kept outward.
        """
        return replace(
            self,
            vertices=self.vertices * np.array([1, -1, 1], np.float32),
            faces=np.ascontiguousarray(self.faces[:, ::-1]),
            transform=MIRROR @ self.transform,
        )
