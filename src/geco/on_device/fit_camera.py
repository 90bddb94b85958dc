"""The camera that took the input picture, searched on a device: the twin of `photo.fit_camera`.

All candidates of a step are looked at together, on points of the surface; none of that waits. The mesh itself
is drawn twice: small, to settle the window, and at the picture's size, which measures the camera and serves
to lay the picture on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from geco.cameras import INPUT_LENS, INPUT_RADIUS, Lens, intrinsics, orbit_poses
from geco.on_device import waits
from geco.on_device.groups import group_sums
from geco.on_device.points import SurfacePoints, surface_points
from geco.on_device.types import DeviceMesh, exact
from geco.on_device.view import Cameras, Seen, rasterize, surface_colors
from geco.photo.fit_camera import BEHIND, ELEVATIONS, FINE_STEPS
from geco.photo.input_camera import InputCamera, shows_object, silhouette
from geco.photo.projection import rim
from geco.types import Floats

# Own choice: cells a side of the search's pictures, pixels a side of the one that settles the window.
_COARSE, _FINE, _SETTLING = 64, 96, 256
# Own choice: the share of a cell from which on it belongs to the picture's outline.
_TOUCHED = 0.1


@dataclass
class Picture:
    """The cut-out picture on a device.

    Attributes:
        rgba: (S, S, 4) float32 in [0, 1], straight alpha.
        outline: (S, S) bool.
        low, high: (2,) its box, right and down in parts of the picture.
        rim: of :func:`geco.photo.projection.rim`.
    """

    rgba: Tensor
    outline: Tensor
    low: Tensor
    high: Tensor
    rim: tuple[int, int]

    @classmethod
    def of(cls, rgba: Floats, device: torch.device) -> Picture | None:
        """The picture on a device; None where the search has nothing to go by on it."""
        if not shows_object(rgba[..., 3]):
            return None
        mask = silhouette(rgba[..., 3])
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = np.array([[columns[0], rows[0]], [columns[-1] + 1, rows[-1] + 1]]) / len(mask)
        low, high = waits.sent(box, device).to(exact(device))
        shown, outline = (waits.sent(part, device) for part in (rgba, mask))
        return cls(shown, outline, low, high, rim(rgba[..., 3]))

    def cells(self, size: int) -> tuple[Tensor, Tensor]:
        """The outline (cells,) and the mean colours (cells, 3) in ``size`` cells a side, framed as
        :func:`_cells` counts them.
        """
        side = len(self.rgba)
        at = (torch.arange(side, device=self.rgba.device) + 0.5) / side
        places = torch.stack(torch.meshgrid(at, at, indexing="xy"), dim=-1).reshape(-1, 2)
        alpha = self.rgba[..., 3].reshape(-1, 1)
        weighted = self.rgba[..., :3].reshape(-1, 3) * alpha
        summed = torch.cat([self.outline.reshape(-1, 1).float(), alpha, weighted], dim=1)
        sums = group_sums(summed, _cells(places, size), (size + 2) ** 2)
        return sums[:, 0] >= _TOUCHED * (side / size) ** 2, sums[:, 2:] / sums[:, 1:2].clamp_min(1e-9)


@dataclass
class Found:
    """The camera that fits best, on the host and on the device, and what it sees at the picture's size."""

    camera: InputCamera
    on_device: Cameras
    seen: Seen


def find_camera(mesh: DeviceMesh, picture: Picture, lens: Lens = INPUT_LENS) -> Found:
    """The elevation, scale and offset under which the mesh looks most like the picture (see
    `photo.fit_camera.fit_input_camera`); azimuth 0.
    """
    elevations = _candidates()
    search = _Search(mesh, picture, surface_points(mesh), lens)
    coarse = search.scores(search.cameras(elevations[:, 0, 0, 0]), _COARSE)[1]
    started = coarse.argmax(dim=0, keepdim=True)
    cameras, fine = search.scores(search.cameras(elevations.reshape(len(elevations), -1), started), _FINE)
    chosen = torch.zeros_like(started)
    for stride in (9, 3, 1):
        # From step to step the best of three: standing still, up, down.
        tried = chosen + stride * torch.arange(3, device=mesh.device)
        chosen = chosen + stride * fine[tried].argmax(dim=0, keepdim=True)
    camera = search.settled(cameras[chosen])
    seen, iou, error = _measured(camera, mesh, picture)
    numbers = torch.cat([started, chosen, camera.scale, camera.offset[0], iou, error])
    start, place, *rest = waits.array(numbers, "the camera that fits best").tolist()
    scale, right, down, agreement, difference = rest
    elevation = float(elevations.reshape(len(elevations), -1)[int(start), int(place)])
    found = InputCamera(elevation, 0.0, scale, (right, down), lens.fov, agreement, difference, lens.radius)
    return Found(found, camera, seen)


