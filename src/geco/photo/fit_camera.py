"""Find the camera that took the input picture, which the models do not give: a small search on silhouette and
colour.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from geco.cameras import INPUT_FOV
from geco.errors import ConfigError
from geco.mesh.types import Mesh
from geco.photo.input_camera import InputCamera, silhouette
from geco.render.rasterize_numpy import project_to_pixels
from geco.render.shade_numpy import surface_colors
from geco.types import Bools, Doubles, Floats

# InstantMesh is trained on pictures from -20 to 45 degrees; users go higher
_ELEVATIONS = np.arange(-20.0, 61.0, 10.0)
_FINE_STEPS = (5.0, 2.5, 1.0)
_COLOR_WEIGHT = 1.0  # how much one unit of colour difference counts against one of IoU
_COARSE, _FINE, _LAST = 64, 96, 256  # pixels of the search's pictures


def fit_input_camera(
    mesh: Mesh, rgba: Floats, fov: float = INPUT_FOV, azimuth: float = 0.0, azimuth_range: float = 0.0
) -> InputCamera:
    """The elevation, scale and offset under which the mesh looks most like the picture.

    Elevation is searched from coarse to fine; scale and offset follow from the boxes around the silhouettes,
    and at the end from their areas and centres.

    Args:
        mesh: textured, coloured or bare (then the silhouette alone decides).
        rgba: (S, S, 4) float32 in [0, 1], the cut-out picture, straight alpha.
        fov: degrees, of the camera assumed.
        azimuth: degrees, where the models place the input camera.
        azimuth_range: also try azimuths up to this far off, degrees.

    Raises:
        ConfigError: the picture is not square or has no alpha.
    """
    if rgba.ndim != 3 or rgba.shape[0] != rgba.shape[1] or rgba.shape[2] != 4:
        raise ConfigError(
            f"a picture of shape {rgba.shape} cannot be fitted", "Give a square (S, S, 4) cut-out."
        )
    start = InputCamera(0.0, azimuth % 360.0, fov=fov, iou=0.0, color_error=1.0)
    if not (rgba[..., 3] > 0.5).any() or not len(mesh.faces):
        return start
    search = _Search(mesh, rgba)
    found = [search.tried(start, elevation, azimuth, _COARSE) for elevation in _ELEVATIONS]
    best = max(found, key=_score)
    best = search.tried(best, best.elevation, best.azimuth, _FINE)
    for step in _FINE_STEPS:
        turns = [(step, 0.0), (-step, 0.0)]
        if azimuth_range:
            turns += [(0.0, step * azimuth_range / 8), (0.0, -step * azimuth_range / 8)]
        best = max(
            [
                best,
                *(search.tried(best, best.elevation + up, best.azimuth + side, _FINE) for up, side in turns),
            ],
            key=_score,
        )
    return search.settled(best)


def measure(camera: InputCamera, mesh: Mesh, rgba: Floats) -> InputCamera:
    """A camera known from elsewhere, with the agreement of outlines and colours of this mesh and picture.

    Of a picture without anything visible the agreement is 0.
    """
    if not len(mesh.faces) or not silhouette(rgba[..., 3]).any():
        return replace(camera, iou=0.0, color_error=1.0)
    return _Search(mesh, rgba).measured(camera, _LAST)


def _score(camera: InputCamera) -> float:
    return camera.iou - _COLOR_WEIGHT * camera.color_error


@dataclass
class _Search:
    mesh: Mesh
    rgba: Floats
    pictures: dict[int, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mask = silhouette(self.rgba[..., 3])
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        size = len(mask)
        self.low = np.array([columns[0], rows[0]]) / size
        self.high = np.array([columns[-1] + 1, rows[-1] + 1]) / size
        # colours weighted by alpha; alpha itself is put back next
        self.weighted = self.rgba * self.rgba[..., 3:]
        self.weighted[..., 3] = self.rgba[..., 3]

    def tried(self, camera: InputCamera, elevation: float, azimuth: float, size: int) -> InputCamera:
        """The camera turned there, boxes aligned, and measured at a picture size."""
        return self.measured(
            self.boxed(replace(camera, elevation=float(elevation), azimuth=float(azimuth % 360.0))), size
        )

    def boxed(self, camera: InputCamera) -> InputCamera:
        """Scale and offset that bring the box around the mesh onto the box around the picture's object."""
        pixels, inverse_depth = project_to_pixels(self.mesh.vertices, camera.c2w, camera.fov, 1)
        seen = pixels[:, inverse_depth > 0] + 0.5  # parts of the picture
        low, high = seen.min(axis=1), seen.max(axis=1)
        extent, wanted = high - low, self.high - self.low
        scale = float((extent * wanted).sum() / max((extent * extent).sum(), 1e-12))
        offset = (self.low + self.high) / 2 - 0.5 - scale * ((low + high) / 2 - 0.5)
        return replace(camera, scale=scale, offset=(float(offset[0]), float(offset[1])))

    def picture(self, size: int) -> Floats:
        """(size, size, 4) the picture made smaller by area, colours weighted by alpha."""
        if size not in self.pictures:
            small = _area_resized(self.weighted, size)
            small[..., :3] /= np.maximum(small[..., 3:], 1e-4)
            self.pictures[size] = small
        return self.pictures[size]

    def measured(self, camera: InputCamera, size: int) -> InputCamera:
        """The camera with the agreement of silhouettes and colours at a picture size."""
        return self.compared(camera, size)[0]

    def compared(self, camera: InputCamera, size: int) -> tuple[InputCamera, Bools]:
        """The measured camera, and the mesh's silhouette."""
        picture = self.picture(size)
        fragments = camera.rasterize(self.mesh, size)
        wanted, seen = silhouette(picture[..., 3]), fragments.mask
        both = np.flatnonzero(wanted & seen)
        iou = len(both) / max(int(np.count_nonzero(wanted | seen)), 1)
        shown = surface_colors(
            self.mesh, fragments.face_ids.reshape(-1)[both], fragments.barycentrics.reshape(-1, 3)[both]
        )
        error = 0.0
        if shown is not None and len(both):
            gap = picture.reshape(-1, 4)[both, :3] - shown
            error = float(np.abs(gap - gap.mean(axis=0)).mean())
        return replace(camera, iou=iou, color_error=error), seen

    def settled(self, camera: InputCamera) -> InputCamera:
        """The camera with scale and offset nudged towards equal areas and centres, while that
        helps; measured finely.
        """
        wanted = _moments(silhouette(self.picture(_LAST)[..., 3]))
        best, mask = self.compared(camera, _LAST)
        for _ in range(2):
            seen = _moments(mask)
            if not seen[2]:
                break
            ratio = float(np.sqrt(wanted[2] / seen[2]))
            shift = wanted[:2] - (
                0.5 + np.array(best.offset) + ratio * (seen[:2] - 0.5 - np.array(best.offset))
            )
            offset = (best.offset[0] + float(shift[0]), best.offset[1] + float(shift[1]))
            nudged, mask = self.compared(replace(best, scale=best.scale * ratio, offset=offset), _LAST)
            if nudged.iou <= best.iou:
                break
            best = nudged
        return best


def _moments(mask: Bools) -> Doubles:
    """Centre (x, y) and area of a mask, in parts of the picture."""
    size = len(mask)
    count = mask.sum()
    if not count:
        return np.zeros(3)
    at = (np.arange(size) + 0.5) / size
    return np.array(
        [(mask.sum(axis=0) * at).sum() / count, (mask.sum(axis=1) * at).sum() / count, count / size**2]
    )


def _area_resized(image: Floats, size: int) -> Floats:
    """A square image at another size: halved while it can be, then block means or bilinear samples."""
    while len(image) >= 2 * size and len(image) % 2 == 0:
        rows = image[::2] + image[1::2]
        image = (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)
    length = len(image)
    if length == size:
        return image.copy()
    at = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
    first = np.minimum(at.astype(np.intp), max(length - 2, 0))
    second = np.minimum(first + 1, length - 1)
    part = (at - first).astype(np.float32)
    image = image[first] * (1 - part)[:, None, None] + image[second] * part[:, None, None]
    return np.asarray(
        image[:, first] * (1 - part)[None, :, None] + image[:, second] * part[None, :, None], np.float32
    )
