"""Parts that touch in the picture and not in depth are joined, where they come nearest; others are not."""

from __future__ import annotations

import numpy as np

from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import grid_from_volume
from geco.mesh import Mesh
from geco.mesh.components import component_labels
from geco.photo.bridges import FARTHEST, bridges, with_rods
from geco.photo.input_camera import InputCamera

COUNT = 64
AXIS = np.linspace(-1, 1, COUNT + 1, dtype=np.float32)
PLACE = np.stack(np.meshgrid(AXIS, AXIS, AXIS, indexing="ij"), axis=-1)
CELL = 2 / COUNT


def box(middle: tuple[float, float, float], half: tuple[float, float, float]) -> np.ndarray:
    return (np.abs(PLACE - np.float32(middle)) - np.float32(half)).max(axis=-1)


def meshed(volume: np.ndarray) -> Mesh:
    return Mesh(*extract(grid_from_volume(volume, 1.0)))


def pieces(mesh: Mesh) -> int:
    return int(component_labels(mesh).max()) + 1


def joined(volume: np.ndarray) -> tuple[Mesh, list]:
    camera = InputCamera(0.0)
    mesh = meshed(volume)
    seen = camera.rasterize(mesh, 192)
    rods = bridges(mesh, seen, camera, seen.mask, CELL)
    return meshed(with_rods(volume, 1.0, rods)), rods


def test_a_seat_and_a_leg_behind_it_become_one() -> None:
    seat, leg = box((0.3, 0, 0.3), (0.2, 0.5, 0.1)), box((-0.2, 0.3, -0.3), (0.1, 0.1, 0.52))
    both = np.minimum(seat, leg)
    assert pieces(meshed(both)) == 2
    made, rods = joined(both)
    assert pieces(made) == 1 and len(rods) == 1
    (rod,) = rods
    # From one to the other, the shortest way along the ray: under the seat's hind edge.
    for end, volume in zip(sorted((rod.start, rod.end), key=lambda end: float(end[0])), (leg, seat)):
        assert volume[tuple(np.rint((end + 1) / CELL).astype(int))] < CELL
    assert np.linalg.norm(rod.end - rod.start) < 0.5


def test_things_apart_in_the_picture_or_far_behind_stay_apart() -> None:
    here = box((0.4, -0.3, 0), (0.1, 0.2, 0.2))
    for other in (box((0.4, 0.4, 0), (0.1, 0.2, 0.2)), box((0.4 - FARTHEST - 0.3, 0.1, 0), (0.1, 0.3, 0.2))):
        made, rods = joined(np.minimum(here, other))
        assert not rods and pieces(made) == 2


def test_one_piece_is_left_alone() -> None:
    assert not joined(box((0, 0, 0), (0.3, 0.3, 0.3)))[1]