def _candidates() -> np.ndarray:
    """(9, 3, 3, 3) elevations: where the search may end, by its start and by what it does at every step."""
    steps = [np.array([0.0, step, -step]) for step in FINE_STEPS]
    moved = steps[0][:, None, None] + steps[1][:, None] + steps[2]
    return np.asarray(ELEVATIONS[:, None, None, None] + moved)


def _measured(camera: Cameras, mesh: DeviceMesh, picture: Picture) -> tuple[Seen, Tensor, Tensor]:
    """What a camera sees at the picture's size, the overlap of the outlines, and how far colours differ, one
    element each.
    """
    size = len(picture.rgba)
    seen = rasterize(mesh, camera, size, "the mesh before the picture")
    both = (picture.outline & seen.mask).reshape(-1)
    shown = surface_colors(mesh, seen.faces.reshape(-1), seen.weights.reshape(-1, 3))
    error = _difference(picture.rgba.reshape(-1, 4)[:, :3].to(camera.scale.dtype), shown[None], both[None])
    return seen, _overlap(picture.outline[None], seen.mask[None]), error


def _difference(wanted: Tensor, shown: Tensor, both: Tensor) -> Tensor:
    """(B,) mean absolute difference of colours (N, 3) and (B, N, 3) where (B, N) both are, after their means
    are made equal; 0 where they nowhere are.
    """
    count = both.sum(dim=1).clamp_min(1)[:, None]
    gap = torch.where(both[..., None], wanted - shown, 0)
    centred = torch.where(both[..., None], gap - (gap.sum(dim=1) / count)[:, None], 0)
    return (centred.abs().sum(dim=1) / count).mean(dim=1)


def _overlap(one: Tensor, two: Tensor) -> Tensor:
    """(B,) intersection over union of masks (B, ...)."""
    both, either = (one & two).flatten(1).sum(dim=1), (one | two).flatten(1).sum(dim=1)
    return both.to(exact(both.device)) / either.clamp_min(1)


def _cells(places: Tensor, size: int) -> Tensor:
    """The numbers of the cells that places (..., 2) in [0, 1] lie in, in a grid with a frame of one cell
    around it, which has all that lies outside.
    """
    column, row = (places * size + 1).clamp(0, size + 1).long().unbind(dim=-1)
    return row * (size + 2) + column


