"""How thin a picture's object is, how fine a grid it needs, and parts so thin that they are widened. numpy
only.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from geco.cameras import INPUT_RADIUS
from geco.photo.grid_view import FINE, spread
from geco.photo.input_camera import InputCamera, silhouette
from geco.photo.maps import signed_distance
from geco.types import Bools, Floats

REACH = 0.21  # parts of the picture's side: distances to the outline beyond it mean nothing here
# Own choice, cells: the mean thickness of the object that the grid is made fine enough for. An outline that
# errs by a fifth of a cell on both sides then keeps .93 of its area.
WANTED_CELLS = 7.0
FINEST = 4.0  # times as fine as asked for at most: 256 cells a side of 64
STEP, MOST_CUBES = 16, 512  # grids are multiples of the one, and at most the other
# Cells: half the width that every part has at least, or it is widened. Own choice, on nets, grasses and legs:
# at 0.75 wires are twice too thick, at 0.5 more of them break (half a cell's diagonal is 0.7).
NARROWEST = 0.6
# Own choice, pixels: a place is in the middle of its part where no neighbour lies deeper by more. Along a bar
# depth is level, towards a square corner it falls by 0.7 a pixel.
RIDGE = 0.35


def needed_resolution(
    picture: Floats, camera: InputCamera, half_extent: float, size: int, most: int | None = None
) -> int:
    """Cubes a side that the picture's outline needs, ``size`` or more, up to :data:`FINEST` times as many.

    Args:
        picture: (P, P, 4) in [0, 1].
        camera: of the picture.
        half_extent: of the grid, world units.
        size: cubes a side that were asked for.
        most: no more than these, where that is more than ``size``.
    """
    alpha = picture[..., 3]
    if len(alpha) != FINE:
        alpha = np.asarray(Image.fromarray(alpha).resize((FINE, FINE), Image.Resampling.BOX))
    mask = silhouette(alpha)
    thickness = mean_thickness(mask)
    if not thickness:
        return size
    pixel = INPUT_RADIUS * 2 * np.tan(np.radians(camera.fov / 2)) / (camera.scale * FINE)
    cells = thickness * pixel / (2 * half_extent / size)
    finer = size * min(WANTED_CELLS / cells, FINEST)
    if finer <= size:
        return size
    return max(size, min(int(np.ceil(finer / STEP)) * STEP, most or MOST_CUBES))


def mean_thickness(mask: Bools) -> float:
    """Pixels: twice the area over the length of the outline, the width of a long bar; 0 of nothing."""
    padded = np.pad(mask, 1)
    edges = sum(int(np.count_nonzero(np.diff(padded, axis=axis))) for axis in (0, 1))
    # Steps along the axes are 4 / pi times as long as the outline that they follow, over all directions.
    return 2 * float(np.count_nonzero(mask)) / max(edges * np.pi / 4, 1) if edges else 0.0


def widened(picture: Floats, half_width: float) -> tuple[Floats, Floats]:
    """The picture and its pixels' distance to the outline (inside > 0), both with the parts widened that the
    grid would lose: a needle, a ring of wire, a line drawing, a leg.

    Args:
        picture: (S, S, 4), colours multiplied by alpha.
        half_width: pixels that every part reaches at least from its middle to its rim.

    Returns:
        colours as before, alpha 1 within the new outline; (S, S) pixels, at most :data:`REACH` of S.
    """
    mask, reach = silhouette(picture[..., 3]), round(REACH * len(picture))
    inside = signed_distance(mask, reach)
    around = np.pad(inside, 1, constant_values=-np.inf)
    deepest = np.max([np.roll(around, move, (0, 1))[1:-1, 1:-1] for move in MOVES], axis=0)
    thin = mask & (inside < half_width) & (inside > deepest - RIDGE)
    if not thin.any():
        return picture, inside
    inside = np.maximum(inside, half_width - 0.5 + signed_distance(thin, reach))
    known = np.asarray(mask, np.float32)
    straight = picture[..., :3] / np.maximum(picture[..., 3:], 1e-3)
    colors = [spread(np.ascontiguousarray(straight[..., k]), known) for k in range(3)]
    wider = np.stack([*colors, np.ones_like(known)], axis=2)
    return np.where((inside > 0)[..., None] & ~mask[..., None], wider, picture), inside


def widest_near(inside: Floats, reach: int) -> Floats:
    """(S, S) the highest number up to ``reach`` pixels away along both axes."""
    for axis in (0, 1):
        padded = np.pad(inside, [(reach, reach) if k == axis else (0, 0) for k in (0, 1)], mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis)
        inside = np.asarray(windows.max(axis=-1), np.float32)
    return inside


MOVES = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]
