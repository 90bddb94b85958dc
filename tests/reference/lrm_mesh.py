"""InstantMesh's mesh variant: tokens, planes, fields 2e-5; FlexiCubes vertices 1e-5 and the same triangles;
normals 1e-4.

Vertices of the training triangulation are compared as a set: the extra centre vertices follow NVIDIA's order
in ours, InstantMesh's in the file. ``empty_pos`` and ``empty_neg`` set the last SDF bias as their
descriptions say. Colours of vertices are compared before truncation to 8 bit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.reference import lrm
from tests.reference.result import Result, largest_error

if TYPE_CHECKING:
    import torch

    from geco.reconstruct.instantmesh.mesh import MeshSynthesizer

BOUND = 2e-5
VERTEX_BOUND = 1e-5
CAMERA_BOUND = 1e-6
EXACT = 0.0
Tensors = dict[str, np.ndarray]


def run(tensors: Tensors, meta: dict[str, Any]) -> Iterator[Result]:
    """Every stage whose weights and results are in the file."""
    import torch

    model = lrm.build(tensors, meta, "mesh")
    yield from lrm.backbone(model, tensors)
    yield from lrm.plane_features(tensors)
    with torch.no_grad():
        yield from _grid(model.synthesizer, tensors)
        yield from _cameras(tensors, meta)
        if lrm.has(tensors, "synthesizer") and "planes" in tensors:
            yield from _fields(model.synthesizer, tensors)
            yield from _surfaces(model.synthesizer, tensors)
            yield from _colors(model.synthesizer, tensors)
            for case in sorted({name.split(".")[0] for name in tensors if name.startswith("empty_")}):
                yield from _empty(model.synthesizer, tensors, meta, case)


def _grid(net: MeshSynthesizer, tensors: Tensors) -> Iterator[Result]:
    import torch

    from geco.reconstruct.instantmesh.grid import center_index, shell_mask

    resolution = net.grid_res
    corners, cubes = net.grid(torch.device("cpu"))
    ours = {
        "grid_verts": corners,
        "grid_cubes": cubes,
        "center_indices": np.array([[center_index(resolution)]]),
        "boundary_indices": torch.nonzero(shell_mask(resolution)),
        "all_edges": _grid_edges(resolution),
    }
    for name, value in ours.items():
        if name in tensors:
            theirs = _as_set(tensors[name]) if name == "all_edges" else tensors[name]
            yield Result(name, largest_error(value, theirs), CAMERA_BOUND if name == "grid_verts" else EXACT)


def _as_set(edges: np.ndarray) -> np.ndarray:
    """Undirected edges in lexicographic order: the reference's order and directions are accidents
    of its cubes.
    """
    ordered = np.sort(edges, axis=1)
    return ordered[np.lexsort((ordered[:, 1], ordered[:, 0]))]


def _fields(net: MeshSynthesizer, tensors: Tensors) -> Iterator[Result]:
    import torch

    from geco.reconstruct.instantmesh.grid import sign_change_penalty
    from geco.reconstruct.triplane import point_features

    planes = lrm.planes_of(tensors)
    corners, _ = net.grid(planes.device)
    fields = net.fields(planes, everywhere=True)
    features = point_features(planes, corners[None])
    ours = {
        "sdf_raw": net.sdf(planes, corners),
        "deformation_raw": net.decoder.deformation(features),
        "weight": torch.stack(fields.weights),
        "sdf": fields.sdf,
        "deformation": fields.deformation,
        "sdf_reg_loss": fields.empty_penalty,
        "v_deformed": corners + fields.deformation,
        "sdf_bce_reg": sign_change_penalty(fields.sdf[0, :, 0], net.grid_res),
    }
    for name, value in ours.items():
        if name in tensors:
            yield Result(name, largest_error(value, tensors[name]), BOUND)
    if "weight" in tensors:
        sparse = net.fields(planes)
        theirs = tensors["weight"][0][sparse.cubes[0].numpy()]
        yield Result("weight (surface cubes only)", largest_error(sparse.weights[0], theirs), BOUND)


def _grid_edges(resolution: int) -> torch.Tensor:
    """(E, 2) int64 corner pairs of every axis-aligned edge once, lower index first, in
    lexicographic order.
    """
    import torch

    side = resolution + 1
    index = torch.arange(side**3).reshape(side, side, side)
    pairs = [
        torch.stack(
            [index.narrow(axis, 0, resolution).reshape(-1), index.narrow(axis, 1, resolution).reshape(-1)],
            dim=1,
        )
        for axis in range(3)
    ]
    edges = torch.cat(pairs)
    return edges[torch.argsort(edges[:, 0] * side**3 + edges[:, 1])]


def _surfaces(net: MeshSynthesizer, tensors: Tensors) -> Iterator[Result]:
    planes = lrm.planes_of(tensors)
    for case, training in (("eval", False), ("train", True)):
        if f"{case}.verts" not in tensors:
            continue
        for everywhere in (True, False):
            mesh = net.geometry(planes, training=training, everywhere=everywhere)
            label = case if everywhere else f"{case} (surface cubes only)"
            yield from _same_mesh(
                label, mesh.vertices[0], mesh.faces[0], tensors[f"{case}.verts"], tensors[f"{case}.faces"]
            )
            if f"{case}.flexicubes_surface_reg" in tensors:
                error = largest_error(mesh.surface_penalty, tensors[f"{case}.flexicubes_surface_reg"])
                yield Result(f"{label} surface_reg", error, BOUND)
            if everywhere and f"{case}.flexicubes_weight_reg" in tensors:
                error = largest_error(mesh.fields.weight_penalty, tensors[f"{case}.flexicubes_weight_reg"])
                yield Result(f"{label} weight_reg", error, BOUND)


def _same_mesh(
    case: str, vertices: torch.Tensor, faces: torch.Tensor, their_vertices: Any, their_faces: Any
) -> Iterator[Result]:
    """Vertices matched by position (one to one), then triangles as sets of matched vertices,
    orientation kept.
    """
    from scipy.spatial import cKDTree

    ours = vertices.detach().double().numpy()
    if ours.shape != their_vertices.shape or tuple(faces.shape) != their_faces.shape:
        yield Result(f"{case} sizes", float("inf"), VERTEX_BOUND)
        return
    _, match = cKDTree(their_vertices.astype(np.float64)).query(ours)
    if len(set(match)) < len(match):
        # Vertices closer together than the rounding: only the order can tell them apart.
        match = np.arange(len(match))
    yield Result(f"{case} vertices", float(np.abs(ours - their_vertices[match]).max(initial=0)), VERTEX_BOUND)
    found, wanted = _triangles(match[faces.numpy()]), _triangles(their_faces)
    yield Result(f"{case} triangles that differ", float(len(found ^ wanted)), EXACT)


def _triangles(faces: np.ndarray) -> set[tuple[int, ...]]:
    first = faces.argmin(axis=1)
    turned = np.stack([faces[np.arange(len(faces)), (first + i) % 3] for i in range(3)], axis=1)
    return set(map(tuple, turned.tolist()))


def _colors(net: MeshSynthesizer, tensors: Tensors) -> Iterator[Result]:
    import torch

    planes = lrm.planes_of(tensors)
    if {"pts", "pts_rgb"} <= tensors.keys():
        ours = net.color(planes, torch.from_numpy(tensors["pts"]))
        yield Result("pts_rgb", largest_error(ours, tensors["pts_rgb"]), BOUND)
    if "eval.verts" in tensors:
        colors = net.color(planes, torch.from_numpy(tensors["eval.verts"])[None])
        if "vertex_rgb" in tensors:
            yield Result("vertex_rgb", largest_error(colors, tensors["vertex_rgb"]), BOUND)
        if "vertex_rgb_u8" in tensors:
            scaled, stored = (
                colors[0].clamp(0, 1).double().numpy() * 255,
                tensors["vertex_rgb_u8"].astype(np.float64),
            )
            away = np.maximum(stored - scaled, scaled - (stored + 1)).max(initial=0) / 255
            yield Result("vertex_rgb_u8 (before truncation)", float(away), BOUND)


def _empty(net: MeshSynthesizer, tensors: Tensors, meta: dict[str, Any], case: str) -> Iterator[Result]:
    import torch

    described = re.search(r"bias is (-?[\d.]+)", meta["tensors"].get(f"{case}.sdf", {}).get("desc", ""))
    if described is None:
        raise ValueError(f"the bias of {case} cannot be read from its description")
    bias = net.decoder.net_sdf[-1].bias
    before = bias.clone()
    try:
        bias.fill_(float(described[1]))
        mesh = net.geometry(lrm.planes_of(tensors), everywhere=True)
    finally:
        bias.copy_(before)
    # Values are near 60, where one unit in the last place of float32 is 4e-6.
    yield Result(f"{case}.sdf", largest_error(mesh.fields.sdf, tensors[f"{case}.sdf"]), BOUND)
    if f"{case}.sdf_reg_loss" in tensors:
        yield Result(
            f"{case}.sdf_reg_loss",
            largest_error(mesh.fields.empty_penalty, tensors[f"{case}.sdf_reg_loss"]),
            BOUND,
        )
    if f"{case}.verts" in tensors:
        ours = (mesh.vertices[0], mesh.faces[0])
        assert isinstance(ours[0], torch.Tensor)
        yield from _same_mesh(case, *ours, tensors[f"{case}.verts"], tensors[f"{case}.faces"])


def _cameras(tensors: Tensors, meta: dict[str, Any]) -> Iterator[Result]:
    """The mesh renderer's projection (its clip y points down) and area-weighted normals."""
    import torch

    from geco.cameras import clip_matrix

    projection = clip_matrix(meta.get("flexicubes", {}).get("fovy", 30.0)) * np.array(
        [[1], [-1], [1], [1]], np.float32
    )
    if "proj_mtx" in tensors:
        yield Result("proj_mtx", largest_error(projection[None], tensors["proj_mtx"]), CAMERA_BOUND)
    if {"eval.verts", "w2c"} <= tensors.keys():
        vertices = np.concatenate(
            [tensors["eval.verts"], np.ones((len(tensors["eval.verts"]), 1), np.float32)], axis=1
        )
        camera = vertices @ tensors["w2c"].transpose(0, 2, 1)
        for name, value in (("v_cam", camera), ("v_clip", camera @ projection.T)):
            if name in tensors:
                yield Result(name, largest_error(value, tensors[name]), VERTEX_BOUND)
    if {"vertex_normals", "eval.verts", "eval.faces"} <= tensors.keys():
        from geco.render.shade_torch import vertex_normals

        ours = vertex_normals(
            torch.from_numpy(tensors["eval.verts"]), torch.from_numpy(tensors["eval.faces"])
        )
        yield Result("vertex_normals", largest_error(ours, tensors["vertex_normals"]), 1e-4)
