"""FlexiCubes against NVIDIA's public code and InstantMesh's copy of it: surfaces, gradients, L_dev, tetrahedra, numpy twin.

Triangles and tetrahedra are compared as sets of corner positions: our vertices are matched with the reference's by
position, and a set that differs counts as an infinite error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from scipy.optimize import least_squares
from scipy.spatial import cKDTree

from geco.isosurface.flexicubes_numpy import extract
from geco.isosurface.flexicubes_torch import FlexiCubes
from geco.reconstruct.interface import FlexiGrid
from tests.reference.result import Result, largest_error

VERTICES, GRADIENTS, DEVIATION = 1e-5, 1e-4, 1e-5
WEIGHTS = ("beta", "alpha", "gamma")
Arrays = dict[str, np.ndarray]


def run(tensors: Arrays, meta: dict[str, Any]) -> Iterator[Result]:
    """Every recorded output of every case; the empty field; grids, where the undeformed one was recorded."""
    for name, settings in meta["cases"].items():
        case = {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}
        for result in _run_case(case, settings):
            yield Result(f"{name}.{result.case}", result.error, result.bound)
    if "empty.verts" in tensors:
        cubes = torch.arange(8)[None]
        ours = FlexiCubes()(torch.zeros(8, 3), torch.ones(8), cubes, 1)
        for part, value in zip(("verts", "faces", "L_dev"), ours):
            yield Result(f"empty.{part}", largest_error(value, tensors[f"empty.{part}"]), 0.0)


def _run_case(case: Arrays, settings: dict[str, Any]) -> Iterator[Result]:
    yield from _grid(case, settings)
    flexicubes = FlexiCubes(settings["weight_scale"])
    inputs = {key: torch.from_numpy(case[key]) for key in ("x", "s", *WEIGHTS) if key in case}
    cubes = torch.from_numpy(case["cubes"]).long()
    for mode in ("eval", "train"):
        if f"{mode}.verts" in case:
            ours = flexicubes(cubes=cubes, resolution=settings["res"], training=mode == "train", **inputs)
            yield from _compare(mode, ours[0], ours[1], case)
            yield Result(f"{mode}.L_dev", largest_error(ours[2], case[f"{mode}.L_dev"]), DEVIATION)
    if "eval.verts" in case:
        weights = [case.get(key) for key in WEIGHTS]
        twin = extract(FlexiGrid(case["x"], case["s"], case["cubes"], *weights, weight_scale=settings["weight_scale"]))
        for result in _compare("eval", *twin, case):
            yield Result(f"numpy twin {result.case}", result.error, result.bound)
    if "tet.verts" in case:
        vertices, tets, _ = flexicubes(cubes=cubes, resolution=settings["res"], output_tetmesh=True, **inputs)
        yield from _compare_sets("tet.tets", vertices, tets, case["tet.verts"], case["tet.tets"])
    if "qef.verts" in case:
        gradient = _fitted_gradient(settings["kind"], case)
        vertices, faces, _ = flexicubes(inputs["x"], inputs["s"], cubes, settings["res"], gradient=gradient)
        yield from _compare_sets("qef.faces", vertices, faces, case["qef.verts"], case["qef.faces"])
    if "grad.loss" in case:
        yield from _gradients(case, flexicubes, inputs, cubes, settings)


def _grid(case: Arrays, settings: dict[str, Any]) -> Iterator[Result]:
    from geco.isosurface.grids import voxel_grid

    if "grid" in case or not settings["deform"]:
        vertices, cubes = voxel_grid(settings["res"])
        yield Result("grid", largest_error(vertices, case.get("grid", case["x"])), VERTICES)
        yield Result("cubes", largest_error(cubes, case["cubes"]), 0.0)


def _compare(mode: str, vertices: Any, faces: Any, case: Arrays) -> Iterator[Result]:
    """Vertices in order, triangle sets of NVIDIA's copy and of InstantMesh's (its train-mode centres have another order)."""
    theirs = case[f"{mode}.verts"]
    yield Result(f"{mode}.verts", largest_error(vertices, theirs), VERTICES)
    yield from _compare_sets(f"{mode}.faces", vertices, faces, theirs, case[f"{mode}.faces"])
    if f"{mode}.faces_im" in case:
        yield from _compare_sets(f"{mode}.faces_im", vertices, faces, case.get(f"{mode}.verts_im", theirs), case[f"{mode}.faces_im"])


def _compare_sets(name: str, vertices: Any, cells: Any, their_vertices: np.ndarray, their_cells: np.ndarray) -> Iterator[Result]:
    """Triangles (or tetrahedra) as sets of corners by position; triangles keep their winding."""
    ours, theirs = np.asarray(vertices), np.asarray(cells)
    if ours.shape != their_vertices.shape or theirs.shape != their_cells.shape:
        yield Result(name, float("inf"), VERTICES)
        return
    distance, _ = cKDTree(their_vertices).query(ours)
    # Vertices that coincide have one place: give every vertex the number of its place before comparing.
    places = _places(np.concatenate([their_vertices, ours]))
    same = _canonical(places[theirs + len(ours)]) == _canonical(places[their_cells])
    yield Result(name, float(distance.max(initial=0.0)) if same else float("inf"), VERTICES)


def _places(points: np.ndarray) -> np.ndarray:
    """(N,) the lowest number among the points within the vertex bound of each."""
    tree = cKDTree(points)
    return np.array([min(near) for near in tree.query_ball_point(points, np.sqrt(3) * VERTICES)])


def _canonical(cells: np.ndarray) -> list[tuple[int, ...]]:
    """Sorted list of cells: triangles turned to start at their lowest corner, tetrahedra sorted."""
    if cells.shape[1] == 4:
        return sorted(map(tuple, np.sort(cells, axis=1).tolist()))
    start = cells.argmin(axis=1)
    turned = np.stack([cells[np.arange(len(cells)), (start + i) % 3] for i in range(3)], axis=1)
    return sorted(map(tuple, turned.tolist()))


def _gradients(
    case: Arrays, flexicubes: FlexiCubes, inputs: dict[str, torch.Tensor], cubes: torch.Tensor, settings: dict[str, Any]
) -> Iterator[Result]:
    """The recorded loss: sum(verts * sin(0.37 * flat index)) + sum(L_dev) in train mode."""
    leaves = {key: value.clone().requires_grad_(True) for key, value in inputs.items()}
    vertices, _, deviation = flexicubes(cubes=cubes, resolution=settings["res"], training=True, **leaves)
    wave = torch.sin(0.37 * torch.arange(vertices.numel(), dtype=torch.float32)).reshape(vertices.shape)
    loss = (vertices * wave).sum() + deviation.sum()
    loss.backward()
    yield Result("grad.loss", largest_error(loss, case["grad.loss"]), GRADIENTS)
    for key, leaf in leaves.items():
        if f"grad.{key}" in case:
            ours = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
            yield Result(f"grad.{key}", largest_error(ours, case[f"grad.{key}"]), GRADIENTS)


def _fitted_gradient(kind: str, case: Arrays) -> Callable[[torch.Tensor], torch.Tensor]:
    """The gradient of the analytic field that was sampled: its parameters are fitted to the samples."""
    field = {"sphere": _sphere, "torus": _torus}[kind]
    x = torch.from_numpy(case["x"]).double()
    s = torch.from_numpy(case["s"]).double()
    start = np.array([0.0, 0.0, 0.0, 0.3, 0.1])
    solved = least_squares(lambda p: (field(x, torch.from_numpy(p)) - s).numpy(), start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    parameters = torch.from_numpy(solved.x)

    def gradient(points: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            leaf = points.detach().double().requires_grad_(True)
            (slope,) = torch.autograd.grad(field(leaf, parameters).sum(), leaf)
        return slope.to(points.dtype)

    return gradient


def _sphere(points: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(points - p[:3], dim=-1) - p[3]


def _torus(points: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    local = points - p[:3]
    ring = torch.linalg.vector_norm(local[:, :2], dim=-1) - p[3]
    return torch.hypot(ring, local[:, 2]) - p[4]
