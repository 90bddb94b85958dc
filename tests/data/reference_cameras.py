"""The six views' cameras as the reference computed them (stored_cameras.json), and how far ours
are from them, in image sizes.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from geco.cameras import invert
from geco.data.render import Light, render_views
from geco.data.view_sets import Cameras, view_set
from tests.data.shapes import sphere

REFERENCE = json.loads(Path(__file__).with_name("stored_cameras.json").read_text())
POINTS = np.array([[0.5, 0.3, 0.2], [-0.4, 0.5, -0.3], [0.1, -0.6, 0.5], [0.0, 0.0, 0.9], [0.7, -0.5, -0.4]])


def formula_difference(name: str, fov: float, points: np.ndarray = POINTS) -> float:
    """Largest difference between our projection of the points and the reference's, both by the
    pinhole formula.
    """
    cameras = view_set(name).cameras(sphere(0.5, 4), np.random.default_rng(0))
    return float(np.abs(our_pixels(points, cameras) - reference_pixels(points, name, fov)).max())


def rendered_difference(
    name: str, fov: float, points: np.ndarray = POINTS, size: int = 1024, radius: float = 0.02
) -> float:
    """Largest difference between the centroid of a rendered white ball and the reference's projection of its
    centre.

    The picture itself is good to about 4e-5 at 1024 pixels: its samples are half a pixel apart.
    """
    worst = 0.0
    grid = (np.arange(size) + 0.5) / size
    for point in points:
        ball = sphere(radius, 24)
        ball.vertices += point.astype(np.float32)
        cameras = view_set(name).cameras(ball, np.random.default_rng(0))
        alpha = (
            render_views(ball, cameras.c2w, cameras.lenses, size, Light(1.0, 0.0)).rgba[..., 3].astype(float)
        )
        mass = alpha.sum(axis=(1, 2))
        centroid = np.stack(
            [(alpha.sum(1) * grid).sum(1) / mass, (alpha.sum(2) * grid).sum(1) / mass], axis=1
        )
        worst = max(worst, float(np.abs(centroid - reference_pixels(point[None], name, fov)[:, 0]).max()))
    return worst


def reference_pixels(points: np.ndarray, name: str, fov: float) -> np.ndarray:
    """(6, N, 2) in [0, 1]: the pinhole formula on the reference's matrices, in double precision."""
    c2w = np.array(REFERENCE[f"c2w_{name[-4:].replace('.', '_')}_r4.0"])
    focal = REFERENCE["input16_r4.0_fov30.0"][0][12] if fov == 30.0 else 0.5 / np.tan(np.radians(fov) / 2)
    local = np.einsum(
        "vij,nj->vni", np.linalg.inv(c2w)[:, :3], np.concatenate([points, np.ones((len(points), 1))], axis=1)
    )
    return np.stack(
        [0.5 - focal * local[..., 0] / local[..., 2], 0.5 + focal * local[..., 1] / local[..., 2]], axis=-1
    )


def our_pixels(points: np.ndarray, cameras: Cameras) -> np.ndarray:
    w2c = invert(cameras.c2w)
    local = np.einsum("vij,nj->vni", w2c[:, :3, :3], points.astype(np.float32)) + w2c[:, None, :3, 3]
    focal, center = cameras.lenses[:, None, :1], cameras.lenses[:, None, 1:]
    return center + focal * local[..., :2] * [-1, 1] / local[..., 2:]
