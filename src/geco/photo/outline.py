"""Make a surface keep to the one silhouette that is certain: that of the input picture.

A small multi-view model gets the outline of the visible side roughly right. Given the camera that fits best,
the signed distance grid is carved where the picture shows background, and given a rounded sheet of material
where the picture shows the object and the model left nothing (legs, handles, ears). Far-side geometry that
the picture does not contradict stays the model's. The picture then agrees with the surface, so it can be laid
onto it. numpy only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from geco.cameras import INPUT_RADIUS
from geco.photo.input_camera import InputCamera, silhouette
from geco.photo.maps import blurred, enlarged, resized, sampled, signed_distance
from geco.types import Bools, Floats

SIZE = 96  # pixels of the silhouette's distance map: finer than a grid of 64 cells can follow
CELLS = 48  # pixels of the map of middle depths: about the views' own resolution
FINE = 4  # maps are enlarged so much, so that the nearest pixel of one is as good as a bilinear sample
ROUNDNESS = 0.8  # half thickness of added material over its distance to the outline: 1 is as deep as wide
# cells: half the width that an object has at its thickest, or it is widened: 0.7 is half a cell's diagonal
NARROWEST = 0.75
THINNEST = 0.8  # cells: what is thinner falls through the grid
MARGIN = 0.25  # cells that the carving leaves around the outline, so that thin parts are not cut twice
THICKEST = 0.2  # world units (the object is 1.9 across): added material is limbs and rims, not bodies


@dataclass(frozen=True)
class Fitted:
    """A signed distance grid that keeps to the silhouette.

    Attributes:
        volume: (R + 1, R + 1, R + 1) negative inside, indexed [x, y, z].
        color: (N, 3) world points -> (N, 3) in [0, 1]: the model's, but the picture's where material was
            added.
        added: part of the picture's silhouette that the model had left empty.
    """

    volume: Floats
    color: Callable[[Floats], Floats]
    added: float


def keep_to_outline(
    volume: Floats, half_extent: float, color: Callable[[Floats], Floats], rgba: Floats, camera: InputCamera
) -> Fitted:
    """Carve and fill.

    Args:
        volume: (R + 1, R + 1, R + 1) signed distance, negative inside, on [-half_extent, half_extent]^3,
            indexed [x, y, z].
        half_extent: world units.
        color: the model's colours.
        rgba: (S, S, 4) in [0, 1], the cut-out picture, straight alpha.
        camera: the fitted input camera.
    """
    view = _GridView(camera, half_extent, len(volume))
    cell = np.float32(2 * half_extent / (len(volume) - 1))
    picture, mask = _thick_enough(resized(rgba, SIZE), NARROWEST * float(cell / view.pixel_at_middle))
    # world units to the outline, inside > 0
    width = (view.read(signed_distance(mask)) - view.beyond) * view.pixel + MARGIN * cell

    own = volume.reshape(-1)
    middle, seen = view.middle_depth((own < 0) & (width > 0))
    missing = mask & ~_enlarged(seen)
    share = _softened(missing)
    filled = own
    if share.any():
        wanted = view.read(share)
        thickness = np.clip(ROUNDNESS * width, THINNEST * cell, THICKEST) * wanted
        sheet = (np.abs(view.depth - view.read(_enlarged_values(middle))) - thickness) * np.float32(
            1 / np.hypot(1, ROUNDNESS)
        )
        filled = np.where(wanted > 0.05, np.minimum(own, sheet), own)
    filled = np.maximum(filled, -width).reshape(volume.shape)

    def blended(places: Floats) -> Floats:
        own = color(places)
        if not share.any():
            return own
        at, _ = camera.to_pixels(places, SIZE)
        column, row = (np.clip(p, 0, SIZE - 1).astype(np.float32) for p in at)
        part = sampled(share, column, row)
        near = part > 0.02
        red, green, blue, opaque = (sampled(picture[..., k], column[near], row[near]) for k in range(4))
        shown = np.stack([red, green, blue], axis=1) / np.maximum(opaque, 0.02)[:, None]
        own[near] += part[near, None] * (np.clip(shown, 0, 1) - own[near])
        return own

    return Fitted(filled.astype(np.float32), blended, float(missing.sum() / max(mask.sum(), 1)))


class _GridView:
    """Every vertex of the volume's grid as the camera sees it in the picture; maps are read at the nearest
    fine pixel.

    Attributes:
        depth, pixel: (P,) distance along the viewing axis and width of a picture's pixel there, world units.
        pixel_at_middle: the same width where the object is.
        beyond: (P,) pixels outside the picture.
    """

    def __init__(self, camera: InputCamera, half_extent: float, count: int) -> None:
        pose = np.asarray(camera.c2w, np.float64)
        axis = np.linspace(-half_extent, half_extent, count)
        # A rigid motion of a grid is a sum of three axes, so nothing needs to be multiplied a vertex at a
        # time.
        parts = [
            (axis[:, None] * pose[k, :3] - pose[k, 3] * pose[k, :3]).astype(np.float32) for k in range(3)
        ]
        right, up, back = (
            (parts[0][:, None, None, k] + parts[1][None, :, None, k] + parts[2][None, None, :, k]).reshape(-1)
            for k in range(3)
        )
        self.depth = -back
        focal = np.float32(camera.scale * SIZE * 0.5 / np.tan(np.radians(camera.fov / 2)))
        self.pixel = self.depth / focal
        self.pixel_at_middle = np.float32(INPUT_RADIUS) / focal
        column = right / self.pixel + np.float32((0.5 + camera.offset[0]) * SIZE - 0.5)
        row = np.float32((0.5 + camera.offset[1]) * SIZE - 0.5) - up / self.pixel
        self._column, self._row = np.clip(column, 0, SIZE - 1), np.clip(row, 0, SIZE - 1)
        self.beyond = np.abs(column - self._column) + np.abs(row - self._row)
        last = SIZE * FINE - 1
        self._place = (self._row * (last / (SIZE - 1)) + 0.5).astype(np.int32) * (last + 1)
        self._place += (self._column * (last / (SIZE - 1)) + 0.5).astype(np.int32)

    def read(self, image: Floats) -> Floats:
        """(SIZE, SIZE) -> (P,)."""
        return enlarged(image, FINE).reshape(-1)[self._place]

    def middle_depth(self, solid: Bools) -> tuple[Floats, Bools]:
        """(CELLS, CELLS) mean depth of the solid along each ray, spread to where there is none;
        and where there is some.
        """
        part = CELLS / SIZE
        cell = (self._row[solid] * part).astype(np.intp) * CELLS + (self._column[solid] * part).astype(
            np.intp
        )
        count = np.bincount(cell, minlength=CELLS * CELLS).astype(np.float32).reshape(CELLS, CELLS)
        total = np.bincount(cell, self.depth[solid], CELLS * CELLS).astype(np.float32).reshape(CELLS, CELLS)
        known = count > 0
        spread = _spread(
            np.where(known, total / np.maximum(count, 1), 0).astype(np.float32), known.astype(np.float32)
        )
        return np.where(known, spread, blurred(blurred(spread))), known


def _thick_enough(picture: Floats, half_width: float) -> tuple[Floats, Bools]:
    """The picture and the object's mask; both widened where the object is nowhere as thick as the grid can
    follow.

    A needle, a ring of wire or a line drawing would fall through the grid whole. Thin parts of thicker things
    are left alone.

    Args:
        picture: (S, S, 4), colours multiplied by alpha.
        half_width: pixels, of the thickest part.
    """
    mask = silhouette(picture[..., 3])
    inside = signed_distance(mask)
    thickest = float(inside.max())
    if thickest >= half_width or not mask.any():
        return picture, mask
    known = np.asarray(mask, np.float32)
    straight = picture[..., :3] / np.maximum(picture[..., 3:], 1e-3)
    colors = [_spread(np.ascontiguousarray(straight[..., k]), known) for k in range(3)]
    return np.stack([*colors, np.ones_like(known)], axis=2), inside > thickest - half_width


def _spread(values: Floats, weight: Floats) -> Floats:
    """Unknown values (weight 0) from the mean of ever larger blocks around them."""
    if len(values) == 1 or len(values) % 2 or (weight > 0).all():
        mean = (values * weight).sum() / max(float(weight.sum()), 1e-9)
        return np.where(weight > 0, values, np.float32(mean))
    blocks = (len(values) // 2, 2, len(values) // 2, 2)
    heavy = weight.reshape(blocks).sum(axis=(1, 3))
    coarse = (values * weight).reshape(blocks).sum(axis=(1, 3)) / np.maximum(heavy, 1e-9)
    fine = _spread(coarse.astype(np.float32), (heavy > 0).astype(np.float32)).repeat(2, 0).repeat(2, 1)
    return np.where(weight > 0, values, fine)


def _enlarged(mask: Bools) -> Bools:
    """(CELLS, CELLS) -> (SIZE, SIZE)."""
    return mask.repeat(SIZE // CELLS, 0).repeat(SIZE // CELLS, 1)


def _enlarged_values(values: Floats) -> Floats:
    return np.asarray(Image.fromarray(values).resize((SIZE, SIZE), Image.Resampling.BILINEAR), np.float32)


def _softened(mask: Bools) -> Floats:
    """1 in the mask, falling to 0 over about three pixels around it; specks of a pixel or two vanish."""
    eroded = blurred(mask.astype(np.float32)) > 0.6
    soft = blurred(blurred(blurred(blurred(eroded.astype(np.float32)) > 0.05)))
    return np.clip(soft * 1.5, 0, 1).astype(np.float32)
