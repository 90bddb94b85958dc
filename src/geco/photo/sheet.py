"""Material that the picture shows and the model has not: a rounded sheet across the rays. numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geco.photo.grid_view import GridView
from geco.photo.input_camera import InputCamera
from geco.photo.maps import bilinear, blurred
from geco.types import Bools, Floats

ROUNDNESS = 0.8  # half thickness of added material over its distance to the outline: 1 is as deep as wide
THINNEST = 0.8  # cells: what is thinner falls through the grid
SPARE = 0.3  # cells that added material reaches beyond the outline before it is carved
THICKEST = 0.2  # world units (the object is 1.9 across): added material is limbs and rims, not bodies
# cells: rays that pass through the model's own solid less deep get material, those that pass deeper than the
# second get none
SHALLOW, DEEP = 0.75, 1.5
STEEPEST = 1.0  # depth over width of added material: it is no wall along the ray


@dataclass(frozen=True)
class Wanted:
    """What the picture shows and the volume holds.

    Attributes:
        inside: (S, S) pixels to the outline, > 0 within.
        width: (P,) the same at the grid's vertices, world units.
        own: (P,) the model's signed distance, negative inside.
        cell: of the grid, world units.
    """

    inside: Floats
    width: Floats
    own: Floats
    cell: np.float32


class Sheet:
    """The sheet of one picture and volume.

    Attributes:
        share: (S, S) 1 where it is, falling to 0 around that.
        lost: part of the outline that rays of it meet none of the model's solid in.
    """

    def __init__(self, view: GridView, wanted: Wanted) -> None:
        inside, cell = wanted.inside, wanted.cell
        depth_inside = _depth_inside(view, np.minimum(wanted.width, -wanted.own), cell)
        self.view, mask = view, inside > 0
        self.share = _missing(mask, depth_inside / cell)
        self.lost = float((mask & (depth_inside <= 0)).sum() / max(mask.sum(), 1))
        solid = (wanted.own < 0) & (wanted.width > 0)
        self._middle = view.nearest_layer(solid, mask, depth_inside / (DEEP * cell), STEEPEST)
        # A plate that is there is not to become thicker, but for what the grid needs.
        most = cell + (THICKEST - cell) * np.clip(1 - depth_inside / cell, 0, 1)
        round_to = np.minimum(ROUNDNESS * (wanted.width + SPARE * cell), view.read_smooth(most))
        self._thickness = np.maximum(round_to, THINNEST * cell) * view.read(self.share)
        self._away = np.abs(view.depth - view.read_smooth(self._middle))
        self._reach = np.minimum(ROUNDNESS * view.pixel_at_middle * np.maximum(inside, 0), most) + cell

    def laid_on(self, volume: Floats, where: Floats, steepest: float = STEEPEST) -> Floats:
        """The signed distance (P,) of ``volume`` and the sheet together, in the places of ``where`` (S, S).

        Args:
            steepest: where the sheet lies aslant to the ray it is as much thicker along it, up to so much.
        """
        aslant = self.view.read_smooth(_steepness(self._middle, float(self.view.pixel_at_middle), steepest))
        sheet = (self._away / aslant - self._thickness) * np.float32(1 / np.hypot(1, ROUNDNESS))
        return np.where(self.view.read(where) > 0.05, np.minimum(volume, sheet), volume)

    def colored(self, own: Floats, places: Floats, picture: Floats, camera: InputCamera) -> Floats:
        """The model's colours ``own`` (N, 3) at world points, with the picture's (S, S, 4; multiplied by
        alpha) where those lie in the sheet.
        """
        size = len(picture)
        right, down, nearness = camera.in_view(np.ascontiguousarray(places.T, np.float32))
        column, row = ((at * size - 0.5).clip(0, size - 1) for at in (right, down))
        around = (blurred(self.share) > 0).reshape(-1)
        near = np.flatnonzero(
            around.take((row + 0.5).astype(np.intp) * size + (column + 0.5).astype(np.intp))
        )
        column, row = column.take(near), row.take(near)
        maps = np.stack([self.share, self._middle, self._reach], axis=2)
        part, middle, reach = bilinear(maps, column, row)
        behind = np.abs(1 / nearness.take(near) - middle)
        part *= np.clip(2 - behind / reach, 0, 1)
        some = np.flatnonzero(part > 0.02)
        near, part = near.take(some), part.take(some)
        shown = bilinear(picture, column.take(some), row.take(some))
        known = np.clip(shown[:3] / np.maximum(shown[3], 0.02), 0, 1).T
        own[near] += part[:, None] * (known - own[near])
        return own


def _steepness(depth: Floats, pixel: float, most: float) -> Floats:
    """(S, S) along the ray over across, of a sheet of this depth, which is taken for at most so steep;
    ``pixel`` world units wide.
    """
    down, right = np.gradient(depth, pixel)
    return np.minimum(np.sqrt(1 + down * down + right * right), np.float32(np.hypot(1, most)))


def _depth_inside(view: GridView, solid: Floats, cell: np.float32) -> Floats:
    """(S, S) how deep each ray passes through the solid, world units; what it misses it by where < 0, two
    cells at most. ``solid`` (P,) > 0 inside.
    """
    near = np.flatnonzero(solid > -2 * cell)
    return view.highest(solid[near], near, float(-2 * cell))


def _missing(mask: Bools, depth_inside: Floats) -> Floats:
    """(S, S) 1 where the picture shows the object and the model has next to nothing, falling to 0 where it
    has enough; ``depth_inside`` in cells.
    """
    lacking = np.clip((DEEP - depth_inside) / (DEEP - SHALLOW), 0, 1) * mask
    # The outline itself is cut afterwards: material reaches over it.
    return np.maximum(lacking, blurred(blurred(lacking)) * ~mask * 2).clip(0, 1).astype(np.float32)
