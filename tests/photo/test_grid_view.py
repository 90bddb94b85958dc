"""Depths go on from where they are known: level along a part, no wall between two depths, gaps filled."""

from __future__ import annotations

import numpy as np

from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import grid_from_volume
from geco.mesh import Mesh
from geco.photo.grid_view import continued
from geco.photo.input_camera import InputCamera
from geco.photo.outline import keep_to_outline

COUNT = 48


def test_a_leg_hangs_where_the_body_begins_it() -> None:
    within = np.zeros((COUNT, COUNT), bool)
    within[5:15, 5:43] = True  # the body
    within[15:45, 8:11] = within[15:45, 38:41] = True  # two legs
    trust = np.zeros((COUNT, COUNT), np.float32)
    trust[5:15, 5:43] = 1
    depth = np.broadcast_to(np.linspace(3.5, 4.5, COUNT, dtype=np.float32), (COUNT, COUNT))  # to the right
    found = continued(depth * (trust > 0), trust, within, 1.0)
    assert np.abs(found[15:45, 8:11] - depth[14, 9]).max() < 0.05
    assert np.abs(found[15:45, 38:41] - depth[14, 39]).max() < 0.05
    assert np.array_equal(found[trust == 1], depth[trust == 1])


def test_between_two_depths_it_keeps_to_the_nearer_one() -> None:
    within = np.zeros((COUNT, COUNT), bool)
    within[20:24, 4:44] = True
    trust = np.zeros((COUNT, COUNT), np.float32)
    trust[20:24, 4:8] = trust[20:24, 40:44] = 1
    depth = np.zeros((COUNT, COUNT), np.float32)
    depth[:, :24], depth[:, 24:] = 3.0, 5.0
    found = continued(depth * (trust > 0), trust, within, 0.02)
    middle = found[21, 8:40]
    assert middle[0] <= 3.02 + 1e-5 and np.diff(middle).max() <= 0.02 + 1e-5
    assert middle[-1] < 3.7  # it ends before the far one, rather than run along the ray


def test_added_material_is_no_wall_along_the_ray() -> None:
    """A crossbar between a near post and a far one: what the model lost of it is as thick as it is wide."""
    cells = 64
    axis = np.linspace(-1, 1, cells + 1, dtype=np.float32)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")

    def box(middle: tuple[float, ...], half: tuple[float, ...]) -> np.ndarray:
        gaps = [np.abs(a - m) - np.float32(h) for a, m, h in zip((x, y, z), middle, half)]
        return np.maximum(np.maximum(*gaps[:2]), gaps[2])

    near, far = box((0.5, -0.5, 0.0), (0.12, 0.12, 0.6)), box((-0.5, 0.5, 0.0), (0.12, 0.12, 0.6))
    posts = np.minimum(near, far)
    bar = box((0.0, 0.0, 0.1), (0.02, 0.5, 0.06))
    camera = InputCamera(0.0)
    mask = camera.rasterize(Mesh(*extract(grid_from_volume(np.minimum(posts, bar), 1.0))), 128).mask
    picture = np.concatenate([np.zeros((128, 128, 3)), mask[..., None]], axis=2).astype(np.float32)
    kept = keep_to_outline(posts, 1.0, lambda p: np.zeros((len(p), 3), np.float32), picture, camera)
    added = (kept.volume < 0) & (posts > 2 / cells)
    depths = [np.ptp(x[added & (np.abs(y - at) < 1 / cells)]) for at in (-0.25, 0.0, 0.2)]
    assert all(0 < depth < 0.4 for depth in depths)
