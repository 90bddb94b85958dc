"""FlexiCubes against NVIDIA's public code and InstantMesh's copy of it: surfaces, gradients, L_dev,
tetrahedra, numpy twin.

Triangles are compared as sets of corner positions: our vertices are matched with the reference's by position,
and a set that differs counts as an infinite error. Two recorded outputs cannot be compared so plainly:

- Tetrahedra around inner grid edges. The public code sorts the four cubes around every edge with torch's
  unstable sort, so on some processors their order is scrambled and the tetrahedra do not fill the inside
  (recorded sphere of volume 0.168:
  signed sum 0.041). Ours do. Compared: all vertices, all tetrahedra on the surface, and for every inner edge
  with four tetrahedra in both which four cubes their vertices come from.
- Quads of the QEF variant whose diagonals are equally good but for rounding (symmetric shapes): either split
  passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.optimize import least_squares
from scipy.spatial import cKDTree

from geco.isosurface.flexi_grid import FlexiGrid
from geco.isosurface.flexicubes_numpy import case_numbers, extract, untangled
from geco.isosurface.flexicubes_torch import FlexiCubes
from geco.isosurface.grids import voxel_grid
from geco.isosurface.tables import tables
from tests.reference.result import Result, largest_error

VERTICES, GRADIENTS, DEVIATION = 1e-5, 1e-4, 1e-5
WEIGHTS = ("beta", "alpha", "gamma")
Arrays = dict[str, np.ndarray]
Gradient = Callable[[torch.Tensor], torch.Tensor]


def run(tensors: Arrays, meta: dict[str, Any]) -> Iterator[Result]:
    """Every recorded output of every case; the empty field; grids, where the undeformed one was recorded."""
    for name, settings in meta["cases"].items():
        case = {
            key.removeprefix(f"{name}."): value
            for key, value in tensors.items()
            if key.startswith(f"{name}.")
        }
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
        twin = extract(
            FlexiGrid(case["x"], case["s"], case["cubes"], *weights, weight_scale=settings["weight_scale"])
        )
        for result in _compare("eval", *twin, case):
            yield Result(f"numpy twin {result.case}", result.error, result.bound)
    if "tet.verts" in case:
        vertices, tets, _ = flexicubes(cubes=cubes, resolution=settings["res"], output_tetmesh=True, **inputs)
        yield Result("tet.verts", largest_error(vertices, case["tet.verts"]), VERTICES)
        yield from _tetrahedra(tets.numpy(), case)
    if "qef.verts" in case and settings["kind"] not in ("sphere", "torus"):
        yield Result("qef (its analytic field is not known here)", float("nan"), VERTICES)
    elif "qef.verts" in case:
        gradient = _fitted_gradient(settings["kind"], case)
        vertices, faces, _ = flexicubes(inputs["x"], inputs["s"], cubes, settings["res"], gradient=gradient)
        yield Result("qef.verts", largest_error(vertices, case["qef.verts"]), VERTICES)
        yield Result("qef.faces", _same_quads(vertices, faces.numpy(), case["qef.faces"], gradient), 0.0)
    if "grad.loss" in case:
        yield from _gradients(case, flexicubes, inputs, cubes, settings)


def _grid(case: Arrays, settings: dict[str, Any]) -> Iterator[Result]:
    if "grid" in case or not settings["deform"]:
        vertices, cubes = voxel_grid(settings["res"])
        yield Result("grid", largest_error(vertices, case.get("grid", case["x"])), VERTICES)
        yield Result("cubes", largest_error(cubes, case["cubes"]), 0.0)


def _compare(mode: str, vertices: Any, faces: Any, case: Arrays) -> Iterator[Result]:
    """Vertices in order, triangle sets of NVIDIA's copy and of InstantMesh's (its train-mode
    centres have another order).
    """
    theirs = case[f"{mode}.verts"]
    yield Result(f"{mode}.verts", largest_error(vertices, theirs), VERTICES)
    yield from _compare_sets(f"{mode}.faces", vertices, faces, theirs, case[f"{mode}.faces"])
    if f"{mode}.faces_im" in case:
        yield from _compare_sets(
            f"{mode}.faces_im",
            vertices,
            faces,
            case.get(f"{mode}.verts_im", theirs),
            case[f"{mode}.faces_im"],
        )


def _compare_sets(
    name: str, vertices: Any, cells: Any, their_vertices: np.ndarray, their_cells: np.ndarray
) -> Iterator[Result]:
    """Triangles as sets of corners by position, with their winding."""
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
    """Sorted list of triangles, each turned to start at its lowest corner."""
    start = cells.argmin(axis=1)
    turned = np.stack([cells[np.arange(len(cells)), (start + i) % 3] for i in range(3)], axis=1)
    return sorted(map(tuple, turned.tolist()))


def _tetrahedra(tets: np.ndarray, case: Arrays) -> Iterator[Result]:
    """Surface tetrahedra exactly; around inner edges the cubes that take part."""
    theirs = case["tet.tets"]
    on_surface = len(case["eval.faces"])
    same = sorted(map(tuple, tets[:on_surface].tolist())) == sorted(map(tuple, theirs[:on_surface].tolist()))
    yield Result("tet.tets on the surface", 0.0 if same else float("inf"), 0.0)
    ours, recorded = (_around_edges(t[on_surface:], _cube_of(case)) for t in (tets, theirs))
    whole = [e for e, c in recorded.items() if len(c) == 8 and len(ours.get(e, [])) == 8]
    wrong = sum(ours[e] != recorded[e] for e in whole)
    enough = len(whole) > max(len(recorded), len(ours)) // 2
    yield Result("tet.tets around inner edges", wrong / len(whole) if enough else float("inf"), 0.0)


def _around_edges(tets: np.ndarray, cube_of: np.ndarray) -> dict[tuple[int, int], list[int]]:
    """For every inner edge, the sorted cubes of the vertices around it."""
    found: dict[tuple[int, int], list[int]] = {}
    for first, second, *edge in tets.tolist():
        found.setdefault((min(edge), max(edge)), []).extend((int(cube_of[first]), int(cube_of[second])))
    return {edge: sorted(cubes) for edge, cubes in found.items()}


def _cube_of(case: Arrays) -> np.ndarray:
    """(V,) the cube that a vertex of the tetrahedral mesh was made for: dual vertices by count,
    then inner cubes' centres.
    """
    table = tables()
    inside = case["s"] < 0
    number = case_numbers(inside, case["cubes"]).astype(np.intp)
    crossing = np.flatnonzero((number > 0) & (number < 255))
    number[crossing] = untangled(number[crossing], case["cubes"][crossing])
    counts = table.dual_count[number[crossing]]
    order = np.argsort(counts, kind="stable")
    duals = np.repeat(crossing[order], counts[order])
    return np.concatenate([duals, np.full(inside.sum(), -1), np.flatnonzero(number == 255)])


def _same_quads(vertices: torch.Tensor, ours: np.ndarray, theirs: np.ndarray, gradient: Gradient) -> float:
    """How many quads differ, other than in the choice between two equally good diagonals; inf for
    another number.
    """
    if ours.shape != theirs.shape:
        return float("inf")
    a, b = ours.reshape(-1, 6), theirs.reshape(-1, 6)
    same = (a == b).all(axis=1)
    normals = torch.nn.functional.normalize(gradient(vertices), dim=-1).numpy()
    wrong = 0
    for mine, other in zip(a[~same], b[~same]):
        ends = [tuple(sorted(set(t[:3].tolist()) & set(t[3:].tolist()))) for t in (mine, other)]
        goodness = [float(normals[i] @ normals[j]) for i, j in ends]
        wrong += set(mine.tolist()) != set(other.tolist()) or abs(goodness[0] - goodness[1]) > 1e-5
    return float(wrong)


def _gradients(
    case: Arrays,
    flexicubes: FlexiCubes,
    inputs: dict[str, torch.Tensor],
    cubes: torch.Tensor,
    settings: dict[str, Any],
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


def _fitted_gradient(kind: str, case: Arrays) -> Gradient:
    """The gradient of the analytic field that was sampled (a sphere or a torus): its parameters
    are fitted to the samples.
    """
    x = torch.from_numpy(case["x"]).double()
    s = torch.from_numpy(case["s"]).double()
    start = np.array([0.0, 0.0, 0.0, 0.3, 0.1])
    fits = []
    for field in {"sphere": [_sphere], "torus": [_torus(axis) for axis in range(3)]}[kind]:
        residual = partial(lambda p, f: (f(x, torch.from_numpy(p)) - s).numpy(), f=field)
        fit = least_squares(residual, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
        fits.append((fit.cost, field, torch.from_numpy(fit.x)))
    _, field, parameters = min(fits, key=lambda fit: fit[0])

    def gradient(points: torch.Tensor) -> torch.Tensor:
        with torch.enable_grad():
            leaf = points.detach().double().requires_grad_(True)
            (slope,) = torch.autograd.grad(field(leaf, parameters).sum(), leaf)
        return slope.to(points.dtype)

    return gradient


def _sphere(points: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(points - p[:3], dim=-1) - p[3]


def _torus(axis: int) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    def field(points: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        local = points - p[:3]
        ring = torch.linalg.vector_norm(local[:, [a for a in range(3) if a != axis]], dim=-1) - p[3]
        return torch.hypot(ring, local[:, axis]) - p[4]

    return field
