"""Symmetry: the plane found in a volume, the far half made of the near one, the picture on the hidden side,
and when `auto` says no.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from geco.errors import ConfigError
from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.grids import grid_from_volume
from geco.mesh.types import Mesh
from geco.photo.input_camera import InputCamera
from geco.photo.mirrored import likeness
from geco.photo.rough import rough_of
from geco.photo.symmetry import MirrorPlane, find_plane, near_colors, symmetrised
from geco.pipeline import GecoPipeline
from geco.surface_to_asset import AssetOptions, surface_to_asset
from geco.timing import Stopwatch
from tests.on_device.fields import Figure
from tests.pictures import ball_picture

R = 32
AXIS = np.linspace(-1, 1, R + 1, dtype=np.float32)
GRID = np.stack(np.meshgrid(AXIS, AXIS, AXIS, indexing="ij"), axis=-1)


def box(turn: float, halves: tuple[float, float, float], along: float = 0.0) -> np.ndarray:
    """A box turned about the vertical axis, and moved ``along`` its own second axis."""
    angle = np.radians(turn)
    x, y = GRID[..., 0], GRID[..., 1]
    own = [x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle) - along, GRID[..., 2]]
    return np.stack([np.abs(p) - h for p, h in zip(own, halves)]).max(axis=0).astype(np.float32)


def arrow(turn: float) -> np.ndarray:
    """Two boxes that have one plane of symmetry, with its normal at ``turn``."""
    return np.minimum(box(turn, (0.71, 0.16, 0.31), 0.4), box(turn, (0.16, 0.61, 0.31)))


def wedge(volume: np.ndarray) -> np.ndarray:
    """The volume cut off above a slope that rises towards the camera."""
    return np.maximum(volume, GRID[..., 2] - 0.8 * GRID[..., 0])


@pytest.mark.parametrize("turn", [0.0, 30.0, -40.0])
def test_the_plane_of_a_turned_box_is_found(turn: float) -> None:
    plane = find_plane(arrow(turn), 1.0)
    assert plane.angle == turn and plane.overlap > 0.85 and abs(plane.offset) < 0.03


def test_a_plane_keeps_its_points_and_changes_sides() -> None:
    plane = MirrorPlane(30.0, 0.2)
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    there = plane.mirrored(points)
    np.testing.assert_allclose(plane.side(there), -plane.side(points), atol=1e-5)
    np.testing.assert_allclose(plane.mirrored(there), points, atol=1e-5)
    np.testing.assert_allclose(there - plane.mirrored(0 * points), plane.turned(points), atol=1e-5)
    camera = np.array([[4.0, 0.0, 0.0]], np.float32)
    assert all(MirrorPlane(angle, 0.1).side(camera)[0] > 0 for angle in (-60.0, 0.0, 60.0))


@pytest.mark.parametrize("angle", [0.0, 35.0])
def test_the_far_half_becomes_the_mirror_image_and_the_near_one_stays(angle: float) -> None:
    plane = MirrorPlane(angle, 0.1)
    volume = wedge(box(angle, (0.5, 0.6, 0.7)))
    made = symmetrised(volume, 1.0, plane)
    side = plane.side(GRID.reshape(-1, 3)).reshape(volume.shape)
    near = side > 0.2
    np.testing.assert_array_equal(made[near], volume[near])
    points = GRID[side < -0.25]
    inside = (np.abs(plane.mirrored(points)) < 1).all(axis=1)
    mirrored = plane.mirrored(points[inside])
    wanted = np.stack([np.interp(mirrored[:, k], AXIS, np.arange(R + 1)) for k in range(3)])
    from scipy.ndimage import map_coordinates

    expected = map_coordinates(volume, wanted, order=1)
    np.testing.assert_allclose(made[side < -0.25][inside], expected, atol=1e-4)
    assert find_plane(made, 1.0).overlap > find_plane(volume, 1.0).overlap


def test_colours_behind_the_plane_are_those_before_it() -> None:
    color = near_colors(lambda points: points.copy(), MirrorPlane(0.0, 0.0))
    given = np.array([[0.3, 0.1, 0.2], [-0.3, 0.1, 0.2]], np.float32)
    np.testing.assert_allclose(color(given), [[0.3, 0.1, 0.2]] * 2, atol=1e-6)
    assert given[1, 0] == np.float32(-0.3), "what is asked stays as it is"


class Wedge:
    """Dense grey fields of a wedge or box, and what hides behind it."""

    half_extent = 1.0

    def __init__(self, volume: np.ndarray) -> None:
        self.volume = volume

    def dense(self, resolution: int, near: np.ndarray | None = None) -> np.ndarray:
        return self.volume

    def grid(self, resolution: int) -> FlexiGrid:
        return grid_from_volume(self.volume, 1.0)

    def color(self, points: np.ndarray) -> np.ndarray:
        return np.full((len(points), 3), 0.5, np.float32)


CAMERA = InputCamera(12.0, scale=1.2)


def picture_of(fields: Wedge) -> np.ndarray:
    """(96, 96, 4) the fields' surface, red on the left and blue on the right."""
    mesh, _ = made_of(fields, np.zeros((96, 96, 4), np.float32), outline=False)
    mask = CAMERA.rasterize(mesh, 96).mask
    colors = np.zeros((96, 96, 3), np.float32)
    colors[:, :48, 0] = colors[:, 48:, 2] = 1
    return np.concatenate([colors, mask[..., None].astype(np.float32)], axis=2)


