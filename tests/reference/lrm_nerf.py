"""InstantMesh's NeRF variant: tokens, planes, points and grids 2e-5; rendered rgb and opacity 1e-4; depths
1e-4.

Of the reference's marching cubes (mc_*) the vertices are checked as a set, against the level's crossings of
our density grid, and the colours at them before truncation; not the triangles: our surface extraction is
FlexiCubes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.reference import lrm
from tests.reference.result import Result, largest_error

if TYPE_CHECKING:
    from geco.reconstruct.instantmesh.nerf import NerfSynthesizer

BOUND = 2e-5
RENDER_BOUND = 1e-4


def run(tensors: dict[str, np.ndarray], meta: dict[str, Any]) -> Iterator[Result]:
    """Every stage whose weights and results are in the file."""
    import torch

    model = lrm.build(tensors, meta, "nerf")
    yield from lrm.backbone(model, tensors)
    yield from lrm.plane_features(tensors)
    if lrm.has(tensors, "synthesizer") and "planes" in tensors:
        with torch.no_grad():
            yield from _points(model.synthesizer, tensors)
            yield from _marching_cubes(model.synthesizer, tensors, meta)
            for case in sorted({name.split(".")[0] for name in tensors if name.endswith(".u_coarse")}):
                yield from _render(model.synthesizer, tensors, meta, case)


def _points(net: NerfSynthesizer, tensors: dict[str, np.ndarray]) -> Iterator[Result]:
    import torch

    planes = lrm.planes_of(tensors)
    if "pts" in tensors:
        points = torch.from_numpy(tensors["pts"])
        colors, density = net.points(planes, points)
        for name, ours in (
            ("pts_rgb", colors),
            ("pts_sigma", density),
            ("pts_sigma_raw", net.raw(planes, points)[1]),
        ):
            if name in tensors:
                yield Result(name, largest_error(ours, tensors[name]), BOUND)
    if "grid_sigma" in tensors:
        ours = net.density_grid(planes, len(tensors["grid_sigma"]))[0]
        yield Result("grid_sigma", largest_error(ours, tensors["grid_sigma"]), BOUND)


def _marching_cubes(
    net: NerfSynthesizer, tensors: dict[str, np.ndarray], meta: dict[str, Any]
) -> Iterator[Result]:
    """Marching cubes puts a vertex where the level crosses a grid edge, whatever table joins them."""
    import torch

    planes = lrm.planes_of(tensors)
    if {"mc_vertices", "grid_sigma"} <= tensors.keys() and "mesh_threshold_used" in meta:
        resolution = len(tensors["grid_sigma"])
        ours = _crossings(
            net.density_grid(planes, resolution)[0].double().numpy(), meta["mesh_threshold_used"]
        )
        # An error of 2e-5 in density moves a crossing by that over the slope; the nearest of ours must be
        # within 1e-4.
        theirs = tensors["mc_vertices"].astype(np.float64)
        away = max(_nearest(ours, theirs).max(), _nearest(theirs, ours).max())
        yield Result("mc_vertices (as a set)", float(away), RENDER_BOUND)
    if {"mc_vertices", "mc_colors_u8"} <= tensors.keys():
        colors = (
            net.points(planes, torch.from_numpy(tensors["mc_vertices"])[None])[0][0].double().numpy() * 255
        )
        stored = tensors["mc_colors_u8"].astype(np.float64)
        # The reference casts: -0.2 and 0.9 both become 0, 255.2 becomes 255.
        low, high = np.where(stored == 0, -1.0, stored), stored + 1
        yield Result(
            "mc_colors_u8 (before truncation)",
            float(np.maximum(low - colors, colors - high).max(initial=0) / 255),
            BOUND,
        )


def _crossings(density: np.ndarray, level: float) -> np.ndarray:
    last = density.shape[0] - 1
    found = []
    for axis in range(3):
        low, high = (np.take(density, range(i, last + i), axis) for i in (0, 1))
        index = np.argwhere((low > level) != (high > level))
        a, b = (x[tuple(index.T)] for x in (low, high))
        position = index.astype(np.float64)
        position[:, axis] += (level - a) / (b - a)
        found.append(position / last * 2 - 1)
    return np.concatenate(found)


def _nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    return (
        np.array([np.abs(others - p).max(axis=1).min() for p in points])
        if len(others)
        else np.full(max(len(points), 1), np.inf)
    )


def _render(
    net: NerfSynthesizer, tensors: dict[str, np.ndarray], meta: dict[str, Any], case: str
) -> Iterator[Result]:
    import torch

    from geco.reconstruct.instantmesh.volume import Draws, camera_rays

    own = {name.split(".", 1)[1]: value for name, value in tensors.items() if name.startswith(f"{case}.")}
    cameras = torch.from_numpy(tensors["render_cameras25"])
    size = int(meta["render_size"])
    flat = cameras.flatten(0, 1)
    origins, directions = camera_rays(flat[:, :16].reshape(-1, 4, 4), flat[:, 16:].reshape(-1, 3, 3), size)
    coarse = torch.from_numpy(own["u_coarse"])
    draws = Draws(coarse, torch.from_numpy(own["u_fine"]).reshape(*coarse.shape[:2], -1))
    images = net.render(lrm.planes_of(tensors), cameras, size, draws)
    ours = {
        "depths_coarse": images.rays.depths_coarse,
        "weights_coarse": images.rays.weights_coarse,
        "depths_fine": images.rays.depths_fine,
        "images_rgb": images.rgb,
        "images_depth": images.depth,
        "images_weight": images.weight,
    }
    for name, value in ours.items():
        if name in own:
            yield Result(f"{case}.{name}", largest_error(value, own[name]), RENDER_BOUND)
    if case == "mid":
        middle = Draws.middle(origins, coarse.shape[-2], draws.fine.shape[-1])
        yield Result("mid.u_coarse", largest_error(middle.coarse, own["u_coarse"]), RENDER_BOUND)
        yield Result(
            "mid.u_fine", largest_error(middle.fine.reshape(own["u_fine"].shape), own["u_fine"]), RENDER_BOUND
        )
    elif "ray_origins" in tensors:
        yield Result("ray_origins", largest_error(origins, tensors["ray_origins"]), BOUND)
        yield Result("ray_dirs", largest_error(directions, tensors["ray_dirs"]), BOUND)