@dataclass
class _Search:
    mesh: DeviceMesh
    picture: Picture
    points: SurfacePoints
    lens: Lens

    def cameras(self, elevations: np.ndarray, row: Tensor | None = None) -> Cameras:
        """Cameras at elevations (B,), or at a row (1,) of (R, B), with the windows that bring the box around
        the mesh onto that around the picture's object.
        """
        poses = waits.sent(orbit_poses(0.0, elevations, self.lens.radius), self.mesh.device)
        poses = (poses if row is None else poses[row][0]).to(exact(self.mesh.device))
        focal = float(intrinsics(self.lens.fov)[0, 0])
        whole = Cameras(poses, poses.new_ones(len(poses)), poses.new_zeros(len(poses), 2), focal)
        places, nearness = whole.see(self.mesh.vertices)
        ahead = (nearness > 0)[..., None]
        low = torch.where(ahead, places, torch.inf).amin(dim=1).to(poses.dtype)
        high = torch.where(ahead, places, -torch.inf).amax(dim=1).to(poses.dtype)
        extent, wanted = high - low, self.picture.high - self.picture.low
        scale = (extent * wanted).sum(dim=1) / extent.square().sum(dim=1).clamp_min(1e-12)
        middle = (self.picture.low + self.picture.high) / 2 - 0.5
        return whole.windowed(scale, middle - scale[:, None] * ((low + high) / 2 - 0.5))

    def scores(self, cameras: Cameras, size: int) -> tuple[Cameras, Tensor]:
        """The cameras, and (B,) how well the surface's points agree with the picture before each, both in
        ``size`` cells a side: overlap less difference of colours.
        """
        size = min(size, len(self.picture.rgba))
        side, count = size + 2, (size + 2) ** 2
        outline, wanted = self.picture.cells(size)
        places, nearness = cameras.see(self.points.positions)
        cell = _cells(places, size)
        cell += torch.arange(len(cell), device=cell.device)[:, None] * count
        flat = cell.reshape(-1)
        nearest = nearness.new_zeros(len(cell) * count).scatter_reduce(0, flat, nearness.reshape(-1), "amax")
        inner = (nearest > 0).reshape(-1, side, side)[:, 1:-1, 1:-1]
        seen = F.pad(inner, (1, 1, 1, 1)).reshape(-1, count)
        behind = BEHIND * (INPUT_RADIUS / self.lens.radius) ** 2
        front = (nearness.reshape(-1) > nearest[flat] - behind)[:, None].float()
        colors = self.points.colors.repeat(len(cell), 1) * front
        sums = group_sums(torch.cat([colors, front], dim=1), flat, len(nearest))
        shown = (sums[:, :3] / sums[:, 3:].clamp_min(1)).reshape(-1, count, 3)
        error = _difference(wanted, shown, outline & seen)
        return cameras, _overlap(outline.expand_as(seen), seen) - error

    def settled(self, camera: Cameras) -> Cameras:
        """The camera with scale and offset nudged towards equal areas and centres, while that helps."""
        size = min(_SETTLING, len(self.picture.rgba))
        at = ((torch.arange(size, device=self.mesh.device) + 0.5) * (len(self.picture.rgba) / size)).long()
        wanted = self.picture.outline[at][:, at]
        mask = rasterize(self.mesh, camera, size, "the mesh before its window is settled").mask
        goal, best, moved = _moments(wanted), camera, mask
        best_overlap, going = _overlap(wanted[None], mask[None]), torch.ones_like(wanted[0, :1])
        for _ in range(2):
            seen = _moments(moved)
            ratio = torch.sqrt(goal[2] / seen[2].clamp_min(1e-12))
            about = best.offset[0] + 0.5
            shift = goal[:2] - (about + ratio * (seen[:2] - about))
            nudged = best.windowed(best.scale * ratio, best.offset + shift)
            # The mesh stays where it is before the camera, so its mask is the same one in another window.
            moved = _in_window(mask, camera, nudged)
            overlap = _overlap(wanted[None], moved[None])
            going = going & (overlap > best_overlap) & (seen[2] > 0)
            best = best.windowed(
                torch.where(going, nudged.scale, best.scale), torch.where(going, nudged.offset, best.offset)
            )
            best_overlap = torch.where(going, overlap, best_overlap)
        return best


def _in_window(mask: Tensor, camera: Cameras, other: Cameras) -> Tensor:
    """What a camera's mask is for one that differs in its window only; nearest pixels."""
    size = len(mask)
    at = (torch.arange(size, device=mask.device) + 0.5) / size - 0.5
    places = (at[:, None] - other.offset) * (camera.scale / other.scale) + camera.offset
    inner = torch.floor((places + 0.5) * size).long()
    known = ((inner >= 0) & (inner < size)).T
    column, row = inner.clamp(0, size - 1).T
    return mask[row][:, column] & known[1][:, None] & known[0]


def _moments(mask: Tensor) -> Tensor:
    """(3,) centre (x, y) and area of a mask, in parts of the picture; 0 where it is empty."""
    size = len(mask)
    solid = mask.to(exact(mask.device))
    at = (torch.arange(size, device=mask.device) + 0.5) / size
    count = solid.sum()
    centre = torch.stack([(solid.sum(dim=0) * at).sum(), (solid.sum(dim=1) * at).sum()])
    return torch.cat([centre / count.clamp_min(1), count[None] / size**2])
