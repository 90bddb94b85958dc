"""The camera that took the input picture: where it stands, and how well a mesh fits what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from geco.cameras import INPUT_FOV, INPUT_RADIUS, intrinsics, orbit_poses
from geco.mesh.types import Mesh
from geco.render.fragments import Fragments
from geco.render.rasterize_numpy import NEAREST, Window, project_to_pixels, rasterize
from geco.types import Bools, Doubles, Floats

AGREEING_IOU = (
    # own choice: on 15 objects, pictures of other objects reached 0.82 once in 75, own ones from 8 degrees
    # off 0.8 to 1
    0.82
)
# own choice, same trial: own pictures at most 0.12, the one other object above the IoU had 0.21
AGREEING_COLORS = 0.18


@dataclass(frozen=True)
class InputCamera:
    """Where the input picture was taken from, looking at the origin, and how well the mesh fits it.

    Attributes:
        elevation, azimuth: degrees; azimuth 0 is +x.
        scale, offset: the square picture shows ``0.5 + scale * (p - 0.5) + offset`` where the camera sees p,
            in parts of its size, (right, down).
        fov: degrees. radius: distance from the origin, world units.
        iou: intersection over union of the silhouettes of picture and mesh.
        color_error: mean absolute difference of picture and mesh in [0, 1] where both are, after their means
            are made equal.
    """

    elevation: float
    azimuth: float = 0.0
    scale: float = 1.0
    offset: tuple[float, float] = (0.0, 0.0)
    fov: float = INPUT_FOV
    iou: float = 1.0
    color_error: float = 0.0
    radius: float = INPUT_RADIUS

    @property
    def agrees(self) -> bool:
        """Whether picture and mesh are alike enough to lay the one on the other."""
        return self.iou >= AGREEING_IOU and self.color_error <= AGREEING_COLORS

    @property
    def c2w(self) -> Floats:
        """(4, 4) camera-to-world."""
        return orbit_poses(self.azimuth, self.elevation, self.radius)

    @property
    def window(self) -> Window:
        """What of the camera's picture the square picture shows."""
        return Window(self.scale, self.offset)

    def rasterize(self, mesh: Mesh, size: int) -> Fragments:
        """The mesh as this camera sees it, in the picture's frame."""
        return rasterize(mesh.vertices, mesh.faces, self.c2w, self.fov, size, self.window)

    def to_pixels(self, points: Floats, size: int) -> tuple[Doubles, Doubles]:
        """(2, N) column and row of world points in a picture of ``size``, whole at pixel centres;
        (N,) 1 / depth.
        """
        return project_to_pixels(points, self.c2w, self.fov, size, self.window)

    def in_view(self, points: Floats) -> tuple[Floats, Floats, Floats]:
        """Where (3, N) points are seen, right and down in parts of the picture, and 1 / depth; float32."""
        pose = np.asarray(self.c2w, np.float64)
        focal = self.scale * intrinsics(self.fov)[0, 0]
        turn = (pose[:3, :3] * np.array([focal, -focal, -1.0])).T
        across, down, depth = (
            turn.astype(np.float32) @ points - (turn @ pose[:3, 3]).astype(np.float32)[:, None]
        )
        nearness = np.float32(1) / np.maximum(depth, np.float32(NEAREST))
        return (
            across * nearness + np.float32(0.5 + self.offset[0]),
            down * nearness + np.float32(0.5 + self.offset[1]),
            nearness,
        )

    def summary(self) -> dict[str, Any]:
        """Plain numbers for reports and files."""
        return {
            "elevation": round(self.elevation, 2),
            "azimuth": round(self.azimuth, 2),
            "scale": round(self.scale, 4),
            "offset": [round(value, 4) for value in self.offset],
            "fov": self.fov,
            "radius": round(self.radius, 4),
            "iou": round(self.iou, 4),
            "color_error": round(self.color_error, 4),
            "agrees": self.agrees,
        }


def shows_object(alpha: Floats) -> bool:
    """Whether a picture shows an object well enough to search its camera: some pixel is more opaque than
    clear.

    Args:
        alpha: (H, W) in [0, 1].
    """
    return bool((alpha > 0.5).any())


def silhouette(alpha: Floats) -> Bools:
    """Where the object is: above half of its highest alpha, at most one half.

    What is faint everywhere, or thinner than a pixel, so that every pixel is partly clear, has an outline by
    that too; the result is empty only where nothing is to be seen at all.

    Args:
        alpha: (H, W) in [0, 1].
    """
    return np.asarray(alpha > 0.5 * min(float(alpha.max(initial=0)), 1.0))
