"""The surface keeps to the picture's outline: distances exact, camera found, material carved and
added, the far side kept.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.grids import grid_from_volume
from geco.mesh import Mesh
from geco.photo import find_camera, keep_to_outline, prior_camera
from geco.photo.input_camera import InputCamera
from geco.photo.look import measure
from geco.photo.maps import enlarged, signed_distance

R = 48
AXIS = np.linspace(-1, 1, R + 1, dtype=np.float32)
X, Y, Z = np.meshgrid(AXIS, AXIS, AXIS, indexing="ij")


def ball(radius: float) -> np.ndarray:
    return np.sqrt(X**2 + Y**2 + Z**2) - np.float32(radius)


def grey(points: np.ndarray) -> np.ndarray:
    return np.full((len(points), 3), 0.5, np.float32)


def picture_of(volume: np.ndarray, camera: InputCamera, size: int = 128) -> np.ndarray:
    """(size, size, 4) the outline of a volume's surface in red."""
    mesh = Mesh(*extract(grid_from_volume(volume, 1.0)))
    mask = camera.rasterize(mesh, size).mask
    return np.concatenate(
        [np.broadcast_to(np.float32((1, 0, 0)), (size, size, 3)), mask[..., None]], axis=2
    ).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.98))
def test_distances_are_those_of_a_plain_search(seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((17, 17)) < share
    if mask.all() or not mask.any():
        assert (np.abs(signed_distance(mask)) > 17).all()
        return
    at = np.argwhere(np.ones_like(mask)).astype(float)
    gaps = np.linalg.norm(at[:, None] - at[None], axis=2)
    inside = mask.reshape(-1)
    expected = np.where(inside, gaps[:, ~inside].min(axis=1) - 0.5, 0.5 - gaps[:, inside].min(axis=1))
    assert np.allclose(signed_distance(mask).reshape(-1), expected, atol=1e-4)


def test_enlarging_keeps_planes() -> None:
    row, column = np.mgrid[0:12, 0:12].astype(np.float32)
    at = np.linspace(0, 11, 48)
    assert np.allclose(enlarged(2 * row - column, 4), 2 * at[:, None] - at[None], atol=1e-4)


@pytest.mark.parametrize(("scale", "offset"), [(1.2, (0.0, 0.0)), (1.5, (0.08, -0.05)), (0.95, (-0.1, 0.1))])
def test_the_camera_of_a_known_picture_is_found(scale: float, offset: tuple[float, float]) -> None:
    volume = np.maximum(np.abs(X) / 0.4, np.maximum(np.abs(Y) / 0.7, np.abs(Z) / 0.25)) * 0.3 - 0.3
    true = InputCamera(15.0, scale=scale, offset=offset)
    alpha = picture_of(volume, true)[..., 3]
    points = np.stack([X, Y, Z], axis=-1)[volume < 0]
    found = find_camera(points, alpha)
    assert found.iou > 0.9
    assert found.scale == pytest.approx(scale, rel=0.15)  # an outline alone trades scale against elevation
    assert np.allclose(found.offset, offset, atol=0.06)


def test_what_the_picture_denies_is_carved() -> None:
    camera = InputCamera(0.0)
    # the picture shows only one half of the ball (y < 0)
    picture = picture_of(np.maximum(ball(0.7), Y), camera)
    kept = keep_to_outline(ball(0.7), 1.0, grey, picture, camera)
    cell = 2 / R
    assert (kept.volume[2 * cell < Y] > 0).all()
    deep = (-2 * cell > Y) & (ball(0.7) < -cell)
    assert (kept.volume[deep] < 0).all()
    assert kept.added < 0.02


def test_what_the_picture_shows_is_added_and_takes_its_colour() -> None:
    camera = InputCamera(10.0)
    body, leg = (
        ball(0.4),
        np.maximum(np.sqrt(X**2 + (Y - 0.1) ** 2) - np.float32(0.07), np.abs(Z + 0.55) - np.float32(0.25)),
    )
    picture = picture_of(np.minimum(body, leg), camera)
    before = measure(camera, Mesh(*extract(grid_from_volume(body, 1.0))), picture).iou
    kept = keep_to_outline(body, 1.0, grey, picture, camera)
    mesh = Mesh(*extract(grid_from_volume(kept.volume, 1.0)))
    after = measure(camera, mesh, picture).iou
    assert before < 0.92 and after > 0.95 and kept.added > 0.05
    low = mesh.vertices[mesh.vertices[:, 2] < -0.6]
    assert len(low) > 20
    assert np.abs(low[:, 0]).max() < 0.3  # round material near the body's middle, not a wall along the ray
    assert (kept.color(low)[:, 0] > 0.8).all() and (kept.color(low)[:, 1] < 0.2).all()
    assert np.allclose(kept.color(np.array([[0, 0, 0.35]], np.float32)), 0.5)


def test_a_surface_that_agrees_is_left_alone() -> None:
    camera = InputCamera(5.0, scale=1.1)
    kept = keep_to_outline(ball(0.6), 1.0, grey, picture_of(ball(0.6), camera), camera)
    before, after = (Mesh(*extract(grid_from_volume(v, 1.0))) for v in (ball(0.6), kept.volume))
    assert np.abs(np.linalg.norm(after.vertices, axis=1) - 0.6).max() < 0.05
    back = before.vertices[:, 0] < -0.1
    assert back.any() and kept.added < 0.01
    deep = np.abs(ball(0.6)) < 0.5
    far_side = deep & (X < -0.3)
    assert np.allclose(kept.volume[far_side & (ball(0.5) < 0)], ball(0.6)[far_side & (ball(0.5) < 0)])


def test_a_model_that_saw_next_to_nothing_still_gets_the_outline() -> None:
    bar = np.maximum(
        np.maximum(np.abs(Y) - np.float32(0.8), np.abs(X) - np.float32(0.08)), np.abs(Z) - np.float32(0.08)
    )
    picture = picture_of(bar, InputCamera(10.0, scale=1.1))
    camera = prior_camera(picture[..., 3])
    kept = keep_to_outline(ball(0.06), 1.0, grey, picture, camera)
    mesh = Mesh(*extract(grid_from_volume(kept.volume, 1.0)))
    assert measure(camera, mesh, picture).iou > 0.8
