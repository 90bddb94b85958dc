"""Ambient occlusion from depth maps: how much of the sky each visible point sees.

From K directions, spread evenly over the sphere (Fibonacci), the object is drawn once into a parallel depth
map. A visible point is open to a direction when nothing in that map stands before it; its visibility is the
cosine-weighted share of open directions above its surface, ``sum V_k max(0, n . d_k) / sum max(0, n . d_k)``
(Zhukov et al. 1998 with the radius of the whole object). No random numbers: the same object gives the same
values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.data.objects import TexturedObject
from geco.data.render.kernels import kernel
from geco.errors import ConfigError
from geco.types import Bytes, Floats

EMPTY = np.float32(-1e9)  # not -inf: the compiled loops assume finite numbers


@dataclass(frozen=True)
class AmbientOcclusion:
    """Settings; the whole light of a point is multiplied by ``1 - strength * (1 - visibility)``.

    Attributes:
        strength: 0 = no effect, 1 = a point that sees no sky is black.
        directions: depth maps, one a direction.
        resolution: pixels of a side of each map; a pixel is also the distance below which nothing occludes.
    """

    strength: float = 0.7
    directions: int = 64
    resolution: int = 128

    def __post_init__(self) -> None:
        if not (0 <= self.strength <= 1 and self.directions >= 4 and self.resolution >= 8):
            raise ConfigError(
                f"ambient occlusion of {self}", "Choose strength 0 to 1, directions >= 4, resolution >= 8."
            )


class OcclusionMaps:
    """The depth maps of one object."""

    def __init__(self, obj: TexturedObject, settings: AmbientOcclusion) -> None:
        self.settings = settings
        used = obj.vertices[np.unique(obj.faces)]
        reach = float(np.linalg.norm(used, axis=1).max()) * 1.02 + 1e-6
        self.directions = fibonacci_sphere(settings.directions)
        self.axes = _axes(self.directions)
        self.scale = np.float32(settings.resolution / (2 * reach))
        # A map's pixel holds the depth at its centre; a slope moves it by up to a pixel before the corner.
        self.bias = np.float32(1.5 / self.scale)
        self.maps = np.stack([self._map(obj, k, reach) for k in range(settings.directions)])

    def visibility(self, position: Floats, normal: Floats) -> Floats:
        """position, normal: (S, S, 3) world -> (S, S) in [0, 1]; 1 where the normal is 0 (background)."""
        seen: Floats = kernel("occlude")(
            position, normal, self.directions, self.axes, self.maps, self.scale, self.bias
        )
        return seen

    def _map(self, obj: TexturedObject, k: int, reach: float) -> Floats:
        """(R, R) largest coordinate along direction k of the surface over each pixel; ``EMPTY``
        where there is none.
        """
        half = self.settings.resolution / 2
        plane = obj.vertices @ self.axes[k].T * self.scale + half
        nearness = obj.vertices @ self.directions[k] + 2 * reach  # positive, and linear on the map
        screen = np.concatenate([plane, nearness[:, None]], axis=1).astype(np.float32)
        soup = (screen, obj.faces, obj.uvs, obj.colors)
        count = len(obj.faces)
        flat = (np.zeros(count, np.int32), np.zeros(1, np.float32), np.ones(count, np.float32))
        bare = (np.full((1, 4), 255, np.uint8), np.array([[[0, 1, 1]]], np.int64))
        unused = np.empty((0, 0), np.int32)
        _, found = kernel("draw")(soup, flat, bare, self.settings.resolution, unused)
        depth: Floats = np.where(found > 0, found - np.float32(2 * reach), EMPTY).astype(np.float32)
        return depth


def darken(rgba: Bytes, visibility: Floats, strength: float) -> None:
    """Multiply the colours of (S, S, 4) in place."""
    factor = 1 - strength * (1 - visibility)
    rgba[..., :3] = (rgba[..., :3] * factor[..., None] + 0.5).astype(np.uint8)


def fibonacci_sphere(count: int) -> Floats:
    """(count, 3) unit vectors, evenly spread."""
    z = 1 - (2 * np.arange(count) + 1) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    planar = np.sqrt(1 - z * z)
    return np.stack([planar * np.cos(angle), planar * np.sin(angle), z], axis=1).astype(np.float32)


def _axes(directions: Floats) -> Floats:
    """(K, 2, 3) two unit vectors across each direction."""
    helper = np.where(np.abs(directions[:, 2:]) < 0.9, [[0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0]])
    right = np.cross(helper, directions)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(right, directions)], axis=1).astype(np.float32)
