"""The upright plane that an object is its own mirror image about, told from the model's volume; and a volume
made so. numpy only.

Nearly all things that stand have such a plane or none. Upright, it takes columns of the grid to columns, so a
whole volume is mirrored by one interpolation on the ground. The camera stands at azimuth 0, so a plane with
that normal mirrors near and far: then the side that the picture shows becomes the hidden one, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geco.types import Doubles, Floats

POINTS = 6_000  # of the solid tell the overlap within 0.01
# degrees of the normals tried; beyond 60 the mirror shows next to nothing of the hidden side
ANGLES = np.arange(-60.0, 61.0, 5.0)
# Another plane than that of near and far must fill so much more: a volume of one picture is a guess, and most
# pictures are taken from the front or the side. Chosen among 0.1, 0.15 and never on 74 turned views.
PRIOR = 0.15
SOFT = 4.0  # cells over which the near half goes over into its mirror image


@dataclass(frozen=True)
class MirrorPlane:
    """``normal @ point == offset``.

    Attributes:
        angle: azimuth of the normal, -90 to 90 degrees; 0 mirrors near and far.
        offset: world units.
        overlap: of the solid and its mirror image, intersection over union.
    """

    angle: float
    offset: float
    overlap: float = 1.0

    @property
    def normal(self) -> Floats:
        """(3,) of length 1, towards the camera."""
        turn = np.radians(self.angle)
        return np.array([np.cos(turn), np.sin(turn), 0.0], np.float32)

    def side(self, points: Floats) -> Floats:
        """(N,) distances of points (N, 3), above 0 on the camera's side."""
        return np.asarray(points @ self.normal - np.float32(self.offset), np.float32)

    def mirrored(self, points: Floats) -> Floats:
        """Points (N, 3) in the mirror."""
        return np.asarray(points - 2 * self.side(points)[:, None] * self.normal, np.float32)

    def turned(self, directions: Floats) -> Floats:
        """Directions (N, 3) in the mirror."""
        return np.asarray(directions - 2 * (directions @ self.normal)[:, None] * self.normal, np.float32)


def find_plane(volume: Floats, half_extent: float) -> MirrorPlane:
    """The plane about which the solid is most its own mirror image, that of near and far unless another one
    is better by :data:`PRIOR`.

    Args:
        volume: (R + 1, R + 1, R + 1) signed distance, somewhere negative, on [-half_extent, half_extent]^3,
            indexed [x, y, z].
        half_extent: world units.
    """
    solid = np.flatnonzero(volume < 0)
    inside = np.stack(np.unravel_index(solid[:: max(len(solid) // POINTS, 1)], volume.shape), axis=1)
    middle = inside.mean(axis=0)
    planes = [_about(volume, half_extent, inside, middle, float(angle)) for angle in ANGLES]
    return max(planes, key=lambda plane: plane.overlap - PRIOR * (plane.angle != 0))


def _about(
    volume: Floats, half_extent: float, inside: np.ndarray, middle: Doubles, angle: float
) -> MirrorPlane:
    """The plane of that angle through the middle of the solid, whose cells are ``inside`` (N, 3)."""
    last, cell = len(volume) - 1, 2 * half_extent / (len(volume) - 1)
    offset = float((middle * cell - half_extent) @ MirrorPlane(angle, 0.0).normal)
    plane = MirrorPlane(angle, offset)
    points = (inside * cell - half_extent).astype(np.float32)
    place = np.rint((plane.mirrored(points) + half_extent) / cell).astype(np.intp)
    there = place.clip(0, last)
    filled = (volume[there[:, 0], there[:, 1], there[:, 2]] < 0) & (there == place).all(axis=1)
    share = float(filled.mean())
    return MirrorPlane(angle, offset, share / (2 - share))


def symmetrised(volume: Floats, half_extent: float, plane: MirrorPlane) -> Floats:
    """The volume with its near half, and that half's mirror image in place of the far one."""
    count = len(volume)
    axis = np.linspace(-half_extent, half_extent, count, dtype=np.float32)
    ground = np.stack([each.ravel() for each in (*np.meshgrid(axis, axis, indexing="ij"),)], axis=1)
    ground = np.concatenate([ground, np.zeros((len(ground), 1), np.float32)], axis=1)
    near = np.clip(plane.side(ground) / (SOFT * (axis[1] - axis[0])) + 0.5, 0, 1)
    columns = volume.reshape(count * count, count)
    own = (near * near * (3 - 2 * near))[:, None]
    far = np.flatnonzero(near < 1)
    made = columns.copy()
    seen = _read(columns, (plane.mirrored(ground[far])[:, :2] + half_extent) / (axis[1] - axis[0]))
    made[far] = own[far] * columns[far] + (1 - own[far]) * seen
    return made.reshape(volume.shape)


def _read(columns: Floats, place: Floats) -> Floats:
    """(N, Z) between the columns (R * R, Z) of a grid at places (N, 2) in cells; beyond the grid, farther by
    as much.
    """
    count = int(np.sqrt(len(columns)))
    within = place.clip(0, count - 1)
    low = np.minimum(within.astype(np.intp), count - 2)
    part = (within - low).astype(np.float32)
    first = low[:, 0] * count + low[:, 1]
    found = np.zeros((len(place), columns.shape[1]), np.float32)
    for step_x, x in ((0, 1 - part[:, 0]), (count, part[:, 0])):
        for step_y, y in ((0, 1 - part[:, 1]), (1, part[:, 1])):
            found += (x * y)[:, None] * columns[first + step_x + step_y]
    # A grid is two world units wide or so: a cell is the right order of a distance.
    beyond = np.abs(place - within).sum(axis=1) * (2 / count)
    return found + beyond[:, None].astype(np.float32)


def near_colors(color: Callable[[Floats], Floats], plane: MirrorPlane) -> Callable[[Floats], Floats]:
    """Colours of the near half, and in its mirror image the same."""

    def colors(points: Floats) -> Floats:
        far = plane.side(points) < 0
        asked = np.array(points, np.float32)
        asked[far] = plane.mirrored(asked[far])
        return color(asked)

    return colors
