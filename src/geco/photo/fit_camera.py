"""Find the camera that took the input picture, which the models do not give: a small search on silhouette and
colour.

The search looks at points of the surface instead of its triangles; only the end is measured on the mesh.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from geco.cameras import INPUT_LENS, INPUT_RADIUS, Lens
from geco.errors import ConfigError
from geco.mesh.types import Mesh
from geco.photo.input_camera import InputCamera, shows_object, silhouette
from geco.photo.look import look, mean_gap, nudged, overlap
from geco.photo.surface_points import SurfacePoints, surface_points
from geco.render.fragments import Fragments
from geco.types import Bools, Doubles, Floats, Index

# InstantMesh is trained on pictures from -20 to 45 degrees; users go higher
ELEVATIONS = np.arange(-20.0, 61.0, 10.0)
FINE_STEPS = (5.0, 2.5, 1.0)
_COLOR_WEIGHT = 1.0  # how much one unit of colour difference counts against one of IoU
_COARSE, _FINE = 96, 128  # cells a side of the search's pictures
# Own choice, of the highest alpha: a pixel of more belongs to the outline, and so does its cell.
_FAINT = 0.25
_PIXELS = 384  # a side: smaller pictures are enlarged, so that little of the outline falls between pixels
# Own choice, of 1 / depth: points so little behind the nearest one of their pixel are seen too (0.06 world
# units at the distance of the object, 4).
BEHIND = 0.004


def fit_input_camera(
    mesh: Mesh, rgba: Floats, lens: Lens = INPUT_LENS, azimuth: float = 0.0, azimuth_range: float = 0.0
) -> InputCamera:
    """The camera of :func:`fit_and_look` alone."""
    return fit_and_look(mesh, rgba, lens, azimuth, azimuth_range)[0]


def fit_and_look(
    mesh: Mesh, rgba: Floats, lens: Lens = INPUT_LENS, azimuth: float = 0.0, azimuth_range: float = 0.0
) -> tuple[InputCamera, Fragments | None]:
    """The elevation, scale and offset under which the mesh looks most like the picture; and what is seen.

    Elevation is searched from coarse to fine; scale and offset follow from the boxes around the silhouettes,
    and at the end from their areas and centres where that helps.

    Args:
        mesh: textured, coloured or bare (then the silhouette alone decides).
        rgba: (S, S, 4) float32 in [0, 1], the cut-out picture, straight alpha.
        lens: of the camera assumed.
        azimuth: degrees, where the models place the input camera.
        azimuth_range: also try azimuths up to this far off, degrees.

    Returns:
        Camera and fragments of :func:`geco.photo.look.look`.

    Raises:
        ConfigError: the picture is not square or has no alpha.
    """
    if rgba.ndim != 3 or rgba.shape[0] != rgba.shape[1] or rgba.shape[2] != 4:
        raise ConfigError(
            f"a picture of shape {rgba.shape} cannot be fitted", "Give a square (S, S, 4) cut-out."
        )
    start = InputCamera(0.0, azimuth % 360.0, fov=lens.fov, iou=0.0, color_error=1.0, radius=lens.radius)
    wanted = silhouette(rgba[..., 3])
    if not shows_object(rgba[..., 3]) or not len(mesh.faces):
        return start, None
    camera = _searched(start, _Search(mesh, rgba), azimuth_range)
    fragments = camera.rasterize(mesh, len(rgba))
    nearer = nudged(camera, fragments.mask, wanted)
    seen = nearer.rasterize(mesh, len(rgba))
    if overlap(wanted, seen.mask) > overlap(wanted, fragments.mask):
        camera, fragments = nearer, seen
    return look(camera, mesh, rgba, fragments)


def _searched(start: InputCamera, search: _Search, azimuth_range: float) -> InputCamera:
    """The best camera of the search, from coarse to fine."""
    found = [search.tried(start, elevation, start.azimuth, _COARSE) for elevation in ELEVATIONS]
    best = max(found, key=_score)
    best = search.tried(best, best.elevation, best.azimuth, _FINE)
    for step in FINE_STEPS:
        turns = [(step, 0.0), (-step, 0.0)]
        if azimuth_range:
            turns += [(0.0, step * azimuth_range / 8), (0.0, -step * azimuth_range / 8)]
        tried = [search.tried(best, best.elevation + up, best.azimuth + side, _FINE) for up, side in turns]
        best = max([best, *tried], key=_score)
    return best


def _score(camera: InputCamera) -> float:
    return camera.iou - _COLOR_WEIGHT * camera.color_error


@dataclass
class _Search:
    mesh: Mesh
    rgba: Floats
    pictures: dict[int, tuple[Bools, Doubles]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mask = silhouette(self.rgba[..., 3])
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        size = len(mask)
        self.low = np.array([columns[0], rows[0]]) / size
        self.high = np.array([columns[-1] + 1, rows[-1] + 1]) / size
        if size < _PIXELS:
            self.rgba = _enlarged(self.rgba, _PIXELS)
        self.corners = np.ascontiguousarray(self.mesh.vertices.T)
        self.points: SurfacePoints = surface_points(self.mesh)

    def tried(self, camera: InputCamera, elevation: float, azimuth: float, size: int) -> InputCamera:
        """The camera turned there, boxes aligned, and measured at a picture size."""
        turned = replace(camera, elevation=float(elevation), azimuth=float(azimuth % 360.0))
        return self.measured(self.boxed(turned), size)

    def boxed(self, camera: InputCamera) -> InputCamera:
        """Scale and offset that bring the box around the mesh onto the box around the picture's object."""
        plain = replace(camera, scale=1.0, offset=(0.0, 0.0))
        x, y, _ = plain.in_view(self.corners)  # parts of the picture
        low, high = (np.array([float(f(x)), float(f(y))]) for f in (np.min, np.max))
        extent, wanted = high - low, self.high - self.low
        scale = float((extent * wanted).sum() / max((extent * extent).sum(), 1e-12))
        offset = (self.low + self.high) / 2 - 0.5 - scale * ((low + high) / 2 - 0.5)
        return replace(camera, scale=scale, offset=(float(offset[0]), float(offset[1])))

    def measured(self, camera: InputCamera, size: int) -> InputCamera:
        """The camera with the agreement of the points with the picture, both in ``size`` cells a side."""
        wanted, picture = self.picture(size)
        x, y, nearness = camera.in_view(self.points.positions)
        cell = _cells(x * np.float32(size), y * np.float32(size), size)
        nearest = np.zeros((size + 2) ** 2, np.float32)
        np.maximum.at(nearest, cell, nearness)
        seen = _framed((nearest > 0).reshape(size + 2, size + 2))
        both = np.flatnonzero(wanted & seen)
        iou = len(both) / max(int(np.count_nonzero(wanted | seen)), 1)
        colors, error = self.points.colors, 0.0
        if colors is not None and len(both):
            behind = np.float32(BEHIND * (INPUT_RADIUS / camera.radius) ** 2)
            front = np.flatnonzero(nearness > nearest.take(cell) - behind)
            shown = _means(cell.take(front), colors.take(front, axis=1), len(nearest))
            error = mean_gap(picture.take(both, axis=1) - shown.take(both, axis=1))
        return replace(camera, iou=iou, color_error=error)

    def picture(self, size: int) -> tuple[Bools, Doubles]:
        """The picture's outline and its mean colours (3, cells) in ``size`` cells a side, with a frame of one
        empty cell around them; cells as :func:`_cells` counts them.
        """
        if size not in self.pictures:
            alpha = self.rgba[..., 3].reshape(-1)
            some = np.flatnonzero(alpha)
            at = (np.arange(len(self.rgba), dtype=np.float32) + np.float32(0.5)) * np.float32(
                size / len(self.rgba)
            )
            row, column = np.divmod(some, len(self.rgba))
            cell = _cells(at.take(column), at.take(row), size)
            count, weight = (size + 2) ** 2, alpha.take(some)
            outline = np.zeros(count, bool)  # as of the points: a cell is in it once anything of it is
            outline[cell.compress(weight > _FAINT * weight.max())] = True
            colors = self.rgba.reshape(-1, 4).take(some, axis=0)[:, :3].T
            total = np.maximum(np.bincount(cell, weight, count), 1e-9)
            means = np.stack([np.bincount(cell, color * weight, count) for color in colors]) / total
            self.pictures[size] = outline, means
        return self.pictures[size]


