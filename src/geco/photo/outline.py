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

from geco.photo.bridges import Rod, with_rods
from geco.photo.grid_view import GridView
from geco.photo.input_camera import InputCamera
from geco.photo.maps import resized
from geco.photo.sheet import Sheet, Wanted
from geco.photo.thin import NARROWEST, widened, widest_near
from geco.types import Floats

# cells that the carving leaves around parts of so many cells' half width, of which the grid rounds the edges
# off; none around parts twice as thick
MARGIN, THIN = 0.2, 1.5
STEEPEST_IN_GAPS = 8.0  # depth over width of added material in the few pixels of a gap that it left


@dataclass(frozen=True)
class Fitted:
    """A signed distance grid that keeps to the silhouette.

    Maps are of S pixels a side (:attr:`geco.photo.grid_view.GridView.size`).

    Attributes:
        carved: (S, S) pixels that the outline is moved outwards by, (S, S) where no gap may be, 0 to 1, and
            rods -> (R + 1, R + 1, R + 1) negative inside, indexed [x, y, z].
        inside: (S, S) pixels to the outline that is kept to, > 0 within.
        color: (N, 3) world points -> (N, 3) in [0, 1]: the model's, but the picture's where material was
            added.
        added: part of the picture's silhouette that the model had left empty.
    """

    carved: Callable[[Floats, Floats, list[Rod]], Floats]
    inside: Floats
    color: Callable[[Floats], Floats]
    added: float

    @property
    def volume(self) -> Floats:
        """The grid with the outline as it is."""
        nothing = np.zeros_like(self.inside)
        return self.carved(nothing, nothing, [])


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
    pixels = float(cell / view.pixel_at_middle)  # of a cell
    picture, inside = widened(resized(rgba, view.size), NARROWEST * pixels)
    rounded = np.clip(2 - widest_near(inside, round(2 * THIN * pixels)) / (THIN * pixels), 0, 1)
    # world units to the outline, inside > 0
    width = (view.read(inside + MARGIN * pixels * rounded) - view.beyond) * view.pixel
    own = volume.reshape(-1)
    sheet = Sheet(view, Wanted(inside, width, own, cell))
    filled = sheet.laid_on(own, sheet.share)

    def carved(moves: Floats, gaps: Floats, rods: list[Rod]) -> Floats:
        closed = sheet.laid_on(filled, gaps, STEEPEST_IN_GAPS) if gaps.any() else filled
        if rods:
            closed = with_rods(closed.reshape(volume.shape), half_extent, rods).reshape(-1)
        moved = width + view.read(moves) * view.pixel if moves.any() else width
        return np.maximum(closed, -moved).reshape(volume.shape).astype(np.float32)

    def blended(places: Floats) -> Floats:
        return sheet.colored(color(places), places, picture, camera)

    return Fitted(carved, inside, blended, sheet.lost)
