"""Small parts that the picture shows are kept, others are floaters."""

from __future__ import annotations

import numpy as np

from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import grid_from_volume
from geco.mesh import Mesh
from geco.mesh.clean import floating_faces, without_faces
from geco.photo.input_camera import InputCamera
from geco.photo.shown import unless_shown

AXIS = np.linspace(-1, 1, 65, dtype=np.float32)
PLACE = np.stack(np.meshgrid(AXIS, AXIS, AXIS, indexing="ij"), axis=-1)


def ball(middle: tuple[float, float, float], radius: float) -> np.ndarray:
    return np.linalg.norm(PLACE - np.float32(middle), axis=-1) - np.float32(radius)


def meshed(*volumes: np.ndarray) -> Mesh:
    return Mesh(*extract(grid_from_volume(np.minimum.reduce(volumes), 1.0)))


def test_a_speck_stays_where_the_picture_shows_it_and_nothing_else() -> None:
    body, shown = ball((0, 0, 0), 0.5), ball((0, 0.8, 0.3), 0.06)
    behind, beside = ball((-0.8, 0, 0), 0.06), ball((0, -0.8, 0), 0.06)
    camera = InputCamera(0.0)
    mask = camera.rasterize(meshed(body, shown), 384).mask
    picture = np.concatenate([np.zeros((384, 384, 3)), mask[..., None]], axis=2).astype(np.float32)
    whole = meshed(body, shown, behind, beside)
    floating = floating_faces(whole)
    assert len(without_faces(whole, floating).faces) == len(meshed(body).faces)
    kept = without_faces(whole, unless_shown(whole, floating, camera, picture))
    assert len(kept.faces) == len(meshed(body, shown).faces)
    assert kept.vertices[:, 1].max() > 0.75 and kept.vertices[:, 1].min() > -0.6


def test_nothing_floats_in_one_piece() -> None:
    whole = meshed(ball((0, 0, 0), 0.5))
    nothing = np.zeros(len(whole.faces), bool)
    assert unless_shown(whole, nothing, InputCamera(0.0), np.zeros((8, 8, 4), np.float32)) is nothing