def _enlarged(rgba: Floats, size: int) -> Floats:
    """(S, S, 4) -> (size, size, 4), bilinear."""
    channels = [Image.fromarray(np.ascontiguousarray(rgba[..., k])) for k in range(4)]
    larger = [channel.resize((size, size), Image.Resampling.BILINEAR) for channel in channels]
    return np.stack([np.asarray(channel, np.float32) for channel in larger], axis=2)


def _cells(column: Floats, row: Floats, size: int) -> Index:
    """The numbers of the cells that places in [0, size] lie in, in a grid with a frame of one cell around it,
    which has all that lies outside.
    """
    inner = [
        np.clip(place + np.float32(1), 0, np.float32(size + 1)).astype(np.intp) for place in (row, column)
    ]
    return np.asarray(inner[0] * (size + 2) + inner[1])


def _framed(mask: Bools) -> Bools:
    """A mask without its frame, flat."""
    mask[[0, -1]] = mask[:, [0, -1]] = False
    return mask.reshape(-1)


def _means(cell: Index, values: Floats, count: int) -> Doubles:
    """(C, count) means of values (C, N) by cell; 0 where there are none."""
    number = np.maximum(np.bincount(cell, minlength=count), 1)
    return np.stack([np.bincount(cell, row, count) for row in values]) / number
