"""Points drawn from the surface of a mesh, or from what can be seen of it from outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from geco.cameras import orbit_poses, project_points
from geco.errors import MeshError
from geco.render.rasterize_numpy import rasterize
from geco.types import Bools, Doubles, Floats, Longs


def sample_surface(
    vertices: ArrayLike, faces: ArrayLike, count: int, seed: int = 0, visible_only: bool = False
) -> Doubles:
    """Points spread evenly over a mesh's area, in random order.

    Args:
        vertices: (V, 3); faces: (F, 3).
        count: points wanted.
        seed: the same seed gives the same points.
        visible_only: only from what some of 26 cameras around the mesh see: leaves out inner layers of soups,
            insides of closed hulls, and whatever lies deeper than that in hollows. Layers nearer to each
            other than 0.4 % of the bounding sphere's diameter count as one.

    Returns:
        (count, 3) float64.

    Raises:
        MeshError: no area, or numbers that are not finite.
    """
    rng = np.random.default_rng(seed)
    points, corners = finite_points(vertices), np.asarray(faces, np.int64).reshape(-1, 3)
    draw = _Drawer(points[corners], rng)
    if not visible_only:
        return draw(count)
    seen = _Outside(points, corners)
    kept: list[Doubles] = []
    found = 0
    for _ in range(64):
        batch = draw(count)
        kept.append(batch[seen(batch)])
        found += len(kept[-1])
        if found >= count:
            return np.concatenate(kept)[:count]
    raise MeshError(
        "less than 1/64 of the mesh's surface can be seen from outside", "Sample the whole surface."
    )


class _Drawer:
    """Draws points from triangles (F, 3, 3): faces by area, in strata, so that every part gets
    its share nearly exactly.
    """

    def __init__(self, triangles: Doubles, rng: np.random.Generator) -> None:
        self.triangles, self.rng = triangles, rng
        edges = triangles[:, 1:] - triangles[:, :1]
        self.areas = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1).cumsum()
        if len(triangles) == 0 or not np.isfinite(self.areas[-1]) or self.areas[-1] <= 0:
            raise MeshError(
                "a mesh without area, or with vertices that are not finite", "Check the file it came from."
            )

    def __call__(self, count: int) -> Doubles:
        at = (np.arange(count) + self.rng.random(count)) / count * self.areas[-1]
        face = np.minimum(np.searchsorted(self.areas, at, side="right"), len(self.areas) - 1)
        # square root: uniform over the triangle
        root, across = np.sqrt(self.rng.random(count)), self.rng.random(count)
        weights = np.stack([1 - root, root * (1 - across), root * across], axis=1)
        points: Doubles = np.einsum("nk,nkc->nc", weights, self.triangles[face])
        return self.rng.permutation(points, axis=0)


class _Outside:
    """Says which points of a mesh's surface can be seen from a ring of cameras around it."""

    # the mesh is brought into the sphere of radius 0.95, as all objects here are
    SIZE, FOV, RADIUS = 512, 30.0, 4.0
    # pixels: the depth of a slanted surface varies within one
    TOLERANCE = 1.8 * 2 * 4.0 * np.tan(np.radians(15)) / 512

    def __init__(self, vertices: Doubles, faces: Longs) -> None:
        used = vertices[np.unique(faces)]
        self.center = (used.min(axis=0) + used.max(axis=0)) / 2
        self.scale = 0.95 / np.linalg.norm(used - self.center, axis=1).max()
        self.poses = outside_poses(self.RADIUS)
        local = (vertices - self.center) * self.scale
        self.depths = [
            rasterize(local, faces, pose, self.FOV, self.SIZE, engine="numba").depth for pose in self.poses
        ]

    def __call__(self, points: Doubles) -> Bools:
        local = (points - self.center) * self.scale
        seen = np.zeros(len(points), bool)
        for pose, depth in zip(self.poses, self.depths):
            uv, at = project_points(local, pose, self.FOV)
            column, row = np.clip((uv * self.SIZE).astype(int), 0, self.SIZE - 1).T
            seen |= at <= depth[row, column] + self.TOLERANCE
        return seen


def outside_poses(radius: float) -> Floats:
    """(26, 4, 4) cameras towards the faces, edges and corners of a cube."""
    elevations = np.repeat([0.0, 45.0, -45.0], 8)
    return orbit_poses(
        np.r_[np.tile(np.arange(8) * 45.0, 3), 0.0, 0.0], np.r_[elevations, 90.0, -90.0], radius
    )


def finite_points(values: ArrayLike) -> Doubles:
    points = np.ascontiguousarray(np.asarray(values, np.float64).reshape(-1, 3))
    if len(points) == 0 or not np.isfinite(points).all():
        raise MeshError("no points, or points that are not finite", "Check the mesh that they came from.")
    return points
