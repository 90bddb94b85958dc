"""Do generated views show one object? Colours of the same surface point compared between views, and outlines
with the mesh's.

    score = consistency(views, c2w, fov, (vertices, faces))
    score.rmse, score.relative, score.silhouette_iou

The views are joined through a surface, usually the one that was reconstructed from them: a pixel of one view
is put on the surface and looked up in every other view that sees that point. Only geometry of the mesh is
used, none of its colours.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from geco.cameras import project_points
from geco.errors import ConfigError
from geco.mesh.types import Mesh
from geco.metrics.images import not_white
from geco.render.shade_numpy import render_buffers
from geco.types import Bools, Floats

# Our choices; the tests show what they are good for.
FACING = 0.5  # cosine: a point counts in a view only within 60 degrees of head-on
BORDER = 2  # pixels from an outline or a step in depth that do not count: there a pixel mixes two surfaces
# pixel footprints of depth between neighbours that make a step; 60 degrees of slant make less than 3
STEP = 6.0
DEEP = 4.0  # pixel footprints between a point and what the other view sees there, beyond which it is hidden


@dataclass(frozen=True)
class Consistency:
    """Agreement of views through a surface; colours are sRGB in [0, 1].

    Attributes:
        rmse: root of the mean squared difference over pairs and channels; 0 for views of one object without
            gloss.
        mean_abs: mean absolute difference.
        relative: rmse divided by that of the same pixels paired at random: 0 agrees, 1 is no better than
            chance; nan where all pixels are equal. Flat grey views have a low rmse for the wrong reason; this
            says so.
        pairs: compared pairs; each counts once for either direction.
        coverage: share of the surface pixels (away from borders, not grazing) that another view sees too.
        silhouette_iou: mean over views of the IoU of the view's foreground with the mesh's outline.
        silhouettes: that IoU of each view.
    """

    rmse: float
    mean_abs: float
    relative: float
    pairs: int
    coverage: float
    silhouette_iou: float
    silhouettes: tuple[float, ...]

    def facts(self) -> dict[str, Any]:
        """As plain numbers for a JSON row."""
        return asdict(self)


def consistency(
    views: ArrayLike,
    c2w: ArrayLike,
    fov: float,
    mesh: tuple[ArrayLike, ArrayLike],
    masks: ArrayLike | None = None,
) -> Consistency:
    """Compare views through a mesh.

    Args:
        views: (V, S, S, 3) in [0, 1] on white, at least two.
        c2w: (V, 4, 4) camera-to-world of each.
        fov: degrees, of all.
        mesh: (vertices (V, 3), faces (F, 3)) in world space.
        masks: (V, S, S) in [0, 1], the views' foreground where it is known. Colours are then compared only
            where both views show the object. Without, every surface pixel is compared, and what is not white
            is foreground.

    Raises:
        ConfigError: not square, fewer than two, or another number of cameras.
    """
    pictures, poses = _checked(np.asarray(views, np.float32), np.asarray(c2w, np.float32))
    foreground: Bools = not_white(pictures) if masks is None else np.asarray(np.asarray(masks) >= 0.5)
    surface = Mesh(np.asarray(mesh[0], np.float32), np.asarray(mesh[1], np.int32))
    seen = [_Seen(surface, pose, fov, pictures.shape[1]) for pose in poses]
    outlines = tuple(_iou(view.mask, shown) for view, shown in zip(seen, foreground))
    if masks is not None:
        for view, shown in zip(seen, foreground):
            view.usable &= shown
    here, there, partnered = _pairs(pictures, seen)
    usable = sum(int(view.usable.sum()) for view in seen)
    difference = np.abs(here - there).astype(np.float64)
    shuffled = here - there[np.random.default_rng(0).permutation(len(there))]
    rmse, chance = (
        float(np.sqrt(np.square(d, dtype=np.float64).mean())) if len(d) else float("nan")
        for d in (difference, shuffled)
    )
    return Consistency(
        rmse=rmse,
        mean_abs=float(difference.mean()) if len(difference) else float("nan"),
        relative=rmse / chance if chance > 0 else float("nan"),
        pairs=len(difference),
        coverage=partnered / usable if usable else 0.0,
        silhouette_iou=float(np.mean(outlines)),
        silhouettes=outlines,
    )


def _checked(pictures: Floats, poses: Floats) -> tuple[Floats, Floats]:
    """Both as they are, or a ConfigError."""
    shape = pictures.shape
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or len(pictures) < 2:
        raise ConfigError(f"views of shape {shape}", "Give at least two square RGB views, (V, S, S, 3).")
    if poses.shape != (len(pictures), 4, 4):
        raise ConfigError(
            f"{len(pictures)} views with cameras of shape {poses.shape}", "Give one (4, 4) pose a view."
        )
    return pictures, poses


class _Seen:
    """What one camera sees of the surface, and which of its pixels can be trusted for a comparison."""

    def __init__(self, mesh: Mesh, pose: Floats, fov: float, size: int) -> None:
        buffers = render_buffers(mesh, pose, fov, size, engine="numba")
        self.pose, self.fov, self.size = pose, fov, size
        self.mask, self.positions = buffers.mask, buffers.positions
        self.depth = np.where(buffers.mask, buffers.depth, 0.0)  # (S, S)
        self.footprint = self.depth * 2 * np.tan(np.radians(fov) / 2) / size  # (S, S) world units a pixel
        rays = pose[:3, 3] - buffers.positions
        rays /= np.maximum(np.linalg.norm(rays, axis=-1, keepdims=True), 1e-12)
        facing = np.abs((rays * buffers.normals).sum(axis=-1))
        self.usable: Bools = buffers.mask & (facing >= FACING) & ~_near_steps(self.depth, self.footprint)

    def look_up(self, points: Floats, picture: Floats) -> tuple[Bools, Floats]:
        """Which world points (N, 3) this camera sees at a usable pixel, and the picture's colours
        (N, 3) there (bilinear).
        """
        uv, depth = project_points(points, self.pose, self.fov)
        at = uv * self.size - 0.5
        inside = (depth > 0) & (at >= 0).all(axis=1) & (at <= self.size - 1).all(axis=1)
        at = np.where(inside[:, None], at, 0.0)
        column, row = np.rint(at).astype(int).T
        hidden = np.abs(depth - self.depth[row, column]) > DEEP * self.footprint[row, column]
        left, top = np.minimum(at.astype(int), self.size - 2).T
        across, down = (at[:, 0] - left)[:, None], (at[:, 1] - top)[:, None]
        upper = picture[top, left] * (1 - across) + picture[top, left + 1] * across
        lower = picture[top + 1, left] * (1 - across) + picture[top + 1, left + 1] * across
        return inside & self.usable[row, column] & ~hidden, (upper * (1 - down) + lower * down).astype(
            np.float32
        )


def _pairs(pictures: Floats, seen: list[_Seen]) -> tuple[Floats, Floats, int]:
    """Colours of the same points in two views, (N, 3) each, and how many usable pixels found at
    least one partner.
    """
    here: list[Floats] = [np.zeros((0, 3), np.float32)]
    there: list[Floats] = [np.zeros((0, 3), np.float32)]
    partnered = 0
    for i, view in enumerate(seen):
        points, colors = view.positions[view.usable], pictures[i][view.usable]
        found = np.zeros(len(points), bool)
        for j, other in enumerate(seen):
            if i == j or len(points) == 0:
                continue
            visible, sampled = other.look_up(points, pictures[j])
            here.append(colors[visible])
            there.append(sampled[visible])
            found |= visible
        partnered += int(found.sum())
    return np.concatenate(here), np.concatenate(there), partnered


def _near_steps(depth: Floats, footprint: Floats) -> Bools:
    """(S, S) pixels within :data:`BORDER` of an outline or of a step in depth; the picture's own
    edge is one.
    """
    padded, reach = np.pad(depth, 1), np.pad(footprint, 1)
    step = np.zeros(padded.shape, bool)
    for axis in (0, 1):
        near = [slice(None), slice(None)]
        far = [slice(None), slice(None)]
        near[axis], far[axis] = slice(None, -1), slice(1, None)
        a, b = tuple(near), tuple(far)
        jump = np.abs(padded[b] - padded[a]) > STEP * np.maximum(reach[b], reach[a])
        step[a] |= jump
        step[b] |= jump
    for _ in range(BORDER - 1):  # the two pixels beside a step are near it already
        grown = step.copy()
        grown[1:] |= step[:-1]
        grown[:-1] |= step[1:]
        grown[:, 1:] |= step[:, :-1]
        grown[:, :-1] |= step[:, 1:]
        step = grown
    result: Bools = step[1:-1, 1:-1]
    return result


def _iou(first: Bools, second: Bools) -> float:
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else float("nan")
