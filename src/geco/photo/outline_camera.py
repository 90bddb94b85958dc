"""Where the input picture was taken from, told from the outline alone, for a surface whose outline is only
roughly right.

:func:`geco.photo.fit_camera.fit_input_camera` trusts the mesh: it lays the boxes of both outlines on each
other. A small model loses legs and handles, and then the boxes mean nothing; so here scale and place are
moved until the outlines overlap most, starting from where the model's training puts the object. Solid grid
points stand for the mesh, which costs a millisecond a try.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from geco.cameras import INPUT_FOV
from geco.photo.input_camera import InputCamera, silhouette
from geco.photo.maps import blurred
from geco.types import Bools, Doubles, Floats, Ints

SIZE = 40  # pixels of the compared outlines: a cell of a 64 grid is about one
ELEVATIONS = (-5.0, 5.0, 15.0, 25.0)  # the small model's training pictures lie between -10 and 30 degrees
# a degree away must win so much IoU: most elevations fit a rough outline alike
PRIOR_ELEVATION, PRIOR_WEIGHT = 12.0, 0.002
# median over the training objects of picture size over view size (0.85 of the frame against the ball's 0.95)
START_SCALE = 1.2
TOUCHED = 0.1  # own choice, of a pixel: a line a tenth of it wide
MANY = 8_000  # points: of so many every second one draws the outline well enough for the first steps
STEPS = (0.1, 0.05, 0.02)  # relative for the scale, parts of the picture for the place


def find_camera(solid: Floats, alpha: Floats, fov: float = INPUT_FOV) -> InputCamera:
    """The elevation, scale and offset under which the solid's outline overlaps the picture's most.

    Args:
        solid: (N, 3) points inside the object, about evenly spaced, world units.
        alpha: (S, S) of the cut-out picture.
        fov: degrees.

    Returns:
        the camera, and in ``iou`` how well it does; :func:`prior_camera` where there is nothing to compare.
    """
    wanted = _compared(alpha)
    if not wanted.any() or not len(solid):
        return prior_camera(alpha, fov)
    best, best_score = InputCamera(PRIOR_ELEVATION, fov=fov, iou=0.0), -1.0
    for elevation in ELEVATIONS:
        camera = InputCamera(elevation, fov=fov)
        pixels, _ = camera.to_pixels(solid, 1)
        place, overlap = _settled(np.asarray(pixels, np.float32), wanted)
        score = overlap - PRIOR_WEIGHT * abs(elevation - PRIOR_ELEVATION)
        if score > best_score:
            scale, right, down = (float(value) for value in place)
            best, best_score = replace(camera, scale=scale, offset=(right, down), iou=overlap), score
    return best


def _compared(alpha: Floats) -> Bools:
    """(SIZE, SIZE) the picture's outline: pixels that it fills by half, and those of parts too thin to fill
    any by half, which would be no part of it else.
    """
    filled = silhouette(np.asarray(Image.fromarray(alpha).resize((SIZE, SIZE), Image.Resampling.BOX)))
    fine = np.asarray(silhouette(alpha), np.float32)
    touched = np.asarray(Image.fromarray(fine).resize((SIZE, SIZE), Image.Resampling.BOX)) > TOUCHED
    return filled | (touched & (blurred(filled) == 0))


def prior_camera(alpha: Floats, fov: float = INPUT_FOV) -> InputCamera:
    """Where the model's training puts the object: for a surface so wrong that no camera can be
    told from it.
    """
    right, down = _middle(silhouette(alpha))
    return InputCamera(
        PRIOR_ELEVATION, scale=START_SCALE, offset=(float(right), float(down)), fov=fov, iou=0.0
    )


def _middle(mask: Bools) -> Doubles:
    """(2,) the middle of the box around a mask, right and down of the picture's middle, in parts
    of it; 0 where it is empty.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return np.zeros(2)
    return np.array([columns.min() + columns.max() + 1, rows.min() + rows.max() + 1]) / (2 * len(mask)) - 0.5


def _settled(centered: Floats, wanted: Bools) -> tuple[Doubles, float]:
    """(3,) scale and offset climbed to from the prior, and the IoU there. ``centered`` (2, N) is
    0 at the picture's middle.
    """
    place = np.array([START_SCALE, 0.0, 0.0])
    # The middle of the solid onto the middle of the picture's object is a better start than the origin onto
    # it.
    middle = _middle(wanted)
    place[1:] = middle - START_SCALE * (centered.min(axis=1) + centered.max(axis=1)) / 2
    few = np.ascontiguousarray(centered[:, ::2]) if centered.shape[1] >= MANY else centered
    for step in STEPS:
        points, moved = (few if step > STEPS[-1] else centered), True
        best = _overlap(points, place, wanted)
        while moved:
            moved = False
            for axis in range(3):
                for direction in (step, -step):
                    tried = place.copy()
                    if axis == 0:
                        # Grow about the object's place, not about the picture's middle.
                        tried[0] *= 1 + direction
                        tried[1:] = middle + (tried[1:] - middle) * (1 + direction)
                    else:
                        tried[axis] += direction
                    overlap = _overlap(points, tried, wanted)
                    if overlap > best + 1e-4:
                        place, best, moved = tried, overlap, True
    return place, best


def _overlap(centered: Floats, place: Doubles, wanted: Bools) -> float:
    """IoU of the outlines; the solid's single empty pixels between points are closed."""
    size = len(wanted)
    place_of = centered * place[0]
    place_of += (place[1:] + 0.5)[:, None]
    place_of *= size
    column, row = place_of.astype(np.int32)
    outside = 0
    if min(column.min(), row.min()) < 0 or max(column.max(), row.max()) >= size:
        within = (column >= 0) & (column < size) & (row >= 0) & (row < size)
        outside = _different(np.stack([column.compress(~within), row.compress(~within)]))
        column, row = column.compress(within), row.compress(within)
    seen = np.zeros(size * size, bool)
    seen[row * size + column] = True
    grid = seen.reshape(size, size)
    closed = grid.copy()
    closed[1:-1] |= grid[:-2] & grid[2:]
    closed[:, 1:-1] |= grid[:, :-2] & grid[:, 2:]
    return float((closed & wanted).sum() / max((closed | wanted).sum() + outside, 1))


def _different(pixels: Ints) -> int:
    """How many different ones of (2, N) int32, N > 0. (np.unique loads numpy.ma: 6 ms of a start.)"""
    keys = np.sort(pixels[0].astype(np.int64) << 32 | pixels[1].astype(np.int64) & 0xFFFFFFFF)
    return 1 + int(np.count_nonzero(keys[1:] != keys[:-1]))
