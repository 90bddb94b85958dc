"""Pictures in numpy: texture lookup, coverage, background, and buffers of a ball against the formula."""

from __future__ import annotations

import numpy as np
import pytest

from geco.mesh.texture import sample_texture
from geco.mesh.types import Mesh
from geco.render.shade_numpy import Headlight, render_buffers, render_mesh
from tests.render.shapes import FOV, FRONT, RADIUS, ball, focal, square


def textured_square(texture: np.ndarray, half: float) -> Mesh:
    vertices, faces = square(0.0, (-half, -half), (half, half))
    uvs = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)  # origin at the top left, z up
    return Mesh(vertices, faces, uvs=uvs, texture=texture)


def test_bilinear_lookup_is_exact_at_texel_centres_linear_between_and_clamped() -> None:
    texture = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    column, row = np.meshgrid(np.arange(7), np.arange(5))
    uvs = np.stack([(column + 0.5) / 7, (row + 0.5) / 5], axis=-1).reshape(-1, 2).astype(np.float32)
    assert np.abs(sample_texture(texture, uvs).reshape(5, 7, 3) * 255 - texture).max() < 1e-3
    middle = sample_texture(texture, np.array([[2 / 7, 1 / 5]], np.float32))[0] * 255
    assert np.abs(middle - texture[0:2, 1:3].mean(axis=(0, 1))).max() < 1e-2
    assert (
        np.abs(
            sample_texture(texture, np.array([[0.0, 0.0], [1.0, 1.0]], np.float32)) * 255
            - texture[[0, -1], [0, -1]]
        ).max()
        < 1e-3
    )


def test_a_square_that_fills_the_frame_shows_its_texture() -> None:
    size = 32
    texture = np.random.default_rng(1).integers(0, 256, (size, size, 3)).astype(np.uint8)
    mesh = textured_square(texture, RADIUS * np.tan(np.radians(FOV) / 2) * 1.0001)
    picture = render_mesh(mesh, FRONT, FOV, size, supersample=1)
    assert (picture[..., 3] == 1).all()
    # the square is a ten-thousandth larger than the frame
    assert np.abs(picture[..., :3] * 255 - texture).max() < 1.0


def test_alpha_is_coverage_and_colours_do_not_bleed() -> None:
    size, half = 48, 0.37
    vertices, faces = square(0.0, (-half, -half), (half, half))
    mesh = Mesh(vertices, faces, colors=np.tile(np.float32([0.2, 0.4, 0.9]), (4, 1)))
    picture = render_mesh(mesh, FRONT, FOV, size, supersample=8)
    area = (2 * half * focal(size) / RADIUS) ** 2
    assert picture[..., 3].sum() == pytest.approx(area, rel=0.01)
    seen = picture[..., 3] > 0
    assert np.abs(picture[seen][:, :3] - [0.2, 0.4, 0.9]).max() < 1e-5


def test_clay_is_lit_by_the_headlight() -> None:
    vertices, faces = ball()
    picture = render_mesh(Mesh(vertices, faces), FRONT, FOV, 96)
    grey = picture[..., 0]
    assert grey[48, 48] == pytest.approx(0.75, abs=0.01)
    rim = (picture[..., 3] > 0) & (picture[..., 3] < 1)
    assert grey[rim].mean() < 0.6
    flat = render_mesh(Mesh(vertices, faces, colors=np.ones_like(vertices)), FRONT, FOV, 96)
    assert flat[48, 48, 0] == 1 and flat[rim][:, 0].min() > 0.999
    lit = render_mesh(
        Mesh(vertices, faces, colors=np.ones_like(vertices)), FRONT, FOV, 96, light=Headlight(0.5, 0.5)
    )
    assert lit[rim][:, 0].mean() < 0.8


def test_buffers_of_a_ball_agree_with_the_formula() -> None:
    radius, size = 0.7, 128
    vertices, faces = ball(radius, 64)
    centre = np.array([0.013, -0.021, 0.017])
    found = render_buffers(Mesh(vertices, faces), FRONT, FOV, size)
    offset = found.positions[found.mask] - centre
    assert np.abs(np.linalg.norm(offset, axis=1) - radius).max() < 2e-3
    cosine = (found.normals[found.mask] * offset / radius).sum(axis=1)
    assert (
        np.median(cosine) > 0.999
        and (np.abs(np.linalg.norm(found.normals[found.mask], axis=1) - 1) < 1e-5).all()
    )
    assert np.abs(RADIUS - found.positions[found.mask][:, 0] - found.depth[found.mask]).max() < 1e-5