def made_of(fields: Any, picture: np.ndarray, **options: Any) -> tuple[Mesh, dict[str, Any]]:
    return surface_to_asset(fields, picture, AssetOptions(**options), R, 128, Stopwatch())


def behind(mesh: Mesh) -> np.ndarray:
    """(N, 3) the colours in [0, 1] that a camera behind the object sees, left half of it, then right."""
    from geco.cameras import INPUT_FOV, orbit_poses
    from geco.render.shade_numpy import render_mesh

    seen = render_mesh(mesh, orbit_poses(180.0, 12.0, 4.0), INPUT_FOV, 96)
    halves = [seen[40:58, 36:44], seen[40:58, 52:60]]
    return np.array([half[half[..., 3] > 0.9][:, :3].mean(axis=0) for half in halves])


def test_the_hidden_side_shows_the_mirrored_picture() -> None:
    fields = Wedge(box(0.0, (0.51, 0.61, 0.51)))
    picture = picture_of(fields)
    plain, told = made_of(fields, picture)
    mirrored, facts = made_of(fields, picture, symmetry="on")
    assert "symmetry" not in told and np.ptp(behind(plain)) < 0.1, "grey without"
    assert facts["symmetry"]["mirrored"] and facts["projected"]
    left, right = behind(mirrored)
    # From behind, what is on the left of the picture is on the right.
    assert left[2] > 0.8 > 0.2 > left[0] and right[0] > 0.8 > 0.2 > right[2]
    small, _ = made_of(fields, picture, symmetry="on", vertex_colors=True)
    assert small.colors is not None and behind(small)[0][2] > 0.8


def test_the_shape_is_mirrored() -> None:
    fields = Wedge(wedge(box(0.0, (0.61, 0.61, 0.61))))
    mesh, facts = made_of(fields, picture_of(fields), symmetry="on", outline=False)
    away = mesh.vertices[:, 0] - facts["symmetry"]["offset"]
    for low in (0.05, 0.15, 0.25):
        near, far = (mesh.vertices[(low < side) & (side < low + 0.1), 2] for side in (away, -away))
        assert abs(near.max() - far.max()) < 0.04
    assert facts["symmetry"]["mirrored"] and not facts["outline_kept"]


def test_auto_says_what_speaks_against_it() -> None:
    whole = Wedge(box(0.0, (0.51, 0.61, 0.51)))
    picture = picture_of(whole)
    picture[..., :3] = 0.5
    _, facts = made_of(whole, picture, symmetry="auto")
    assert facts["symmetry"]["mirrored"] and "reason" not in facts["symmetry"]
    other = picture.copy()
    other[:, :48, :3] = 0.9
    cut = picture.copy()
    cut[:40, :40, 3] = 0
    for fields, shown, reason in (
        (whole, other, "differ by 0.40"),
        (whole, cut, "outline and its mirror image overlap to"),
        (Wedge(wedge(box(0.0, (0.61, 0.61, 0.61)))), picture, "volume and its mirror image overlap to"),
        (Wedge(arrow(30.0)), picture, "30 degrees"),
    ):
        mesh, facts = made_of(fields, shown, symmetry="auto")
        assert not facts["symmetry"]["mirrored"] and reason in facts["symmetry"]["reason"]
        np.testing.assert_array_equal(mesh.texture, made_of(fields, shown)[0].texture)


def test_how_much_a_picture_is_its_own_mirror_image() -> None:
    picture = np.asarray(ball_picture(96), np.float32) / 255
    assert likeness(picture).outline > 0.97 and likeness(picture).gap > 0.02, "its light comes from a side"
    picture[:, :48, 3] *= np.linspace(0, 1, 96)[:, None] > 0.5
    assert likeness(picture).outline < 0.8
    assert likeness(np.zeros((8, 8, 4), np.float32)).outline == 0


def test_fields_that_are_no_volume_are_refused() -> None:
    with pytest.raises(ConfigError, match="volume of signed distances"):
        made_of(Figure(24), np.zeros((64, 64, 4), np.float32), symmetry="auto")
    with pytest.raises(ConfigError, match="no symmetry is called"):
        AssetOptions(symmetry="yes")  # type: ignore[arg-type]


def test_the_embedded_model_mirrors_a_ball() -> None:
    pipeline = GecoPipeline.from_pretrained("small")
    asked = {"texture_size": 64, "resolution": 24}
    asset = pipeline(ball_picture(64), 0, AssetOptions(symmetry="on", **asked))  # type: ignore[arg-type]
    rough = asset.facts["symmetry"]
    assert rough["mirrored"] and rough["overlap"] > 0.85 and rough["angle"] == 0
    again = pipeline(ball_picture(64), 0, AssetOptions(symmetry="on", **asked))  # type: ignore[arg-type]
    assert asset.encode("glb") == again.encode("glb")


def test_a_rough_surface_serves_twice() -> None:
    fields = Wedge(box(0.0, (0.51, 0.61, 0.51)))
    rough = rough_of(fields, R, picture_of(fields))
    before = rough.volume.copy()
    symmetrised(rough.volume, 1.0, MirrorPlane(0.0, 0.1))
    np.testing.assert_array_equal(rough.volume, before)
