"""Make a surface keep to the one silhouette that is certain: that of the input picture.

A small multi-view model gets the outline of the visible side roughly right. Given the camera that fits best,
the signed distance grid is carved where the picture shows background, and given a rounded sheet of material
where the picture shows the object and the model left nothing (rims, legs, handles, ears). Far-side geometry
that the picture does not contradict stays the model's. The picture then agrees with the surface, so it can be
laid onto it. numpy only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geco.photo.grid_view import GridView
from geco.photo.input_camera import InputCamera
from geco.photo.maps import blurred, resized, sampled
from geco.photo.thin import NARROWEST, widened, widest_near
from geco.types import Bools, Floats

ROUNDNESS = 0.8  # half thickness of added material over its distance to the outline: 1 is as deep as wide
THINNEST = 0.8  # cells: what is thinner falls through the grid
# cells that the carving leaves around parts of so many cells' half width, of which the grid rounds the edges
# off; none around parts twice as thick
MARGIN, THIN = 0.2, 1.5
SPARE = 0.3  # cells that added material reaches beyond the outline before it is carved
THICKEST = 0.2  # world units (the object is 1.9 across): added material is limbs and rims, not bodies
# cells: rays that pass through the model's own solid less deep get material, those that pass deeper than the
# second get none
SHALLOW, DEEP = 0.75, 1.5
# depth over width of added material: it is no wall along the ray, but for the few pixels of a gap that it
# would leave
STEEPEST, STEEPEST_IN_GAPS = 1.0, 8.0


@dataclass(frozen=True)
class Fitted:
    """A signed distance grid that keeps to the silhouette.

    Maps are of S pixels a side (:attr:`geco.photo.grid_view.GridView.size`).

    Attributes:
        carved: (S, S) pixels that the outline is moved outwards by, and (S, S) where no gap may be, 0 to 1 ->
            (R + 1, R + 1, R + 1) negative inside, indexed [x, y, z].
        inside: (S, S) pixels to the outline that is kept to, > 0 within.
        color: (N, 3) world points -> (N, 3) in [0, 1]: the model's, but the picture's where material was
            added.
        added: part of the picture's silhouette that the model had left empty.
    """

    carved: Callable[[Floats, Floats], Floats]
    inside: Floats
    color: Callable[[Floats], Floats]
    added: float

    @property
    def volume(self) -> Floats:
        """The grid with the outline as it is."""
        nothing = np.zeros_like(self.inside)
        return self.carved(nothing, nothing)


def keep_to_outline(
    volume: Floats, half_extent: float, color: Callable[[Floats], Floats], rgba: Floats, camera: InputCamera
) -> Fitted:
    """Carve and fill.

    Args:
        volume: (R + 1, R + 1, R + 1) signed distance, negative inside, on [-half_extent, half_extent]^3,
            indexed [x, y, z].
        half_extent: world units.
        color: the model's colours.
        rgba: (P, P, 4) in [0, 1], the cut-out picture, straight alpha.
        camera: the fitted input camera.
    """
    view = GridView(camera, half_extent, len(volume))
    cell = np.float32(2 * half_extent / (len(volume) - 1))
    picture, inside = widened(resized(rgba, view.size), NARROWEST * float(cell / view.pixel_at_middle))
    mask, pixels = inside > 0, float(cell / view.pixel_at_middle)
    rounded = np.clip(2 - widest_near(inside, round(2 * THIN * pixels)) / (THIN * pixels), 0, 1)
    # world units to the outline, inside > 0
    width = (view.read(inside + MARGIN * pixels * rounded) - view.beyond) * view.pixel
    own = volume.reshape(-1)

    depth_inside = _depth_inside(view, np.minimum(width, -own), cell)
    share = _missing(mask, depth_inside / cell)
    if not share.any():
        whole = np.maximum(own, -width).reshape(volume.shape)
        return Fitted(lambda *_: whole, inside, color, 0.0)
    middle = view.nearest_layer((own < 0) & (width > 0), mask, depth_inside / (DEEP * cell), STEEPEST)
    # A plate that is there is not to become thicker, but for what the grid needs.
    most = cell + (THICKEST - cell) * np.clip(1 - depth_inside / cell, 0, 1)
    wanted = view.read(share)
    thickness = np.maximum(np.minimum(ROUNDNESS * (width + SPARE * cell), view.read(most)), THINNEST * cell)
    thickness *= wanted
    away = np.abs(view.depth - view.read(middle))

    def with_sheet(volume: Floats, where: Floats, steepest: float) -> Floats:
        # Where the sheet lies aslant to the ray, it is as much thicker along it.
        aslant = view.read(_steepness(middle, float(view.pixel_at_middle), steepest))
        sheet = (away / aslant - thickness) * np.float32(1 / np.hypot(1, ROUNDNESS))
        return np.where(where > 0.05, np.minimum(volume, sheet), volume)

    filled = with_sheet(own, wanted, STEEPEST)

    def carved(moves: Floats, gaps: Floats) -> Floats:
        closed = with_sheet(filled, view.read(gaps), STEEPEST_IN_GAPS) if gaps.any() else filled
        moved = width + view.read(moves) * view.pixel if moves.any() else width
        return np.maximum(closed, -moved).reshape(volume.shape).astype(np.float32)

    deep = np.minimum(ROUNDNESS * view.pixel_at_middle * np.maximum(inside, 0), most) + cell

    def blended(places: Floats) -> Floats:
        own = color(places)
        at, nearness = camera.to_pixels(places, view.size)
        column, row = (np.clip(p, 0, view.size - 1).astype(np.float32) for p in at)
        part = sampled(share, column, row)
        behind = np.abs(1 / np.maximum(nearness, 1e-9) - sampled(middle, column, row))
        part *= np.clip(2 - behind / sampled(deep, column, row), 0, 1).astype(np.float32)
        near = part > 0.02
        red, green, blue, opaque = (sampled(picture[..., k], column[near], row[near]) for k in range(4))
        shown = np.stack([red, green, blue], axis=1) / np.maximum(opaque, 0.02)[:, None]
        own[near] += part[near, None] * (np.clip(shown, 0, 1) - own[near])
        return own

    lost = mask & (depth_inside <= 0)
    return Fitted(carved, inside, blended, float(lost.sum() / max(mask.sum(), 1)))


def _steepness(depth: Floats, pixel: float, most: float) -> Floats:
    """(S, S) along the ray over across, of a sheet of this depth, which is taken for at most so steep;
    ``pixel`` world units wide.
    """
    down, right = np.gradient(depth, pixel)
    return np.minimum(np.sqrt(1 + down * down + right * right), np.float32(np.hypot(1, most)))


def _depth_inside(view: GridView, solid: Floats, cell: np.float32) -> Floats:
    """(S, S) how deep each ray passes through the solid, world units; what it misses it by where < 0,
    two cells at most. ``solid`` (P,) > 0 inside.
    """
    near = np.flatnonzero(solid > -2 * cell)
    return view.highest(solid[near], near, float(-2 * cell))


def _missing(mask: Bools, depth_inside: Floats) -> Floats:
    """(S, S) 1 where the picture shows the object and the model has next to nothing, falling to 0 where
    it has enough; ``depth_inside`` in cells.
    """
    lacking = np.clip((DEEP - depth_inside) / (DEEP - SHALLOW), 0, 1) * mask
    # The outline itself is cut afterwards: material reaches over it.
    return np.maximum(lacking, blurred(blurred(lacking)) * ~mask * 2).clip(0, 1).astype(np.float32)
